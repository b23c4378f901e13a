//! The menus of this server through every syntax.

mod toml;
