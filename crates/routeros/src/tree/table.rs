//! The rows of one menu in order, and which of their texts must not be alike.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::cells::Cells;
use crate::id::Id;
use crate::menu::{Form, Menu, Unique};

/// The rows of one menu.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) menu: &'static Menu,
    pub(crate) rows: Vec<Arc<Entry>>,
    /// The id that the next row gets.
    pub(crate) next_id: u64,
    /// Rows that are gone while references to them may be left, and their names.
    pub(crate) gone: BTreeMap<Id, Box<str>>,
    index: Arc<Index>,
}

/// One row at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) id: Id,
    pub(crate) cells: Cells,
}

/// Ids that follow from an address begin above; the counter for configured rows stays below.
pub(crate) const COUNTED_MAX: u64 = 0x00ff_ffff;

/// For each rule of uniqueness, the rows by their texts.
type Index = Vec<BTreeMap<String, Vec<Id>>>;

impl Table {
    pub(crate) fn new(menu: &'static Menu) -> Self {
        let only = Arc::new(Entry { id: Id(0), cells: Cells::new() });
        let rows = if menu.form == Form::Singleton { vec![only] } else { Vec::new() };
        let index = Arc::new(vec![BTreeMap::new(); menu.unique.len()]);
        let mut table = Self { menu, rows, next_id: 1, gone: BTreeMap::new(), index };
        while let Some(cells) = menu.builtin(Id(table.next_id)) {
            let id = table.fresh_id();
            table.insert(None, id, cells);
        }
        table
    }

    /// The builtin row that these cells are about.
    pub(crate) fn builtin(&self, cells: &Cells) -> Option<Id> {
        let identity = self.identity(cells);
        let ids = (1..=self.menu.builtin.len() as u64).map(Id);
        ids.into_iter().find(|id| {
            self.menu.builtin(*id).is_some_and(|cells| self.identity(&cells) == identity)
        })
    }

    /// The configured row with this id.
    pub(crate) fn entry(&self, id: Id) -> Option<&Entry> {
        self.position(id).map(|at| &*self.rows[at])
    }

    /// Where the row with this id stands. Rows that were neither moved nor adopted are in the order
    /// of their ids; for others the search begins at the end, where rows were just added.
    pub(crate) fn position(&self, id: Id) -> Option<usize> {
        match self.rows.binary_search_by_key(&id, |row| row.id) {
            Ok(at) => Some(at),
            Err(_) => self.rows.iter().rposition(|row| row.id == id),
        }
    }

    /// The ids of rows that were dynamic once: the running server may still list them.
    pub(crate) fn adopted(&self) -> BTreeSet<Id> {
        self.rows.iter().map(|row| row.id).filter(|id| id.0 > COUNTED_MAX).collect()
    }

    /// The row with this name, if rows of this menu have names.
    pub(crate) fn named(&self, name: &str) -> Option<Id> {
        let place = self.menu.name_place()?;
        let by_name = |unique: &Unique| unique.by == ["name"] && !unique.enabled_only;
        match self.menu.unique.iter().position(by_name) {
            Some(rule) => self.index[rule].get(name)?.first().copied(),
            None => {
                let named = |row: &&Arc<Entry>| row.cells.get(place) == Some(name);
                self.rows.iter().find(named).map(|row| row.id)
            }
        }
    }

    /// The rule of uniqueness that a row with these cells would break.
    pub(crate) fn clash(&self, cells: &Cells, except: Option<Id>) -> Option<&'static str> {
        for (rule, unique) in self.menu.unique.iter().enumerate() {
            let Some(key) = key(self.menu, unique, cells) else { continue };
            let mut others = self.index[rule].get(&key).into_iter().flatten();
            if others.any(|id| Some(*id) != except && self.meets(unique, cells, *id)) {
                return Some(unique.failure);
            }
        }
        None
    }

    /// The next id, which no row of this menu has or had.
    pub(crate) fn fresh_id(&mut self) -> Id {
        let id = Id(self.next_id);
        self.next_id += 1;
        id
    }

    /// Puts a row in front of the one at `at`, or at the end.
    pub(crate) fn insert(&mut self, at: Option<usize>, id: Id, cells: Cells) {
        self.index_row(id, &cells);
        let at = at.filter(|at| *at <= self.rows.len()).unwrap_or(self.rows.len());
        self.rows.insert(at, Arc::new(Entry { id, cells }));
    }

    /// Gives the row at `at` other cells; the answer is what it had.
    pub(crate) fn replace(&mut self, at: usize, cells: Cells) -> Cells {
        let id = self.rows[at].id;
        let before = self.rows[at].cells.clone();
        if self.keys(&before) != self.keys(&cells) {
            self.unindex_row(id, &before);
            self.index_row(id, &cells);
        }
        self.rows[at] = Arc::new(Entry { id, cells });
        before
    }

    /// Takes the row at `at` away.
    pub(crate) fn remove(&mut self, at: usize) -> Arc<Entry> {
        let entry = self.rows.remove(at);
        self.unindex_row(entry.id, &entry.cells);
        entry
    }

    /// What tells a row with these cells from another across restarts.
    pub(crate) fn identity(&self, cells: &Cells) -> Vec<String> {
        let text = |name: &&str| {
            let place = self.menu.place(name)?;
            self.menu.text(cells, place)
        };
        self.menu.key.iter().map(|name| text(name).unwrap_or_default()).collect()
    }

    fn meets(&self, unique: &Unique, cells: &Cells, other: Id) -> bool {
        let Some(place) = unique.within.and_then(|name| self.menu.place(name)) else { return true };
        let Some(other) = self.entry(other) else { return false };
        let (one, other) = (cells.get(place), other.cells.get(place));
        one.is_none() || other.is_none() || one == other
    }

    fn keys(&self, cells: &Cells) -> Vec<Option<String>> {
        self.menu.unique.iter().map(|unique| key(self.menu, unique, cells)).collect()
    }

    fn index_row(&mut self, id: Id, cells: &Cells) {
        for (rule, key) in self.keys(cells).into_iter().enumerate() {
            let Some(key) = key else { continue };
            Arc::make_mut(&mut self.index)[rule].entry(key).or_default().push(id);
        }
    }

    fn unindex_row(&mut self, id: Id, cells: &Cells) {
        for (rule, key) in self.keys(cells).into_iter().enumerate() {
            let Some(key) = key else { continue };
            let index = &mut Arc::make_mut(&mut self.index)[rule];
            let Some(ids) = index.get_mut(&key) else { continue };
            ids.retain(|other| *other != id);
            if ids.is_empty() {
                index.remove(&key);
            }
        }
    }
}

/// The texts by which a row is found under a rule; `None` if the rule does not concern it.
fn key(menu: &Menu, unique: &Unique, cells: &Cells) -> Option<String> {
    let first = menu.place(unique.by.first()?)?;
    let text = cells.get(first)?;
    let mut names_a_row = false;
    (menu.properties[first].value.relink)(text, &mut |_, _| names_a_row = true);
    let disabled = unique.enabled_only
        && menu.place("disabled").and_then(|place| menu.text(cells, place)).as_deref()
            == Some("yes");
    if names_a_row || disabled {
        return None;
    }
    let texts = unique.by.iter().map(|name| menu.text(cells, menu.place(name)?));
    Some(texts.map(Option::unwrap_or_default).collect::<Vec<_>>().join("\n"))
}
