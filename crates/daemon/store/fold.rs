//! Folding: turns become rows and tenures, in the background, in key order.
//!
//! Crash safety needs no order among the writes of a generation: a row carries the turn that it
//! was last changed by, so records that are already in it are skipped, and a tenure's key is the
//! same each time. The log keeps the turns until the rows that hold them are durable.

use leasehold_dhcp::record::Location;
use leasehold_dhcp::{Record, Wall};

use super::codec::{self, Corrupt};
use super::database::{Database, Fault, Tree};
use super::row::{self, Row};
use super::turns::frames;

/// A record and the turn that it was in.
type Change = (u64, Record);

/// Turns that are folded together: many changes of one row are folded once, and rows that are
/// neighbours are written together, which takes a third of the time that a turn by itself takes.
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
        let mut own = Vec::new();
        while let Some((_, first)) = changes.peek() {
            let location = first.location.clone();
            own.extend(core::iter::from_fn(|| {
                changes.next_if(|(_, record)| record.location == location)
            }));
            fold(database, &location, &mut own)?;
            own.clear();
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

fn fold(database: &Database, location: &Location, changes: &mut Vec<Change>) -> Result<(), Fault> {
    let key = location.key();
    let kept = database.leases.get(&key)?;
    if let Some(value) = kept.as_ref().and_then(|value| row::renewed_value(value, changes)) {
        return database.put(Tree::Leases, &key, &value);
    }
    let mut row = match kept.map(|value| Row::of_value(&value)) {
        None => Row::default(),
        Some(Ok(row)) => row,
        Some(Err(why)) => {
            database.set_aside(Tree::Leases, &key, &why.to_string())?;
            Row::default()
        }
    };
    let mut tenures = Vec::new();
    apply(&mut row, changes.drain(..), |sequence, tenure| tenures.push((sequence, tenure)));
    for (sequence, tenure) in tenures {
        database.put(Tree::Tenures, &tenure.key(sequence), &tenure.value())?;
    }
    database.put(Tree::Leases, &key, &row.into_value(location))
}
