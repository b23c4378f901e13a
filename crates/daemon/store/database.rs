//! sled behind a fence: every call's error or panic becomes a [`Fault`], every sync is a real one.
//!
//! sled 0.34's `flush` waits for `sync_file_range` alone, which neither flushes the disk's cache
//! nor journals the file's size: after power cuts whole databases came back empty. So [`sync`]
//! adds our own `fdatasync` on the log file, and an fsync of the directory when files appear.
//!
//! [`sync`]: Database::sync

use core::fmt;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use leasehold_dhcp::Wall;

use super::Settings;
use super::block::{self, Block};
use super::place::Place;
use crate::log;

/// Why the store does not do what it should.
#[derive(Debug)]
pub enum Fault {
    /// sled says so.
    Sled(sled::Error),
    /// The file system says so.
    Io(&'static str, io::Error),
    /// sled panicked; what it said.
    Panicked(String),
    /// Too little room is left to append safely: octets free, octets wanted.
    Full(u64, u64),
    /// The directory holds another store than the one that was open.
    Foreign,
    /// The store has been closed.
    Ended,
    /// Turns that were durable are missing: newest turn found, newest turn that was durable.
    Lost(u64, u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sled(error) => write!(f, "sled: {error}"),
            Self::Io(what, error) => write!(f, "cannot {what}: {error}"),
            Self::Panicked(message) => write!(f, "sled panicked: {message}"),
            Self::Full(free, wanted) => write!(
                f,
                "the disk is full: {} KiB free, {} KiB wanted; make room and service returns",
                free >> 10,
                wanted >> 10
            ),
            Self::Foreign => f.write_str(
                "the directory now holds another store; put the old one back or restart",
            ),
            Self::Ended => f.write_str("the store is closed"),
            Self::Lost(found, durable) => write!(
                f,
                "turns {found} to {durable} were durable and are gone; put the store back or \
                 restart: the server then probes each address before it offers it"
            ),
        }
    }
}

impl std::error::Error for Fault {}

impl Fault {
    /// Whether the store's files are not what was written, as opposed to what happens around them.
    pub(super) fn is_damage(&self) -> bool {
        match self {
            Self::Sled(sled::Error::Io(error)) => {
                use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
                matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
            }
            Self::Sled(_) | Self::Panicked(_) => true,
            Self::Io(..) | Self::Full(..) | Self::Foreign | Self::Ended | Self::Lost(..) => false,
        }
    }
}

impl From<sled::Error> for Fault {
    fn from(error: sled::Error) -> Self {
        Self::Sled(error)
    }
}

/// Names a store: written once, kept inside it and in the marker beside it.
pub(super) type StoreId = [u8; 16];

/// The open trees of a store.
#[derive(Debug)]
pub(super) struct Database {
    db: sled::Db,
    /// Blocks of sealed rows, by the location that each begins with.
    pub leases: sled::Tree,
    /// Sealed tenures that have ended, by location and beginning.
    pub tenures: sled::Tree,
    /// Values that were found corrupt, by tree and key.
    pub corrupt: sled::Tree,
    path: PathBuf,
    log: File,
    place: Place,
    directory: File,
    listed: Option<SystemTime>,
    id: StoreId,
    reserve: u64,
    keeps_corrupt: bool,
    writes: Mutex<Writes>,
    #[cfg(test)]
    faults: super::tests::Faults,
}

/// The tree of the blocks, and that of earlier versions, in which each row had a key of its own.
const BLOCKS: &str = "blocks";
const ROWS: &str = "leases";

/// What is written by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tree {
    Leases,
    Tenures,
    Corrupt,
}

/// All of them, in the order in which they are copied.
pub(super) const TREES: [Tree; 3] = [Tree::Leases, Tree::Tenures, Tree::Corrupt];

/// What has been written, for those who want to know.
#[derive(Debug, Default)]
struct Writes {
    /// Octets of all keys and values.
    live: u64,
    /// The keys that have changed, while somebody copies.
    noted: Option<BTreeSet<(Tree, Vec<u8>)>>,
}

/// Runs calls into sled; a panic in them is a fault, not the end.
pub(super) fn fenced<T>(calls: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let called = catch_unwind(AssertUnwindSafe(calls));
    called.unwrap_or_else(|panic| Err(Fault::Panicked(log::panic_text(&*panic).to_owned())))
}

/// How long sled's own threads may keep the lock of a store that was closed just now.
const CLOSING: Duration = Duration::from_secs(5);

/// Opens it as soon as its lock is free: the state directory's own lock keeps other processes out.
fn unlocked(config: &sled::Config) -> sled::Result<sled::Db> {
    let deadline = Instant::now() + CLOSING;
    loop {
        match config.open() {
            Err(sled::Error::Io(error))
                if error.to_string().starts_with("could not acquire lock")
                    && Instant::now() < deadline =>
            {
                thread::sleep(Duration::from_millis(5));
            }
            opened => return opened,
        }
    }
}

impl Database {
    /// Opens the store in `path`, or makes an empty one there.
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<Self, Fault> {
        fenced(|| Self::open_unfenced(path, settings))
    }

    /// The same, for a file whose place others know already.
    pub(super) fn open_at(path: &Path, settings: &Settings, place: Place) -> Result<Self, Fault> {
        let mut database = Self::open(path, settings)?;
        database.place = place;
        Ok(database)
    }

    fn open_unfenced(path: &Path, settings: &Settings) -> Result<Self, Fault> {
        fs::create_dir_all(path).map_err(|error| Fault::Io("create the store", error))?;
        let config = sled::Config::new()
            .path(path)
            .cache_capacity(settings.cache_bytes)
            .flush_every_ms(None)
            .mode(sled::Mode::HighThroughput)
            .use_compression(false);
        let db = unlocked(&config)?;
        let log = File::open(path.join("db")).map_err(|e| Fault::Io("open the store's log", e))?;
        let directory = File::open(path).map_err(|e| Fault::Io("open the store's directory", e))?;
        let place = Place::of(&path.join("db"), &log);
        let place = place.map_err(|error| Fault::Io("find the store's log", error))?;
        let leases = db.open_tree(BLOCKS)?;
        let (tenures, corrupt) = (db.open_tree("tenures")?, db.open_tree("corrupt")?);
        let kept = db.get("id")?.and_then(|id| StoreId::try_from(id.as_ref()).ok());
        let mut database = Self {
            db,
            leases,
            tenures,
            corrupt,
            path: path.to_owned(),
            log,
            place,
            directory,
            listed: None,
            id: kept.unwrap_or_default(),
            reserve: settings.reserve_bytes,
            keeps_corrupt: false,
            writes: Mutex::default(),
            #[cfg(test)]
            faults: settings.faults.clone(),
        };
        database.writes().live = database.folded_entry()?.map_or(0, |(_, _, live)| live);
        if kept.is_none() {
            database.id = new_id()?;
            database.db.insert("id", &database.id)?;
            database.sync_unfenced()?;
            let parent = path.parent().unwrap_or(Path::new("/"));
            let parent = File::open(parent).and_then(|parent| parent.sync_all());
            parent.map_err(|error| Fault::Io("sync the state directory", error))?;
        }
        if database.db.tree_names().iter().any(|name| name.as_ref() == ROWS.as_bytes()) {
            database.group()?;
        }
        Ok(database)
    }

    /// Moves the rows of earlier versions into blocks. What a kill interrupts begins anew.
    fn group(&mut self) -> Result<(), Fault> {
        self.has_room()?;
        let rows = self.db.open_tree(ROWS)?;
        tracing::info!("store: an earlier version wrote it: its rows are moved into blocks");
        self.put_rows(rows.iter().map(|entry| {
            let (key, value) = entry?;
            Ok((key.to_vec(), value.to_vec()))
        }))?;
        // What was noted is no use: a kill may have come between.
        let entries = TREES.iter().flat_map(|tree| self.tree(*tree).iter());
        let octets = entries.map(|entry| entry.map(|(key, value)| key.len() + value.len()));
        let live = octets.sum::<Result<usize, _>>()?;
        self.writes().live = live as u64;
        let (through, newest) = self.folded()?;
        self.set_folded(through, newest)?;
        self.sync_unfenced()?;
        self.db.drop_tree(ROWS)?;
        self.sync_unfenced()
    }

    /// Corrupt values stay where they are from now on, for whoever is to notice them.
    pub(super) fn keep_corrupt(&mut self) {
        self.keeps_corrupt = true;
    }

    /// Which store this is.
    pub(super) fn id(&self) -> StoreId {
        self.id
    }

    /// Free room that it leaves to others, octets.
    pub(super) fn reserve(&self) -> u64 {
        self.reserve
    }

    /// Where its log file is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// Its directory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Octets that its files take, and octets of the keys and values in them.
    pub(super) fn size(&self) -> Result<(u64, u64), Fault> {
        Ok((self.db.size_on_disk()?, self.live()))
    }

    /// Octets of the keys and values in it.
    pub(super) fn live(&self) -> u64 {
        self.writes().live
    }

    /// Gives the store the name of the one that it replaces.
    pub(super) fn set_id(&mut self, id: StoreId) -> Result<(), Fault> {
        self.id = id;
        fenced(|| {
            self.db.insert("id", &id)?;
            Ok(())
        })
    }

    /// The newest turn that is folded, and the newest time that was known then.
    pub(super) fn folded(&self) -> Result<(u64, Wall), Fault> {
        let folded = self.folded_entry()?;
        Ok(folded.map_or((0, Wall(0)), |(turn, wall, _)| (turn, wall)))
    }

    fn folded_entry(&self) -> Result<Option<(u64, Wall, u64)>, Fault> {
        Ok(self.db.get("folded")?.and_then(|value| folded(&value)))
    }

    /// Notes that all turns up to `through` are folded.
    pub(super) fn set_folded(&self, through: u64, newest: Wall) -> Result<(), Fault> {
        let (_, known) = self.folded()?;
        let numbers = [through, newest.max(known).0, self.writes().live].map(u64::to_be_bytes);
        self.db.insert("folded", numbers.as_flattened())?;
        Ok(())
    }

    /// Takes over the name of another store, and how far that is folded.
    pub(super) fn become_like(&mut self, other: &Self) -> Result<(), Fault> {
        self.id = other.id;
        self.db.insert("id", &other.id)?;
        let (through, newest) = other.folded()?;
        self.set_folded(through, newest)
    }

    pub(super) fn tree(&self, tree: Tree) -> &sled::Tree {
        match tree {
            Tree::Leases => &self.leases,
            Tree::Tenures => &self.tenures,
            Tree::Corrupt => &self.corrupt,
        }
    }

    pub(super) fn put(&self, tree: Tree, key: &[u8], value: &[u8]) -> Result<(), Fault> {
        let old = self.tree(tree).insert(key, value)?;
        self.note(tree, key, old.as_deref(), Some(value));
        Ok(())
    }

    pub(super) fn remove(&self, tree: Tree, key: &[u8]) -> Result<(), Fault> {
        let old = self.tree(tree).remove(key)?;
        self.note(tree, key, old.as_deref(), None);
        Ok(())
    }

    /// Writes rows, which come in the order of their keys, into blocks that hold no others.
    pub(super) fn put_rows(
        &self,
        rows: impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), Fault>>,
    ) -> Result<(), Fault> {
        let (mut at, mut block) = (Vec::new(), Block::default());
        for row in rows {
            let (key, value) = row?;
            let (next, place) = block::of_row(&key);
            if next != at {
                self.put_block(&at, &block)?;
                (at, block) = (next, Block::default());
            }
            block.set(place, value);
        }
        self.put_block(&at, &block)
    }

    /// Writes a block, or removes one that has no rows any more.
    pub(super) fn put_block(&self, key: &[u8], block: &Block<'_>) -> Result<(), Fault> {
        match block.value() {
            Some(value) => self.put(Tree::Leases, key, &value),
            None => self.remove(Tree::Leases, key),
        }
    }

    /// The rows of a block. What is no row is set aside.
    pub(super) fn block<'a>(&self, key: &[u8], value: &'a [u8]) -> Result<Block<'a>, Fault> {
        let (block, wrong) = Block::read(key, value);
        if let Some(why) = wrong.filter(|_| !self.keeps_corrupt) {
            self.keep_aside(Tree::Leases, key, value, &why.to_string())?;
            self.put_block(key, &block)?;
        }
        Ok(block)
    }

    /// The sealed row at a location's key.
    pub(super) fn row(&self, key: &[u8]) -> Result<Option<Vec<u8>>, Fault> {
        let (block, place) = block::of_row(key);
        let value = self.leases.get(&block)?;
        Ok(value.and_then(|value| Block::read(&block, &value).0.get(place).map(<[u8]>::to_vec)))
    }

    /// Gives back the keys that have changed since it was told to note them, and goes on or not.
    pub(super) fn note_changes(&self, on: bool) -> BTreeSet<(Tree, Vec<u8>)> {
        let goes_on = on.then(BTreeSet::new);
        core::mem::replace(&mut self.writes().noted, goes_on).unwrap_or_default()
    }

    /// Whether it notes the keys that change.
    pub(super) fn notes_changes(&self) -> bool {
        self.writes().noted.is_some()
    }

    fn note(&self, tree: Tree, key: &[u8], old: Option<&[u8]>, new: Option<&[u8]>) {
        let octets = |value: Option<&[u8]>| value.map_or(0, |value| key.len() + value.len()) as u64;
        let mut writes = self.writes();
        writes.live = (writes.live + octets(new)).saturating_sub(octets(old));
        if let Some(noted) = &mut writes.noted {
            noted.insert((tree, key.to_vec()));
        }
    }

    fn writes(&self) -> MutexGuard<'_, Writes> {
        self.writes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes everything written so far durable: flush, fdatasync, directory if it has changed.
    pub(super) fn sync(&mut self) -> Result<(), Fault> {
        fenced(|| self.sync_unfenced())
    }

    fn sync_unfenced(&mut self) -> Result<(), Fault> {
        #[cfg(test)]
        self.faults.strike()?;
        self.db.flush()?;
        self.log.sync_data().map_err(|error| Fault::Io("sync the store's log", error))?;
        let listed = self.directory.metadata().and_then(|meta| meta.modified()).ok();
        if listed.is_none() || listed != self.listed {
            self.directory.sync_all().map_err(|e| Fault::Io("sync the store's directory", e))?;
            self.listed = listed;
        }
        Ok(())
    }

    /// Refuses while the file system has less room than the reserve: sled must never meet a
    /// full disk in the middle of a segment.
    pub(super) fn has_room(&self) -> Result<(), Fault> {
        let stat = rustix::fs::fstatvfs(&self.directory);
        let stat = stat.map_err(|e| Fault::Io("ask for free room", e.into()))?;
        let free = stat.f_bavail.saturating_mul(stat.f_frsize);
        if free < self.reserve { Err(Fault::Full(free, self.reserve)) } else { Ok(()) }
    }

    /// Writes everything into an empty store at the same path, with the same name, and goes on
    /// there: the files of this one were removed, but they live as long as they are open.
    pub(super) fn write_anew(&mut self, settings: &Settings) -> Result<(), Fault> {
        let mut anew = Self::open(&self.path, settings)?;
        fenced(|| {
            for tree in TREES {
                for entry in self.tree(tree) {
                    let (key, value) = entry?;
                    anew.put(tree, &key, &value)?;
                }
            }
            anew.become_like(self)
        })?;
        anew.sync()?;
        // Those who look whether it is in its place go on looking there.
        let moved = self.place.exchange(|| Ok(()));
        moved.map_err(|error| Fault::Io("find the store's log", error))?;
        anew.place = self.place.clone();
        *self = anew;
        Ok(())
    }

    /// Moves a corrupt row, by its location's key, or a tenure out of the way and says so.
    pub(super) fn set_aside(&self, tree: Tree, key: &[u8], why: &str) -> Result<(), Fault> {
        if self.keeps_corrupt {
            return Ok(());
        }
        if tree != Tree::Leases {
            let value = self.tree(tree).get(key)?.unwrap_or_default();
            self.keep_aside(tree, key, &value, why)?;
            return self.remove(tree, key);
        }
        let (at, place) = block::of_row(key);
        let value = self.leases.get(&at)?.unwrap_or_default();
        let (mut block, _) = Block::read(&at, &value);
        if let Some(row) = block.take(place) {
            self.keep_aside(tree, key, &row, why)?;
            self.put_block(&at, &block)?;
        }
        Ok(())
    }

    /// Keeps a corrupt value and says so.
    pub(super) fn keep_aside(
        &self,
        tree: Tree,
        key: &[u8],
        value: &[u8],
        why: &str,
    ) -> Result<(), Fault> {
        let name = self.tree(tree).name();
        let mut place = name.to_vec();
        place.push(b'/');
        place.extend_from_slice(key);
        tracing::error!(
            tree = %String::from_utf8_lossy(&name),
            key = %hex(key),
            "store: a corrupt value was set aside: {why}"
        );
        self.put(Tree::Corrupt, &place, value)
    }

    /// Keeps a piece of a turn that holds no records, and says so.
    pub(super) fn keep_corrupt_turn(
        &self,
        sequence: u64,
        bytes: &[u8],
        why: &str,
    ) -> Result<(), Fault> {
        tracing::error!(turn = sequence, "store: a corrupt turn was set aside: {why}");
        let key = [b"turns/", &sequence.to_be_bytes()[..]].concat();
        self.put(Tree::Corrupt, &key, bytes)
    }
}

/// The newest turn that is folded, the newest time, and octets of all keys and values; the first
/// versions did not count these.
pub(super) fn folded(value: &[u8]) -> Option<(u64, Wall, u64)> {
    let (turn, rest) = value.split_first_chunk()?;
    let (newest, rest) = rest.split_first_chunk()?;
    let live = rest.first_chunk().map_or(0, |live| u64::from_be_bytes(*live));
    Some((u64::from_be_bytes(*turn), Wall(u64::from_be_bytes(*newest)), live))
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn new_id() -> Result<StoreId, Fault> {
    let mut id = StoreId::default();
    let filled = rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty());
    filled.map_err(|error| Fault::Io("draw a random store id", error.into()))?;
    Ok(id)
}

#[cfg(test)]
impl Database {
    /// Lays the rows out as earlier versions did, and leaves the blocks there or not.
    pub(super) fn scatter(&self, leave: bool) {
        let rows = self.db.open_tree(ROWS).unwrap();
        for entry in &self.leases {
            let (at, value) = entry.unwrap();
            for (place, row) in Block::read(&at, &value).0.rows() {
                let key = block::row_key(&at, place);
                rows.insert(&key, row).unwrap();
                self.note(Tree::Leases, &key, None, Some(row));
            }
            if !leave {
                self.remove(Tree::Leases, &at).unwrap();
            }
        }
        let (through, newest) = self.folded().unwrap();
        self.set_folded(through, newest).unwrap();
    }
}
