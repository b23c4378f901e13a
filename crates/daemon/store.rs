//! The lease store: turns are appended durably, everything comes back, the past can be asked.
//!
//! Three trees in one sled database behind one writer thread. `turns` holds each turn's records
//! under its sequence number until they are folded; `leases` holds one row per address, and
//! `tenures` what has ended there. Promises leave against a [`Durable`] that is made after
//! flush and fdatasync, and nowhere else.
//!
//! **Invariant:** a turn is durable only if all turns before it are. After a failure the writer
//! drops what the worker had not yet given up ([`Store::give_up`]).

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use leasehold_dhcp::record::Records;
use leasehold_dhcp::{Durable, Record, Turn, Wall};

mod codec;
mod database;
mod fold;
mod history;
mod marker;
mod row;
#[cfg(test)]
pub(crate) mod tests;
mod writer;

pub use database::Fault;
pub use history::{Cursor, Page, Query};
pub use marker::{Suspicion, Trust};
pub use row::{Ending, Tenure};

use database::Database;
use fold::Folding;
use marker::{Lock, LockError, Marker};
use writer::{Order, Writer};

/// How the store behaves.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long ended tenures are kept.
    pub retention: Duration,
    /// How often they are looked through.
    pub trim_every: Duration,
    /// sled's page cache, octets.
    pub cache_bytes: u64,
    /// Free room on the file system below which nothing is written, octets.
    pub reserve_bytes: u64,
    #[cfg(test)]
    faults: tests::Faults,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            retention: Duration::from_secs(30 * 86_400),
            trim_every: Duration::from_secs(3600),
            cache_bytes: 64 << 20,
            reserve_bytes: 4 << 20,
            #[cfg(test)]
            faults: tests::Faults::default(),
        }
    }
}

/// What the writer reports, in order.
#[derive(Debug)]
pub enum Outcome {
    /// All turns up to `through` are on disk.
    Durable {
        /// The newest of them.
        through: u64,
        /// What releases them.
        proof: Durable,
    },
    /// What had not been reported durable may be lost; [`Store::give_up`] that epoch's turns.
    Failed {
        /// The epoch that begins.
        epoch: u64,
        /// What happened, for the log.
        reason: String,
    },
    /// The store works again and holds everything that was durable before.
    Recovered,
}

/// Why the store cannot be opened.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it.
    Locked(PathBuf),
    /// The state directory cannot be used.
    Directory(PathBuf, std::io::Error),
    /// sled cannot open it.
    Store(PathBuf, Fault),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(path) => write!(
                f,
                "{} is locked: another leasehold uses this state directory; stop it, or give this \
                 one its own with --state",
                path.display()
            ),
            Self::Directory(path, error) => write!(
                f,
                "cannot use {}: {error}; the state directory must be writable for the user that \
                 leasehold runs as",
                path.display()
            ),
            Self::Store(path, fault) => write!(
                f,
                "cannot open the lease store {}: {fault}; to start without it, move it away: \
                 addresses are then probed before they are offered",
                path.display()
            ),
        }
    }
}

impl std::error::Error for OpenError {}

/// A store that has been opened, and whose writer has not started yet.
#[derive(Debug)]
pub struct Opened {
    directory: PathBuf,
    settings: Settings,
    database: Database,
    folding: Folding,
    lock: Lock,
    trust: Trust,
    newest: Wall,
    sequence: u64,
}

impl Opened {
    /// Opens the store in the state directory, made if need be.
    pub fn open(directory: &Path, settings: Settings) -> Result<Self, OpenError> {
        let unusable = |error| OpenError::Directory(directory.to_owned(), error);
        fs::create_dir_all(directory).map_err(unusable)?;
        let lock = lock(directory)?;
        let path = store_path(directory);
        let fault = |fault| OpenError::Store(path.clone(), fault);
        let existed = path.join("db").exists();
        let database = Database::open(&path, &settings).map_err(fault)?;
        let (sequence, newest) = database::fenced(|| database.newest()).map_err(fault)?;
        let marker = Marker::read(&marker_path(directory));
        let trust = marker::judge(existed, marker, database.id(), sequence);
        let (directory, folding) = (directory.to_owned(), Folding::default());
        Ok(Self { directory, settings, database, folding, lock, trust, newest, sequence })
    }

    /// Gives every record that rebuilds the book to `restore`, in order for each address. Gives
    /// back how far the store can be believed now that all of it has been read.
    pub fn load(&mut self, restore: impl FnMut(Record)) -> Result<Trust, OpenError> {
        let fault = |fault| OpenError::Store(store_path(&self.directory), fault);
        let (folding, loaded) = Folding::load(&self.database, restore).map_err(fault)?;
        self.folding = folding;
        self.newest = self.newest.max(loaded.newest);
        // A turn that had to be set aside is no turn any more.
        (self.sequence, _) = database::fenced(|| self.database.newest()).map_err(fault)?;
        if loaded.corrupt > 0 && self.trust == Trust::Sound {
            self.trust = Trust::Suspect(Suspicion::Corrupt { values: loaded.corrupt });
        }
        // From here on the store is what it is: the next start compares with that.
        let marker = Marker { id: self.database.id(), sequence: self.sequence };
        let unusable = |error| OpenError::Directory(self.directory.clone(), error);
        marker.write(&marker_path(&self.directory)).map_err(unusable)?;
        Ok(self.trust)
    }

    /// How far it can be believed, as far as is known before it is read.
    #[must_use]
    pub fn trust(&self) -> Trust {
        self.trust
    }

    /// The newest time on any record: the clock is at least that.
    #[must_use]
    pub fn newest(&self) -> Wall {
        self.newest
    }

    /// The newest turn it holds; the next one follows it.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Starts the writer, once everything is loaded; it reports to `notify`, from its own thread.
    pub fn start(self, notify: impl FnMut(Outcome) + Send + 'static) -> std::io::Result<Store> {
        let (orders, received) = mpsc::channel();
        let now = Instant::now();
        let writer = Writer {
            orders: received,
            notify: Box::new(notify),
            path: store_path(&self.directory),
            marker: marker_path(&self.directory),
            lock: lock_path(&self.directory),
            relock: None,
            id: self.database.id(),
            settings: self.settings,
            database: Some(self.database),
            folding: self.folding,
            epoch: 0,
            durable: self.sequence,
            marked: self.sequence,
            newest: if self.newest == Wall(0) { clock() } else { self.newest },
            started: now,
            trim: history::Trim::default(),
            trimmed: now,
            chores: now,
            retry: now,
        };
        let thread = thread::Builder::new().name("store".into()).spawn(move || writer.run())?;
        Ok(Store { orders, epoch: 0, thread: Some(thread), _lock: self.lock })
    }
}

/// Gives the records of a store that nobody has open to `restore`; changes nothing in it, and
/// judges nothing.
pub fn peek(directory: &Path, restore: impl FnMut(Record)) -> Result<(), OpenError> {
    let _lock = lock(directory)?;
    let path = store_path(directory);
    let fault = |fault| OpenError::Store(path.clone(), fault);
    let mut database = Database::open(&path, &Settings::default()).map_err(fault)?;
    database.keep_corrupt();
    Folding::load(&database, restore).map_err(fault)?;
    Ok(())
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4
//# Each server also maintains a database of allocated addresses and leases in local permanent
//# storage.
/// The running store, as its one worker sees it.
#[derive(Debug)]
pub struct Store {
    orders: mpsc::Sender<Order>,
    epoch: u64,
    thread: Option<JoinHandle<()>>,
    _lock: Lock,
}

/// Chunks of a turn stay below this; sled would move larger values into files that it leaks.
const CHUNK_BYTES: usize = 15 << 10;

impl Store {
    /// Hands a turn's records to the writer; its [`Outcome`] comes later.
    pub fn commit(&self, turn: &Turn) {
        self.append(turn.sequence(), turn.records());
    }

    /// Hands records to the writer under a sequence number that follows the last one.
    pub fn append(&self, sequence: u64, records: &Records) {
        let chunks = codec::chunks(records, CHUNK_BYTES);
        // A writer that has ended has reported its failure; the turn stays unreleased.
        let _ = self.orders.send(Order::Commit(self.epoch, sequence, chunks));
    }

    /// After [`Outcome::Failed`]: no turn of an earlier epoch is waited for any more.
    pub fn give_up(&mut self, epoch: u64) {
        self.epoch = epoch;
    }

    /// How long ended tenures are kept from now on.
    pub fn retain(&self, retention: Duration) {
        let _ = self.orders.send(Order::Retain(retention));
    }

    /// A handle for questions about the past.
    #[must_use]
    pub fn historian(&self) -> Historian {
        Historian(self.orders.clone())
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let _ = self.orders.send(Order::Close);
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has nothing left to close.
            let _ = thread.join();
        }
    }
}

/// Asks the past, from any thread.
#[derive(Clone, Debug)]
pub struct Historian(mpsc::Sender<Order>);

impl Historian {
    /// Asks for a page; the answer comes from the writer's thread. A store that has ended, or
    /// fails, drops the question unanswered or answers with its fault.
    pub fn history(&self, query: Query, answer: impl FnOnce(Result<Page, Fault>) + Send + 'static) {
        let _ = self.0.send(Order::History(query, Box::new(answer)));
    }
}

fn lock(directory: &Path) -> Result<Lock, OpenError> {
    Lock::take(&lock_path(directory)).map_err(|error| match error {
        LockError::Held(path) => OpenError::Locked(path),
        LockError::Io(path, error) => OpenError::Directory(path, error),
    })
}

fn clock() -> Wall {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Wall(since.map_or(0, |since| since.as_secs()))
}

fn store_path(directory: &Path) -> PathBuf {
    directory.join("leases.sled")
}

fn lock_path(directory: &Path) -> PathBuf {
    directory.join("lock")
}

fn marker_path(directory: &Path) -> PathBuf {
    directory.join("leases.marker")
}
