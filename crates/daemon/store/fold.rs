//! Folding: turns become rows and tenures, in the background, in key order.
//!
//! Crash safety needs no order among the writes of a generation: a row carries the turn that it
//! was last changed by, so records that are already in it are skipped, and a tenure's key is the
//! same each time. The log keeps the turns until the rows that hold them are durable.

use core::ops::RangeInclusive;

use leasehold_dhcp::Wall;
use leasehold_dhcp::record::{Framed, LocationRef};
use sled::IVec;

use super::block::{self, Block};
use super::codec::{self, Corrupt};
use super::database::{Database, Fault, Tree};
use super::row::{self, Row};
use super::turns::frames;

/// A record of a turn, as it stands in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change<'a> {
    /// The turn that it was in.
    pub turn: u64,
    pub framed: Framed<'a>,
}

/// Turns that are folded together: many changes of one row are folded once, and rows that are
/// neighbours are written together.
#[derive(Debug, Default)]
pub(super) struct Generation<'a> {
    through: u64,
    newest: Wall,
    /// By location, each location's in the order of their turns.
    changes: Vec<Change<'a>>,
    /// Frames that hold something else than records, and what is wrong with them.
    pub corrupt: Vec<(u64, &'a [u8], Corrupt)>,
}

impl<'a> Generation<'a> {
    pub(super) fn of_frames(bytes: &'a [u8]) -> Self {
        let mut generation = Self::default();
        for frame in frames(bytes) {
            generation.through = frame.sequence;
            let whole = generation.changes.len();
            for framed in codec::framed(frame.records) {
                match framed {
                    Ok(framed) => generation.changes.push(Change { turn: frame.sequence, framed }),
                    Err(why) => {
                        // Of a frame with a record that is none, none is believed.
                        generation.changes.truncate(whole);
                        generation.corrupt.push((frame.sequence, frame.records, why));
                    }
                }
            }
        }
        let newest = generation.changes.iter().map(|change| change.framed.at()).max();
        generation.newest = newest.unwrap_or_default();
        generation.changes.sort_by_key(|change| change.framed.location());
        generation
    }

    /// The newest time on any record.
    pub(super) fn newest(&self) -> Wall {
        self.newest
    }

    /// The newest turn.
    pub(super) fn through(&self) -> u64 {
        self.through
    }

    /// The changes of each location.
    pub(super) fn rows(&self) -> impl Iterator<Item = &[Change<'a>]> {
        by_row(&self.changes)
    }

    /// Writes its rows and tenures, and up to which turn everything is folded.
    pub(super) fn fold(&self, database: &Database) -> Result<(), Fault> {
        for (sequence, records, why) in &self.corrupt {
            database.keep_corrupt_turn(*sequence, records, &why.to_string())?;
        }
        let mut blocks = Ascent::of(&database.leases);
        let together = |one: &Change<'_>, next: &Change<'_>| {
            block::is_shared(one.framed.location(), next.framed.location())
        };
        for changes in self.changes.chunk_by(together) {
            let (key, _) = block::of_row(&location(changes).key());
            let kept = blocks.get(&key)?;
            let mut block = match &kept {
                Some(value) => database.block(&key, value)?,
                None => Block::default(),
            };
            by_row(changes).try_for_each(|own| fold(database, &mut block, own))?;
            database.put_block(&key, &block)?;
        }
        database.set_folded(self.through, self.newest)
    }
}

fn by_row<'c, 'a>(changes: &'c [Change<'a>]) -> impl Iterator<Item = &'c [Change<'a>]> {
    changes.chunk_by(|one, next| one.framed.location() == next.framed.location())
}

/// The location that changes of one row are about.
pub(super) fn location<'a>(changes: &[Change<'a>]) -> LocationRef<'a> {
    let first = changes.first().expect("a row has changed at least once");
    first.framed.location()
}

/// Applies what is newer than the row; `ended` gets each tenure that ends and the turn it ends in.
pub(super) fn apply(
    row: &mut Row,
    changes: &[Change<'_>],
    mut ended: impl FnMut(u64, super::Tenure),
) {
    let known = row.sequence();
    for change in changes.iter().filter(|change| change.turn > known) {
        if let Some(tenure) = row.apply(change.turn, change.framed.record()) {
            ended(change.turn, tenure);
        }
    }
}

fn fold(database: &Database, block: &mut Block<'_>, changes: &[Change<'_>]) -> Result<(), Fault> {
    let location = location(changes);
    let place = block::place(location.address);
    let kept = block.get(place).unwrap_or_default();
    if let Some(value) = row::plain_value(kept, changes) {
        block.set(place, value);
        return Ok(());
    }
    let mut row = match Row::of_value(kept) {
        Ok(row) => row,
        Err(_) if kept.is_empty() => Row::default(),
        Err(why) => {
            database.keep_aside(Tree::Leases, &location.key(), kept, &why.to_string())?;
            Row::default()
        }
    };
    let mut tenures = Vec::new();
    apply(&mut row, changes, |turn, tenure| tenures.push((turn, tenure)));
    for (turn, tenure) in tenures {
        database.put(Tree::Tenures, &tenure.key(turn), &tenure.value())?;
    }
    if row.is_blank() {
        block.take(place);
    } else {
        block.set(place, row.into_value(&location.into()));
    }
    Ok(())
}

/// Reads values in the order of their keys: one that follows the last one closely is found by
/// going on from there, which costs a tenth of a search.
struct Ascent<'a> {
    tree: &'a sled::Tree,
    /// What follows `next`, once it has paid to go on.
    rest: Option<sled::Iter>,
    next: Option<(IVec, IVec)>,
    last: Vec<u8>,
}

/// From one block to the next that is its neighbour still, addresses.
const CLOSELY: RangeInclusive<u32> = 1..=8 * block::ROWS as u32;

impl<'a> Ascent<'a> {
    fn of(tree: &'a sled::Tree) -> Self {
        Self { tree, rest: None, next: None, last: Vec::new() }
    }

    fn get(&mut self, key: &[u8]) -> sled::Result<Option<IVec>> {
        let follows = follows(key, &self.last);
        self.last.clear();
        self.last.extend_from_slice(key);
        if !follows {
            self.rest = None;
            return self.tree.get(key);
        }
        if self.rest.is_none() {
            self.next = self.rest.insert(self.tree.range(key..)).next().transpose()?;
        }
        while let (Some((next, _)), Some(rest)) = (&self.next, &mut self.rest)
            && next.as_ref() < key
        {
            self.next = rest.next().transpose()?;
        }
        let found = self.next.as_ref().filter(|(next, _)| next.as_ref() == key);
        Ok(found.map(|(_, value)| value.clone()))
    }
}

/// Whether few keys of locations can stand between two.
fn follows(key: &[u8], last: &[u8]) -> bool {
    let parts = |key: &'_ [u8]| key.split_last_chunk().map(|(_, end)| u32::from_be_bytes(*end));
    let near =
        |(last, key): (u32, u32)| key.checked_sub(last).is_some_and(|by| CLOSELY.contains(&by));
    let spaces = key.len() == last.len() && key.iter().zip(last).rev().skip(4).all(|(a, b)| a == b);
    spaces && parts(last).zip(parts(key)).is_some_and(near)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use leasehold_dhcp::record::Location;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn an_ascent_finds_what_searches_find(
            kept in prop::collection::btree_set(0_u32..600, 0..200),
            asked in prop::collection::btree_set(0_u32..600, 0..200),
        ) {
            // In two spaces, one behind the other.
            let place = |at: u32| match at {
                0..300 => Location::main(at.into()),
                _ => Location { space: "red".into(), address: at.into() },
            };
            let folder = tempfile::tempdir().unwrap();
            let tree = sled::open(folder.path()).unwrap();
            let mut model = BTreeMap::new();
            for at in kept {
                tree.insert(place(at).key(), &at.to_be_bytes()).unwrap();
                model.insert(place(at).key(), at.to_be_bytes().to_vec());
            }
            let mut rows = Ascent::of(&tree);
            for key in asked.into_iter().map(|at| place(at).key()) {
                let found = rows.get(&key).unwrap().map(|value| value.to_vec());
                prop_assert_eq!(found.as_ref(), model.get(&key));
                // Each is written before the next one is read.
                tree.insert(&key, found.unwrap_or_default().repeat(5)).unwrap();
            }
        }
    }
}
