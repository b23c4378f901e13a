//! Files for scripts: one directory of the state directory, and no way out of it.
//!
//! **Invariant:** a file is opened by a name without directories, and never through a link.

use core::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::menus::FileName;

/// The files.
#[derive(Clone, Debug)]
pub struct Files {
    directory: PathBuf,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the directory.
    pub number: u64,
    /// Its name.
    pub name: FileName,
    /// Octets.
    pub size: u64,
    /// Seconds since the epoch.
    pub written: u64,
}

/// Why a file was not read or written.
#[derive(Debug)]
pub enum FilesError {
    /// There is none of that name.
    NoSuchFile(String),
    /// It holds more than a file may, or all files together would.
    TooLarge,
    /// It is no text.
    NoText(String),
    /// What the disk said.
    Io(String, io::Error),
}

impl fmt::Display for FilesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchFile(name) => write!(f, "no such file {name}"),
            Self::TooLarge => write!(
                f,
                "not enough room for files: one may have {} MiB, all together {} MiB; remove some",
                FILE_MAX >> 20,
                ALL_MAX >> 20
            ),
            Self::NoText(name) => write!(f, "{name} is no text"),
            Self::Io(name, error) => write!(f, "{name}: {error}"),
        }
    }
}

impl std::error::Error for FilesError {}

/// Octets of one file.
const FILE_MAX: u64 = 4 << 20;
/// Octets of all files.
const ALL_MAX: u64 = 16 << 20;

impl Files {
    /// Those of a state directory; the directory is made when the first file is.
    #[must_use]
    pub fn of(state: &Path) -> Self {
        Self { directory: state.join("files") }
    }

    /// All files, by name.
    #[must_use]
    pub fn list(&self) -> Vec<Entry> {
        let Ok(found) = fs::read_dir(&self.directory) else { return Vec::new() };
        let mut entries: Vec<Entry> = found.flatten().filter_map(|found| entry(&found)).collect();
        entries.sort_by(|one, other| one.name.0.cmp(&other.name.0));
        entries
    }

    /// What a file says.
    ///
    /// # Errors
    ///
    /// There is no such file, or it is no text.
    pub fn read(&self, name: &FileName) -> Result<String, FilesError> {
        let mut octets = Vec::new();
        let mut file = self.open(name)?.take(FILE_MAX + 1);
        file.read_to_end(&mut octets).map_err(|error| FilesError::Io(name.0.clone(), error))?;
        if octets.len() as u64 > FILE_MAX {
            return Err(FilesError::TooLarge);
        }
        String::from_utf8(octets).map_err(|_| FilesError::NoText(name.0.clone()))
    }

    /// Makes a file, or replaces it: after a crash it is the old one or the new one.
    ///
    /// # Errors
    ///
    /// There is no room, or the disk refuses.
    pub fn write(&self, name: &FileName, text: &str) -> Result<(), FilesError> {
        let others = self.list().into_iter().filter(|entry| entry.name != *name);
        let taken: u64 = others.map(|entry| entry.size).sum();
        if text.len() as u64 > FILE_MAX || taken + text.len() as u64 > ALL_MAX {
            return Err(FilesError::TooLarge);
        }
        let draft = self.directory.join(format!(".{}.new", name.0));
        let written = self.put(&draft, text);
        let written = written.and_then(|()| fs::rename(&draft, self.directory.join(&name.0)));
        if written.is_err() {
            // What is half written is of no use to anybody.
            let _ = fs::remove_file(&draft);
        }
        written.map_err(|error| FilesError::Io(name.0.clone(), error))
    }

    /// Removes a file.
    ///
    /// # Errors
    ///
    /// There is no such file.
    pub fn remove(&self, name: &FileName) -> Result<(), FilesError> {
        fs::remove_file(self.directory.join(&name.0)).map_err(|error| refused(name, error))
    }

    fn put(&self, draft: &Path, text: &str) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.directory)?;
        // One that a crash left behind.
        let _ = fs::remove_file(draft);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(draft)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    }

    fn open(&self, name: &FileName) -> Result<File, FilesError> {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let mut options = OpenOptions::new();
        let file = options.read(true).custom_flags(flags).open(self.directory.join(&name.0));
        let file = file.map_err(|error| refused(name, error))?;
        let is_file = file.metadata().is_ok_and(|metadata| metadata.is_file());
        if is_file { Ok(file) } else { Err(FilesError::NoSuchFile(name.0.clone())) }
    }
}

fn refused(name: &FileName, error: io::Error) -> FilesError {
    let link = error.raw_os_error() == Some(libc::ELOOP);
    match error.kind() {
        io::ErrorKind::NotFound => FilesError::NoSuchFile(name.0.clone()),
        _ if link => FilesError::NoSuchFile(name.0.clone()),
        _ => FilesError::Io(name.0.clone(), error),
    }
}

/// What is listed: files with legal names, no links and no drafts.
fn entry(found: &fs::DirEntry) -> Option<Entry> {
    use leasehold_routeros::Value;
    let metadata = fs::symlink_metadata(found.path()).ok().filter(fs::Metadata::is_file)?;
    let name = FileName::parse(found.file_name().to_str()?).ok()?;
    let written = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
    let written = written.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Some(Entry { number: metadata.ino(), name, size: metadata.len(), written })
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_routeros::Value;

    fn name(text: &str) -> FileName {
        FileName::parse(text).unwrap()
    }

    #[test]
    fn files_are_made_replaced_listed_and_removed() {
        let state = tempfile::tempdir().unwrap();
        let files = Files::of(state.path());
        assert!(files.list().is_empty());
        files.write(&name("b.rsc"), "one").unwrap();
        files.write(&name("a.rsc"), "two").unwrap();
        files.write(&name("b.rsc"), "three").unwrap();
        let listed: Vec<_> =
            files.list().into_iter().map(|file| (file.name.0, file.size)).collect();
        assert_eq!(listed, [("a.rsc".to_owned(), 3), ("b.rsc".to_owned(), 5)]);
        assert_eq!(files.read(&name("b.rsc")).unwrap(), "three");
        files.remove(&name("b.rsc")).unwrap();
        assert!(matches!(files.read(&name("b.rsc")), Err(FilesError::NoSuchFile(_))));
        assert!(matches!(files.remove(&name("b.rsc")), Err(FilesError::NoSuchFile(_))));
    }

    #[test]
    fn no_name_leads_out() {
        for text in ["", ".", "..", "../x", "/etc/passwd", "a/b", "a\0b", ".hidden", "a\\b", "a\nb"]
        {
            assert!(FileName::parse(text).is_err(), "{text:?}");
        }
        assert!(FileName::parse(&"x".repeat(201)).is_err());
    }

    #[test]
    fn links_are_neither_listed_nor_followed_and_a_write_replaces_them() {
        let state = tempfile::tempdir().unwrap();
        let outside = state.path().join("secret");
        fs::write(&outside, "secret").unwrap();
        let files = Files::of(state.path());
        files.write(&name("a"), "").unwrap();
        std::os::unix::fs::symlink(&outside, files.directory.join("link")).unwrap();
        assert_eq!(files.list().len(), 1);
        assert!(matches!(files.read(&name("link")), Err(FilesError::NoSuchFile(_))));
        files.write(&name("link"), "ours").unwrap();
        assert_eq!(fs::read_to_string(&outside).unwrap(), "secret");
        assert_eq!(files.read(&name("link")).unwrap(), "ours");
    }

    #[test]
    fn there_is_so_much_room_and_no_more() {
        let state = tempfile::tempdir().unwrap();
        let files = Files::of(state.path());
        let large = "x".repeat(FILE_MAX as usize);
        for number in 0..ALL_MAX / FILE_MAX {
            files.write(&name(&number.to_string()), &large).unwrap();
        }
        assert!(matches!(files.write(&name("more"), "x"), Err(FilesError::TooLarge)));
        files.write(&name("0"), &large).unwrap();
        let larger = format!("{large}x");
        assert!(matches!(files.write(&name("0"), &larger), Err(FilesError::TooLarge)));
    }
}
