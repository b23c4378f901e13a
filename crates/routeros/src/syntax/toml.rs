//! The configuration file: one `[[table]]` per row, written back with its comments and order.
//!
//! The key of a menu is its path with hyphens and without `/ip/`: `[[dhcp-server-network]]`; a
//! menu with one row is a plain table, `[dhcp-server-config]`. Keys are properties; values are
//! strings, integers, booleans, or arrays of them for lists.

mod read;
mod write;

use toml_edit::DocumentMut;

use crate::id::Id;
use crate::menu::Menu;
use crate::tree::{Ids, Tree};

pub use super::place::{Place, Problem};

/// A configuration file as it was read, and as it will be written.
#[derive(Clone)]
pub struct Document {
    toml: DocumentMut,
    /// The ids of the tables of each menu that has several rows, in the order of the file; tables
    /// that are no rows have none and stay as they are.
    linked: Vec<(&'static Menu, Vec<Option<Id>>)>,
    /// What the file says: what differs from it is written.
    synced: Tree,
}

/// A file that was read.
pub struct Opened {
    /// Its rows.
    pub tree: Tree,
    /// Itself, for writing back.
    pub document: Document,
    /// Everything that is wrong with it.
    pub problems: Vec<Problem>,
}

/// Reads a file.
///
/// # Errors
///
/// The text is no TOML. (Everything else is among the [`Opened::problems`].)
pub fn open(
    menus: impl IntoIterator<Item = &'static Menu>,
    text: &str,
    ids: &Ids,
) -> Result<Opened, Problem> {
    read::open(menus.into_iter().collect(), text, ids)
}

impl Document {
    /// An empty file.
    #[must_use]
    pub fn new(menus: impl IntoIterator<Item = &'static Menu>) -> Self {
        Self { toml: DocumentMut::new(), linked: Vec::new(), synced: Tree::new(menus) }
    }

    /// Takes over what differs in `tree` and gives the file's new text. Everything else stays as it
    /// is: comments, order, spelling.
    ///
    /// # Errors
    ///
    /// The file has something else where the rows of a changed menu belong. The document is of no
    /// use then: whoever can go on without the change keeps a clone.
    pub fn update(&mut self, tree: &Tree) -> Result<String, NotWritten> {
        write::update(self, tree)?;
        self.synced = tree.clone();
        Ok(self.toml.to_string())
    }
}

/// The file has something else where the rows of this key belong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotWritten {
    /// The key.
    pub key: String,
}

impl core::fmt::Display for NotWritten {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} in the file is no table of rows: mend the file first", self.key)
    }
}

impl core::error::Error for NotWritten {}

/// The key of a menu's tables.
#[must_use]
pub fn key(menu: &Menu) -> String {
    let path = menu.path.strip_prefix("/ip/").unwrap_or(menu.path);
    path.trim_start_matches('/').replace('/', "-")
}

/// Whether rows of the menu can stand in a file.
fn is_written(menu: &Menu) -> bool {
    menu.is_configured()
}
