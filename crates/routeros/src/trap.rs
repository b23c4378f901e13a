//! Why a command was refused: one variant per broken rule, in RouterOS's words.

use core::fmt;

use crate::fault::Fault;

/// A refused command. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trap {
    /// The path leads to no menu; REST names its first unknown word.
    NoSuchPrefix(String),
    /// The menu has no such command.
    NoSuchCommand(String),
    /// The menu has no such property.
    UnknownParameter(String),
    /// A value broke a rule of its property.
    Value {
        /// The property.
        property: String,
        /// The rule.
        fault: Fault,
    },
    /// Properties without a value that have to have one.
    Missing(Vec<&'static str>),
    /// The command needs a row and none was named.
    MissingId,
    /// No row has this id or name.
    NoSuchItem,
    /// A row's name was shortened to what several rows begin with.
    Ambiguous(String),
    /// A rule of the menu: `failure: …`.
    Failure(String),
    /// The user's group lacks a policy.
    NotPermitted,
    /// There is no such user, or the password is another.
    WrongCredentials,
    /// The query or the text of the command cannot be read.
    Syntax(String),
    /// The command was cancelled.
    Interrupted,
}

/// RouterOS's classes of traps, as the binary API numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Category {
    /// A row, menu or command is missing.
    Missing = 0,
    /// The value of an argument.
    Argument = 1,
    /// The command was cancelled.
    Interrupted = 2,
}

impl Trap {
    /// The class, where RouterOS tells one.
    #[must_use]
    pub fn category(&self) -> Option<Category> {
        match self {
            Self::NoSuchPrefix(_) | Self::NoSuchCommand(_) | Self::NoSuchItem | Self::MissingId => {
                Some(Category::Missing)
            }
            Self::Value { fault: Fault::Failure(_), .. } => None,
            Self::Value { .. } | Self::Missing(_) | Self::Ambiguous(_) => Some(Category::Argument),
            Self::Interrupted => Some(Category::Interrupted),
            Self::UnknownParameter(_)
            | Self::Failure(_)
            | Self::NotPermitted
            | Self::WrongCredentials
            | Self::Syntax(_) => None,
        }
    }

    /// A value of `property` with this fault.
    #[must_use]
    pub fn value(property: &str, fault: Fault) -> Self {
        Self::Value { property: property.into(), fault }
    }
}

impl fmt::Display for Trap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchPrefix(_) => f.write_str("no such command prefix"),
            Self::NoSuchCommand(_) => f.write_str("no such command"),
            Self::UnknownParameter(name) => write!(f, "unknown parameter {name}"),
            Self::Value { property, fault } => f.write_str(&fault.message(property)),
            Self::Missing(names) => {
                write!(f, "missing value(s) of argument(s) {}", names.join(" "))
            }
            Self::MissingId => f.write_str("missing =.id="),
            Self::NoSuchItem => f.write_str("no such item"),
            Self::Ambiguous(name) => {
                write!(f, "ambiguous value of {name}, more than one possible value matches input")
            }
            Self::Failure(text) => write!(f, "failure: {text}"),
            Self::NotPermitted => f.write_str("not enough permissions (9)"),
            Self::WrongCredentials => f.write_str("invalid user name or password (6)"),
            Self::Syntax(text) => f.write_str(text),
            Self::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl core::error::Error for Trap {}
