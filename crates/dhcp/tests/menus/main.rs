//! The menus of this server through every syntax.

mod script;
mod toml;
