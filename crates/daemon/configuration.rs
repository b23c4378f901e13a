//! The configuration file: read, turned into rows, and into what the engine obeys.

use core::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use leasehold_dhcp::config::{Compiled, Config, Host};
use leasehold_routeros::syntax::toml::{self, Document, Problem};
use leasehold_routeros::{Ids, Tree};

use crate::menus;

/// A configuration file that was read.
pub struct Loaded {
    /// Its text, to notice later whether somebody has edited it.
    pub text: String,
    /// Its rows.
    pub tree: Tree,
    /// Itself, for writing back.
    pub document: Document,
    /// Rows and keys that cannot be obeyed, each with its place.
    pub problems: Vec<Problem>,
}

/// Why a configuration file cannot be served.
#[derive(Debug)]
pub enum ConfigurationError {
    /// It cannot be read.
    Io(PathBuf, io::Error),
    /// It is not TOML.
    Syntax(PathBuf, Problem),
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Syntax(path, problem) => write!(f, "{}: {problem}", path.display()),
        }
    }
}

impl std::error::Error for ConfigurationError {}

/// Reads a file; its rows get the ids that they had before.
pub fn load(path: &Path, ids: &Ids) -> Result<Loaded, ConfigurationError> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| ConfigurationError::Io(path.to_owned(), error))?;
    let opened = toml::open(menus::menus(), &text, ids);
    let opened = opened.map_err(|problem| ConfigurationError::Syntax(path.to_owned(), problem))?;
    let toml::Opened { tree, document, problems } = opened;
    Ok(Loaded { text, tree, document, problems })
}

/// What the engine is to obey.
#[must_use]
pub fn compile(tree: &Tree) -> Compiled {
    Config::compile(tree, Host { resolvers: &resolvers() })
}

/// The machine's resolvers, for networks that name no DNS server.
pub(crate) fn resolvers() -> Vec<core::net::Ipv4Addr> {
    let text = fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
    let addresses = servers.filter_map(|rest| rest.trim().parse().ok());
    addresses.filter(|address: &core::net::Ipv4Addr| !address.is_loopback()).collect()
}
