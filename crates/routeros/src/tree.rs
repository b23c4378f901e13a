//! The rows of all menus, as canonical texts, with ids that are never given twice.
//!
//! A clone is cheap (tables are shared until one of them changes): whoever wants a change that has
//! to be checked further makes it on a clone and keeps that.

mod change;
mod ids;
mod links;
mod load;
mod run;
pub(crate) mod table;
mod targets;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cells::Cells;
use crate::command::Change;
use crate::fault::RowFault;
use crate::id::Id;
use crate::menu::{Menu, Row};
use crate::record::Record;
use table::{Entry, Table};

pub use ids::Ids;
pub use load::{Given, GivenRow, Problem, Wrong};
pub(crate) use run::Manner;

/// The rows of some menus.
#[derive(Clone)]
pub struct Tree {
    tables: Vec<Arc<Table>>,
    interfaces: Option<Arc<BTreeSet<String>>>,
    warned: BTreeSet<(&'static str, &'static str)>,
}

impl core::fmt::Debug for Tree {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let counts = self.tables.iter().map(|table| (table.menu.path, table.rows.len()));
        f.debug_map().entries(counts).finish()
    }
}

/// What is different in the rows of a menu.
pub(crate) struct Difference {
    /// All rows as they are now.
    pub(crate) order: Vec<Id>,
    /// Rows that are new or have other cells: before, and now.
    pub(crate) changed: Vec<(Id, Cells, Cells)>,
}

/// One configured row as Rust sees it.
#[derive(Clone, Debug)]
pub struct Configured<R> {
    /// Its id.
    pub id: Id,
    /// Whether it is disabled; also known when the row cannot be read.
    pub disabled: bool,
    /// Its comment; empty if it has none.
    pub comment: String,
    /// The row, or why its texts make none (a bad object in a file does not stop its neighbours).
    pub row: Result<R, RowFault>,
}

impl Tree {
    /// The menus with no rows; singletons have their presets.
    #[must_use]
    pub fn new(menus: impl IntoIterator<Item = &'static Menu>) -> Self {
        let tables = menus.into_iter().map(|menu| Arc::new(Table::new(menu))).collect();
        Self { tables, interfaces: None, warned: BTreeSet::new() }
    }

    /// The interfaces of the machine: from now on commands may name no others. (Files may.)
    pub fn set_interfaces(&mut self, names: impl IntoIterator<Item = String>) {
        self.interfaces = Some(Arc::new(names.into_iter().collect()));
    }

    /// The names of the machine's interfaces, if they were told.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        self.interfaces.iter().flat_map(|names| names.iter()).map(String::as_str)
    }

    /// The menus, in the order of exports.
    pub fn menus(&self) -> impl Iterator<Item = &'static Menu> {
        self.tables.iter().map(|table| table.menu)
    }

    /// The menu at this path.
    #[must_use]
    pub fn menu(&self, path: &str) -> Option<&'static Menu> {
        self.table(path).map(|table| table.menu)
    }

    /// The typed rows of `R`'s menu, in order. A singleton has exactly one.
    #[must_use]
    pub fn rows<R: Row>(&self) -> Vec<Configured<R>> {
        let Some(table) = self.table(R::menu().path) else { return Vec::new() };
        table.rows.iter().map(|entry| configured(table.menu, entry)).collect()
    }

    /// The configured rows of a menu as texts, in order.
    pub fn records(&self, path: &str) -> impl Iterator<Item = Record> {
        let table = self.table(path);
        table.into_iter().flat_map(|table| {
            table.rows.iter().enumerate().map(|(number, entry)| {
                Record::new(table.menu, entry.id, number, entry.cells.clone())
            })
        })
    }

    /// The configured row with this id.
    #[must_use]
    pub fn record(&self, path: &str, id: Id) -> Option<Record> {
        let table = self.table(path)?;
        let number = table.position(id)?;
        Some(Record::new(table.menu, id, number, table.rows[number].cells.clone()))
    }

    /// What is different in the rows of the menu at `path` since `older`; `None` if nothing is.
    pub(crate) fn difference(&self, older: &Self, path: &str) -> Option<Difference> {
        let (new, old) = (&self.tables[self.at(path)?], &older.tables[older.at(path)?]);
        let same = |(one, two): (&Arc<Entry>, &Arc<Entry>)| Arc::ptr_eq(one, two);
        if Arc::ptr_eq(new, old)
            || (new.rows.len() == old.rows.len() && new.rows.iter().zip(&old.rows).all(same))
        {
            return None;
        }
        let before: BTreeMap<Id, &Arc<Entry>> = old.rows.iter().map(|row| (row.id, row)).collect();
        let changed = new.rows.iter().filter_map(|row| {
            let before = before.get(&row.id);
            let unchanged = before.is_some_and(|before| Arc::ptr_eq(before, row));
            let before = before.map(|before| before.cells.clone()).unwrap_or_default();
            (!unchanged).then(|| (row.id, before, row.cells.clone()))
        });
        let changed = changed.collect();
        Some(Difference { order: new.rows.iter().map(|row| row.id).collect(), changed })
    }

    /// Every row that is new, other or gone since `older`.
    #[must_use]
    pub fn changes_since(&self, older: &Self) -> Vec<Change> {
        let mut changes = Vec::new();
        for menu in self.menus() {
            let Some(difference) = self.difference(older, menu.path) else { continue };
            let changed = difference.changed.iter().filter_map(|(id, ..)| {
                Some(Change { id: *id, now: self.record(menu.path, *id)?, dead: false })
            });
            changes.extend(changed);
            let living: BTreeSet<Id> = difference.order.into_iter().collect();
            let gone = older.records(menu.path).filter_map(|record| {
                let id = record.id().filter(|id| !living.contains(id))?;
                Some(Change { id, now: record, dead: true })
            });
            changes.extend(gone);
        }
        changes
    }

    /// Comes after `newer`: no id that it gave is given again, and what was told is not told again.
    pub fn succeed(&mut self, newer: &Self) {
        for (table, newer) in self.tables.iter_mut().zip(&newer.tables) {
            if table.next_id < newer.next_id {
                Arc::make_mut(table).next_id = newer.next_id;
            }
        }
        self.warned.extend(newer.warned.iter().copied());
    }

    fn at(&self, path: &str) -> Option<usize> {
        self.tables.iter().position(|table| table.menu.path == path)
    }

    fn table(&self, path: &str) -> Option<&Table> {
        self.at(path).map(|at| &*self.tables[at])
    }
}

fn configured<R: Row>(menu: &Menu, entry: &Entry) -> Configured<R> {
    let text = |name| menu.place(name).and_then(|place| menu.text(&entry.cells, place));
    Configured {
        id: entry.id,
        disabled: text("disabled").as_deref() == Some("yes"),
        comment: text("comment").unwrap_or_default(),
        row: R::read(&entry.cells),
    }
}
