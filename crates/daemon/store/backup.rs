//! A copy of the store while it is in use, made when everything is folded.
//!
//! The thread that owns sled makes it, so nothing is written meanwhile: the copy is the store at
//! one moment; commits go on in the turns' log. It stands in the state directory, which is the only
//! place that a command over the socket may have written.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Paths;
use super::database::{Database, Fault};
use super::repair::{duplicate, removed};
use super::writer::has_room;

/// Copies the files of a store; gives back a state directory that holds the copy alone, in the
/// place of the last one.
pub(super) fn copy(database: &mut Database) -> Result<PathBuf, Fault> {
    database.sync()?;
    let store = database.path();
    let state = store.parent().unwrap_or(Path::new("/"));
    let (anew, place) = (state.join("backup.new"), state.join("backup"));
    let octets = fs::metadata(store.join("db")).map_err(|e| Fault::Io("copy the store", e))?.len();
    has_room(state, database.reserve().saturating_add(octets))?;
    let copy = || -> io::Result<()> {
        removed(&anew)?;
        fs::create_dir(&anew)?;
        duplicate(store, &Paths(anew.clone()).store())?;
        removed(&place)?;
        fs::rename(&anew, &place)
    };
    copy().map_err(|error| {
        // Half a copy only takes room.
        let _ = removed(&anew);
        Fault::Io("copy the store", error)
    })?;
    Ok(place)
}
