//! Loading: all rows and the turns that are newer, in key order, read by several threads.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use leasehold_dhcp::record::Location;
use leasehold_dhcp::{Record, Wall};
use sled::IVec;

use super::block::{self, Block};
use super::codec::{self, Corrupt};
use super::database::{Database, Fault, Tree, fenced};
use super::fold::{Change, Generation, apply, location};
use super::row::{self, Row};

/// What loading found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// Values that had to be set aside.
    pub corrupt: u64,
    /// The newest time on any record.
    pub newest: Wall,
}

/// Rows of one part of the keys: sealed no more and not taken apart yet, in one piece of memory.
/// What one thread takes apart and another one drops costs more than reading it.
#[derive(Debug, Default)]
struct Part {
    octets: Vec<u8>,
    /// Where each row's key ends, and its frames behind that.
    rows: Vec<(usize, usize)>,
    /// Keys of rows that are not what was written, and why.
    corrupt: Vec<(Vec<u8>, String)>,
    /// Blocks that are not, keys and values.
    broken: Vec<(IVec, IVec)>,
}

impl Part {
    fn push(&mut self, key: &[u8], frames: &[u8]) {
        self.octets.extend_from_slice(key);
        let end = self.octets.len();
        self.octets.extend_from_slice(frames);
        self.rows.push((end, self.octets.len()));
    }

    /// Keys and frames.
    fn rows(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let starts = core::iter::once(0).chain(self.rows.iter().map(|(_, end)| *end));
        let rows = starts.zip(&self.rows);
        rows.map(|(start, (key, end))| (&self.octets[start..*key], &self.octets[*key..*end]))
    }
}

/// Addresses of a part: `2^PART_BITS`.
const PART_BITS: u32 = 13;
const THREADS_MAX: usize = 4;

/// Reads the whole store: the records that rebuild the book go to `restore`, each address's in
/// order. `fresh` are the turns that are not folded.
pub(super) fn load(
    database: &Database,
    fresh: &Generation<'_>,
    restore: impl FnMut(Record),
) -> Result<Loaded, Fault> {
    let (_, newest) = fenced(|| database.folded())?;
    let loaded = Loaded { corrupt: fresh.corrupt.len() as u64, newest };
    let mut merge = Merge { fresh: fresh.rows().peekable(), loaded, restore };
    // The thread that restores takes as long as one that reads.
    let threads = thread::available_parallelism().map_or(1, |count| count.get().min(THREADS_MAX));
    let parts = Parts(Mutex::new((0, Vec::new())));
    let done = thread::scope(|scope| {
        let (sender, received) = sync_channel(threads);
        for _ in 0..threads {
            let (parts, sender) = (&parts, sender.clone());
            scope.spawn(move || read_parts(database, parts, &sender));
        }
        drop(sender);
        merge.all(database, &received)
    });
    done.map(|()| merge.loaded)
}

type Read = Result<(u64, Part), Fault>;

fn read_parts(database: &Database, parts: &Parts, sender: &SyncSender<Read>) {
    loop {
        let read = fenced(|| match parts.next(database)? {
            None => Ok(None),
            Some((number, first, past)) => Ok(Some((number, part(database, &first, &past)?))),
        });
        // A reader that has given up wants no more.
        let Some(read) = read.transpose() else { return };
        let failed = read.is_err();
        if sender.send(read).is_err() || failed {
            return;
        }
    }
}

/// How many parts have been taken, and the key that the next one does not begin before.
struct Parts(Mutex<(u64, Vec<u8>)>);

/// A part's number, its first key, and the key that it ends before.
type Taken = (u64, IVec, Vec<u8>);

impl Parts {
    fn next(&self, database: &Database) -> Result<Option<Taken>, Fault> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (number, from) = &mut *state;
        let Some(entry) = database.leases.range(from.as_slice()..).next() else { return Ok(None) };
        let (first, _) = entry?;
        *from = past(&first);
        *number += 1;
        Ok(Some((*number, first, from.clone())))
    }
}

/// The key behind the part that a key is in; a key that is none of ours is a part by itself.
fn past(key: &[u8]) -> Vec<u8> {
    let Some((space, address)) = key.split_last_chunk() else { return [key, &[0]].concat() };
    let end = (u32::from_be_bytes(*address) >> PART_BITS) + 1;
    match end.checked_mul(1 << PART_BITS) {
        Some(next) => [space, &next.to_be_bytes()].concat(),
        // Behind the last address there are only longer keys, and other spaces.
        None => [space, &[0xff; 4], &[0]].concat(),
    }
}

fn part(database: &Database, first: &IVec, past: &[u8]) -> Result<Part, Fault> {
    let mut part = Part::default();
    for entry in database.leases.range(&first[..]..past) {
        let (at, value) = entry?;
        let (block, wrong) = Block::read(&at, &value);
        if wrong.is_some() {
            part.broken.push((at.clone(), value.clone()));
        }
        for (place, row) in block.rows() {
            let key = block::row_key(&at, place);
            match row::frames_of_value(row) {
                Ok(frames) => part.push(&key, frames),
                Err(why) => part.corrupt.push((key, why.to_string())),
            }
        }
    }
    Ok(part)
}

/// What a row says, and where. A row at another's place would be taken for its lease.
fn records(key: &[u8], frames: &[u8]) -> Result<(Location, Vec<Record>), Corrupt> {
    let location = codec::key_location(key)?;
    let records = codec::frames(frames)?;
    let fits = records.iter().all(|record| record.location == location);
    if fits { Ok((location, records)) } else { Err(Corrupt::Key) }
}

/// Rows and newer turns on their way to the book.
struct Merge<'a, F: Iterator<Item = &'a [Change<'a>]>, R> {
    fresh: core::iter::Peekable<F>,
    loaded: Loaded,
    restore: R,
}

impl<'a, F: Iterator<Item = &'a [Change<'a>]>, R: FnMut(Record)> Merge<'a, F, R> {
    fn all(&mut self, database: &Database, received: &Receiver<Read>) -> Result<(), Fault> {
        let mut waiting = BTreeMap::new();
        let mut next = 1;
        for read in received {
            let (number, part) = read?;
            waiting.insert(number, part);
            while let Some(part) = waiting.remove(&next) {
                self.part(database, &part)?;
                next += 1;
            }
        }
        while let Some(new) = self.fresh.next() {
            self.changed(Row::default(), new);
        }
        Ok(())
    }

    fn part(&mut self, database: &Database, part: &Part) -> Result<(), Fault> {
        for (key, frames) in part.rows() {
            match records(key, frames) {
                Ok((location, records)) => self.row(database, &location, records)?,
                Err(why) => self.corrupt(database, key, &why.to_string())?,
            }
        }
        for (key, value) in &part.broken {
            self.loaded.corrupt += 1;
            fenced(|| database.block(key, value).map(drop))?;
        }
        part.corrupt.iter().try_for_each(|(key, why)| self.corrupt(database, key, why))
    }

    fn row(
        &mut self,
        database: &Database,
        location: &Location,
        records: Vec<Record>,
    ) -> Result<(), Fault> {
        // Rows that the store does not have yet, between those that it has.
        while let Some(new) = self.fresh.next_if(|new| self::location(new) < location.borrowed()) {
            self.changed(Row::default(), new);
        }
        match self.fresh.next_if(|own| self::location(own) == location.borrowed()) {
            None => records.into_iter().for_each(|record| self.emit(record)),
            Some(own) => {
                let value = fenced(|| database.row(&location.key()))?;
                let row = value.and_then(|value| Row::of_value(&value).ok());
                self.changed(row.unwrap_or_default(), own);
            }
        }
        Ok(())
    }

    fn corrupt(&mut self, database: &Database, key: &[u8], why: &str) -> Result<(), Fault> {
        self.loaded.corrupt += 1;
        fenced(|| database.set_aside(Tree::Leases, key, why))
    }

    fn changed(&mut self, mut row: Row, changes: &[Change<'_>]) {
        apply(&mut row, changes, |_, _| {});
        row.into_records(&location(changes).into()).for_each(|record| self.emit(record));
    }

    fn emit(&mut self, record: Record) {
        self.loaded.newest = self.loaded.newest.max(record.at);
        (self.restore)(record);
    }
}
