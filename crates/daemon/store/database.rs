//! sled behind a fence: every call's error or panic becomes a [`Fault`], every sync is a real one.
//!
//! sled 0.34's `flush` waits for `sync_file_range` alone, which neither flushes the disk's cache
//! nor journals the file's size: after power cuts whole databases came back empty. So [`sync`]
//! adds our own `fdatasync` on the log file, and an fsync of the directory when files appear.
//!
//! [`sync`]: Database::sync

use core::fmt;
use std::fs::{self, File};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use leasehold_dhcp::Wall;

use super::Settings;
use super::place::Place;

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
            Self::Lost(found, durable) => write!(
                f,
                "turns {found} to {durable} were durable and are gone; put the store back or \
                 restart: the server then probes each address before it offers it"
            ),
        }
    }
}

impl std::error::Error for Fault {}

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
    /// Sealed rows, by location.
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
    #[cfg(test)]
    faults: super::tests::Faults,
}

/// Runs calls into sled; a panic in them is a fault, not the end.
pub(super) fn fenced<T>(calls: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(calls)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<&str>().map(ToString::to_string);
        let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Fault::Panicked(text.unwrap_or_default()))
    })
}

impl Database {
    /// Opens the store in `path`, or makes an empty one there.
    pub(super) fn open(path: &Path, settings: &Settings) -> Result<Self, Fault> {
        fenced(|| Self::open_unfenced(path, settings))
    }

    fn open_unfenced(path: &Path, settings: &Settings) -> Result<Self, Fault> {
        fs::create_dir_all(path).map_err(|error| Fault::Io("create the store", error))?;
        let db = sled::Config::new()
            .path(path)
            .cache_capacity(settings.cache_bytes)
            .flush_every_ms(None)
            .mode(sled::Mode::HighThroughput)
            .use_compression(false)
            .open()?;
        let log = File::open(path.join("db")).map_err(|e| Fault::Io("open the store's log", e))?;
        let directory = File::open(path).map_err(|e| Fault::Io("open the store's directory", e))?;
        let place = Place::of(&path.join("db"), &log);
        let place = place.map_err(|error| Fault::Io("find the store's log", error))?;
        let leases = db.open_tree("leases")?;
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
            #[cfg(test)]
            faults: settings.faults.clone(),
        };
        if kept.is_none() {
            database.id = new_id()?;
            database.db.insert("id", &database.id)?;
            database.sync_unfenced()?;
            let parent = path.parent().unwrap_or(Path::new("/"));
            let parent = File::open(parent).and_then(|parent| parent.sync_all());
            parent.map_err(|error| Fault::Io("sync the state directory", error))?;
        }
        Ok(database)
    }

    /// Corrupt values stay where they are from now on, for whoever is to notice them.
    pub(super) fn keep_corrupt(&mut self) {
        self.keeps_corrupt = true;
    }

    /// Which store this is.
    pub(super) fn id(&self) -> StoreId {
        self.id
    }

    /// Where its log file is.
    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// The newest turn that is folded, and the newest time that was known then.
    pub(super) fn folded(&self) -> Result<(u64, Wall), Fault> {
        let folded = self.db.get("folded")?;
        let folded = folded.and_then(|bytes| <[u8; 16]>::try_from(bytes.as_ref()).ok());
        let folded = folded.map_or(0, u128::from_be_bytes);
        Ok(((folded >> 64) as u64, Wall(folded as u64)))
    }

    /// Notes that all turns up to `through` are folded.
    pub(super) fn set_folded(&self, through: u64, newest: Wall) -> Result<(), Fault> {
        let (_, known) = self.folded()?;
        let newest = newest.max(known);
        let folded = u128::from(through) << 64 | u128::from(newest.0);
        self.db.insert("folded", &folded.to_be_bytes())?;
        Ok(())
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
        fenced(|| self.copy(&anew))?;
        anew.id = self.id;
        anew.sync()?;
        // Those who look whether it is in its place go on looking there.
        let moved = self.place.exchange(|| Ok(()));
        moved.map_err(|error| Fault::Io("find the store's log", error))?;
        anew.place = self.place.clone();
        *self = anew;
        Ok(())
    }

    /// Copies every tree into another store, in the order of the keys.
    fn copy(&self, to: &Self) -> Result<(), Fault> {
        let pairs = [
            (&*self.db, &*to.db),
            (&self.leases, &to.leases),
            (&self.tenures, &to.tenures),
            (&self.corrupt, &to.corrupt),
        ];
        for (from, to) in pairs {
            for entry in from {
                let (key, value) = entry?;
                to.insert(key, value)?;
            }
        }
        Ok(())
    }

    /// Moves a corrupt value out of the way and says so.
    pub(super) fn set_aside(&self, tree: &sled::Tree, key: &[u8], why: &str) -> Result<(), Fault> {
        if self.keeps_corrupt {
            return Ok(());
        }
        let name = tree.name();
        let mut place = name.to_vec();
        place.push(b'/');
        place.extend_from_slice(key);
        tracing::error!(
            tree = %String::from_utf8_lossy(&name),
            key = %hex(key),
            "store: a corrupt value was set aside: {why}"
        );
        if let Some(value) = tree.get(key)? {
            self.corrupt.insert(place, value)?;
        }
        tree.remove(key)?;
        Ok(())
    }

    /// Keeps a piece of a turn that holds no records, and says so.
    pub(super) fn keep_corrupt_turn(
        &self,
        sequence: u64,
        bytes: &[u8],
        why: &str,
    ) -> Result<(), Fault> {
        tracing::error!(turn = sequence, "store: a corrupt turn was set aside: {why}");
        self.corrupt.insert([b"turns/", &sequence.to_be_bytes()[..]].concat(), bytes)?;
        Ok(())
    }
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
