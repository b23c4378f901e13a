//! The commands that change configured rows: add, set, unset, remove, move and their kin.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Tree;
use super::run::{Manner, Run};
use super::table::Table;
use super::targets::Found;
use crate::cells::Cells;
use crate::command::{Argument, Command, Reply};
use crate::fault::{Fault, RowFault};
use crate::id::Id;
use crate::listing::LiveRow;
use crate::menu::{Form, Menu, Property};
use crate::rule::{Access, Preset};
use crate::trap::Trap;
use crate::value::Kind;

impl Run<'_> {
    pub(super) fn add(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let menu = self.tree.tables[at].menu;
        let mut cells = match command.argument("copy-from") {
            Some(text) => self.copied(at, text)?,
            None => Cells::new(),
        };
        let before = command.argument("place-before").map(|text| self.position(at, text));
        let before = before.transpose()?;
        let meant =
            |argument: &&Argument| !["copy-from", "place-before"].contains(&&*argument.name);
        for argument in command.arguments.iter().filter(meant) {
            self.put(menu, &mut cells, argument, true)?;
        }
        self.number(at, &mut cells);
        complete(menu, &cells)?;
        if menu.form == Form::Foreign {
            self.order(at, &Found::Dynamic(LiveRow { id: Id(0), cells }), command);
            return Ok(Reply::Done);
        }
        let id = Arc::make_mut(&mut self.tree.tables[at]).fresh_id();
        self.insert(at, before, id, cells)?;
        Ok(Reply::Value(id.to_string()))
    }

    /// A dynamic row becomes a configured one with the same id.
    pub(super) fn adopt(&mut self, at: usize, row: &LiveRow) -> Result<(), Trap> {
        let menu = self.tree.tables[at].menu;
        let mut cells = Cells::new();
        for (place, text) in row.cells.iter() {
            let property = &menu.properties[place];
            if property.rule.is_configured() {
                self.put(menu, &mut cells, &Argument::set(property.name, text), true)?;
            }
        }
        complete(menu, &cells)?;
        self.insert(at, None, row.id, cells)
    }

    pub(super) fn set(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let foreign = self.tree.tables[at].menu.form == Form::Foreign;
        let only_comment = command.arguments.iter().all(|argument| argument.name == "comment");
        for row in self.targets(at, command)? {
            match row {
                Found::Configured(id) => self.amend(at, id, &command.arguments)?,
                Found::Dynamic(row) if foreign => {
                    let (menu, mut cells) = (self.tree.tables[at].menu, row.cells);
                    for argument in &command.arguments {
                        self.put(menu, &mut cells, argument, false)?;
                    }
                    self.order(at, &Found::Dynamic(LiveRow { id: row.id, cells }), command);
                }
                Found::Dynamic(_) if only_comment => self.order(at, &row, command),
                Found::Dynamic(_) => return Err(unchangeable(self.tree.tables[at].menu)),
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn unset(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let names = command.argument("value-name");
        let names = names.ok_or_else(|| Trap::Missing(vec!["value-name"]))?;
        let arguments: Vec<_> = crate::value::elements(names).map(Argument::clear).collect();
        self.on_configured(at, command, &arguments)
    }

    pub(super) fn switch(&mut self, at: usize, command: &Command, to: &str) -> Result<Reply, Trap> {
        self.on_configured(at, command, &[Argument::set("disabled", to)])
    }

    pub(super) fn comment(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let text = command.argument("comment").unwrap_or_default();
        for row in self.targets(at, command)? {
            match row {
                Found::Configured(id) => self.amend(at, id, &[Argument::set("comment", text)])?,
                Found::Dynamic(_) => self.order(at, &row, command),
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn remove(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        for row in self.targets(at, command)? {
            let Found::Configured(id) = row else {
                self.order(at, &row, command);
                continue;
            };
            let table = Arc::make_mut(&mut self.tree.tables[at]);
            let Some(position) = table.position(id) else { return Err(Trap::NoSuchItem) };
            if table.menu.builtin(id).is_some() {
                let noun = table.menu.noun;
                return Err(Trap::Failure(format!("can not remove builtin {noun}")));
            }
            let entry = table.remove(position);
            let menu = table.menu;
            let record = crate::record::Record::new(menu, id, position, entry.cells.clone());
            self.bury(record, id);
            if let Some(name) = menu.name_place().and_then(|place| entry.cells.get(place)) {
                let touched = self.tree.unlink(at, id, name);
                if let Some(failure) = menu.in_use.filter(|_| !touched.is_empty()) {
                    return Err(Trap::Failure(failure.into()));
                }
                if !touched.is_empty() {
                    self.warn(format!(
                        "{} \"{name}\" was in use: {} row(s) now refer to {id}, until another {} \
                         of that name is made",
                        menu.noun,
                        touched.len(),
                        menu.noun
                    ));
                }
                touched.into_iter().for_each(|(at, id)| self.touch(at, id));
            }
        }
        Ok(Reply::Done)
    }

    /// Puts rows in front of another one, or at the end.
    pub(super) fn reorder(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let found = self.targets(at, command)?;
        let destination = command.argument("destination").filter(|text| !text.is_empty());
        let before = match destination {
            Some(text) => Some(self.position(at, text)?),
            None => None,
        };
        let before = before.map(|position| self.tree.tables[at].rows[position].id);
        let ids: Vec<Id> = found.iter().map(Found::id).filter(|id| Some(*id) != before).collect();
        let table = Arc::make_mut(&mut self.tree.tables[at]);
        let picked: Vec<_> = ids
            .iter()
            .filter_map(|id| Some(Arc::clone(&table.rows[table.position(*id)?])))
            .collect();
        table.rows.retain(|row| !ids.contains(&row.id));
        let position = before.and_then(|id| table.position(id)).unwrap_or(table.rows.len());
        table.rows.splice(position..position, picked);
        ids.into_iter().for_each(|id| self.touch(at, id));
        Ok(Reply::Done)
    }

    fn on_configured(
        &mut self,
        at: usize,
        command: &Command,
        arguments: &[Argument],
    ) -> Result<Reply, Trap> {
        for row in self.targets(at, command)? {
            match row {
                Found::Configured(id) => self.amend(at, id, arguments)?,
                Found::Dynamic(_) => return Err(unchangeable(self.tree.tables[at].menu)),
            }
        }
        Ok(Reply::Done)
    }

    /// Changes one configured row.
    fn amend(&mut self, at: usize, id: Id, arguments: &[Argument]) -> Result<(), Trap> {
        let table = &self.tree.tables[at];
        let (menu, position) = (table.menu, table.position(id).ok_or(Trap::NoSuchItem)?);
        let mut cells = table.rows[position].cells.clone();
        for argument in arguments {
            self.put(menu, &mut cells, argument, false)?;
        }
        complete(menu, &cells)?;
        let table = &self.tree.tables[at];
        let names = menu.name_place();
        let old = names.and_then(|place| table.rows[position].cells.get(place)).map(str::to_owned);
        let new = names.and_then(|place| cells.get(place)).map(str::to_owned);
        if table.rows[position].cells == cells {
            return Ok(());
        }
        if let Some(builtin) = menu.builtin(id)
            && table.identity(&builtin) != table.identity(&cells)
        {
            return Err(Trap::Failure(format!("can not rename builtin {}", menu.noun)));
        }
        if let Some(failure) = table.clash(&cells, Some(id)) {
            return Err(Trap::Failure(failure.into()));
        }
        Arc::make_mut(&mut self.tree.tables[at]).replace(position, cells);
        self.touch(at, id);
        if let (Some(old), Some(new)) = (old, new)
            && old != new
        {
            self.renamed(at, &old, &new);
        }
        Ok(())
    }

    fn renamed(&mut self, at: usize, old: &str, new: &str) {
        let followed = self.tree.relink(at, &|text| (text == old).then(|| new.into()));
        let again = self.tree.link_again(at, new);
        followed.into_iter().chain(again).for_each(|(at, id)| self.touch(at, id));
    }

    fn insert(
        &mut self,
        at: usize,
        before: Option<usize>,
        id: Id,
        cells: Cells,
    ) -> Result<(), Trap> {
        let table = &self.tree.tables[at];
        if let Some(failure) = table.clash(&cells, None) {
            return Err(Trap::Failure(failure.into()));
        }
        let name = table.menu.name_place().and_then(|place| cells.get(place)).map(str::to_owned);
        Arc::make_mut(&mut self.tree.tables[at]).insert(before, id, cells);
        self.touch(at, id);
        if let Some(name) = name {
            let again = self.tree.link_again(at, &name);
            again.into_iter().for_each(|(at, id)| self.touch(at, id));
        }
        Ok(())
    }

    /// One argument of `add` or `set` into a row's cells.
    pub(super) fn put(
        &mut self,
        menu: &'static Menu,
        cells: &mut Cells,
        argument: &Argument,
        adds: bool,
    ) -> Result<(), Trap> {
        let unknown = || Trap::UnknownParameter(argument.name.clone());
        let place = menu.place(&argument.name).ok_or_else(unknown)?;
        let property = &menu.properties[place];
        match property.rule.access {
            Access::Live | Access::Computed(_) => return Err(unknown()),
            Access::AddOnly if !adds => {
                return Err(Trap::Failure(format!("can not change {}", property.name)));
            }
            Access::AddOnly | Access::Settable => {}
        }
        let refused = |fault| Trap::value(property.name, fault);
        // `once` says as much as `once=yes` where it is no property of a row.
        let switch = menu.form == Form::Activity && property.value.kind == Kind::Flag;
        let canonical = match argument.value.as_deref() {
            Some("") if switch => Some("yes".to_owned()),
            Some(text) => (property.value.canonical)(text).map_err(refused)?,
            None => None,
        };
        let before = cells.get(place);
        let text = match canonical {
            Some(text) => Some(self.checked(property, &text, before).map_err(refused)?),
            None => None,
        };
        let kept = text.filter(|text| property.kept(text));
        if kept.is_some() && !property.rule.obeyed {
            self.not_obeyed(menu, property);
        }
        cells.put(place, kept.as_deref());
        Ok(())
    }

    /// What the value names has to exist, if it was typed.
    fn checked(
        &self,
        property: &Property,
        text: &str,
        before: Option<&str>,
    ) -> Result<String, Fault> {
        if self.manner == Manner::Imported || before == Some(text) {
            return Ok(text.into());
        }
        let interfaces = self.tree.interfaces.as_ref();
        let unknown = |names: &Arc<BTreeSet<String>>| !names.contains(text);
        if property.value.kind == Kind::Interface && interfaces.is_some_and(unknown) {
            return Err(Fault::NoMatch);
        }
        if property.value.target.is_none() {
            return Ok(text.into());
        }
        self.tree.linked(property.value.relink, text, before)
    }

    fn not_obeyed(&mut self, menu: &'static Menu, property: &'static Property) {
        if self.tree.warned.insert((menu.path, property.name)) {
            self.warn(unheeded(menu, property));
        }
    }

    /// Makes a name up where none was given.
    fn number(&self, at: usize, cells: &mut Cells) {
        let table: &Table = &self.tree.tables[at];
        for (place, property) in table.menu.properties.iter().enumerate() {
            let Preset::Numbered(stem) = property.rule.preset else { continue };
            if cells.get(place).is_some() {
                continue;
            }
            let taken: BTreeSet<&str> =
                table.rows.iter().filter_map(|row| row.cells.get(place)).collect();
            let free =
                (1_u64..).map(|n| format!("{stem}{n}")).find(|name| !taken.contains(&**name));
            cells.put(place, free.as_deref());
        }
    }

    fn copied(&self, at: usize, text: &str) -> Result<Cells, Trap> {
        let table = &self.tree.tables[at];
        let mut cells = table.rows[self.position(at, text)?].cells.clone();
        if let Some(place) = table.menu.name_place() {
            cells.put(place, None);
        }
        Ok(cells)
    }

    /// Where the configured row stands that is meant by a text.
    fn position(&self, at: usize, text: &str) -> Result<usize, Trap> {
        let found = self.found(at, &[crate::command::Target::Named(text.into())])?;
        let id = found.first().map(Found::id).ok_or(Trap::NoSuchItem)?;
        self.tree.tables[at].position(id).ok_or(Trap::NoSuchItem)
    }
}

/// What is said, once, of a property that has no effect so far.
pub(crate) fn unheeded(menu: &Menu, property: &Property) -> String {
    format!("{} {} is kept but not obeyed yet", menu.path, property.name)
}

/// Every property that has to have a value has one, and the values go together.
pub(crate) fn complete(menu: &Menu, cells: &Cells) -> Result<(), Trap> {
    if menu.form == Form::Singleton {
        return Ok(());
    }
    let missing = menu.properties.iter().enumerate().filter(|(place, property)| {
        let needed = matches!(property.rule.preset, Preset::Required | Preset::Numbered(_));
        needed && cells.get(*place).is_none()
    });
    let missing: Vec<_> = missing.map(|(_, property)| property.name).collect();
    if !missing.is_empty() {
        return Err(Trap::Missing(missing));
    }
    let checked = menu.check.map_or(Ok(()), |check| check(cells));
    checked.map_err(|RowFault { property, fault }| Trap::value(property, fault))
}

fn unchangeable(menu: &Menu) -> Trap {
    Trap::Failure(format!("can not change dynamic {}", menu.noun))
}

impl Tree {
    /// What the rows say that has no effect so far; each property is told once, also if it is set
    /// again later.
    pub fn not_obeyed(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        for table in &self.tables {
            let places = table.rows.iter().flat_map(|row| row.cells.iter().map(|(place, _)| place));
            for place in places.collect::<BTreeSet<_>>() {
                let property = &table.menu.properties[place];
                let key = (table.menu.path, property.name);
                if !property.rule.obeyed && self.warned.insert(key) {
                    told.push(unheeded(table.menu, property));
                }
            }
        }
        told
    }

    /// Adds a row from names and texts: for programs and tests that make a tree by hand.
    ///
    /// # Errors
    ///
    /// As [`Tree::run`].
    pub fn add(&mut self, path: &str, texts: &[(&str, &str)]) -> Result<Id, Trap> {
        let mut command = Command::new(path, "add");
        command.arguments = texts.iter().map(|(name, text)| Argument::set(*name, *text)).collect();
        let outcome = self.run(&command, &crate::listing::Offline)?;
        match outcome.reply {
            Reply::Value(id) => id.parse().map_err(|_| Trap::NoSuchItem),
            _ => Err(Trap::NoSuchItem),
        }
    }
}
