//! What every face turns its bytes into, and what it turns back into bytes.

use crate::cells::Cells;
use crate::fault::RowFault;
use crate::id::Id;
use crate::listing::{Listing, LiveRow};
use crate::menu::{Menu, Row};
use crate::query::Query;
use crate::record::Record;

/// One command, whatever the face.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The menu with slashes, `/ip/pool`; empty for the root.
    pub path: String,
    /// The word: `add`, `print`, `make-static`.
    pub verb: String,
    /// The rows that it is about, as they were named.
    pub targets: Vec<Target>,
    /// Properties and switches in the order given.
    pub arguments: Vec<Argument>,
    /// Which rows a listing shows.
    pub query: Query,
}

/// How a row was named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// An id (`*1F`), a name or a number, or several of them with commas.
    Named(String),
    /// Every row for which the query holds: `[find …]`.
    Found(Query),
}

/// One argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// The property or switch.
    pub name: String,
    /// Its text; `None` stands for `!name`, which clears the property.
    pub value: Option<String>,
}

impl Argument {
    /// `name=value`.
    #[must_use]
    pub fn set(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: Some(value.into()) }
    }

    /// `!name`.
    #[must_use]
    pub fn clear(name: impl Into<String>) -> Self {
        Self { name: name.into(), value: None }
    }
}

impl Command {
    /// A command without targets, arguments and query.
    #[must_use]
    pub fn new(path: impl Into<String>, verb: impl Into<String>) -> Self {
        Self { path: path.into(), verb: verb.into(), ..Self::default() }
    }

    /// With one more target.
    #[must_use]
    pub fn target(mut self, text: impl Into<String>) -> Self {
        self.targets.push(Target::Named(text.into()));
        self
    }

    /// With one more argument.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.arguments.push(Argument::set(name, value));
        self
    }

    /// With these conditions.
    #[must_use]
    pub fn filtered(mut self, query: Query) -> Self {
        self.query = query;
        self
    }

    /// The text of an argument; the last one counts.
    #[must_use]
    pub fn argument(&self, name: &str) -> Option<&str> {
        let named = self.arguments.iter().rev().find(|argument| argument.name == name);
        named.and_then(|argument| argument.value.as_deref())
    }

    /// Whether a switch is on: `detail`, `detail=yes`, `=detail=`.
    #[must_use]
    pub fn switch(&self, name: &str) -> bool {
        self.argument(name).is_some_and(|text| !matches!(text, "no" | "false"))
    }
}

/// What a command that was carried out says.
#[derive(Debug)]
pub enum Reply {
    /// Nothing.
    Done,
    /// One text: the id of a new row, a count, a property.
    Value(String),
    /// Rows, fetched in pages.
    Rows(Box<Listing>),
    /// A document: an export.
    Text(String),
    /// Changes of these rows from now on, until it is cancelled.
    Watch(Box<Watch>),
    /// Rows as they come, until it has ended or is cancelled.
    Activity(Box<Activity>),
}

/// What a command did beside its reply.
#[derive(Debug, Default)]
pub struct Effects {
    /// Configured rows that changed, in order.
    pub changes: Vec<Change>,
    /// What the running server has to do.
    pub orders: Vec<Order>,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

/// A command that was carried out.
#[derive(Debug)]
pub struct Outcome {
    /// What it says.
    pub reply: Reply,
    /// What it did.
    pub effects: Effects,
}

/// One configured row that was added, changed or removed.
#[derive(Clone, Debug)]
pub struct Change {
    /// Its id.
    pub id: Id,
    /// The row as it is now, without what the running server adds.
    pub now: Record,
    /// Whether it was removed; `now` is then what it was.
    pub dead: bool,
}

/// Something that the running server has to do to a row.
#[derive(Clone)]
pub struct Order {
    /// The row's menu.
    pub menu: &'static Menu,
    /// What: `remove`, `comment`, or one of the menu's special commands.
    pub verb: String,
    /// The row.
    pub row: LiveRow,
    /// The arguments of the command.
    pub arguments: Vec<Argument>,
}

impl core::fmt::Debug for Order {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {} {}", self.menu.path, self.verb, self.row.id)
    }
}

/// A command that goes on: what it was told. Somebody who may do I/O carries it out.
#[derive(Clone)]
pub struct Activity {
    pub(crate) menu: &'static Menu,
    pub(crate) cells: Cells,
    pub(crate) proplist: Vec<String>,
}

impl Activity {
    /// The table of its arguments and of what it tells.
    #[must_use]
    pub fn menu(&self) -> &'static Menu {
        self.menu
    }

    /// Its arguments, if it is this one.
    #[must_use]
    pub fn read<R: Row>(&self) -> Option<Result<R, RowFault>> {
        (self.menu.path == R::menu().path).then(|| R::read(&self.cells))
    }

    /// The properties that were asked for; empty for all.
    #[must_use]
    pub fn proplist(&self) -> &[String] {
        &self.proplist
    }
}

impl core::fmt::Debug for Activity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} {:?}", self.menu.path, self.cells)
    }
}

/// A `listen`: which changes it wants to hear.
#[derive(Clone, Debug)]
pub struct Watch {
    pub(crate) path: &'static str,
    pub(crate) live: bool,
    pub(crate) filter: crate::query::Filter,
    pub(crate) proplist: Vec<String>,
}

impl Watch {
    /// The menu that is watched.
    #[must_use]
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The properties that were asked for; empty for all.
    #[must_use]
    pub fn proplist(&self) -> &[String] {
        &self.proplist
    }

    /// Whether this change is to be told. Of a row that is gone, little may be known.
    #[must_use]
    pub fn wants(&self, change: &Change) -> bool {
        let now = &change.now;
        now.menu().path == self.path && (change.dead || self.filter.holds(now))
    }

    /// Whether the running server makes rows of the menu, or adds to them.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.live
    }
}
