//! RouterOS menus, values, verbs, queries and their syntaxes: text and bytes only, no I/O.
//!
//! A [`Menu`] is a table of properties, declared with [`menu!`]. A [`Tree`] holds the rows of some
//! menus as canonical texts, exactly what `print` shows; [`Tree::rows`] reads them into typed rows.
#![forbid(unsafe_code)]

pub mod cells;
pub mod fault;
pub mod id;
pub mod menu;
pub mod rule;
pub mod trap;
pub mod tree;
pub mod value;

pub use cells::Cells;
pub use fault::{Fault, RowFault};
pub use id::Id;
pub use menu::{Live, Menu, Property, Row};
pub use trap::Trap;
pub use tree::{Configured, Tree};
pub use value::{Kind, Value};
