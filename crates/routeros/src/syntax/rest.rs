//! REST as text: a request becomes a command, a reply becomes a status and a JSON body.
//!
//! What is absent: HTTP itself. A face reads method, path, query string and body from a
//! connection; what follows is here. Every value in an answer is a string, but for the status.

mod answer;
mod body;
mod request;

use crate::command::Command;

pub use answer::{Answer, failure, refused};
pub use request::{Method, request};

/// A request that was understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// What to carry out.
    pub call: Call,
    /// What to answer when it was carried out.
    pub then: Then,
}

/// What a request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// A command of a menu.
    Command(Command),
    /// `/execute`: a text of the console.
    Script(String),
}

/// The shape of the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// An array of rows.
    Array,
    /// One row; 404 if there is none.
    One,
    /// The row that was made, with status 201: a second command shows it.
    Made,
    /// The bare POST of a new row: its id and a word.
    Added,
    /// The row that was changed: a second command shows it.
    Changed(Command),
    /// An empty body.
    Removed,
    /// What the command says: rows, or one value as `ret`.
    Said,
}

/// A request that no command could be made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// RouterOS's words, if it has some.
    pub detail: Option<String>,
}

impl Refused {
    fn because(detail: impl Into<String>) -> Self {
        Self { status: 400, detail: Some(detail.into()) }
    }
}
