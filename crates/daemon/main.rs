//! The `leasehold` binary: reads its arguments and runs the one command they name.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use leasehold::bench::{self, Bench};
use leasehold::check::{self, Check};
use leasehold::confine::{self, Limits, Note, Unlisted};
use leasehold::faces::{console, oneshot};
use leasehold::probe::{self, Probe};
use leasehold::serve::{self, ServeError};
use leasehold::storage::{self, Storage};
use leasehold::transfer::{self, Export, Import};
use leasehold::{demo, log, supervisor};

const EXAMPLES: &str = "\
Commands to the running server are RouterOS's own, in one argument or several:
  leasehold /ip pool print
  leasehold /ip dhcp-server lease print where status=bound
  leasehold --json /ip dhcp-server lease print
  leasehold /ip dhcp-server set dhcp1 lease-time=1d
  leasehold /ip dhcp-server help";

/// A DHCPv4 server for Linux that speaks RouterOS.
#[derive(Parser)]
#[command(version, arg_required_else_help = true, after_help = EXAMPLES)]
struct Arguments {
    /// Where commands are taken, and sent: a unix socket [default: leasehold.sock in the runtime
    /// directory that the supervisor made, else in the state directory].
    #[arg(long, global = true, value_name = "PATH", env = "LEASEHOLD_SOCKET")]
    socket: Option<PathBuf>,
    /// For commands to the running server: do it even if leases are orphaned.
    #[arg(long)]
    confirm: bool,
    /// For commands to the running server: rows as JSON.
    #[arg(long)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the networks of a configuration file.
    ///
    /// Ends cleanly on SIGTERM; reads the file again on SIGHUP. LEASEHOLD_LOG sets the log level:
    /// error, warn, info (default), debug, trace.
    Serve {
        /// The configuration, TOML with RouterOS's menus and properties.
        #[arg(long, value_name = "FILE", default_value = "/etc/leasehold/leasehold.toml")]
        config: PathBuf,
        /// Where leases and ids are kept; made if it does not exist.
        #[arg(
            long,
            value_name = "DIR",
            env = "STATE_DIRECTORY",
            default_value = "/var/lib/leasehold"
        )]
        state: PathBuf,
        /// Who to be when started as root; `root` stays root with the few capabilities it needs.
        #[arg(long, value_name = "NAME", env = "LEASEHOLD_USER", default_value = "leasehold")]
        user: String,
        /// What happens to a system call that the server should never make.
        #[arg(long, hide = true, env = "LEASEHOLD_UNLISTED_CALLS", default_value = "fails")]
        unlisted_calls: Unlisted,
    },
    /// Have the running server read its configuration file again.
    Reload,
    Import(Import),
    Export(Export),
    Probe(Probe),
    Check(Check),
    /// Show the whole of it: a client gets its lease, the server is killed, the lease survives.
    ///
    /// Runs in namespaces of its own, as root or as a user who may make them.
    Demo {
        /// Within the namespaces: the directory of the outer process.
        #[arg(long, hide = true)]
        stage: Option<PathBuf>,
    },
    Store(Storage),
    Bench(Bench),
    /// A terminal as on the router: completion by Tab, help by `?`, safe mode by Ctrl-X.
    ///
    /// Commands may also come from a file or a pipe; it fails then if one of them was refused.
    Console,
    /// A RouterOS command for the running server: `leasehold /ip pool print`.
    #[command(external_subcommand)]
    Routeros(Vec<String>),
}

/// `sysexits.h`: the command was used incorrectly.
const EX_USAGE: u8 = 64;
/// `sysexits.h`: something was found in an unconfigured or misconfigured state.
const EX_CONFIG: u8 = 78;

fn main() -> ExitCode {
    let Arguments { socket, confirm, json, command } = Arguments::parse();
    let options = oneshot::Options { socket, confirm, json };
    match command {
        Command::Serve { config, state, user, unlisted_calls } => {
            let socket = options.socket.unwrap_or_else(|| default_socket(&state));
            let options = serve::Options { config, state, socket };
            serve(&options, &user, unlisted_calls)
        }
        Command::Reload => told(oneshot::reload(&options)),
        Command::Console => told(console::run(&options)),
        Command::Routeros(words) => routeros(&words, &options),
        Command::Import(import) => told(transfer::import(&import, options.socket.as_deref())),
        Command::Export(export) => told(transfer::export(&export, options.socket.as_deref())),
        Command::Probe(probe) => told(probe::run(&probe.options(), &mut io::stdout())),
        Command::Check(check) => check::run(&check, &mut io::stdout()).unwrap_or(ExitCode::FAILURE),
        Command::Store(storage) => match storage::run(&storage, &options) {
            Ok(code) => code,
            Err(error) => told(Err(error)),
        },
        Command::Bench(bench) => bench::run(&bench),
        Command::Demo { stage: None } => told(demo::run()),
        Command::Demo { stage: Some(stage) } => told(demo::play(&demo::Scene { stage })),
    }
}

fn default_socket(state: &Path) -> PathBuf {
    let runtime = std::env::var_os("RUNTIME_DIRECTORY").map(PathBuf::from);
    runtime.as_deref().unwrap_or(state).join("leasehold.sock")
}

/// A command in RouterOS's words; flags may stand behind it as well.
fn routeros(words: &[String], options: &oneshot::Options) -> ExitCode {
    if !words.first().is_some_and(|word| word.starts_with(['/', ':'])) {
        let word = words.first().map_or("", String::as_str);
        eprintln!("leasehold: there is no command {word}; see leasehold --help");
        return ExitCode::from(EX_USAGE);
    }
    let mut options = options.clone();
    let mut line = Vec::new();
    for word in words {
        match word.as_str() {
            "--json" => options.json = true,
            "--confirm" => options.confirm = true,
            _ => line.push(word.clone()),
        }
    }
    told(oneshot::run(&line, &options))
}

fn serve(options: &serve::Options, user: &str, unlisted: Unlisted) -> ExitCode {
    let inherited = supervisor::inherited();
    let serve::Options { config, state, socket } = options;
    let notes = confine::confine(&Limits { user, state, config, socket, unlisted });
    let log = log::start("info");
    notes.iter().for_each(Note::tell);
    let served = serve::serve(options, inherited);
    let code = match &served {
        Ok(()) => ExitCode::SUCCESS,
        Err(ServeError::Configuration(_)) => ExitCode::from(EX_CONFIG),
        Err(_) => ExitCode::FAILURE,
    };
    if let Err(error) = served {
        tracing::error!("{error}");
    }
    drop(log);
    code
}

/// What went wrong goes to standard error, in words.
fn told(result: Result<(), impl core::fmt::Display>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("leasehold: {error}");
            ExitCode::FAILURE
        }
    }
}
