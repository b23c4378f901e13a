//! The configuration file: read, turned into rows, and into what the engine obeys.

use core::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use leasehold_dhcp::config::Config;
use leasehold_dhcp::config::{Compiled, Host};
use leasehold_dhcp::menus;
use leasehold_routeros::{Trap, Tree};

/// Why a configuration file cannot be served.
#[derive(Debug)]
pub enum ConfigurationError {
    /// It cannot be read.
    Io(PathBuf, io::Error),
    /// It is not TOML.
    Syntax(PathBuf, String),
    /// A table that is no menu.
    Menu(PathBuf, String),
    /// A row breaks a rule: its menu, its number from one, the rule.
    Row(PathBuf, String, usize, Trap),
}

impl fmt::Display for ConfigurationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "cannot read {}: {error}", path.display()),
            Self::Syntax(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Menu(path, key) => write!(
                f,
                "{}: [[{key}]] is no menu; menus are [[pool]], [[dhcp-server]], \
                 [[dhcp-server-network]], [[dhcp-server-lease]] and others of /ip/dhcp-server",
                path.display()
            ),
            Self::Row(path, key, number, trap) => {
                write!(f, "{}: [[{key}]] number {number}: {trap}", path.display())
            }
        }
    }
}

impl std::error::Error for ConfigurationError {}

/// Reads and compiles a file.
pub fn load(path: &Path) -> Result<Compiled, ConfigurationError> {
    let text = fs::read_to_string(path);
    let text = text.map_err(|error| ConfigurationError::Io(path.to_owned(), error))?;
    let tree = rows(path, &text)?;
    Ok(Config::compile(&tree, Host { resolvers: &[] }))
}

fn rows(path: &Path, text: &str) -> Result<Tree, ConfigurationError> {
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
        ConfigurationError::Syntax(path.to_owned(), error.to_string())
    })?;
    let mut tree = menus::tree();
    for (key, value) in &table {
        let menu = menus::menus().into_iter().find(|menu| key_of(menu.path) == *key);
        let menu = menu.ok_or_else(|| ConfigurationError::Menu(path.to_owned(), key.clone()))?;
        let rows = value.as_array().map_or(&[][..], Vec::as_slice);
        for (number, row) in (1..).zip(rows) {
            let cells: Vec<(String, String)> = row
                .as_table()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), cell(value)))
                .collect();
            let texts: Vec<_> =
                cells.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
            tree.add(menu.path, &texts).map_err(|trap| {
                ConfigurationError::Row(path.to_owned(), key.clone(), number, trap)
            })?;
        }
    }
    Ok(tree)
}

fn key_of(path: &str) -> String {
    path.trim_start_matches("/ip/").replace('/', "-")
}

fn cell(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Boolean(true) => "yes".into(),
        toml::Value::Boolean(false) => "no".into(),
        toml::Value::Array(items) => items.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}
