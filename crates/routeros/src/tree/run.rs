//! Commands: which verb does what. A command is carried out as a whole or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::Tree;
use crate::cells::Cells;
use crate::command::{
    Activity, Argument, Change, Command, Effects, Order, Outcome, Reply, Target, Watch,
};
use crate::id::Id;
use crate::listing::{Listing, Source, Want};
use crate::menu::{Effect, Form, Menu};
use crate::query::Filter;
use crate::record::Record;
use crate::rule::Shown;
use crate::syntax::script;
use crate::trap::Trap;
use crate::value::Kind;

use super::targets::Found;

/// Where a command comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Somebody typed it: what it names has to exist.
    Typed,
    /// A script that is imported as a whole: references are looked at in the end.
    Imported,
}

/// One command under way.
pub(crate) struct Run<'a> {
    pub(super) tree: &'a mut Tree,
    pub(super) source: &'a dyn Source,
    pub(super) manner: Manner,
    pub(super) orders: Vec<Order>,
    pub(super) warnings: Vec<String>,
    touched: Vec<(usize, Id)>,
    dead: Vec<Change>,
}

impl Tree {
    /// Carries a command out; `source` is the running server.
    ///
    /// # Errors
    ///
    /// The rule that was broken; nothing is changed then.
    pub fn run(&mut self, command: &Command, source: &dyn Source) -> Result<Outcome, Trap> {
        let mut draft = self.clone();
        let outcome = draft.carry_out(command, source, Manner::Typed)?;
        *self = draft;
        Ok(outcome)
    }

    /// Carries a command out on this very tree. A refused one that names rows may leave some of
    /// them changed: its caller drops the tree. A refused `add` leaves nothing behind.
    pub(crate) fn carry_out(
        &mut self,
        command: &Command,
        source: &dyn Source,
        manner: Manner,
    ) -> Result<Outcome, Trap> {
        let mut run = Run {
            tree: self,
            source,
            manner,
            orders: Vec::new(),
            warnings: Vec::new(),
            touched: Vec::new(),
            dead: Vec::new(),
        };
        let reply = run.dispatch(command)?;
        let (touched, dead) = (run.touched, run.dead);
        let (orders, mut warnings) = (run.orders, run.warnings);
        let changes = self.changes(touched, dead);
        for change in changes.iter().filter(|change| !change.dead) {
            let menu = change.now.menu();
            if let Some(remarks) = menu.remarks.filter(|_| menu.path == command.path) {
                warnings.extend(remarks(self, &change.now));
            }
        }
        Ok(Outcome { reply, effects: Effects { changes, orders, warnings } })
    }

    fn changes(&self, touched: Vec<(usize, Id)>, dead: Vec<Change>) -> Vec<Change> {
        let mut seen = BTreeSet::new();
        let living = touched.into_iter().filter(|row| seen.insert(*row)).filter_map(|(at, id)| {
            let now = self.record(self.tables[at].menu.path, id)?;
            Some(Change { id, now, dead: false })
        });
        living.chain(dead).collect()
    }
}

impl Run<'_> {
    fn dispatch(&mut self, command: &Command) -> Result<Reply, Trap> {
        // A part of a path is no menu, but what is below it can be exported.
        let inner = format!("{}/", command.path);
        if command.verb == "export" && self.tree.menus().any(|menu| menu.path.starts_with(&inner)) {
            return Ok(Reply::Text(script::export(
                self.tree,
                &command.path,
                script::Form::of(command),
            )));
        }
        if let Some(at) = self.tree.activity(command) {
            return self.activity(at, command);
        }
        let at = self.tree.at(&command.path);
        let at = at.filter(|at| self.tree.tables[*at].menu.form != Form::Activity);
        let at = at.ok_or_else(|| Trap::NoSuchPrefix(self.tree.unknown_word(&command.path)))?;
        let menu = self.tree.tables[at].menu;
        let no_such = || Trap::NoSuchCommand(command.verb.clone());
        let verb = menu.verb(&command.verb).ok_or_else(no_such)?;
        if !verb.properties {
            self.check_arguments(menu, command)?;
        }
        match verb.word {
            "add" => self.add(at, command),
            "set" => self.set(at, command),
            "unset" => self.unset(at, command),
            "enable" => self.switch(at, command, "no"),
            "disable" => self.switch(at, command, "yes"),
            "comment" => self.comment(at, command),
            "remove" => self.remove(at, command),
            "move" => self.reorder(at, command),
            "print" | "getall" => self.print(at, command),
            "get" => self.get(at, command),
            "find" => self.find(at, command),
            "listen" => self.listen(at, command),
            "export" => {
                Ok(Reply::Text(script::export(self.tree, menu.path, script::Form::of(command))))
            }
            "help" => Ok(Reply::Text(crate::help::menu(menu))),
            _ => self.special(at, command),
        }
    }

    fn check_arguments(&self, menu: &'static Menu, command: &Command) -> Result<(), Trap> {
        let Some(verb) = menu.verb(&command.verb) else { return Ok(()) };
        for argument in &command.arguments {
            let name = argument.name.trim_start_matches('.');
            let known = verb.unnamed.contains(&name)
                || verb.switches.contains(&name)
                || menu.views.iter().any(|(view, _)| *view == name);
            if !known {
                return Err(Trap::UnknownParameter(argument.name.clone()));
            }
        }
        Ok(())
    }

    /// The rows of a command that has to name some; the row of a singleton needs no name.
    pub(super) fn targets(&self, at: usize, command: &Command) -> Result<Vec<Found>, Trap> {
        if self.tree.tables[at].menu.form == Form::Singleton {
            return Ok(vec![Found::Configured(Id(0))]);
        }
        if command.targets.is_empty() {
            return Err(Trap::MissingId);
        }
        self.found(at, &command.targets)
    }

    pub(super) fn touch(&mut self, at: usize, id: Id) {
        self.touched.push((at, id));
    }

    pub(super) fn bury(&mut self, record: Record, id: Id) {
        self.dead.push(Change { id, now: record, dead: true });
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    fn print(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let mut query = command.query.clone();
        let menu = self.tree.tables[at].menu;
        for (view, property) in menu.views.iter().filter(|(view, _)| command.switch(view)) {
            let _ = view;
            query.push(crate::query::Step::Test(crate::query::Test::Has((*property).into())));
        }
        let filter = Filter::new(&query, menu)?;
        let only = self.picked(at, command)?;
        let listing = Listing::new(Arc::clone(&self.tree.tables[at]), filter, only);
        let listing =
            listing.with_proplist(proplist(command)).counted(command.switch("count-only"));
        Ok(Reply::Rows(Box::new(listing)))
    }

    /// The rows that a listing is limited to by `from=` or by targets.
    fn picked(&self, at: usize, command: &Command) -> Result<Option<Vec<Id>>, Trap> {
        let mut targets = command.targets.clone();
        targets.extend(command.argument("from").map(|text| Target::Named(text.into())));
        if targets.is_empty() || self.tree.tables[at].menu.form == Form::Singleton {
            return Ok(None);
        }
        Ok(Some(self.found(at, &targets)?.iter().map(Found::id).collect()))
    }

    fn get(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let table = Arc::clone(&self.tree.tables[at]);
        let found = self.targets(at, command)?;
        let [row] = found.as_slice() else { return Err(Trap::NoSuchItem) };
        let Some(name) = command.argument("value-name") else {
            let filter = Filter::new(&command.query, table.menu)?;
            let listing = Listing::new(table, filter, Some(vec![row.id()]));
            return Ok(Reply::Rows(Box::new(listing)));
        };
        let unknown = || Trap::UnknownParameter(name.into());
        if name == ".id" {
            return Ok(Reply::Value(row.id().to_string()));
        }
        let place = table.menu.place(name).ok_or_else(unknown)?;
        if table.menu.properties[place].rule.shown == Shown::Never {
            return Err(unknown());
        }
        let cells = self.cells_of(at, row);
        let text = table.menu.text(&cells, place).unwrap_or_default();
        Ok(Reply::Value(match table.menu.properties[place].value.kind {
            Kind::Flag => (if text == "yes" { "true" } else { "false" }).into(),
            _ => text,
        }))
    }

    /// All cells of a row, with those that the running server adds.
    fn cells_of(&self, at: usize, row: &Found) -> Cells {
        let table = &self.tree.tables[at];
        let id = match row {
            Found::Dynamic(row) => return row.cells.clone(),
            Found::Configured(id) => *id,
        };
        let mut cells = table.entry(id).map(|entry| entry.cells.clone()).unwrap_or_default();
        if table.menu.has_live_cells() {
            let known = self.source.fetch(&Want::Overlay(table.menu, vec![id]));
            if let Some(row) = known.iter().find(|row| row.id == id) {
                table.menu.overlay(&mut cells, &row.cells);
            }
        }
        cells
    }

    fn activity(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let menu = self.tree.tables[at].menu;
        let switches = menu.as_verb().map(|verb| verb.switches).unwrap_or_default();
        let told =
            |argument: &&Argument| !switches.contains(&argument.name.trim_start_matches('.'));
        let mut cells = Cells::new();
        for argument in command.arguments.iter().filter(told) {
            self.put(menu, &mut cells, argument, true)?;
        }
        super::change::complete(menu, &cells)?;
        Ok(Reply::Activity(Box::new(Activity { menu, cells, proplist: proplist(command) })))
    }

    fn find(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let rows = self.searched(at, &command.query)?;
        let ids: Vec<String> = rows.iter().map(|row| row.id().to_string()).collect();
        Ok(Reply::Value(ids.join(";")))
    }

    fn listen(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let menu = self.tree.tables[at].menu;
        let filter = Filter::new(&command.query, menu)?;
        let (path, live) = (menu.path, menu.has_dynamic_rows());
        Ok(Reply::Watch(Box::new(Watch { path, live, filter, proplist: proplist(command) })))
    }

    /// Commands of one menu alone: the running server carries them out.
    fn special(&mut self, at: usize, command: &Command) -> Result<Reply, Trap> {
        let menu = self.tree.tables[at].menu;
        let special = menu.specials.iter().find(|special| special.verb == command.verb);
        let special = special.ok_or_else(|| Trap::NoSuchCommand(command.verb.clone()))?;
        if special.effect == Effect::Dialogue {
            return Err(Trap::NoSuchCommand(command.verb.clone()));
        }
        for row in self.targets(at, command)? {
            match (special.effect, row) {
                (Effect::None | Effect::Dialogue, row) => self.order(at, &row, command),
                (Effect::Adopt, Found::Configured(_)) => {}
                (Effect::Adopt, Found::Dynamic(row)) => self.adopt(at, &row)?,
            }
        }
        Ok(Reply::Done)
    }

    pub(super) fn order(&mut self, at: usize, row: &Found, command: &Command) {
        let cells = self.cells_of(at, row);
        self.orders.push(Order {
            menu: self.tree.tables[at].menu,
            verb: command.verb.clone(),
            row: crate::listing::LiveRow { id: row.id(), cells },
            arguments: command.arguments.clone(),
        });
    }
}

/// The properties that a command asks for.
fn proplist(command: &Command) -> Vec<String> {
    let text = command.argument(".proplist").or_else(|| command.argument("proplist"));
    text.map(|text| crate::value::elements(text).map(str::to_owned).collect()).unwrap_or_default()
}

impl Tree {
    /// The table of the activity that a command begins, if it begins one.
    fn activity(&self, command: &Command) -> Option<usize> {
        let begun = (command.path.as_str(), command.verb.as_str());
        self.tables.iter().position(|table| table.menu.activity() == Some(begun))
    }

    /// The first word of a path that leads nowhere.
    pub(crate) fn unknown_word(&self, path: &str) -> String {
        let mut known = String::new();
        for word in path.split('/').filter(|word| !word.is_empty()) {
            let longer = format!("{known}/{word}");
            let inner = format!("{longer}/");
            let leads = |menu: &Menu| menu.path == longer || menu.path.starts_with(&inner);
            if !self.menus().any(leads) {
                return word.into();
            }
            known = longer;
        }
        path.rsplit('/').next().unwrap_or_default().into()
    }
}
