//! The `leasehold` binary: reads its arguments and runs the one command they name.

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use leasehold::bench::{self, Bench};
use leasehold::check::{self, Check};
use leasehold::probe::{self, Probe};
use leasehold::serve::{self, ServeError};
use leasehold::transfer::{self, Export, Import};
use leasehold::{demo, log};

/// A DHCPv4 server for Linux that speaks RouterOS.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
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
    },
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
    Bench(Bench),
}

/// `sysexits.h`: something was found in an unconfigured or misconfigured state.
const EX_CONFIG: u8 = 78;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { config, state } => serve(serve::Options { config, state }),
        Command::Import(import) => told(transfer::import(&import)),
        Command::Export(export) => told(transfer::export(&export)),
        Command::Probe(probe) => told(probe::run(&probe.options(), &mut io::stdout())),
        Command::Check(check) => check::run(&check, &mut io::stdout()).unwrap_or(ExitCode::FAILURE),
        Command::Bench(bench) => bench::run(&bench),
        Command::Demo { stage: None } => told(demo::run()),
        Command::Demo { stage: Some(stage) } => told(demo::play(&demo::Scene { stage })),
    }
}

fn serve(options: serve::Options) -> ExitCode {
    let log = log::start("info");
    let served = serve::serve(&options);
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
