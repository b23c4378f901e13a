//! Compaction: everything is copied into a fresh store, in small steps, and then the two change
//! places. Turns go on being folded meanwhile.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::ops::Bound;
use std::path::{Path, PathBuf};

use super::Settings;
use super::database::{Database, Fault, TREES, Tree};

/// A copy under way.
#[derive(Debug)]
pub(super) struct Compaction {
    to: Database,
    /// The tree that is copied, and the last key of it that was.
    at: (usize, Vec<u8>),
}

/// Values that one step copies: some two milliseconds.
const STEP: usize = 64;
/// The copy is written once and read never.
const CACHE: u64 = 16 << 20;

/// Where the copy is made.
fn beside(path: &Path) -> PathBuf {
    path.with_extension("new")
}

/// Removes what a compaction that was cut short has left.
pub(super) fn clean(path: &Path) -> Result<(), Fault> {
    let left = beside(path);
    let removed = match fs::remove_dir_all(&left) {
        // Earlier versions wrote their marker there, and could be killed before they renamed it.
        Err(error) if error.kind() == ErrorKind::NotADirectory => fs::remove_file(&left),
        removed => removed,
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(Fault::Io("remove an unfinished compaction", error))
        }
        _ => Ok(()),
    }
}

impl Compaction {
    pub(super) fn begin(from: &Database, settings: &Settings) -> Result<Self, Fault> {
        clean(from.path())?;
        let settings = Settings { cache_bytes: CACHE, ..settings.clone() };
        let to = Database::open(&beside(from.path()), &settings)?;
        from.note_changes(true);
        Ok(Self { to, at: (0, Vec::new()) })
    }

    /// Copies some more; says whether that was all.
    pub(super) fn step(&mut self, from: &Database) -> Result<bool, Fault> {
        let (number, last) = &mut self.at;
        let Some(&tree) = TREES.get(*number) else { return Ok(true) };
        let start = if last.is_empty() { Bound::Unbounded } else { Bound::Excluded(&last[..]) };
        let mut copied = 0;
        let mut newest = None;
        for entry in from.tree(tree).range::<&[u8], _>((start, Bound::Unbounded)).take(STEP) {
            let (key, value) = entry?;
            self.to.put(tree, &key, &value)?;
            newest = Some(key);
            copied += 1;
        }
        match newest {
            Some(key) if copied == STEP => *last = key.to_vec(),
            _ => self.at = (*number + 1, Vec::new()),
        }
        Ok(false)
    }

    /// Copies what has changed behind the copy's back, and puts it in the place of the other.
    pub(super) fn finish(mut self, from: Database, settings: &Settings) -> Result<Database, Fault> {
        let changes: BTreeSet<(Tree, Vec<u8>)> = from.note_changes(false);
        for (tree, key) in changes {
            match from.tree(tree).get(&key)? {
                Some(value) => self.to.put(tree, &key, &value)?,
                None => self.to.remove(tree, &key)?,
            }
        }
        self.to.become_like(&from)?;
        self.to.sync()?;
        let (path, place) = (from.path().to_owned(), from.place().clone());
        // Both are closed first: sled writes into its directory by name.
        drop(self.to);
        drop(from);
        let exchanged = place.exchange(|| exchange(&beside(&path), &path));
        exchanged.map_err(|error| Fault::Io("put the compacted store in its place", error))?;
        let database = Database::open_at(&path, settings, place)?;
        clean(&path)?;
        Ok(database)
    }
}

/// Two directories change their names in one step.
fn exchange(one: &Path, other: &Path) -> std::io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE)?;
    fs::File::open(other.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::super::marker::Marker;
    use super::*;

    fn all(database: &Database) -> Vec<(Tree, Vec<u8>, Vec<u8>)> {
        let of = |tree| {
            let entries = database.tree(tree).iter().map(Result::unwrap);
            entries.map(move |(key, value)| (tree, key.to_vec(), value.to_vec()))
        };
        TREES.into_iter().flat_map(of).collect()
    }

    #[test]
    fn whatever_a_kill_has_left_in_the_copys_place_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("leases.sled");
        clean(&path).unwrap();
        fs::create_dir_all(beside(&path).join("blobs")).unwrap();
        clean(&path).unwrap();
        assert!(!beside(&path).exists());
        fs::write(beside(&path), "leasehold store marker 1").unwrap();
        clean(&path).unwrap();
        assert!(!beside(&path).exists());
        let marker = Marker { id: [7; 16], sequence: 1, suspect: None };
        fs::create_dir(beside(&path)).unwrap();
        marker.write(&directory.path().join("leases.marker")).unwrap();
        assert!(beside(&path).is_dir(), "the marker has a place of its own");
    }

    #[test]
    fn what_changes_meanwhile_is_in_the_copy_and_the_copy_takes_its_place() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let settings = Settings::default();
        let database = Database::open(&path, &settings).unwrap();
        let (id, place) = (database.id(), database.place().clone());
        let key = |number: u32| [b"\0", &number.to_be_bytes()[..]].concat();
        for round in 0..20u32 {
            for number in 0..1000 {
                database.put(Tree::Leases, &key(number), &[round as u8; 100]).unwrap();
            }
        }
        database.put(Tree::Tenures, b"tenure", b"ended").unwrap();
        database.set_folded(77, leasehold_dhcp::Wall(5)).unwrap();
        let mut compaction = Compaction::begin(&database, &settings).unwrap();
        assert!(!compaction.step(&database).unwrap());
        // Before the copy's place, behind it, and one that goes.
        database.put(Tree::Leases, &key(3), b"changed").unwrap();
        database.put(Tree::Leases, &key(900), b"changed").unwrap();
        database.remove(Tree::Leases, &key(5)).unwrap();
        database.put(Tree::Corrupt, b"corrupt", b"value").unwrap();
        while !compaction.step(&database).unwrap() {}
        database.set_folded(78, leasehold_dhcp::Wall(6)).unwrap();
        let (expected, live) = (all(&database), database.size().unwrap().1);
        let database = compaction.finish(database, &settings).unwrap();
        assert_eq!(all(&database), expected);
        assert_eq!((database.id(), database.folded().unwrap().0), (id, 78));
        assert_eq!(database.size().unwrap().1, live);
        assert_eq!(place.standing(), super::super::place::Standing::There);
        drop(database);
        assert!(!beside(&path).exists());
        assert_eq!(all(&Database::open(&path, &settings).unwrap()), expected);
    }
}
