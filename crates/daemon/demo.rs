//! `leasehold demo`: a client gets its lease, the server is killed, the lease is still there.
//!
//! Everything happens in namespaces of its own (user, network, processes), made by `unshare`; they
//! vanish with their first process, however it ends. The outer process makes a directory for the
//! server's state, waits, and removes it.

use core::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

mod cast;
mod play;

pub use play::{Scene, play};

/// Why the demo did not succeed.
#[derive(Debug)]
pub enum DemoError {
    /// A program that it needs did not start.
    Program(&'static str, io::Error),
    /// A command failed.
    Command(String, ExitStatus),
    /// Something else of the machine.
    Io(&'static str, io::Error),
    /// A probe failed.
    Probe(crate::probe::Failure),
    /// What was shown is not what was promised.
    Broken(String),
}

impl fmt::Display for DemoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Program(name, error) => {
                write!(f, "cannot run {name}: {error} (Debian: util-linux, iproute2, iputils-ping)")
            }
            Self::Command(line, status) => write!(f, "`{line}` failed: {status}"),
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::Probe(error) => error.fmt(f),
            Self::Broken(what) => f.write_str(what),
        }
    }
}

impl std::error::Error for DemoError {}

/// A directory that is removed with its content, also when the demo fails.
struct Stage(PathBuf);

impl Drop for Stage {
    fn drop(&mut self) {
        // What is left would lie in the system's directory for temporary files.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The outer process: namespaces around the play, and nothing left behind.
pub fn run() -> Result<(), DemoError> {
    let stage = std::env::temp_dir().join(format!("leasehold-demo-{}", std::process::id()));
    std::fs::create_dir(&stage).map_err(|error| DemoError::Io("the demo's directory", error))?;
    let stage = Stage(stage);
    let own = std::env::current_exe().map_err(|error| DemoError::Io("our own program", error))?;
    let mut command = unshare(rustix::process::geteuid().is_root());
    command.arg(own).args(["demo", "--stage"]).arg(&stage.0);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| DemoError::Io("the runtime", error))?;
    let status = runtime.block_on(wait(command))?;
    match status.code() {
        Some(0) => Ok(()),
        Some(1) if refused(&stage.0) => Err(DemoError::Broken(
            "this machine lets nobody but root make namespaces: run it as root".into(),
        )),
        _ => Err(DemoError::Broken("the demo did not come to its end".into())),
    }
}

/// Whether `unshare` gave up before the play began.
fn refused(stage: &Path) -> bool {
    !stage.join("begun").exists()
}

fn unshare(root: bool) -> Command {
    let mut command = Command::new("unshare");
    if !root {
        command.args(["--user", "--map-root-user"]);
    }
    command.args(["--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"]);
    command
}

/// Ctrl-C reaches the play as well; we stay until it is over, to clear the stage.
async fn wait(command: Command) -> Result<ExitStatus, DemoError> {
    let mut command = tokio::process::Command::from(command);
    let signal = |kind| tokio::signal::unix::signal(kind);
    let kinds = tokio::signal::unix::SignalKind::interrupt;
    let mut interrupt = signal(kinds()).map_err(|e| DemoError::Io("signals", e))?;
    let terminate = tokio::signal::unix::SignalKind::terminate();
    let mut terminate = signal(terminate).map_err(|e| DemoError::Io("signals", e))?;
    let child = command.kill_on_drop(true).spawn();
    let mut child = child.map_err(|error| DemoError::Program("unshare", error))?;
    loop {
        tokio::select! {
            status = child.wait() => {
                return status.map_err(|error| DemoError::Io("the play", error));
            }
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                let killed = child.start_kill();
                killed.map_err(|error| DemoError::Io("the play", error))?;
            }
        }
    }
}
