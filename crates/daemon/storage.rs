//! `leasehold store`: looks at the lease store, repairs it, takes it elsewhere.

use core::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::faces::oneshot::{self, OneshotError};
use crate::store::{self, Counted, LinesError, OpenError};

/// Look at the lease store, repair it, take it elsewhere.
#[derive(Args, Clone, Debug)]
pub struct Storage {
    /// Where the server keeps its leases; all but `backup` want it stopped.
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "STATE_DIRECTORY",
        default_value = "/var/lib/leasehold"
    )]
    state: PathBuf,
    #[command(subcommand)]
    task: Task,
}

#[derive(Clone, Debug, Subcommand)]
enum Task {
    /// Say whether everything in it is whole; changes nothing.
    Verify,
    /// Make it anew of everything that is whole, and keep the old files.
    Repair,
    /// Write it as lines of JSON.
    Export {
        /// The file to make; standard output if not given.
        #[arg(value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Make it of what `export` or `backup` wrote.
    Import {
        /// The lines; standard input if not given.
        #[arg(value_name = "FILE")]
        input: Option<PathBuf>,
        /// Put leases that are there already aside.
        #[arg(long)]
        force: bool,
    },
    /// Write what the running server has, as one moment of it, as lines of JSON.
    Backup {
        /// The file to make; standard output if not given.
        #[arg(value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// Why it was not done.
#[derive(Debug)]
pub enum StorageError {
    /// The store.
    Store(OpenError),
    /// The lines.
    Lines(Option<PathBuf>, LinesError),
    /// A file.
    File(PathBuf, io::Error),
    /// The running server.
    Server(OneshotError),
}

impl fmt::Display for StorageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Lines(Some(path), error) => write!(f, "{}: {error}", path.display()),
            Self::Lines(None, error) => error.fmt(f),
            Self::File(path, error) => write!(f, "{}: {error}", path.display()),
            Self::Server(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for StorageError {}

/// Does what was asked for; a store that is not sound is a failure.
pub fn run(storage: &Storage, server: &oneshot::Options) -> Result<ExitCode, StorageError> {
    let Storage { state, task } = storage;
    match task {
        Task::Verify => {
            let verified = store::verify(state).map_err(StorageError::Store)?;
            println!("{verified}");
            if !verified.is_sound() {
                return Ok(ExitCode::FAILURE);
            }
        }
        Task::Repair => {
            println!("{}", store::repair(state).map_err(StorageError::Store)?);
        }
        Task::Export { output } => {
            eprintln!("exported: {}", export(state, output.as_deref())?);
        }
        Task::Import { input, force } => {
            let counted = match input {
                Some(path) => {
                    let file = File::open(path);
                    let file = file.map_err(|error| StorageError::File(path.clone(), error))?;
                    store::import(state, BufReader::new(file), *force)
                }
                None => store::import(state, io::stdin().lock(), *force),
            };
            let counted = counted.map_err(|error| StorageError::Lines(input.clone(), error))?;
            eprintln!("imported: {counted}; the server probes addresses before it offers them");
        }
        Task::Backup { output } => {
            let copy = oneshot::backup(server).map_err(StorageError::Server)?;
            let counted = export(&copy, output.as_deref());
            // It is only in the way now; the next backup replaces it.
            let _ = fs::remove_dir_all(&copy);
            eprintln!("backup: {}", counted?);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Who leased what is nobody else's business: the file is its owner's alone.
fn export(state: &Path, output: Option<&Path>) -> Result<Counted, StorageError> {
    let failed = |error| StorageError::Lines(output.map(Path::to_owned), error);
    let Some(path) = output else {
        return store::export(state, &mut BufWriter::new(io::stdout().lock())).map_err(failed);
    };
    let unwritable = |error| StorageError::File(path.to_owned(), error);
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside);
    let mut file = BufWriter::new(open.map_err(unwritable)?);
    let counted = store::export(state, &mut file).map_err(failed)?;
    let written = file.flush().and_then(|()| file.get_ref().sync_all());
    written.and_then(|()| fs::rename(&beside, path)).map_err(unwritable)?;
    Ok(counted)
}
