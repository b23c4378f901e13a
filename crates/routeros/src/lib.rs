//! RouterOS menus, values, verbs, queries and their syntaxes: text and bytes only, no I/O.
//!
//! A [`Menu`] is a table of properties, declared with [`menu!`]. A [`Tree`] holds the rows of some
//! menus as canonical texts, exactly what `print` shows; [`Tree::rows`] reads them into typed rows.
//! Every [`syntax`] turns its text into a [`Command`], and what [`Tree::run`] says back into text.
//!
//! ```
//! use leasehold_routeros::syntax::console::{self, Grammar, Statement};
//! use leasehold_routeros::value::{Name, Seconds};
//! use leasehold_routeros::{Offline, Row, Tree, menu};
//!
//! menu! {
//!     /// Lamps.
//!     pub struct Lamp in "/lamp" {
//!         /// Unique name.
//!         name: Name = required(),
//!         /// Time after which it goes out.
//!         glow: Seconds<1, 3600> = preset("5m"),
//!     }
//!     /// What a lamp does.
//!     live struct LampState {
//!         /// Whether it burns.
//!         burning: bool = live_or("no").flag('B'),
//!     }
//! }
//!
//! let mut tree = Tree::new([Lamp::menu()]);
//! let line = "/lamp add name=desk glow=90";
//! for statement in console::parse(&Grammar::new(tree.menus()), "", line).unwrap() {
//!     let Statement::Run(command) = statement else { continue };
//!     tree.run(&command, &Offline).unwrap();
//! }
//! assert_eq!(tree.rows::<Lamp>()[0].row.as_ref().unwrap().glow.seconds(), 90);
//! ```
//!
//! What is absent: sockets, files, clocks, and any name of a menu: those are declared by the
//! program that has them.
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
pub use command::{
    Activity, Argument, Change, Command, Effects, Order, Outcome, Reply, Target, Watch,
};
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
