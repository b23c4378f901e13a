//! Everything that a store holds, gathered at once: to repair one, to export, to import.
//!
//! Gathering needs no order: of several rows of one address the newest counts, and tenures never
//! change. So old copies that are still found in a damaged store do no harm.

use std::collections::BTreeMap;
use std::path::Path;

use leasehold_dhcp::Wall;
use leasehold_dhcp::record::Location;

use super::block::Block;
use super::database::{Database, Fault, StoreId, Tree, fenced, folded};
use super::fold::{Generation, apply, location};
use super::row::{Row, Tenure};
use super::scan::{Entry, Scanned, scan};
use super::turns::{Found, Turns};
use super::{OpenError, Paths, Settings};

#[derive(Debug, Default)]
pub(super) struct Contents {
    /// Which store it was; a new one without.
    pub id: Option<StoreId>,
    /// The newest turn that is known of.
    pub turn: u64,
    pub newest: Wall,
    pub rows: BTreeMap<Location, Row>,
    /// By key.
    pub tenures: BTreeMap<Vec<u8>, Tenure>,
    /// Values that hold nothing of ours, and pieces of the turns' log that are missing.
    pub corrupt: u64,
}

impl Contents {
    /// What the files of a store hold, as far as they can be read.
    pub(super) fn of_files(paths: &Paths) -> Result<(Self, Scanned), Fault> {
        let mut contents = Self::default();
        let scanned = scan(&paths.store(), |entry| {
            if contents.gather(&entry) > 0 {
                contents.note(&entry);
            }
        });
        let scanned = scanned.map_err(|error| Fault::Io("read the store's log", error))?;
        // The turns that are folded may be there still, and their rows may be lost.
        let found = Turns::peek(&paths.turns(), contents.id, 0)?;
        contents.fold(&found);
        Ok((contents, scanned))
    }

    /// What a store holds that opens, and the turns of `log` that are not folded.
    pub(super) fn of_database(database: &Database, log: &Path) -> Result<Self, Fault> {
        let mut contents = Self { id: Some(database.id()), ..Self::default() };
        fenced(|| {
            for tree in [&database.leases, &database.tenures] {
                for entry in tree {
                    let (key, value) = entry?;
                    let entry = Entry { keys: vec![key.to_vec()], value: &value };
                    contents.corrupt += contents.gather(&entry);
                }
            }
            Ok(())
        })?;
        let (folded, newest) = fenced(|| database.folded())?;
        (contents.turn, contents.newest) = (folded, newest);
        let found = Turns::peek(log, contents.id, folded)?;
        contents.corrupt += found.damaged;
        contents.fold(&found);
        Ok(contents)
    }

    /// Takes in rows or a tenure, which values are by their own content; says how many are none.
    fn gather(&mut self, entry: &Entry<'_>) -> u64 {
        let Entry { keys, value } = entry;
        let (block, wrong) = Block::read_value(value);
        let mut corrupt = u64::from(wrong.is_some());
        for (_, row) in block.rows() {
            // Earlier versions kept rows that say nothing.
            corrupt += u64::from(!self.gather_row(row) && Row::of_value(row).is_err());
        }
        if block != Block::default() || corrupt == 0 {
            return corrupt;
        }
        // As earlier versions kept them.
        if self.gather_row(value) {
            return 0;
        }
        match Tenure::whole(keys, value) {
            Some((key, tenure)) => drop(self.tenures.insert(key, tenure)),
            None => return 1,
        }
        0
    }

    fn gather_row(&mut self, row: &[u8]) -> bool {
        Row::whole(row).map(|(location, row)| self.add_row(location, row)).is_some()
    }

    /// Takes in what a store says of itself.
    fn note(&mut self, entry: &Entry<'_>) {
        let is = |name: &[u8]| entry.keys.iter().any(|key| key == name);
        if let Ok(id) = StoreId::try_from(entry.value)
            && is(b"id")
        {
            self.id = Some(id);
        }
        if let Some((turn, newest, _)) = folded(entry.value)
            && is(b"folded")
        {
            self.turn = self.turn.max(turn);
            self.newest = self.newest.max(newest);
        }
    }

    pub(super) fn add_row(&mut self, location: Location, row: Row) {
        self.turn = self.turn.max(row.sequence());
        let known = self.rows.get(&location).map(Row::sequence);
        if known.is_none_or(|known| known < row.sequence()) {
            self.rows.insert(location, row);
        }
    }

    fn fold(&mut self, found: &Found) {
        let generation = Generation::of_frames(&found.frames);
        for changes in generation.rows() {
            let row = self.rows.entry(location(changes).into()).or_default();
            apply(row, changes, |turn, tenure| {
                self.tenures.insert(tenure.key(turn), tenure);
            });
        }
        self.turn = self.turn.max(generation.through());
        let times = self.rows.iter().flat_map(|(at, row)| row.records(at)).map(|record| record.at);
        self.newest = self.newest.max(times.max().unwrap_or_default()).max(generation.newest());
    }

    /// Writes everything into a new store, durably.
    pub(super) fn write(&self, store: &Path, settings: &Settings) -> Result<(), Fault> {
        let mut database = Database::open(store, settings)?;
        database.has_room()?;
        fenced(|| {
            let value = |(at, row): (&Location, &Row)| (at.key(), row.clone().into_value(at));
            database.put_rows(self.rows.iter().map(|row| Ok(value(row))))?;
            for (key, tenure) in &self.tenures {
                database.put(Tree::Tenures, key, &tenure.value())?;
            }
            database.set_folded(self.turn, self.newest)
        })?;
        if let Some(id) = self.id {
            database.set_id(id)?;
        }
        let synced = database.sync();
        fenced(|| {
            drop(database);
            Ok(())
        })?;
        synced
    }
}

/// The contents of a store that nobody has open; `log` has its newest turns.
pub(super) fn read(store: &Path, log: &Path) -> Result<Contents, OpenError> {
    let fault = |fault| OpenError::Store(store.to_owned(), fault);
    let database = Database::open(store, &Settings::default()).map_err(fault)?;
    Contents::of_database(&database, log).map_err(fault)
}
