//! The `leasehold` binary: reads its arguments and runs the one command they name.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use leasehold::bench::{self, Bench};
use leasehold::log;
use leasehold::serve::{self, ServeError};

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
    Bench(Bench),
}

/// `sysexits.h`: something was found in an unconfigured or misconfigured state.
const EX_CONFIG: u8 = 78;

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Serve { config, state } => {
            let log = log::start("info");
            let served = serve::serve(&serve::Options { config, state });
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
        Command::Bench(bench) => bench::run(&bench),
    }
}
