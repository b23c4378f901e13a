//! The menus of this server through every syntax.

mod docs;
mod errors;
mod print;
mod script;
mod toml;
mod verbs;
mod world;
