//! Folding: turns become rows and tenures, in the background, in key order, in small steps.
//!
//! Crash safety needs no order among the writes of a generation: a row carries the turn that it
//! was last changed by, so records that are already in it are skipped, and a tenure's key is the
//! same each time. Turns are removed only after the rows that hold them are durable.

use std::collections::BTreeMap;
use std::vec;

use leasehold_dhcp::record::Location;
use leasehold_dhcp::{Record, Wall};

use super::codec;
use super::database::{Database, Fault, fenced, turn_key, turn_of_key};
use super::row::Row;

/// What has happened to each address, with the turns that it happened in.
type Changes = BTreeMap<Location, Vec<(u64, Record)>>;

/// Turns that are durable but not yet folded.
#[derive(Debug, Default)]
pub(super) struct Folding {
    tail: Vec<(u64, Vec<u8>)>,
    generation: Option<Generation>,
}

#[derive(Debug)]
struct Generation {
    through: u64,
    newest: Wall,
    rows: vec::IntoIter<(Location, Vec<(u64, Record)>)>,
}

/// What loading found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Loaded {
    /// Rows that were read.
    pub rows: u64,
    /// Values that had to be set aside.
    pub corrupt: u64,
    /// The newest time on any record.
    pub newest: Wall,
}

const REMOVALS: usize = 512;

impl Folding {
    /// Reads the whole store: the records that rebuild the book go to `restore`, each address's
    /// in order; what is not yet folded is remembered.
    pub(super) fn load(
        database: &Database,
        mut restore: impl FnMut(Record),
    ) -> Result<(Self, Loaded), Fault> {
        let mut loaded = Loaded::default();
        let mut changes = fenced(|| turns(database, &mut loaded))?;
        let (through, newest) = fenced(|| database.newest())?;
        loaded.newest = newest;
        let generation = Generation {
            through,
            newest,
            rows: changes.clone().into_iter().collect::<Vec<_>>().into_iter(),
        };
        fenced(|| {
            for entry in &database.leases {
                let (key, value) = entry?;
                let read = codec::key_location(&key)
                    .and_then(|location| Ok((location, Row::of_value(&value)?)));
                match read {
                    Ok((location, mut row)) => {
                        let changes = changes.remove(&location).unwrap_or_default();
                        apply(&mut row, &changes, |_, _| {});
                        emit(&row, &location, &mut loaded, &mut restore);
                    }
                    Err(why) => {
                        loaded.corrupt += 1;
                        database.set_aside(&database.leases, &key, &why.to_string())?;
                    }
                }
            }
            Ok(())
        })?;
        for (location, changes) in changes {
            let mut row = Row::default();
            apply(&mut row, &changes, |_, _| {});
            emit(&row, &location, &mut loaded, &mut restore);
        }
        let pending = generation.rows.len() > 0;
        let generation = pending.then_some(generation);
        Ok((Self { tail: Vec::new(), generation }, loaded))
    }

    /// Remembers the chunks of a turn that has been written.
    pub(super) fn append(&mut self, sequence: u64, chunks: Vec<Vec<u8>>) {
        self.tail.extend(chunks.into_iter().map(|chunk| (sequence, chunk)));
    }

    /// Whether everything is folded.
    pub(super) fn is_done(&self) -> bool {
        self.tail.is_empty() && self.generation.is_none()
    }

    /// Folds at most `rows` rows, or removes some folded turns.
    pub(super) fn step(&mut self, database: &mut Database, rows: usize) -> Result<(), Fault> {
        if self.generation.is_none() {
            self.generation = freeze(core::mem::take(&mut self.tail));
        }
        let Some(generation) = &mut self.generation else { return Ok(()) };
        if generation.rows.len() > 0 {
            let slice = generation.rows.by_ref().take(rows);
            fenced(|| {
                slice.into_iter().try_for_each(|(at, changes)| fold(database, &at, &changes))
            })?;
            if generation.rows.len() > 0 {
                return Ok(());
            }
            database.sync()?;
            return fenced(|| database.set_folded(generation.through, generation.newest));
        }
        let through = generation.through;
        if fenced(|| remove_turns(database, through))? {
            self.generation = None;
        }
        Ok(())
    }

    /// Folds everything at once.
    pub(super) fn finish(&mut self, database: &mut Database) -> Result<(), Fault> {
        while !self.is_done() {
            self.step(database, usize::MAX)?;
        }
        Ok(())
    }
}

fn emit(row: &Row, location: &Location, loaded: &mut Loaded, restore: &mut impl FnMut(Record)) {
    loaded.rows += 1;
    for record in row.records(location) {
        loaded.newest = loaded.newest.max(record.at);
        restore(record);
    }
}

/// All turns in the store, by address; corrupt chunks are set aside.
fn turns(database: &Database, loaded: &mut Loaded) -> Result<Changes, Fault> {
    let mut changes = Changes::new();
    for entry in &database.turns {
        let (key, chunk) = entry?;
        match (turn_of_key(&key), codec::records(&chunk)) {
            (Some(sequence), Ok(records)) => note(&mut changes, sequence, records),
            (_, read) => {
                let why = read.err().map_or_else(|| "no turn's key".into(), |why| why.to_string());
                loaded.corrupt += 1;
                database.set_aside(&database.turns, &key, &why)?;
            }
        }
    }
    Ok(changes)
}

fn note(changes: &mut Changes, sequence: u64, records: Vec<Record>) {
    for record in records {
        changes.entry(record.location.clone()).or_default().push((sequence, record));
    }
}

fn freeze(tail: Vec<(u64, Vec<u8>)>) -> Option<Generation> {
    let through = tail.last()?.0;
    let mut changes = Changes::new();
    for (sequence, chunk) in tail {
        // Our own encoding of a moment ago; it cannot fail to decode.
        note(&mut changes, sequence, codec::records(&chunk).unwrap_or_default());
    }
    let all = changes.values().flatten();
    let newest = all.map(|(_, record)| record.at).max().unwrap_or_default();
    Some(Generation { through, newest, rows: changes.into_iter().collect::<Vec<_>>().into_iter() })
}

/// Applies what is newer than the row; `ended` gets each tenure that ends and the turn it ends in.
fn apply(row: &mut Row, changes: &[(u64, Record)], mut ended: impl FnMut(u64, super::Tenure)) {
    let known = row.sequence();
    for (sequence, record) in changes.iter().filter(|(sequence, _)| *sequence > known) {
        if let Some(tenure) = row.apply(*sequence, record) {
            ended(*sequence, tenure);
        }
    }
}

fn fold(database: &Database, location: &Location, changes: &[(u64, Record)]) -> Result<(), Fault> {
    let key = location.key();
    let kept = database.leases.get(&key)?;
    let mut row = match kept.map(|value| Row::of_value(&value)) {
        None => Row::default(),
        Some(Ok(row)) => row,
        Some(Err(why)) => {
            database.set_aside(&database.leases, &key, &why.to_string())?;
            Row::default()
        }
    };
    let mut tenures = Vec::new();
    apply(&mut row, changes, |sequence, tenure| tenures.push((sequence, tenure)));
    for (sequence, tenure) in tenures {
        database.tenures.insert(tenure.key(sequence), tenure.value())?;
    }
    database.leases.insert(key, row.value(location))?;
    Ok(())
}

/// Removes some turns up to `through`; says whether none is left.
fn remove_turns(database: &Database, through: u64) -> Result<bool, Fault> {
    let folded = ..=turn_key(through, u16::MAX);
    let keys = database.turns.range(folded).keys().take(REMOVALS);
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    for key in &keys {
        database.turns.remove(key)?;
    }
    Ok(keys.len() < REMOVALS)
}
