//! Syntaxes: each turns text or bytes into commands, and replies back. None names a menu.

pub mod console;
pub mod place;
pub mod quote;
pub mod script;
pub mod toml;
