//! Folding: turns become rows and tenures, in the background, in key order, in small steps.
//!
//! Crash safety needs no order among the writes of a generation: a row carries the turn that it
//! was last changed by, so records that are already in it are skipped, and a tenure's key is the
//! same each time. Turns are removed only after the rows that hold them are durable.

use leasehold_dhcp::record::Location;
use leasehold_dhcp::{Record, Wall};

use super::codec;
use super::database::{Database, Fault, fenced, turn_key, turn_of_key};
use super::row::Row;

/// A record and the turn that it was in.
type Change = (u64, Record);

/// Turns that are durable but not yet folded.
#[derive(Debug, Default)]
pub(super) struct Folding {
    tail: Vec<(u64, Vec<u8>)>,
    tail_bytes: usize,
    generation: Option<Generation>,
}

#[derive(Debug)]
struct Generation {
    through: u64,
    newest: Wall,
    /// By location, each location's in the order of their turns.
    changes: Vec<Change>,
    /// The first of them that is not folded.
    next: usize,
}

impl Generation {
    fn new(through: u64, newest: Wall, mut changes: Vec<Change>) -> Self {
        changes.sort_by(|(_, one), (_, other)| one.location.cmp(&other.location));
        Self { through, newest, changes, next: 0 }
    }

    /// The changes of the next row.
    fn row(&mut self) -> Option<&[Change]> {
        let row = rows(&self.changes[self.next..]).next()?;
        self.next += row.len();
        Some(row)
    }

    fn is_folded(&self) -> bool {
        self.next == self.changes.len()
    }
}

/// The changes of each location, which stand together.
fn rows(changes: &[Change]) -> impl Iterator<Item = &[Change]> {
    changes.chunk_by(|(_, one), (_, next)| one.location == next.location)
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
/// Octets of turns that make a generation: some 10,000 bound leases or 50,000 renewals. Many
/// changes of one row are folded once, and rows that are neighbours are written together, which
/// takes a third of the time that a generation per commit takes.
const GENERATION_BYTES: usize = 1 << 20;

impl Folding {
    /// Reads the whole store: the records that rebuild the book go to `restore`, each address's
    /// in order; what is not yet folded is remembered.
    pub(super) fn load(
        database: &Database,
        mut restore: impl FnMut(Record),
    ) -> Result<(Self, Loaded), Fault> {
        let mut loaded = Loaded::default();
        let changes = fenced(|| turns(database, &mut loaded))?;
        let (through, newest) = fenced(|| database.newest())?;
        loaded.newest = newest;
        let generation = Generation::new(through, newest, changes);
        let mut fresh = rows(&generation.changes).peekable();
        fenced(|| {
            for entry in &database.leases {
                let (key, value) = entry?;
                let read = codec::key_location(&key)
                    .and_then(|location| Ok((location, Row::of_value(&value)?)));
                match read {
                    Ok((location, mut row)) => {
                        // Rows that the store does not have yet, between those that it has.
                        while let Some(new) = fresh.next_if(|new| place(new) < &location) {
                            emit_new(new, &mut loaded, &mut restore);
                        }
                        let own = fresh.next_if(|own| place(own) == &location);
                        apply(&mut row, own.unwrap_or_default(), |_, _| {});
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
        fresh.for_each(|new| emit_new(new, &mut loaded, &mut restore));
        let generation = (!generation.is_folded()).then_some(generation);
        Ok((Self { generation, ..Self::default() }, loaded))
    }

    /// Remembers the chunks of a turn that has been written.
    pub(super) fn append(&mut self, sequence: u64, chunks: Vec<Vec<u8>>) {
        self.tail_bytes += chunks.iter().map(Vec::len).sum::<usize>();
        self.tail.extend(chunks.into_iter().map(|chunk| (sequence, chunk)));
    }

    /// Whether everything is folded.
    pub(super) fn is_done(&self) -> bool {
        self.tail.is_empty() && self.generation.is_none()
    }

    /// Whether a step would do something.
    pub(super) fn is_due(&self) -> bool {
        self.generation.is_some() || self.tail_bytes >= GENERATION_BYTES
    }

    /// Begins a generation with what there is, however little, unless one is being folded.
    pub(super) fn begin(&mut self) {
        if self.generation.is_none() {
            self.generation = freeze(core::mem::take(&mut self.tail));
            self.tail_bytes = 0;
        }
    }

    /// Folds at most `most` rows, or removes some folded turns; nothing while too little has
    /// gathered.
    pub(super) fn step(&mut self, database: &mut Database, most: usize) -> Result<(), Fault> {
        if self.is_due() {
            self.begin();
        }
        let Some(generation) = &mut self.generation else { return Ok(()) };
        if !generation.is_folded() {
            fenced(|| {
                let mut left = most;
                while left > 0
                    && let Some(changes) = generation.row()
                {
                    fold(database, changes)?;
                    left -= 1;
                }
                Ok(())
            })?;
            if !generation.is_folded() {
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
            self.begin();
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

fn emit_new(changes: &[Change], loaded: &mut Loaded, restore: &mut impl FnMut(Record)) {
    let mut row = Row::default();
    apply(&mut row, changes, |_, _| {});
    emit(&row, place(changes), loaded, restore);
}

/// All turns in the store, in order; corrupt chunks are set aside.
fn turns(database: &Database, loaded: &mut Loaded) -> Result<Vec<Change>, Fault> {
    let mut changes = Vec::new();
    for entry in &database.turns {
        let (key, chunk) = entry?;
        match (turn_of_key(&key), codec::records(&chunk)) {
            (Some(turn), Ok(records)) => {
                changes.extend(records.into_iter().map(|record| (turn, record)));
            }
            (_, read) => {
                let why = read.err().map_or_else(|| "no turn's key".into(), |why| why.to_string());
                loaded.corrupt += 1;
                database.set_aside(&database.turns, &key, &why)?;
            }
        }
    }
    Ok(changes)
}

fn freeze(tail: Vec<(u64, Vec<u8>)>) -> Option<Generation> {
    let through = tail.last()?.0;
    let mut changes = Vec::new();
    for (turn, chunk) in tail {
        // Our own encoding of a moment ago; it cannot fail to decode.
        let records = codec::records(&chunk).unwrap_or_default();
        changes.extend(records.into_iter().map(|record| (turn, record)));
    }
    let newest = changes.iter().map(|(_, record)| record.at).max().unwrap_or_default();
    Some(Generation::new(through, newest, changes))
}

/// The location that changes of one row are about.
fn place(changes: &[Change]) -> &Location {
    let (_, first) = changes.first().expect("a row has changed at least once");
    &first.location
}

/// Applies what is newer than the row; `ended` gets each tenure that ends and the turn it ends in.
fn apply(row: &mut Row, changes: &[Change], mut ended: impl FnMut(u64, super::Tenure)) {
    let known = row.sequence();
    for (sequence, record) in changes.iter().filter(|(sequence, _)| *sequence > known) {
        if let Some(tenure) = row.apply(*sequence, record) {
            ended(*sequence, tenure);
        }
    }
}

fn fold(database: &Database, changes: &[Change]) -> Result<(), Fault> {
    let location = place(changes);
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
