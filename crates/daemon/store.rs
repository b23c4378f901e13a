//! The lease store: turns are appended durably, everything comes back, the past can be asked.
//!
//! Two threads. The writer appends each turn's records to a log that is laid out before, with one
//! synced write; promises leave against the [`Durable`] that it makes then, and nowhere else. The
//! archive folds the log into sled: `blocks` holds a row per address, eight rows to a value,
//! `tenures` what has ended there. A restart reads the rows and the turns that are newer.
//!
//! **Invariant:** a turn is durable only if all turns before it are. After a failure the writer
//! drops what the worker had not yet given up ([`Store::give_up`]).

use core::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use leasehold_dhcp::input::{Start, StoreState};
use leasehold_dhcp::record::Records;
use leasehold_dhcp::{Durable, Now, Record, Turn, Wall};

mod archive;
mod backup;
mod block;
mod codec;
mod compact;
mod contents;
mod database;
mod fold;
mod history;
mod lines;
mod load;
mod marker;
pub mod offers;
mod place;
mod repair;
mod row;
mod scan;
#[cfg(test)]
pub(crate) mod tests;
mod turns;
mod writer;

pub use database::Fault;
pub use history::{Cursor, Page, Query};
pub use lines::{Counted, LinesError, export, import};
pub use marker::{Suspicion, Trust};
pub use repair::{Repaired, Verified, repair, verify, wants_repair};
pub use row::{Ending, Tenure};

use database::Database;
use fold::Generation;
use load::load;
use marker::{Lock, LockError, Marker};
use turns::{Found, Turns};
use writer::{Open, Order, Writer};

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
    /// Size of sled's files below which they are never compacted, octets.
    pub compact_above: u64,
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
            compact_above: 64 << 20,
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

impl OpenError {
    /// Whether [`repair`] can help.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Store(_, fault) if fault.is_damage())
    }
}

/// A store that has been opened, and whose threads have not started yet.
#[derive(Debug)]
pub struct Opened {
    paths: Paths,
    settings: Settings,
    database: Database,
    turns: Turns,
    found: Found,
    lock: Lock,
    trust: Trust,
    opened: Wall,
    newest: Wall,
}

impl Opened {
    /// Opens the store in the state directory, made if need be.
    pub fn open(directory: &Path, settings: Settings, now: Wall) -> Result<Self, OpenError> {
        let paths = Paths(directory.to_owned());
        let unusable = |error| OpenError::Directory(directory.to_owned(), error);
        fs::create_dir_all(directory).map_err(unusable)?;
        let lock = lock(&paths)?;
        let fault = |fault| OpenError::Store(paths.store(), fault);
        let existed = paths.store().join("db").exists();
        compact::clean(&paths.store()).map_err(fault)?;
        let database = Database::open(&paths.store(), &settings).map_err(fault)?;
        let (folded, newest) = database::fenced(|| database.folded()).map_err(fault)?;
        let opened = Turns::open(&paths.turns(), database.id(), folded, &settings);
        let (turns, found) = opened.map_err(fault)?;
        let marker = Marker::read(&paths.marker());
        let mut trust = marker::judge(existed, marker, database.id(), found.newest);
        if existed && found.is_missing && trust == Trust::Sound {
            trust = Trust::Suspect(Suspicion::TurnsMissing);
        }
        if let (Trust::Sound, Some(since)) = (trust, marker.and_then(|marker| marker.suspect)) {
            trust = Trust::Suspect(Suspicion::Earlier { since });
        }
        Ok(Self { paths, settings, database, turns, found, lock, trust, opened: now, newest })
    }

    /// Gives every record that rebuilds the book to `restore`, in order for each address. Gives
    /// back how far the store can be believed now that all of it has been read.
    pub fn load(&mut self, restore: impl FnMut(Record)) -> Result<Trust, OpenError> {
        let fault = |fault| OpenError::Store(self.paths.store(), fault);
        let fresh = Generation::of_frames(&self.found.frames);
        let loaded = load(&self.database, &fresh, restore).map_err(fault)?;
        self.newest = self.newest.max(loaded.newest);
        let corrupt = loaded.corrupt + self.found.damaged;
        let is_news =
            matches!(self.trust, Trust::Sound | Trust::Suspect(Suspicion::Earlier { .. }));
        if corrupt > 0 && is_news {
            self.trust = Trust::Suspect(Suspicion::Corrupt { values: corrupt });
        }
        // From here on the store is what it is: the next start compares with that.
        self.mark()?;
        Ok(self.trust)
    }

    /// Whatever may have been missing has come back, or would be over by now: the next start
    /// suspects nothing.
    pub fn believe(&mut self) -> Result<(), OpenError> {
        self.trust = Trust::Sound;
        self.mark()
    }

    fn mark(&self) -> Result<(), OpenError> {
        let suspect = self.suspect_since();
        let marker = Marker { id: self.database.id(), sequence: self.found.newest, suspect };
        let unusable = |error| OpenError::Directory(self.paths.0.clone(), error);
        marker.write(&self.paths.marker()).map_err(unusable)
    }

    /// Since when leases may be missing, if they may, as far as is known by now.
    #[must_use]
    pub fn suspect_since(&self) -> Option<Wall> {
        match self.trust {
            Trust::New | Trust::Sound => None,
            Trust::Suspect(Suspicion::Earlier { since }) => Some(since),
            Trust::Suspect(_) => Some(self.opened),
        }
    }

    /// What an engine has to know before the records.
    #[must_use]
    pub fn before(&self, now: Now) -> Start {
        let suspect = self.suspect_since().map(|since| StoreState::Suspect { since });
        let newest = Some(self.newest).filter(|newest| *newest != Wall(0));
        Start { now, newest, store: suspect.unwrap_or(StoreState::Intact) }
    }

    /// The newest turn it holds; the next one follows it.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.found.newest
    }

    /// Starts the threads, once everything is loaded; `notify` is called from the writer's.
    pub fn start(self, notify: impl FnMut(Outcome) + Send + 'static) -> std::io::Result<Store> {
        let (orders, received) = mpsc::channel();
        let Self { paths, settings, database, turns, found, lock, newest, .. } = self;
        let (id, durable) = (database.id(), found.newest);
        let reports = (0, orders.clone());
        let open = Open::start(database, (turns, found), newest, reports, (&paths, &settings))?;
        let writer = Writer {
            orders: received,
            report: orders.clone(),
            notify: Box::new(notify),
            paths,
            relock: None,
            settings,
            id,
            open: Some(open),
            archives: 0,
            epoch: 0,
            durable,
            next: Instant::now(),
            retry: Instant::now(),
        };
        let thread = thread::Builder::new().name("store".into()).spawn(move || writer.run())?;
        Ok(Store { orders, epoch: 0, thread: Some(thread), _lock: lock })
    }
}

/// Gives the records of a store that nobody has open to `restore`; changes nothing in it, and
/// judges nothing.
pub fn peek(directory: &Path, restore: impl FnMut(Record)) -> Result<(), OpenError> {
    let paths = Paths(directory.to_owned());
    let _lock = lock(&paths)?;
    let fault = |fault| OpenError::Store(paths.store(), fault);
    let mut database = Database::open(&paths.store(), &Settings::default()).map_err(fault)?;
    database.keep_corrupt();
    let (folded, _) = database::fenced(|| database.folded()).map_err(fault)?;
    let found = Turns::peek(&paths.turns(), Some(database.id()), folded).map_err(fault)?;
    load(&database, &Generation::of_frames(&found.frames), restore).map_err(fault)?;
    Ok(())
}

/// What stands in the state directory.
#[derive(Clone, Debug)]
struct Paths(PathBuf);

impl Paths {
    /// sled's directory.
    fn store(&self) -> PathBuf {
        self.0.join("leases.sled")
    }

    /// The directory of the turns' log.
    fn turns(&self) -> PathBuf {
        self.0.join("leases.turns")
    }

    fn marker(&self) -> PathBuf {
        self.0.join("leases.marker")
    }

    fn lock(&self) -> PathBuf {
        self.0.join("lock")
    }
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

impl Store {
    /// Hands a turn's records to the writer; its [`Outcome`] comes later.
    pub fn commit(&self, turn: &mut Turn) {
        self.append(turn.sequence(), turn.take_records());
    }

    /// Hands records to the writer under a sequence number that follows the last one.
    pub fn append(&self, sequence: u64, records: Records) {
        // A writer that has ended has reported its failure; the turn stays unreleased.
        let _ = self.orders.send(Order::Commit(self.epoch, sequence, records));
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

    /// Has the store copied as it is at one moment; the answer, a state directory with the copy,
    /// comes from the archive's thread, or never if that has ended.
    pub fn backup(&self, answer: impl FnOnce(Result<PathBuf, Fault>) + Send + 'static) {
        let _ = self.0.send(Order::Backup(Box::new(answer)));
    }
}

fn lock(paths: &Paths) -> Result<Lock, OpenError> {
    Lock::take(&paths.lock()).map_err(|error| match error {
        LockError::Held(path) => OpenError::Locked(path),
        LockError::Io(path, error) => OpenError::Directory(path, error),
    })
}

fn clock() -> Wall {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Wall(since.map_or(0, |since| since.as_secs()))
}
