//! Syntaxes: each turns text or bytes into commands, and replies back. None names a menu.

pub mod console;
pub mod json;
pub mod place;
pub mod print;
pub mod quote;
pub mod rest;
pub mod script;
pub mod sentence;
pub mod toml;
