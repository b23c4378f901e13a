//! `leasehold import` and `leasehold export`: RouterOS scripts to configuration files and back.

use core::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use clap::Args;
use leasehold_routeros::syntax::script::{self, Form};
use leasehold_routeros::syntax::toml::{Document, NotWritten, Problem};
use leasehold_routeros::{Command, Ids, Offline};

use crate::configuration::{self, ConfigurationError};
use crate::control::{Table, report, write_whole};
use crate::faces::client::{Client, ClientError};
use crate::menus;

mod back;
mod leases;
mod router;

use router::Router;

/// The RouterOS whose words this server speaks.
pub const ROUTEROS_VERSION: &str = "7.16.2";

/// Take a router's configuration and leases.
///
/// Everything or nothing: a line that cannot be obeyed is told with its place, and nothing is
/// written. Menus that a DHCP server does not have are skipped and listed.
#[derive(Args, Clone, Debug)]
pub struct Import {
    /// What `/export` on the router wrote.
    #[arg(value_name = "FILE.rsc", required_unless_present_any = ["leases", "from"])]
    script: Option<PathBuf>,
    /// The configuration file to make; standard output if not given.
    #[arg(long, short, value_name = "FILE.toml")]
    output: Option<PathBuf>,
    /// Into the running server instead of a file: as one change. What `--from` fetches goes there
    /// unless `--output` is given.
    #[arg(long, conflicts_with = "output")]
    running: bool,
    /// Replace the configuration file if there is one.
    #[arg(long)]
    force: bool,
    /// An interface of the router and what it is called here; may be given several times.
    #[arg(long, value_name = "ether-83=ens18", value_parser = mapping)]
    map: Vec<(String, String)>,
    /// Leave out what cannot be obeyed, and list it.
    #[arg(long)]
    lenient: bool,
    /// Tell what would be done to the running server or store, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// A lease table: `/ip dhcp-server lease print detail`, or its REST's JSON. Its dynamic leases
    /// go into the running server, with the time that is left.
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    leases: Option<PathBuf>,
    /// Of what `--from` fetches, the leases alone: the configuration is here already.
    #[arg(long, requires = "from")]
    leases_only: bool,
    /// A server of the router and what it is called here; may be given several times.
    #[arg(long, value_name = "defconf=dhcp1", value_parser = mapping)]
    map_server: Vec<(String, String)>,
    /// Leases go into this state directory, of a server that is not running.
    #[arg(long, value_name = "DIR")]
    state: Option<PathBuf>,
    /// The configuration of the server that is not running.
    #[arg(long, value_name = "FILE.toml", default_value = "/etc/leasehold/leasehold.toml")]
    config: PathBuf,
    #[command(flatten)]
    router: Router,
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
    /// For going back to a router: what it understands, and the live leases of the running server.
    #[arg(long, conflicts_with_all = ["verbose", "terse"])]
    to_router: bool,
    /// The live leases alone: for a router that still has its configuration.
    #[arg(long, requires = "to_router")]
    leases_only: bool,
    /// For a router that stays before this server: the lines that make it relay to this address.
    #[arg(long, value_name = "ADDRESS", conflicts_with_all = ["verbose", "terse", "to_router"])]
    relay: Option<Ipv4Addr>,
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
    /// The running server did not do it.
    Server(ClientError),
    /// The leases cannot be taken over.
    Leases(String),
    /// The router did not answer as a router does: where, and how.
    Router(String, String),
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
            Self::Server(error) => error.fmt(f),
            Self::Leases(why) => f.write_str(why),
            Self::Router(url, why) => write!(f, "{url}: {why}"),
        }
    }
}

impl std::error::Error for TransferError {}

/// Makes a configuration file of a script, or changes the running server; the report goes to
/// standard error.
pub fn import(import: &Import, socket: Option<&Path>) -> Result<(), TransferError> {
    let exists = import.output.as_ref().filter(|path| path.exists() && !import.force);
    if let Some(path) = exists {
        return Err(TransferError::Exists(path.clone()));
    }
    let read = |path: &PathBuf| {
        let octets = fs::read(path).map_err(|error| TransferError::Io(path.clone(), error))?;
        // Exports of routers with old code pages are not all UTF-8; what is not is in comments.
        Ok(String::from_utf8_lossy(&octets).into_owned())
    };
    let mut leases = import.leases.as_ref().map(read).transpose()?;
    if let Some(url) = &import.router.from {
        let fetched = import.router.fetch(url)?;
        if !import.leases_only {
            eprint!("{}", fetched.report);
        }
        match import.output {
            _ if import.leases_only => {}
            None => into_running(import, &fetched.script, socket)?,
            Some(_) => into_file(import, Path::new(url), &fetched.script)?,
        }
        let into_file = import.output.is_some() && import.state.is_none();
        leases = Some(fetched.leases).filter(|_| !into_file);
    }
    if let Some(path) = &import.script {
        let text = read(path)?;
        match import.running {
            true => into_running(import, &text, socket)?,
            false => into_file(import, path, &text)?,
        }
    }
    let Some(text) = leases else { return Ok(()) };
    let (dry_run, servers) = (import.dry_run, import.map_server.clone());
    let table = Table { text, dry_run, servers };
    let said = match &import.state {
        Some(state) => leases::stopped(state, &import.config, &table)?,
        None => leases::running(socket, &table)?,
    };
    eprint!("{said}");
    Ok(())
}

/// Makes the configuration file, or prints it.
fn into_file(import: &Import, name: &Path, text: &str) -> Result<(), TransferError> {
    let mut tree = menus::tree();
    let options = script::Options { lenient: import.lenient, interfaces: import.map.clone() };
    let imported = script::import(&mut tree, text, &options, &Offline);
    let imported = imported.map_err(|problems| TransferError::Script(name.into(), problems))?;
    let mut document = Document::new(menus::menus());
    let toml = document.update(&tree).map_err(TransferError::NoPlace)?;
    put(import.output.as_deref(), &toml)?;
    eprint!("{}: {}", name.display(), report(&imported));
    for flaw in configuration::compile(&tree).flaws {
        eprintln!("warning: {flaw}");
    }
    Ok(())
}

/// Has the running server carry the script out as one change.
fn into_running(import: &Import, text: &str, socket: Option<&Path>) -> Result<(), TransferError> {
    let mut command = Command::new("", "import").with("script", text);
    let pairs: Vec<String> = import.map.iter().map(|(a, b)| format!("{a}={b}")).collect();
    if !pairs.is_empty() {
        command = command.with("map-interface", pairs.join(","));
    }
    for (word, said) in [("lenient", import.lenient), ("dry-run", import.dry_run)] {
        if said {
            command = command.with(word, "");
        }
    }
    let asked = Client::connect(socket).and_then(|mut client| client.ask(&command));
    eprint!("{}", asked.map_err(TransferError::Server)?.said.unwrap_or_default());
    Ok(())
}

/// Makes a script of a configuration file.
pub fn export(export: &Export, socket: Option<&Path>) -> Result<(), TransferError> {
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
    let script = match export.relay {
        Some(here) => back::relays(&loaded.tree, here),
        None if export.to_router => {
            let tree = (!export.leases_only).then_some(&loaded.tree);
            back::script(tree, &back::live(socket)?)
        }
        None => script_header() + &script::export(&loaded.tree, "", form),
    };
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
