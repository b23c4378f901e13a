//! Who had an address when: pages of tenures, ended and lasting, and the end of old ones.

use core::ops::RangeInclusive;
use std::collections::VecDeque;

use leasehold_dhcp::Wall;
use leasehold_dhcp::record::Location;

use super::block;
use super::codec;
use super::database::{Database, Fault, Tree, fenced};
use super::row::{Row, Tenure};

/// Which tenures are asked for.
#[derive(Clone, Debug)]
pub struct Query {
    /// One address, or all.
    pub location: Option<Location>,
    /// One hardware address, or all.
    pub chaddr: Option<Box<[u8]>>,
    /// Tenures that overlap this time.
    pub between: RangeInclusive<Wall>,
    /// Where the page before has ended.
    pub after: Option<Cursor>,
    /// How many at most.
    pub limit: usize,
}

impl Default for Query {
    fn default() -> Self {
        let between = Wall(0)..=Wall(u64::MAX);
        Self { location: None, chaddr: None, between, after: None, limit: 1000 }
    }
}

impl Query {
    fn wants(&self, tenure: &Tenure) -> bool {
        let chaddr = self.chaddr.as_ref().is_none_or(|chaddr| *chaddr == tenure.binding.chaddr);
        let end = tenure.ended.map_or(Wall(u64::MAX), |(at, _)| at);
        chaddr && tenure.since <= *self.between.end() && end >= *self.between.start()
    }
}

/// A place in the history, to go on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(Vec<u8>);

/// A part of the answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// By address, then by beginning. May be empty though more follow.
    pub tenures: Vec<Tenure>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}

/// How many rows and tenures one step may look at, so that it never holds up a commit for long.
const LOOKS: usize = 4096;

/// Stands where an ended tenure has its beginning and its turn: what lasts sorts last.
const LASTS: [u8; 16] = [0xff; 16];

/// One page. Everything has to be folded.
pub(super) fn page(database: &Database, query: &Query) -> Result<Page, Fault> {
    fenced(|| {
        let prefix = query.location.as_ref().map(Location::key).unwrap_or_default();
        let after = query.after.as_ref().map(|cursor| cursor.0.as_slice());
        let mut entries = Entries::after(database, after.unwrap_or(&prefix))?;
        let mut tenures = Vec::new();
        let mut last = Vec::new();
        for _ in 0..LOOKS {
            if tenures.len() >= query.limit {
                break;
            }
            let entry = entries.next(database)?.filter(|entry| entry.key.starts_with(&prefix));
            let Some(entry) = entry else { return Ok(Page { tenures, next: None }) };
            if after.is_some_and(|after| entry.key.as_slice() <= after) {
                continue;
            }
            if let Some(tenure) = entry.tenure(database)?
                && query.wants(&tenure)
            {
                tenures.push(tenure);
            }
            last = entry.key;
        }
        Ok(Page { tenures, next: Some(Cursor(last)) })
    })
}

/// Ended and lasting tenures, merged by key.
struct Entries {
    tenures: sled::Iter,
    blocks: sled::Iter,
    /// Keys and values of the rows that are in the block reached, from the first one wanted on.
    rows: VecDeque<(Vec<u8>, Vec<u8>)>,
    from: Vec<u8>,
    ended: Option<Entry>,
    lasting: Option<Entry>,
}

struct Entry {
    key: Vec<u8>,
    value: Vec<u8>,
    lasts: bool,
}

impl Entries {
    fn after(database: &Database, start: &[u8]) -> Result<Self, Fault> {
        // A cursor is a location with sixteen octets behind it, a prefix is a location.
        let location = start.len().checked_sub(LASTS.len()).filter(|length| *length >= 5);
        let from = &start[..location.unwrap_or(start.len())];
        let (block, _) = block::of_row(from);
        let mut entries = Self {
            tenures: database.tenures.range(start..),
            blocks: database.leases.range(block..),
            rows: VecDeque::new(),
            from: from.to_vec(),
            ended: None,
            lasting: None,
        };
        entries.pull_ended()?;
        entries.pull_lasting(database)?;
        Ok(entries)
    }

    fn pull_ended(&mut self) -> Result<(), Fault> {
        let next = self.tenures.next().transpose()?;
        self.ended = next.map(|(key, value)| Entry {
            key: key.to_vec(),
            value: value.to_vec(),
            lasts: false,
        });
        Ok(())
    }

    fn pull_lasting(&mut self, database: &Database) -> Result<(), Fault> {
        while self.rows.is_empty()
            && let Some((at, value)) = self.blocks.next().transpose()?
        {
            let block = database.block(&at, &value)?;
            let rows = block.rows().map(|(place, row)| (block::row_key(&at, place), row.to_vec()));
            self.rows = rows.filter(|(key, _)| *key >= self.from).collect();
        }
        self.lasting = self.rows.pop_front().map(|(mut key, value)| {
            key.extend_from_slice(&LASTS);
            Entry { key, value, lasts: true }
        });
        Ok(())
    }

    fn next(&mut self, database: &Database) -> Result<Option<Entry>, Fault> {
        let lasting_first = match (&self.ended, &self.lasting) {
            (Some(ended), Some(lasting)) => lasting.key < ended.key,
            (None, _) => true,
            (_, None) => false,
        };
        if lasting_first {
            let entry = self.lasting.take();
            self.pull_lasting(database)?;
            return Ok(entry);
        }
        let entry = self.ended.take();
        self.pull_ended()?;
        Ok(entry)
    }
}

impl Entry {
    fn tenure(&self, database: &Database) -> Result<Option<Tenure>, Fault> {
        if self.lasts {
            let lease = &self.key[..self.key.len() - LASTS.len()];
            let read = codec::key_location(lease)
                .and_then(|location| Ok(Row::of_value(&self.value)?.tenure(&location)));
            return read.or_else(|why| {
                database.set_aside(Tree::Leases, lease, &why.to_string())?;
                Ok(None)
            });
        }
        Tenure::read(&self.key, &self.value).map(Some).or_else(|why| {
            database.set_aside(Tree::Tenures, &self.key, &why.to_string())?;
            Ok(None)
        })
    }
}

/// Walks through the history again and again and removes what has ended before a time.
#[derive(Debug, Default)]
pub(super) struct Trim {
    tenures: Vec<u8>,
    leases: Vec<u8>,
}

impl Trim {
    /// Looks at some values; removes tenures that ended, and addresses that were left, before
    /// `oldest`. Says whether it has come around.
    pub(super) fn step(&mut self, database: &Database, oldest: Wall) -> Result<bool, Fault> {
        fenced(|| {
            let tenures = sweep(&database.tenures, &mut self.tenures, LOOKS, |key, value| {
                let ended = Tenure::read(key, value).ok().and_then(|tenure| tenure.ended);
                match ended {
                    Some((at, _)) if at < oldest => database.remove(Tree::Tenures, key),
                    _ => Ok(()),
                }
            })?;
            let looks = LOOKS / block::ROWS;
            let leases = sweep(&database.leases, &mut self.leases, looks, |key, value| {
                let mut block = database.block(key, value)?;
                let is_left = |row: &[u8]| {
                    let idle = Row::of_value(row).ok().and_then(|row| row.idle_since());
                    idle.is_some_and(|at| at < oldest)
                };
                let rows = block.rows().filter(|(_, row)| is_left(row));
                let left: Vec<usize> = rows.map(|(place, _)| place).collect();
                if left.is_empty() {
                    return Ok(());
                }
                left.into_iter().for_each(|place| drop(block.take(place)));
                database.put_block(key, &block)
            })?;
            Ok(tenures && leases)
        })
    }
}

/// Shows a number of values, from where the last step has ended; says whether it has come around.
fn sweep(
    tree: &sled::Tree,
    from: &mut Vec<u8>,
    looks: usize,
    mut tend: impl FnMut(&[u8], &[u8]) -> Result<(), Fault>,
) -> Result<bool, Fault> {
    let mut looked = 0;
    for entry in tree.range(from.as_slice()..).take(looks) {
        let (key, value) = entry?;
        tend(&key, &value)?;
        looked += 1;
        *from = key.to_vec();
        from.push(0);
    }
    if looked < looks {
        from.clear();
    }
    Ok(looked < looks)
}
