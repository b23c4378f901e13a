//! RouterOS menus, values, verbs, queries and their syntaxes: text and bytes only, no I/O.
//!
//! A [`Menu`] is a table of properties, declared with [`menu!`]. A [`Tree`] holds the rows of some
//! menus as canonical texts, exactly what `print` shows; [`Tree::rows`] reads them into typed rows.
#![forbid(unsafe_code)]

pub mod cells;
pub mod command;
pub mod fault;
pub mod help;
pub mod id;
pub mod listing;
pub mod menu;
pub mod query;
pub mod record;
pub mod rule;
pub mod syntax;
pub mod trap;
pub mod tree;
pub mod value;
pub mod verb;

pub use cells::Cells;
pub use command::{Argument, Change, Command, Effects, Order, Outcome, Reply, Target, Watch};
pub use fault::{Fault, RowFault};
pub use id::Id;
pub use listing::{Listing, LiveRow, Offline, Source, Want};
pub use menu::{Live, Menu, Property, Row};
pub use query::Query;
pub use record::Record;
pub use trap::{Category, Trap};
pub use tree::{Configured, Ids, Tree};
pub use value::{Kind, Value};
pub use verb::Verb;
