//! Listings in pages: what a `print` shows, without holding a million rows or stalling anybody.
//!
//! A [`Listing`] does no I/O. It says what it wants from the running server, takes it, and gives
//! records back; between two pages its owner may do other work. It shows the configured rows as
//! they were when it was asked for.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::cells::Cells;
use crate::id::Id;
use crate::menu::Menu;
use crate::query::Filter;
use crate::record::Record;
use crate::tree::table::Table;

/// How many rows are fetched at once.
pub const PAGE: usize = 256;

/// What the running server knows of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveRow {
    /// The row's id.
    pub id: Id,
    /// Its cells; of a dynamic row all, of a configured one those that the server adds.
    pub cells: Cells,
}

/// A question to the running server.
#[derive(Clone)]
pub enum Want {
    /// What it adds to these configured rows, in any order; rows it knows nothing of are left out.
    Overlay(&'static Menu, Vec<Id>),
    /// Dynamic rows in the order of their ids, beginning after this one, at most [`PAGE`]; fewer
    /// mean that there are no more.
    Page(&'static Menu, Option<Id>),
    /// The dynamic row with this id.
    Row(&'static Menu, Id),
}

/// The running server, as far as menus show it.
pub trait Source {
    /// The answer to a [`Want`].
    fn fetch(&self, want: &Want) -> Vec<LiveRow>;
}

/// No running server: configured rows are all there is.
#[derive(Clone, Copy, Debug)]
pub struct Offline;

impl Source for Offline {
    fn fetch(&self, _: &Want) -> Vec<LiveRow> {
        Vec::new()
    }
}

/// A listing under way.
pub struct Listing {
    table: Arc<Table>,
    adopted: BTreeSet<Id>,
    filter: Filter,
    proplist: Vec<String>,
    counted: bool,
    stage: Stage,
    number: usize,
}

#[derive(Clone, Debug)]
enum Stage {
    /// Configured rows from this place on.
    Configured(usize),
    /// Dynamic rows after this one.
    Dynamic(Option<Id>),
    /// These rows alone, the last one first.
    Picked(Vec<Id>),
    Finished,
}

impl Listing {
    /// The rows of `table`, or those of `only`, for which `filter` holds.
    pub(crate) fn new(table: Arc<Table>, filter: Filter, only: Option<Vec<Id>>) -> Self {
        let stage = match only {
            None => Stage::Configured(0),
            Some(mut ids) => {
                ids.reverse();
                Stage::Picked(ids)
            }
        };
        let adopted = table.adopted();
        Self { table, adopted, filter, proplist: Vec::new(), counted: false, stage, number: 0 }
    }

    pub(crate) fn with_proplist(mut self, proplist: Vec<String>) -> Self {
        self.proplist = proplist;
        self
    }

    pub(crate) fn counted(mut self, counted: bool) -> Self {
        self.counted = counted;
        self
    }

    /// Whether only the number of rows was asked for.
    #[must_use]
    pub fn counts(&self) -> bool {
        self.counted
    }

    /// The menu whose rows these are.
    #[must_use]
    pub fn menu(&self) -> &'static Menu {
        self.table.menu
    }

    /// The properties that were asked for; empty for all.
    #[must_use]
    pub fn proplist(&self) -> &[String] {
        &self.proplist
    }

    /// What is needed for the next records; `None` at the end.
    #[must_use]
    pub fn want(&self) -> Option<Want> {
        let menu = self.menu();
        match &self.stage {
            Stage::Configured(from) => {
                let page = self.table.rows.iter().skip(*from).take(PAGE);
                let ids = page.filter(|_| menu.has_live_cells()).map(|row| row.id).collect();
                Some(Want::Overlay(menu, ids))
            }
            Stage::Dynamic(after) => Some(Want::Page(menu, *after)),
            Stage::Picked(ids) => {
                let id = *ids.last()?;
                let configured = self.table.entry(id).is_some();
                Some(if configured { Want::Overlay(menu, vec![id]) } else { Want::Row(menu, id) })
            }
            Stage::Finished => None,
        }
    }

    /// Takes the answer to [`Self::want`] and gives the records that follow from it.
    pub fn feed(&mut self, answer: Vec<LiveRow>) -> Vec<Record> {
        match core::mem::replace(&mut self.stage, Stage::Finished) {
            Stage::Configured(from) => self.configured(from, answer),
            Stage::Dynamic(_) => self.dynamic(answer),
            Stage::Picked(ids) => self.picked(ids, answer),
            Stage::Finished => Vec::new(),
        }
    }

    /// All records at once.
    pub fn collect(mut self, source: &dyn Source) -> Vec<Record> {
        let mut records = Vec::new();
        while let Some(want) = self.want() {
            records.extend(self.feed(fetch(source, &want)));
        }
        records
    }

    fn configured(&mut self, from: usize, mut answer: Vec<LiveRow>) -> Vec<Record> {
        answer.sort_unstable_by_key(|row| row.id);
        let table = Arc::clone(&self.table);
        let mut records = Vec::new();
        for entry in table.rows.iter().skip(from).take(PAGE) {
            let mut cells = entry.cells.clone();
            if let Ok(at) = answer.binary_search_by_key(&entry.id, |row| row.id) {
                table.menu.overlay(&mut cells, &answer[at].cells);
            }
            records.extend(self.numbered(entry.id, cells));
        }
        let next = from + PAGE;
        self.stage = match table.rows.len() > next {
            true => Stage::Configured(next),
            false if self.menu().has_dynamic_rows() => Stage::Dynamic(None),
            false => Stage::Finished,
        };
        records
    }

    fn dynamic(&mut self, answer: Vec<LiveRow>) -> Vec<Record> {
        if let Some(last) = answer.last().filter(|_| answer.len() >= PAGE) {
            self.stage = Stage::Dynamic(Some(last.id));
        }
        // A row that was made static since the page was filled is already among the configured.
        let mut records = Vec::new();
        for row in answer {
            if !self.adopted.contains(&row.id) {
                records.extend(self.numbered(row.id, row.cells));
            }
        }
        records
    }

    fn picked(&mut self, mut ids: Vec<Id>, answer: Vec<LiveRow>) -> Vec<Record> {
        let Some(id) = ids.pop() else { return Vec::new() };
        self.stage = Stage::Picked(ids);
        let known = answer.into_iter().find(|row| row.id == id).map(|row| row.cells);
        let cells = match (self.table.entry(id), known) {
            (Some(entry), known) => {
                let mut cells = entry.cells.clone();
                self.table.menu.overlay(&mut cells, &known.unwrap_or_default());
                cells
            }
            (None, Some(cells)) => cells,
            (None, None) => return Vec::new(),
        };
        self.number = self.table.position(id).unwrap_or(self.number);
        self.numbered(id, cells).into_iter().collect()
    }

    fn numbered(&mut self, id: Id, cells: Cells) -> Option<Record> {
        let record = Record::new(self.menu(), id, self.number, cells);
        self.number += 1;
        self.filter.holds(&record).then_some(record)
    }
}

/// Asks, unless the answer is clear.
fn fetch(source: &dyn Source, want: &Want) -> Vec<LiveRow> {
    match want {
        Want::Overlay(_, ids) if ids.is_empty() => Vec::new(),
        _ => source.fetch(want),
    }
}

impl core::fmt::Debug for Listing {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {:?}", self.menu().path, self.stage)
    }
}
