//! The menus of this server through every syntax.

mod api;
mod complete;
mod docs;
mod errors;
mod nested;
mod print;
mod rest;
mod script;
mod toml;
mod verbs;
mod world;
