//! `leasehold import` and `leasehold export`: RouterOS scripts to configuration files and back.

use core::fmt;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use leasehold_routeros::syntax::script::{self, Form};
use leasehold_routeros::syntax::toml::{Document, NotWritten, Problem};
use leasehold_routeros::{Ids, Offline};

use crate::configuration::{self, ConfigurationError};
use crate::control::{report, write_whole};
use crate::menus;

/// The RouterOS whose words this server speaks.
pub const ROUTEROS_VERSION: &str = "7.16.2";

/// Turn a router's export into a configuration file.
///
/// Everything or nothing: a line that cannot be obeyed is told with its place, and nothing is
/// written. Menus that a DHCP server does not have are skipped and listed.
#[derive(Args, Clone, Debug)]
pub struct Import {
    /// What `/export` on the router wrote.
    #[arg(value_name = "FILE.rsc")]
    script: PathBuf,
    /// The configuration file to make; standard output if not given.
    #[arg(long, short, value_name = "FILE.toml")]
    output: Option<PathBuf>,
    /// Replace the configuration file if there is one.
    #[arg(long)]
    force: bool,
    /// An interface of the router and what it is called here; may be given several times.
    #[arg(long, value_name = "ether-83=ens18", value_parser = mapping)]
    map: Vec<(String, String)>,
    /// Leave out what cannot be obeyed, and list it.
    #[arg(long)]
    lenient: bool,
}

/// Write a configuration file as a RouterOS script.
#[derive(Args, Clone, Debug)]
pub struct Export {
    /// The configuration file.
    #[arg(long, value_name = "FILE.toml", default_value = "/etc/leasehold/leasehold.toml")]
    config: PathBuf,
    /// The script to make; standard output if not given.
    #[arg(long, short, value_name = "FILE.rsc")]
    output: Option<PathBuf>,
    /// Say everything, also what is the default.
    #[arg(long, conflicts_with = "terse")]
    verbose: bool,
    /// One whole command in a line.
    #[arg(long)]
    terse: bool,
}

/// Why nothing was written.
#[derive(Debug)]
pub enum TransferError {
    /// A file cannot be read or written.
    Io(PathBuf, io::Error),
    /// The script cannot be obeyed.
    Script(PathBuf, Vec<Problem>),
    /// There is a configuration file already.
    Exists(PathBuf),
    /// The rows have no place in the file.
    NoPlace(NotWritten),
    /// The configuration file cannot be read.
    Configuration(ConfigurationError),
}

impl fmt::Display for TransferError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Script(path, problems) => {
                for problem in problems {
                    writeln!(f, "{}:{problem}", path.display())?;
                }
                f.write_str(
                    "nothing was imported; mend the script, or leave these out with --lenient",
                )
            }
            Self::Exists(path) => {
                write!(f, "{} exists: replace it with --force", path.display())
            }
            Self::NoPlace(error) => error.fmt(f),
            Self::Configuration(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for TransferError {}

/// Makes a configuration file of a script; the report goes to standard error.
pub fn import(import: &Import) -> Result<(), TransferError> {
    let unreadable = |error| TransferError::Io(import.script.clone(), error);
    let octets = fs::read(&import.script).map_err(unreadable)?;
    // Exports of routers with old code pages are not all UTF-8; what is not is in comments.
    let text = String::from_utf8_lossy(&octets);
    let exists = import.output.as_ref().filter(|path| path.exists() && !import.force);
    if let Some(path) = exists {
        return Err(TransferError::Exists(path.clone()));
    }
    let mut tree = menus::tree();
    let options = script::Options { lenient: import.lenient, interfaces: import.map.clone() };
    let imported = script::import(&mut tree, &text, &options, &Offline);
    let imported =
        imported.map_err(|problems| TransferError::Script(import.script.clone(), problems))?;
    let mut document = Document::new(menus::menus());
    let toml = document.update(&tree).map_err(TransferError::NoPlace)?;
    put(import.output.as_deref(), &toml)?;
    eprint!("{}: {}", import.script.display(), report(&imported));
    for flaw in configuration::compile(&tree).flaws {
        eprintln!("warning: {flaw}");
    }
    Ok(())
}

/// Makes a script of a configuration file.
pub fn export(export: &Export) -> Result<(), TransferError> {
    let loaded = configuration::load(&export.config, &Ids::default());
    let loaded = loaded.map_err(TransferError::Configuration)?;
    for problem in &loaded.problems {
        eprintln!("warning: {}:{problem}", export.config.display());
    }
    let form = match (export.verbose, export.terse) {
        (true, _) => Form::Verbose,
        (_, true) => Form::Terse,
        _ => Form::Compact,
    };
    let script = script_header() + &script::export(&loaded.tree, "", form);
    put(export.output.as_deref(), &script)
}

/// The first lines of a script that is made now.
pub(crate) fn script_header() -> String {
    let now = jiff::Zoned::now().strftime("%Y-%m-%d %H:%M:%S").to_string();
    script::header(&now, ROUTEROS_VERSION)
}

fn put(path: Option<&Path>, text: &str) -> Result<(), TransferError> {
    match path {
        Some(path) => {
            write_whole(path, text).map_err(|error| TransferError::Io(path.to_owned(), error))
        }
        None => io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| TransferError::Io("standard output".into(), error)),
    }
}

fn mapping(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((theirs, ours)) if !theirs.is_empty() && !ours.is_empty() => {
            Ok((theirs.into(), ours.into()))
        }
        _ => Err("expected the router's name, `=`, and the name here".into()),
    }
}
