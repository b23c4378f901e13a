//! From method, path, query string and body to a command.

use percent_encoding::percent_decode_str;
use serde_json::Map;

use super::{Call, Exchange, Refused, Then, body};
use crate::command::{Argument, Command, Target};
use crate::id::Id;
use crate::menu::{Form, Menu};
use crate::query::Query;
use crate::tree::Tree;
use crate::verb::ROOT;

/// The methods that RouterOS knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Shows rows.
    Get,
    /// Makes a row.
    Put,
    /// Changes a row.
    Patch,
    /// Removes a row.
    Delete,
    /// Carries out any command.
    Post,
}

/// What a path leads to.
enum Place {
    Menu(&'static Menu),
    /// A row by id or name, or a command.
    Inner(&'static Menu, String),
    /// A command of the root, or one that goes on: its path and word.
    Command(&'static str, String),
}

/// Reads a request. `path` is what follows `/rest`, still encoded; `query` what follows `?`.
///
/// # Errors
///
/// The status and words to answer with; nothing was carried out.
pub fn request(
    tree: &Tree,
    method: Method,
    path: &str,
    query: &str,
    body: &[u8],
) -> Result<Exchange, Refused> {
    let place = place(tree, path)?;
    let object = body::read(body)?;
    match (method, place) {
        (Method::Get, Place::Menu(menu)) => list(menu, None, query),
        (Method::Get, Place::Inner(menu, row)) => list(menu, Some(row), query),
        (Method::Put, Place::Menu(menu)) if menu.form != Form::Singleton => {
            change(Command::new(menu.path, "add"), object, Then::Made)
        }
        (Method::Patch, Place::Menu(menu)) if menu.form == Form::Singleton => {
            let show = Command::new(menu.path, "print");
            change(Command::new(menu.path, "set"), object, Then::Changed(show))
        }
        (Method::Patch, Place::Inner(menu, row)) => {
            named(menu, &row)?;
            let show = one(menu, "print", &row);
            change(one(menu, "set", &row), object, Then::Changed(show))
        }
        (Method::Delete, Place::Inner(menu, row)) => {
            named(menu, &row)?;
            change(one(menu, "remove", &row), Map::new(), Then::Removed)
        }
        (Method::Post, Place::Menu(menu)) if menu.form != Form::Singleton => {
            change(Command::new(menu.path, "add"), object, Then::Added)
        }
        (Method::Post, Place::Inner(menu, verb)) => {
            change(Command::new(menu.path, verb), object, Then::Said)
        }
        (Method::Post, Place::Command(path, word)) => said(path, &word, object),
        (Method::Put | Method::Patch | Method::Post, Place::Menu(_)) => {
            Err(Refused::because("no such command"))
        }
        (Method::Delete, Place::Menu(_)) => Err(Refused::because("missing =.id=")),
        (_, Place::Inner(..) | Place::Command(..)) => Err(Refused::because("no such command")),
    }
}

/// The longest part of the path that is a menu, and at most one word after it.
fn place(tree: &Tree, path: &str) -> Result<Place, Refused> {
    let words: Vec<String> = path
        .split('/')
        .filter(|word| !word.is_empty())
        .map(|word| percent_decode_str(word).decode_utf8_lossy().into_owned())
        .collect();
    let path = |words: &[String]| words.iter().map(|word| format!("/{word}")).collect::<String>();
    if let Some(menu) = tree.menu(&path(&words)) {
        return Ok(match menu.activity() {
            Some((path, word)) => Place::Command(path, word.into()),
            None => Place::Menu(menu),
        });
    }
    if let Some((last, outer)) = words.split_last() {
        if let Some(menu) = tree.menu(&path(outer)) {
            return Ok(Place::Inner(menu, last.clone()));
        }
        let known = last == "execute" || ROOT.iter().any(|verb| verb.word == last);
        if outer.is_empty() && known {
            return Ok(Place::Command("", last.clone()));
        }
    }
    let unknown = tree.unknown_word(&path(&words));
    Err(Refused::because(format!("no such command or directory ({unknown})")))
}

/// A row that is named rather than numbered has to be of a menu whose rows have names.
fn named(menu: &'static Menu, row: &str) -> Result<(), Refused> {
    if row.parse::<Id>().is_ok() || menu.name_place().is_some() {
        return Ok(());
    }
    Err(Refused::because("no such command prefix"))
}

fn one(menu: &'static Menu, verb: &str, row: &str) -> Command {
    Command::new(menu.path, verb).target(row)
}

fn list(menu: &'static Menu, row: Option<String>, query: &str) -> Result<Exchange, Refused> {
    let mut command = Command::new(menu.path, "print");
    let mut then = if menu.form == Form::Singleton { Then::One } else { Then::Array };
    if let Some(row) = row {
        if row.parse::<Id>().is_err() && menu.verb(&row).is_some() {
            return Err(Refused::because("no such command"));
        }
        named(menu, &row)?;
        command.targets.push(Target::Named(row));
        then = Then::One;
    }
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        match &*name {
            ".proplist" => command.arguments.push(Argument::set(".proplist", value)),
            ".query" | "" => {}
            name => command.query.extend(Query::equal(name, &value)),
        }
    }
    Ok(Exchange { call: Call::Command(command), then })
}

fn change(
    mut command: Command,
    object: Map<String, serde_json::Value>,
    then: Then,
) -> Result<Exchange, Refused> {
    body::fill(&mut command, object)?;
    Ok(Exchange { call: Call::Command(command), then })
}

fn said(
    path: &str,
    word: &str,
    object: Map<String, serde_json::Value>,
) -> Result<Exchange, Refused> {
    if (path, word) != ("", "execute") {
        return change(Command::new(path, word), object, Then::Said);
    }
    let script = object.get("script").and_then(body::text);
    let script = script.ok_or_else(|| Refused::because("missing =script="))?;
    Ok(Exchange { call: Call::Script(script), then: Then::Said })
}
