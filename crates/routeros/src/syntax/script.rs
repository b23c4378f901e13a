//! `.rsc` scripts, in and out.

use crate::command::Command;
use crate::tree::Tree;

/// The configuration of the menus at and under `path` as a script.
#[must_use]
pub fn export(_tree: &Tree, _path: &str, _command: &Command) -> String {
    String::new()
}
