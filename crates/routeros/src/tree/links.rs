//! References between rows: checked when typed, followed when renamed, dangling when removed.

use std::sync::Arc;

use super::Tree;
use crate::cells::Cells;
use crate::fault::Fault;
use crate::id::Id;
use crate::menu::Menu;
use crate::value::MenuOf;

/// A changed row: the place of its table, and its id.
pub(crate) type Touched = Vec<(usize, Id)>;

impl Tree {
    /// A canonical text with its references checked: ids become names, unknown names are refused.
    ///
    /// What `before` already had stays legal, also if it dangles.
    pub(crate) fn linked(
        &self,
        relink: fn(&str, crate::value::Relink<'_>) -> Option<String>,
        text: &str,
        before: Option<&str>,
    ) -> Result<String, Fault> {
        let mut kept: Vec<String> = Vec::new();
        if let Some(before) = before {
            relink(before, &mut |_, name| kept.push(name.clone()));
        }
        let mut fault = None;
        let linked = relink(text, &mut |target, name| {
            if kept.contains(name) {
                return;
            }
            match self.resolve(target, name) {
                Some(found) => *name = found,
                None => fault = Some(Fault::NoMatch),
            }
        });
        match fault {
            Some(fault) => Err(fault),
            None => Ok(linked.unwrap_or_else(|| text.into())),
        }
    }

    /// The name of the row of `target`'s menu that is meant by a name or an id.
    fn resolve(&self, target: MenuOf, name: &str) -> Option<String> {
        let table = self.table(target().path)?;
        if let Ok(id) = name.parse::<Id>() {
            let place = table.menu.name_place()?;
            return table.entry(id)?.cells.get(place).map(str::to_owned);
        }
        table.named(name).map(|_| name.to_owned())
    }

    /// Rewrites every reference to rows of the table at `target` for which `change` has a text.
    pub(crate) fn relink(
        &mut self,
        target: usize,
        change: &dyn Fn(&str) -> Option<String>,
    ) -> Touched {
        let path = self.tables[target].menu.path;
        let mut touched = Touched::new();
        for at in 0..self.tables.len() {
            let places = places_of(self.tables[at].menu, path);
            if places.is_empty() {
                continue;
            }
            for row in 0..self.tables[at].rows.len() {
                let table = &self.tables[at];
                let entry = &table.rows[row];
                let Some(cells) = rewritten(table.menu, &entry.cells, &places, path, change) else {
                    continue;
                };
                touched.push((at, entry.id));
                Arc::make_mut(&mut self.tables[at]).replace(row, cells);
            }
        }
        touched
    }

    /// A row of the table at `at` has this name from now on: what meant it by an older id, because
    /// a row of this name was removed, means it again.
    pub(crate) fn link_again(&mut self, at: usize, name: &str) -> Touched {
        let gone = self.tables[at].gone.iter().filter(|(_, old)| &***old == name);
        let ids: Vec<Id> = gone.map(|(id, _)| *id).collect();
        if ids.is_empty() {
            return Touched::new();
        }
        let texts: Vec<String> = ids.iter().map(Id::to_string).collect();
        let touched =
            self.relink(at, &|text| texts.iter().any(|id| id == text).then(|| name.into()));
        let table = Arc::make_mut(&mut self.tables[at]);
        ids.iter().for_each(|id| drop(table.gone.remove(id)));
        touched
    }

    /// The row `id` of the table at `at`, called `name`, is gone: references to it show its id.
    pub(crate) fn unlink(&mut self, at: usize, id: Id, name: &str) -> Touched {
        let touched = self.relink(at, &|text| (text == name).then(|| id.to_string()));
        if !touched.is_empty() {
            Arc::make_mut(&mut self.tables[at]).gone.insert(id, name.into());
        }
        touched
    }

    /// Every reference of a row: property place, target menu, text.
    pub(crate) fn references(menu: &Menu, cells: &Cells) -> Vec<(usize, MenuOf, String)> {
        let mut found = Vec::new();
        for (place, text) in cells.iter() {
            let value = &menu.properties[place].value;
            if value.target.is_some() {
                (value.relink)(text, &mut |target, name| {
                    found.push((place, target, name.clone()));
                });
            }
        }
        found
    }

    /// Whether the name or id means a row of the target menu.
    pub(crate) fn is_linked(&self, target: MenuOf, name: &str) -> bool {
        name.parse::<Id>().is_err()
            && self.table(target().path).is_some_and(|table| table.named(name).is_some())
    }
}

/// The places of `menu`'s properties that can name rows of the menu at `path`.
fn places_of(menu: &Menu, path: &str) -> Vec<usize> {
    let aims = |place: &usize| {
        let target = menu.properties[*place].value.target;
        target.is_some_and(|target| target().path == path)
    };
    (0..menu.properties.len()).filter(aims).collect()
}

fn rewritten(
    menu: &Menu,
    cells: &Cells,
    places: &[usize],
    path: &str,
    change: &dyn Fn(&str) -> Option<String>,
) -> Option<Cells> {
    let mut result: Option<Cells> = None;
    for &place in places {
        let Some(text) = cells.get(place) else { continue };
        let mut changed = false;
        let fresh = (menu.properties[place].value.relink)(text, &mut |target, name| {
            if let Some(other) = change(name).filter(|_| target().path == path) {
                *name = other;
                changed = true;
            }
        });
        if let Some(fresh) = fresh.filter(|_| changed) {
            result.get_or_insert_with(|| cells.clone()).put(place, Some(&fresh));
        }
    }
    result
}
