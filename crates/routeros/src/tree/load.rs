//! A tree from the rows of a file: what is wrong is told, its neighbours are kept.
//!
//! A row that cannot be read stays in the tree as it is written and reads as a fault; a row that is
//! a twin of an earlier one stays too, so that it can be mended. A name that means nothing dangles
//! and is linked when a row of that name is made.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::ids::{Ids, MenuIds};
use super::table::{COUNTED_MAX, Table};
use super::{Tree, change};
use crate::cells::Cells;
use crate::id::Id;
use crate::menu::{Form, Menu};
use crate::rule::Access;
use crate::trap::Trap;

/// One row of a file.
#[derive(Clone, Debug)]
pub struct GivenRow {
    /// The menu's path.
    pub path: &'static str,
    /// Its properties as written.
    pub properties: Vec<Given>,
}

/// One property of a row of a file.
#[derive(Clone, Debug)]
pub struct Given {
    /// The name as written.
    pub name: String,
    /// The value as text.
    pub text: String,
}

/// Something that is wrong with a row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which of the rows, counted from zero.
    pub row: usize,
    /// Which of its properties, if it is about one.
    pub property: Option<usize>,
    /// The broken rule.
    pub wrong: Wrong,
}

/// The rules that a row of a file can break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// What a command with the same texts would say.
    Refused(Trap),
    /// The property is shown by the server and cannot be configured.
    ReadOnly(&'static str),
    /// A second one of a row that there is once.
    Second,
    /// A name of a row that does not exist; how the row is meant to be found in its menu.
    Dangling {
        /// The property.
        property: &'static str,
        /// The name.
        name: String,
        /// The menu in which there is no such row.
        target: &'static str,
    },
}

impl core::fmt::Display for Wrong {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Refused(trap) => write!(f, "{trap}"),
            Self::ReadOnly(name) => write!(f, "{name} is told by the server and cannot be set"),
            Self::Second => f.write_str("there is only one such row"),
            Self::Dangling { property, name, target } => write!(
                f,
                "input does not match any value of {property}: there is no \"{name}\" in {target}"
            ),
        }
    }
}

impl Tree {
    /// The rows of a file with the ids that a state text gives them. The second part says for each
    /// row of the file which id it has; `None` if it was left out.
    #[must_use]
    pub fn load(
        menus: impl IntoIterator<Item = &'static Menu>,
        rows: &[GivenRow],
        ids: &Ids,
    ) -> (Self, Vec<Option<Id>>, Vec<Problem>) {
        let mut loading = Loading::new(Self::new(menus), ids);
        let read: Vec<_> = rows.iter().enumerate().map(|(at, row)| loading.read(at, row)).collect();
        loading.reserve(rows, &read);
        let placed = rows.iter().zip(read).enumerate();
        let placed: Vec<_> =
            placed.map(|(at, (row, cells))| loading.place(at, row, cells?)).collect();
        loading.link(rows, &placed);
        (loading.tree, placed, loading.problems)
    }
}

struct Loading {
    tree: Tree,
    known: Vec<MenuIds>,
    used: Vec<BTreeSet<Id>>,
    problems: Vec<Problem>,
}

impl Loading {
    fn new(mut tree: Tree, ids: &Ids) -> Self {
        let known: Vec<MenuIds> = tree.tables.iter().map(|table| ids.of(table.menu.path)).collect();
        for (table, known) in tree.tables.iter_mut().zip(&known) {
            let given = known.rows.values().flatten().chain(known.gone.keys());
            let last = given.map(|id| id.0).filter(|id| *id <= COUNTED_MAX).max().unwrap_or(0);
            let table = Arc::make_mut(table);
            let next = Some(known.next).filter(|next| *next <= COUNTED_MAX).unwrap_or(0);
            table.next_id = table.next_id.max(next).max(last + 1);
            table.gone = known.gone.clone();
        }
        let used = vec![BTreeSet::new(); tree.tables.len()];
        Self { tree, known, used, problems: Vec::new() }
    }

    fn problem(&mut self, row: usize, property: Option<usize>, wrong: Wrong) {
        self.problems.push(Problem { row, property, wrong });
    }

    /// The cells of a row; texts that cannot be read stay as they are.
    fn read(&mut self, row: usize, given: &GivenRow) -> Option<Cells> {
        let menu = self.tree.menu(given.path)?;
        let mut cells = Cells::new();
        for (at, Given { name, text }) in given.properties.iter().enumerate() {
            let Some(place) = menu.place(name) else {
                let wrong = Wrong::Refused(Trap::UnknownParameter(name.clone()));
                self.problem(row, Some(at), wrong);
                continue;
            };
            let property = &menu.properties[place];
            if matches!(property.rule.access, Access::Live | Access::Computed(_)) {
                self.problem(row, Some(at), Wrong::ReadOnly(property.name));
                continue;
            }
            let text = match (property.value.canonical)(text) {
                Ok(canonical) => canonical,
                Err(fault) => {
                    let wrong = Wrong::Refused(Trap::value(property.name, fault));
                    self.problem(row, Some(at), wrong);
                    Some(text.clone())
                }
            };
            cells.put(place, text.filter(|text| property.kept(text)).as_deref());
        }
        let table = self.tree.table(given.path)?;
        let mut whole = table.builtin(&cells).and_then(|id| menu.builtin(id)).unwrap_or_default();
        whole.overlay(&cells);
        if let Err(missing) = change::complete(menu, &whole) {
            self.problem(row, None, Wrong::Refused(missing));
        }
        Some(cells)
    }

    /// Ids that references of the file show are not given to rows that have none yet.
    fn reserve(&mut self, rows: &[GivenRow], read: &[Option<Cells>]) {
        for (row, cells) in rows.iter().zip(read) {
            let (Some(menu), Some(cells)) = (self.tree.menu(row.path), cells) else { continue };
            for (_, target, name) in Tree::references(menu, cells) {
                let (Ok(id), Some(at)) = (name.parse::<Id>(), self.tree.at(target().path)) else {
                    continue;
                };
                let table = Arc::make_mut(&mut self.tree.tables[at]);
                if id.0 <= COUNTED_MAX {
                    table.next_id = table.next_id.max(id.0 + 1);
                }
                table.gone.entry(id).or_default();
            }
        }
    }

    fn place(&mut self, row: usize, given: &GivenRow, cells: Cells) -> Option<Id> {
        let at = self.tree.at(given.path)?;
        let table = &self.tree.tables[at];
        if table.menu.form == Form::Singleton {
            if !self.used[at].insert(Id(0)) {
                self.problem(row, None, Wrong::Second);
                return None;
            }
            Arc::make_mut(&mut self.tree.tables[at]).replace(0, cells);
            return Some(Id(0));
        }
        if let Some(id) = table.builtin(&cells) {
            return self.change(row, at, id, &cells);
        }
        if table.menu.form == Form::Fixed {
            self.problem(row, None, Wrong::Refused(Trap::NoSuchItem));
            return None;
        }
        let clash = table.clash(&cells, None);
        let key = table.identity(&cells);
        let known = self.known[at].rows.get_mut(&key).filter(|ids| !ids.is_empty());
        let known = known.map(|ids| ids.remove(0));
        let table = Arc::make_mut(&mut self.tree.tables[at]);
        let id = match known.filter(|id| self.used[at].insert(*id)) {
            Some(id) => id,
            None => table.fresh_id(),
        };
        self.used[at].insert(id);
        table.insert(None, id, cells);
        if let Some(failure) = clash {
            self.problem(row, None, Wrong::Refused(Trap::Failure(failure.into())));
        }
        Some(id)
    }

    /// What a file says of a builtin row.
    fn change(&mut self, row: usize, at: usize, id: Id, said: &Cells) -> Option<Id> {
        if !self.used[at].insert(id) {
            self.problem(row, None, Wrong::Second);
            return None;
        }
        let table = Arc::make_mut(&mut self.tree.tables[at]);
        let position = table.position(id)?;
        let mut cells = table.rows[position].cells.clone();
        cells.overlay(said);
        table.replace(position, cells);
        Some(id)
    }

    /// Names that mean no row dangle from now on.
    fn link(&mut self, rows: &[GivenRow], placed: &[Option<Id>]) {
        let mut row_of = BTreeMap::new();
        for (row, (given, id)) in rows.iter().zip(placed).enumerate() {
            row_of.extend(id.map(|id| ((given.path, id), row)));
        }
        for (table, id, place, target, name) in self.tree.unlinked() {
            let property = self.tree.tables[table].menu.properties[place].name;
            let row = row_of.get(&(self.tree.tables[table].menu.path, id)).copied().unwrap_or(0);
            let given = rows.get(row).map(|row| row.properties.as_slice()).unwrap_or_default();
            let at = given.iter().position(|given| given.name == property);
            self.problem(row, at, Wrong::Dangling { property, name: name.clone(), target });
            self.tree.dangle(target, &name);
        }
    }
}

/// Table, row, property place, target menu and name of a reference to nothing.
pub(crate) type Unlinked = (usize, Id, usize, &'static str, String);

impl Tree {
    /// The references whose names mean no row. (Ids are what dangles already.)
    pub(crate) fn unlinked(&self) -> Vec<Unlinked> {
        let mut unlinked = Vec::new();
        for (at, table) in self.tables.iter().enumerate() {
            for row in &table.rows {
                for (place, target, name) in Self::references(table.menu, &row.cells) {
                    if name.parse::<Id>().is_err() && !self.is_linked(target, &name) {
                        unlinked.push((at, row.id, place, target().path, name));
                    }
                }
            }
        }
        unlinked
    }

    /// References to `name` in the menu at `path` show an id from now on, until a row of that name
    /// is made.
    pub(crate) fn dangle(&mut self, path: &str, name: &str) {
        let Some(at) = self.at(path) else { return };
        let table = Arc::make_mut(&mut self.tables[at]);
        let known = table.gone.iter().find(|(_, old)| &***old == name).map(|(id, _)| *id);
        let id = known.unwrap_or_else(|| table.fresh_id());
        table.gone.insert(id, name.into());
        self.relink(at, &|text| (text == name).then(|| id.to_string()));
    }

    /// References by id in rows that came from elsewhere: an id that no row here has or had stays,
    /// any other is replaced by a fresh one, so that it cannot come to mean a row of ours.
    pub(crate) fn settle_foreign_ids(&mut self, ours: &BTreeSet<(&'static str, Id)>) {
        for (path, id) in self.referred().difference(ours).copied().collect::<Vec<_>>() {
            let Some(at) = self.at(path) else { continue };
            let taken =
                self.tables[at].entry(id).is_some() || self.tables[at].gone.contains_key(&id);
            let table: &mut Table = Arc::make_mut(&mut self.tables[at]);
            let safe = if taken || id.0 > COUNTED_MAX { table.fresh_id() } else { id };
            table.next_id = table.next_id.max(safe.0 + 1);
            table.gone.insert(safe, "".into());
            if safe != id {
                self.relink(at, &|text| (text == id.to_string()).then(|| safe.to_string()));
            }
        }
    }
}
