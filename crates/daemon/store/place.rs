//! Whether a file that is open is still the one that its name leads to.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fs::{AtFlags, CWD, StatxFlags, makedev, statx};
use rustix::io::Errno;

/// An open file's name and identity, shared by those who care.
#[derive(Clone, Debug)]
pub(super) struct Place(Arc<Mutex<(PathBuf, Identity)>>);

/// Device and inode.
pub(super) type Identity = (u64, u64);

/// What its name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The file that is open.
    There,
    /// Nothing.
    Gone,
    /// Another file.
    Other,
}

impl Place {
    pub(super) fn of(path: &Path, file: &File) -> io::Result<Self> {
        let identity = identity(&file.metadata()?);
        Ok(Self(Arc::new(Mutex::new((path.to_owned(), identity)))))
    }

    pub(super) fn standing(&self) -> Standing {
        let held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        standing(&held.0, held.1)
    }

    /// Puts another file in its place while nobody looks.
    pub(super) fn exchange(&self, exchange: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        exchange()?;
        held.1 = identity(&fs::metadata(&held.0)?);
        Ok(())
    }
}

/// What a path leads to, where this file was.
///
/// Nothing is asked for but the inode's number: whoever asks for a file's times makes the kernel
/// keep finer ones, and the inode is written anew with every commit.
pub(super) fn standing(path: &Path, known: Identity) -> Standing {
    match statx(CWD, path, AtFlags::empty(), StatxFlags::INO) {
        Ok(found)
            if (makedev(found.stx_dev_major, found.stx_dev_minor), found.stx_ino) == known =>
        {
            Standing::There
        }
        Ok(_) => Standing::Other,
        Err(Errno::NOENT) => Standing::Gone,
        // It may be there, as without permission to look; whoever uses it will hear more.
        Err(_) => Standing::There,
    }
}

pub(super) fn identity(meta: &fs::Metadata) -> Identity {
    (meta.dev(), meta.ino())
}
