//! Folding: turns become rows and tenures, in the background, in key order.
//!
//! Crash safety needs no order among the writes of a generation: a row carries the turn that it
//! was last changed by, so records that are already in it are skipped, and a tenure's key is the
//! same each time. The log keeps the turns until the rows that hold them are durable.

use core::ops::RangeInclusive;

use leasehold_dhcp::record::Location;
use leasehold_dhcp::{Record, Wall};
use sled::IVec;

use super::block::{self, Block};
use super::codec::{self, Corrupt};
use super::database::{Database, Fault, Tree};
use super::row::{self, Row};
use super::turns::frames;

/// A record and the turn that it was in.
type Change = (u64, Record);

/// Turns that are folded together: many changes of one row are folded once, and rows that are
/// neighbours are written together.
#[derive(Debug, Default)]
pub(super) struct Generation {
    through: u64,
    newest: Wall,
    /// By location, each location's in the order of their turns.
    changes: Vec<Change>,
    /// Frames that hold something else than records, and what is wrong with them.
    pub corrupt: Vec<(u64, Vec<u8>, Corrupt)>,
}

impl Generation {
    pub(super) fn of_frames(bytes: &[u8]) -> Self {
        let mut generation = Self::default();
        for frame in frames(bytes) {
            generation.through = frame.sequence;
            match codec::frames(frame.records) {
                Ok(records) => {
                    let changes = records.into_iter().map(|record| (frame.sequence, record));
                    generation.changes.extend(changes);
                }
                Err(why) => {
                    let corrupt = (frame.sequence, frame.records.to_vec(), why);
                    generation.corrupt.push(corrupt);
                }
            }
        }
        let newest = generation.changes.iter().map(|(_, record)| record.at).max();
        generation.newest = newest.unwrap_or_default();
        generation.changes.sort_by(|(_, one), (_, other)| one.location.cmp(&other.location));
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
    pub(super) fn rows(&self) -> impl Iterator<Item = &[Change]> {
        self.changes.chunk_by(|(_, one), (_, next)| one.location == next.location)
    }

    /// Writes its rows and tenures, and up to which turn everything is folded.
    pub(super) fn fold(self, database: &Database) -> Result<(), Fault> {
        for (sequence, records, why) in &self.corrupt {
            database.keep_corrupt_turn(*sequence, records, &why.to_string())?;
        }
        let mut changes = self.changes.into_iter().peekable();
        let mut blocks = Ascent::of(&database.leases);
        let mut own = Vec::new();
        while let Some((_, first)) = changes.peek() {
            let first = first.location.clone();
            let (key, _) = block::of_row(&first.key());
            let kept = blocks.get(&key)?;
            let mut block = match &kept {
                Some(value) => database.block(&key, value)?,
                None => Block::default(),
            };
            let shares = |(_, record): &Change| block::is_shared(&record.location, &first);
            while let Some((turn, record)) = changes.next_if(shares) {
                let location = record.location.clone();
                own.push((turn, record));
                own.extend(core::iter::from_fn(|| {
                    changes.next_if(|(_, record)| record.location == location)
                }));
                fold(database, &mut block, &location, &mut own)?;
                own.clear();
            }
            database.put_block(&key, &block)?;
        }
        database.set_folded(self.through, self.newest)
    }
}

/// The location that changes of one row are about.
pub(super) fn place(changes: &[Change]) -> &Location {
    let (_, first) = changes.first().expect("a row has changed at least once");
    &first.location
}

/// Applies what is newer than the row; `ended` gets each tenure that ends and the turn it ends in.
pub(super) fn apply(
    row: &mut Row,
    changes: impl Iterator<Item = Change>,
    mut ended: impl FnMut(u64, super::Tenure),
) {
    let known = row.sequence();
    for (sequence, record) in changes.filter(|(sequence, _)| *sequence > known) {
        if let Some(tenure) = row.apply(sequence, record) {
            ended(sequence, tenure);
        }
    }
}

fn fold(
    database: &Database,
    block: &mut Block<'_>,
    location: &Location,
    changes: &mut Vec<Change>,
) -> Result<(), Fault> {
    let key = location.key();
    let (_, place) = block::of_row(&key);
    let kept = block.get(place).unwrap_or_default();
    if let Some(value) = row::renewed_value(kept, changes) {
        block.set(place, value);
        return Ok(());
    }
    let mut row = match Row::of_value(kept) {
        Ok(row) => row,
        Err(_) if kept.is_empty() => Row::default(),
        Err(why) => {
            database.keep_aside(Tree::Leases, &key, kept, &why.to_string())?;
            Row::default()
        }
    };
    let mut tenures = Vec::new();
    apply(&mut row, changes.drain(..), |sequence, tenure| tenures.push((sequence, tenure)));
    for (sequence, tenure) in tenures {
        database.put(Tree::Tenures, &tenure.key(sequence), &tenure.value())?;
    }
    if row.is_blank() {
        block.take(place);
    } else {
        block.set(place, row.into_value(location));
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
