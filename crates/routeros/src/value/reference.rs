//! Names of rows of other menus, and of the machine's interfaces.

use core::fmt;
use core::marker::PhantomData;

use super::{Kind, MenuOf, Relink, Value};
use crate::fault::Fault;
use crate::id::Id;
use crate::menu::Row;

/// The name of a row of `T`'s menu, or `*1F` when the row that was meant is gone.
///
/// A row that dangles is linked again when a row of the old name is made.
pub struct Reference<T> {
    text: String,
    target: PhantomData<fn() -> T>,
}

impl<T: Row> Reference<T> {
    /// A reference to the row of this name.
    #[must_use]
    pub fn to(name: &str) -> Self {
        Self { text: name.into(), target: PhantomData }
    }

    /// The row's name; `None` when it dangles.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        (!self.dangles()).then_some(self.text.as_str())
    }

    /// Whether the row that was meant is gone.
    #[must_use]
    pub fn dangles(&self) -> bool {
        self.text.parse::<Id>().is_ok()
    }

    /// What `print` shows: the name, or the dead row's id.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<T: Row> Value for Reference<T> {
    const TARGET: Option<MenuOf> = Some(T::menu);
    const EXAMPLE: &'static str = "name";

    fn describe() -> String {
        format!("name in {}", T::menu().path)
    }

    /// Any text: whether such a row exists is the tree's question.
    fn parse(text: &str) -> Result<Self, Fault> {
        if text.is_empty() {
            return Err(Fault::NoMatch);
        }
        Ok(Self::to(text))
    }

    fn print(&self) -> String {
        self.text.clone()
    }

    fn relink(&mut self, visit: Relink<'_>) {
        visit(T::menu, &mut self.text);
    }
}

impl<T> Clone for Reference<T> {
    fn clone(&self) -> Self {
        Self { text: self.text.clone(), target: PhantomData }
    }
}

impl<T> fmt::Debug for Reference<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.text)
    }
}

impl<T> PartialEq for Reference<T> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl<T> Eq for Reference<T> {}

/// The name of an interface of this machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interface(pub String);

impl Value for Interface {
    const KIND: Kind = Kind::Interface;
    const EXAMPLE: &'static str = "ether1";

    fn describe() -> String {
        "interface".into()
    }

    /// Any text: whether the machine has such an interface is the tree's question.
    fn parse(text: &str) -> Result<Self, Fault> {
        if text.is_empty() { Err(Fault::NoMatch) } else { Ok(Self(text.into())) }
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}
