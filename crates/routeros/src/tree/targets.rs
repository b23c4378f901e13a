//! Which rows a command is about: ids, names, numbers and `[find …]`.

use std::sync::Arc;

use super::Tree;
use super::run::Run;
use crate::command::Target;
use crate::id::Id;
use crate::listing::{Listing, LiveRow, PAGE, Want};
use crate::menu::Form;
use crate::query::{Filter, Query};
use crate::trap::Trap;

/// A row that was named.
#[derive(Clone, Debug)]
pub(super) enum Found {
    /// One that is configured.
    Configured(Id),
    /// One that only the running server has.
    Dynamic(LiveRow),
}

impl Found {
    pub(super) fn id(&self) -> Id {
        match self {
            Self::Configured(id) => *id,
            Self::Dynamic(row) => row.id,
        }
    }
}

impl Run<'_> {
    /// The rows of the table at `at` that the targets name, each once, in that order.
    pub(super) fn found(&self, at: usize, targets: &[Target]) -> Result<Vec<Found>, Trap> {
        let mut found: Vec<Found> = Vec::new();
        for target in targets {
            match target {
                Target::Named(text) => self.named(at, text, &mut found)?,
                Target::Found(query) => found.extend(self.searched(at, query)?),
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        found.retain(|row| seen.insert(row.id()));
        Ok(found)
    }

    /// The rows for which a query holds.
    pub(super) fn searched(&self, at: usize, query: &Query) -> Result<Vec<Found>, Trap> {
        let table = &self.tree.tables[at];
        let filter = Filter::new(query, table.menu)?;
        let listing = Listing::new(Arc::clone(table), filter, None);
        let rows = listing.collect(self.source).into_iter().filter_map(|record| {
            let id = record.id()?;
            let configured = record.number() < table.rows.len();
            let dynamic = || Found::Dynamic(LiveRow { id, cells: record.cells().clone() });
            Some(if configured { Found::Configured(id) } else { dynamic() })
        });
        Ok(rows.collect())
    }

    /// A name may hold a comma: the whole text is tried first.
    fn named(&self, at: usize, text: &str, found: &mut Vec<Found>) -> Result<(), Trap> {
        if let Some(row) = self.one(at, text) {
            found.push(row);
            return Ok(());
        }
        if !text.contains(',') {
            return Err(Trap::NoSuchItem);
        }
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            found.push(self.one(at, part).ok_or(Trap::NoSuchItem)?);
        }
        Ok(())
    }

    fn one(&self, at: usize, text: &str) -> Option<Found> {
        let table = &self.tree.tables[at];
        if let Ok(id) = text.parse::<Id>() {
            return match table.entry(id) {
                Some(_) => Some(Found::Configured(id)),
                None => self.dynamic(at, id),
            };
        }
        if let Some(id) = table.named(text) {
            return Some(Found::Configured(id));
        }
        if table.menu.form == Form::Foreign
            && let Some(row) = self.dynamic_named(at, text)
        {
            return Some(row);
        }
        let number: usize =
            text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok())??;
        match table.rows.get(number) {
            Some(entry) => Some(Found::Configured(entry.id)),
            None => self.nth_dynamic(at, number - table.rows.len()),
        }
    }

    fn dynamic(&self, at: usize, id: Id) -> Option<Found> {
        let menu = self.tree.tables[at].menu;
        if !menu.has_dynamic_rows() {
            return None;
        }
        let rows = self.source.fetch(&Want::Row(menu, id));
        rows.into_iter().find(|row| row.id == id).map(Found::Dynamic)
    }

    /// The row of that name among those that are kept elsewhere.
    fn dynamic_named(&self, at: usize, name: &str) -> Option<Found> {
        self.searched(at, &Query::equal("name", name)).ok()?.into_iter().next()
    }

    fn nth_dynamic(&self, at: usize, mut number: usize) -> Option<Found> {
        let table = &self.tree.tables[at];
        if !table.menu.has_dynamic_rows() {
            return None;
        }
        let (adopted, mut after) = (table.adopted(), None);
        loop {
            let page = self.source.fetch(&Want::Page(table.menu, after));
            let full = page.len() >= PAGE;
            after = page.last().map(|row| row.id);
            let fresh = page.into_iter().filter(|row| !adopted.contains(&row.id));
            for row in fresh {
                match number {
                    0 => return Some(Found::Dynamic(row)),
                    _ => number -= 1,
                }
            }
            if !full {
                return None;
            }
        }
    }
}

impl Tree {
    /// The names of the rows of the menu at `path`: for completion.
    pub fn names(&self, path: &str) -> Vec<String> {
        let Some(table) = self.table(path) else { return Vec::new() };
        let Some(place) = table.menu.name_place() else { return Vec::new() };
        table.rows.iter().filter_map(|row| row.cells.get(place)).map(str::to_owned).collect()
    }
}
