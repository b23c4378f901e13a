//! What stands beside the store: the lock that one process holds, and the marker that remembers it.
//!
//! A store that opens empty, older than it was, or as another one does so without any error of
//! sled's. The marker, a small text file that is replaced and synced as a whole, notices.

use core::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use leasehold_dhcp::Wall;
use rustix::fs::{FlockOperation, flock};

use super::database::{StoreId, hex};

/// How far the store can be believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Neither store nor marker were there: a first start.
    New,
    /// The store holds everything that the marker knows of.
    Sound,
    /// Leases may be missing: every new offer should be probed for one maximal lease time.
    Suspect(Suspicion),
}

/// Why leases may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// The marker names a store and there was none.
    StoreMissing,
    /// There is a store, but nothing that says how new it should be.
    MarkerMissing,
    /// The marker names another store.
    OtherStore,
    /// The store's newest turn is older than the marker's.
    Older {
        /// Newest turn in the store.
        found: u64,
        /// Newest turn that the marker knows to have been durable.
        known: u64,
    },
    /// The log of the newest turns is gone.
    TurnsMissing,
    /// Values had to be set aside.
    Corrupt {
        /// How many.
        values: u64,
    },
    /// An earlier start found one of these.
    Earlier {
        /// When.
        since: Wall,
    },
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::StoreMissing => f.write_str("the store is gone, only its marker is left"),
            Self::MarkerMissing => {
                f.write_str("the store was repaired or imported, or its marker is lost")
            }
            Self::OtherStore => f.write_str("the marker belongs to another store"),
            Self::Older { found, known } => {
                write!(f, "the store ends at turn {found}, but turn {known} was durable once")
            }
            Self::TurnsMissing => f.write_str("the log of the newest turns is gone"),
            Self::Corrupt { values } => write!(f, "{values} corrupt values were set aside"),
            Self::Earlier { .. } => {
                f.write_str("an earlier start found that leases may be missing")
            }
        }
    }
}

/// The marker's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Marker {
    /// Which store.
    pub id: StoreId,
    /// A turn that was durable when the marker was written.
    pub sequence: u64,
    /// Since when leases may be missing, if they may.
    pub suspect: Option<Wall>,
}

/// Versions that know no blocks do not read it, and so do not believe a store that shows them
/// nothing.
const FIRST_LINE: &str = "leasehold store marker 2";
/// What they wrote.
const BEFORE: &str = "leasehold store marker 1";

impl Marker {
    /// Reads the marker; `None` if there is none or it is not one.
    pub(super) fn read(path: &Path) -> Option<Self> {
        let text = fs::read_to_string(path).ok()?;
        let mut lines = text.lines();
        [FIRST_LINE, BEFORE].contains(&lines.next()?).then_some(())?;
        let digits = lines.next()?.strip_prefix("id ")?;
        let id = u128::from_str_radix(digits, 16).ok()?.to_be_bytes();
        let sequence = lines.next()?.strip_prefix("turn ")?.parse().ok()?;
        let suspect = lines.next().and_then(|line| line.strip_prefix("suspect ")?.parse().ok());
        Some(Self { id, sequence, suspect: suspect.map(Wall) })
    }

    /// Replaces the marker durably.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        // `leases.new` is where a compaction copies to.
        let beside = path.with_extension("marker.new");
        let mut file = File::create(&beside)?;
        writeln!(file, "{FIRST_LINE}\nid {}\nturn {}", hex(&self.id), self.sequence)?;
        if let Some(Wall(since)) = self.suspect {
            writeln!(file, "suspect {since}")?;
        }
        file.sync_all()?;
        fs::rename(&beside, path)?;
        let directory = path.parent().unwrap_or(Path::new("/"));
        File::open(directory)?.sync_all()
    }
}

/// What marker and store say together.
pub(super) fn judge(existed: bool, marker: Option<Marker>, id: StoreId, newest: u64) -> Trust {
    match (existed, marker) {
        (false, None) => Trust::New,
        (false, Some(_)) => Trust::Suspect(Suspicion::StoreMissing),
        (true, None) => Trust::Suspect(Suspicion::MarkerMissing),
        (true, Some(marker)) if marker.id != id => Trust::Suspect(Suspicion::OtherStore),
        (true, Some(marker)) if newest < marker.sequence => {
            Trust::Suspect(Suspicion::Older { found: newest, known: marker.sequence })
        }
        (true, Some(_)) => Trust::Sound,
    }
}

/// Held while the store is open; the kernel drops it with the process.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Why the lock is not ours.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process has it.
    Held(PathBuf),
    /// The file cannot be made or locked.
    Io(PathBuf, io::Error),
}

impl Lock {
    /// Takes the lock, or says who stands in the way.
    pub(super) fn take(path: &Path) -> Result<Self, LockError> {
        let io = |error| LockError::Io(path.to_owned(), error);
        let open = OpenOptions::new().create(true).truncate(false).write(true).open(path);
        let file = open.map_err(io)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _file: file }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(LockError::Held(path.to_owned())),
            Err(error) => Err(io(error.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_comes_back_and_rubbish_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("marker");
        assert_eq!(Marker::read(&path), None);
        for suspect in [None, Some(Wall(1_764_500_000))] {
            let marker = Marker { id: [0xa5; 16], sequence: 7_000_000_000, suspect };
            marker.write(&path).unwrap();
            assert_eq!(Marker::read(&path), Some(marker));
        }
        for rubbish in ["", "leasehold store marker 2\nid x\nturn 1\n", "\0\0\0\0"] {
            fs::write(&path, rubbish).unwrap();
            assert_eq!(Marker::read(&path), None, "{rubbish:?}");
        }
    }

    #[test]
    fn only_a_store_that_holds_what_the_marker_knows_is_sound() {
        let marker = Some(Marker { id: [1; 16], sequence: 10, suspect: None });
        assert_eq!(judge(false, None, [1; 16], 0), Trust::New);
        assert_eq!(judge(true, marker, [1; 16], 10), Trust::Sound);
        let suspicions = [
            (judge(false, marker, [2; 16], 0), Suspicion::StoreMissing),
            (judge(true, None, [1; 16], 10), Suspicion::MarkerMissing),
            (judge(true, marker, [2; 16], 10), Suspicion::OtherStore),
            (judge(true, marker, [1; 16], 9), Suspicion::Older { found: 9, known: 10 }),
        ];
        for (trust, suspicion) in suspicions {
            assert_eq!(trust, Trust::Suspect(suspicion));
        }
    }

    #[test]
    fn one_process_has_the_lock() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let held = Lock::take(&path).unwrap();
        assert!(matches!(Lock::take(&path), Err(LockError::Held(_))));
        drop(held);
        Lock::take(&path).unwrap();
    }
}
