//! What a property can hold: a value is read from text and has one canonical text.
//!
//! **Invariant:** `parse(print(v)) == v`, and `print` is what RouterOS's own `print` shows. The
//! tree keeps canonical texts; typed values exist while somebody looks at a row.

mod address;
pub mod choice;
mod number;
mod reference;
mod text;
mod time;

pub use address::{AddressRange, Ranges};
pub use number::Bounded;
pub use reference::{Interface, Reference};
pub use text::{Hex, Name};
pub use time::{Seconds, clock, milliseconds, units};

use crate::fault::Fault;
use crate::menu::Menu;

/// How faces treat a value: how it is compared, aligned, coloured and spelt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Free text.
    Text,
    /// One of a closed set of words.
    Word,
    /// Yes or no; `true` and `false` on the API.
    Flag,
    /// A number.
    Number,
    /// A time; kept in units (`1d2h`), shown as a clock to scripts.
    Time,
    /// An IPv4 address or range.
    Address,
    /// An IPv4 prefix.
    Network,
    /// A hardware address.
    Mac,
    /// The name of an interface of this machine.
    Interface,
}

/// A function that gives a menu: how one menu's table names another's.
pub type MenuOf = fn() -> &'static Menu;

/// Visits the texts within a value that name rows of other menus, and may change them.
pub type Relink<'a> = &'a mut dyn FnMut(MenuOf, &mut String);

/// A type of value that a property can have.
pub trait Value: Sized {
    /// How faces treat it.
    const KIND: Kind = Kind::Text;
    /// Whether it is a list of values of [`Self::KIND`], separated by commas.
    const LIST: bool = false;
    /// The words that it can be: for completion and help.
    const WORDS: &'static [&'static str] = &[];
    /// The menu whose rows it can name.
    const TARGET: Option<MenuOf> = None;
    /// A legal value, for messages that say how to mend.
    const EXAMPLE: &'static str;

    /// The type in a few words, for help and the reference page.
    fn describe() -> String;

    /// Reads any accepted spelling.
    ///
    /// # Errors
    ///
    /// The rule that `text` breaks.
    fn parse(text: &str) -> Result<Self, Fault>;

    /// The canonical spelling.
    fn print(&self) -> String;

    /// The value of a property that is unset and has no default; `None` if there has to be one.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }

    /// Visits the names of rows within.
    fn relink(&mut self, visit: Relink<'_>) {
        let _ = visit;
    }
}

/// A value type without its Rust type, as the tables keep it.
#[derive(Clone, Copy)]
pub struct Type {
    /// How faces treat it.
    pub kind: Kind,
    /// Whether it is a list.
    pub list: bool,
    /// The words that it can be.
    pub words: &'static [&'static str],
    /// The menu whose rows it can name.
    pub target: Option<MenuOf>,
    /// A legal value.
    pub example: &'static str,
    /// The type in a few words.
    pub describe: fn() -> String,
    /// Any accepted spelling to the canonical one; `None` stands for unset.
    pub canonical: fn(&str) -> Result<Option<String>, Fault>,
    /// A canonical text with its names visited.
    pub relink: fn(&str, Relink<'_>) -> Option<String>,
}

impl Type {
    /// The tables' form of `V`.
    #[must_use]
    pub const fn of<V: Value>() -> Self {
        Self {
            kind: V::KIND,
            list: V::LIST,
            words: V::WORDS,
            target: V::TARGET,
            example: V::EXAMPLE,
            describe: V::describe,
            canonical: canonical::<V>,
            relink: relink::<V>,
        }
    }
}

fn canonical<V: Value>(text: &str) -> Result<Option<String>, Fault> {
    // An empty text clears whatever may be unset.
    if text.is_empty() && V::absent().is_some() {
        return Ok(None);
    }
    V::parse(text).map(|value| Some(value.print()))
}

fn relink<V: Value>(text: &str, visit: Relink<'_>) -> Option<String> {
    let mut value = V::parse(text).ok()?;
    value.relink(visit);
    Some(value.print())
}

impl Value for bool {
    const KIND: Kind = Kind::Flag;
    const WORDS: &'static [&'static str] = &["yes", "no"];
    const EXAMPLE: &'static str = "yes";

    fn describe() -> String {
        "`yes` or `no`".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        match text {
            "yes" | "true" => Ok(true),
            "no" | "false" => Ok(false),
            _ => Err(Fault::NoMatch),
        }
    }

    fn print(&self) -> String {
        if *self { "yes" } else { "no" }.into()
    }
}

impl<V: Value> Value for Option<V> {
    const KIND: Kind = V::KIND;
    const LIST: bool = V::LIST;
    const WORDS: &'static [&'static str] = V::WORDS;
    const TARGET: Option<MenuOf> = V::TARGET;
    const EXAMPLE: &'static str = V::EXAMPLE;

    fn describe() -> String {
        V::describe()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        V::parse(text).map(Some)
    }

    fn print(&self) -> String {
        self.as_ref().map(V::print).unwrap_or_default()
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn relink(&mut self, visit: Relink<'_>) {
        if let Some(value) = self {
            value.relink(visit);
        }
    }
}

impl<V: Value> Value for Vec<V> {
    const KIND: Kind = V::KIND;
    const LIST: bool = true;
    const WORDS: &'static [&'static str] = V::WORDS;
    const TARGET: Option<MenuOf> = V::TARGET;
    const EXAMPLE: &'static str = V::EXAMPLE;

    fn describe() -> String {
        format!("list of {}", V::describe())
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        elements(text).map(V::parse).collect()
    }

    fn print(&self) -> String {
        self.iter().map(V::print).collect::<Vec<_>>().join(",")
    }

    fn relink(&mut self, visit: Relink<'_>) {
        for value in self {
            value.relink(visit);
        }
    }
}

/// The elements of a list's text; a script's `;` separates as the comma does.
pub fn elements(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ';']).map(str::trim).filter(|element| !element.is_empty())
}
