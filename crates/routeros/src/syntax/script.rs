//! `.rsc` scripts: what RouterOS's `/export` writes and its `/import` reads.
//!
//! An import is one change: everything or nothing. References are looked at in the end, so that
//! chains and loops of rows come back whatever their order.

mod export;
mod import;
mod steps;
mod wrap;

use crate::rule::Version;

pub use export::{Form, export, header};
pub use import::{Imported, Options, import};

/// The version in the first lines of a script: `# … by RouterOS 6.49.10`.
#[must_use]
pub fn version(text: &str) -> Option<Version> {
    let comments = text.lines().map(str::trim_start).take_while(|line| line.starts_with('#'));
    let mut versions = comments.filter_map(|line| line.split_once("by RouterOS "));
    let (_, version) = versions.next()?;
    let mut numbers = version.split(|c: char| !c.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}
