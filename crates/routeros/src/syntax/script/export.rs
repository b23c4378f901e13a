//! From rows to a script, in RouterOS's order and spelling.

use super::wrap::wrapped;
use crate::command::Command;
use crate::menu::{Form as MenuForm, Menu};
use crate::record::Record;
use crate::rule::{Preset, Shown};
use crate::syntax::quote;
use crate::tree::Tree;

/// How much an export says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// What differs from the presets.
    Compact,
    /// Everything.
    Verbose,
    /// What differs from the presets, one whole command in a line.
    Terse,
    /// What differs from the presets, without what only we have.
    Router,
}

impl Form {
    /// What a command asks for.
    #[must_use]
    pub fn of(command: &Command) -> Self {
        match (command.switch("verbose"), command.switch("terse")) {
            (true, _) => Self::Verbose,
            (_, true) => Self::Terse,
            _ => Self::Compact,
        }
    }
}

/// The line that every export begins with; programs look for its words.
#[must_use]
pub fn header(date: &str, version: &str) -> String {
    format!("# {date} by RouterOS {version}\n#\n")
}

/// The configuration of the menus at and under `path` as a script, without its header.
#[must_use]
pub fn export(tree: &Tree, path: &str, form: Form) -> String {
    let inner = format!("{path}/");
    let mut text = String::new();
    for menu in tree.menus() {
        if menu.path == path || menu.path.starts_with(&inner) {
            text.push_str(&exported(tree, menu, form));
        }
    }
    text
}

fn exported(tree: &Tree, menu: &'static Menu, form: Form) -> String {
    if !menu.is_configured() {
        return String::new();
    }
    let path = format!("/{}", menu.words().collect::<Vec<_>>().join(" "));
    let mut lines = String::new();
    for record in tree.records(menu.path) {
        let arguments = arguments(&record, form);
        if arguments.is_empty() {
            continue;
        }
        let verb = verb(&record);
        match form {
            Form::Terse => lines.push_str(&format!("{path} {verb} {}", arguments.join(" "))),
            _ => lines.push_str(&wrapped(&verb, &arguments)),
        }
        lines.push('\n');
    }
    match form {
        _ if lines.is_empty() => lines,
        Form::Terse => lines,
        _ => format!("{path}\n{lines}"),
    }
}

/// How a row is made, or changed where it is always there.
fn verb(record: &Record) -> String {
    let menu = record.menu();
    let builtin = record.id().and_then(|id| menu.builtin(id));
    match (builtin.and(menu.name_place()), menu.form) {
        (Some(name), _) => {
            format!("set {}", quote::when_needed(record.cells().get(name).unwrap_or_default()))
        }
        (None, MenuForm::Singleton) => "set".into(),
        (None, _) => "add".into(),
    }
}

/// `name=value` for what is exported of a row, in alphabetical order.
fn arguments(record: &Record, form: Form) -> Vec<String> {
    let menu = record.menu();
    let builtin = record.id().and_then(|id| menu.builtin(id));
    let as_ever = |place| {
        let builtin = builtin.as_ref().filter(|_| form != Form::Verbose);
        builtin.is_some_and(|cells| cells.get(place) == record.cells().get(place))
    };
    let to_router = form == Form::Router;
    let plain = menu.on_router.filter(|_| to_router).map(|say| say(record.cells()));
    let cells = plain.as_ref().unwrap_or(record.cells());
    let mut arguments = Vec::new();
    for (place, property) in menu.properties.iter().enumerate() {
        let rule = &property.rule;
        let is_unknown = to_router && rule.ours;
        if !rule.is_configured() || rule.shown == Shown::Never || as_ever(place) || is_unknown {
            continue;
        }
        let named = match (cells.get(place), form) {
            (Some(text), _) => Some(text.to_owned()),
            (None, Form::Verbose) if property.rule.preset == Preset::Unset => {
                arguments.push((property.name, format!("!{}", property.name)));
                None
            }
            (None, Form::Verbose) => menu.text(cells, place),
            (None, _) if property.rule.exported => menu.text(cells, place),
            (None, _) => None,
        };
        let named = named.map(|text| format!("{}={}", property.name, quote::when_needed(&text)));
        arguments.extend(named.map(|argument| (property.name, argument)));
    }
    arguments.sort_unstable_by_key(|(name, _)| *name);
    arguments.into_iter().map(|(_, argument)| argument).collect()
}
