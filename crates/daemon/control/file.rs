//! The configuration file on the disk: read, compared, replaced as a whole; and its last good copy.

use core::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

/// The configuration file, and what it said when it was read or written last.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    path: PathBuf,
    text: String,
}

/// Why the file was not written.
#[derive(Debug)]
pub enum FileError {
    /// Somebody has changed it since it was read; their changes are not overwritten.
    Edited(PathBuf),
    /// It cannot be written.
    Unwritable(PathBuf, io::Error),
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited(path) => write!(
                f,
                "{} was changed by hand and not applied yet: reload it first (SIGHUP, or \
                 `leasehold reload`)",
                path.display()
            ),
            Self::Unwritable(path, error) => write!(
                f,
                "cannot write {}: {error}; the configuration can only be changed in the file, by \
                 somebody who may write it",
                path.display()
            ),
        }
    }
}

impl std::error::Error for FileError {}

impl ConfigFile {
    /// A file that said `text` when it was read.
    #[must_use]
    pub fn new(path: PathBuf, text: String) -> Self {
        Self { path, text }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What it said when it was read or written last.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Replaces the file unless somebody else has changed it.
    pub(super) fn replace(&mut self, text: String) -> Result<(), FileError> {
        let unwritable = |error| FileError::Unwritable(self.path.clone(), error);
        let now = fs::read_to_string(&self.path).map_err(unwritable)?;
        if now != self.text {
            return Err(FileError::Edited(self.path.clone()));
        }
        write_whole(&self.path, &text).map_err(unwritable)?;
        self.text = text;
        Ok(())
    }
}

/// Writes a file so that after a crash it is the old one or the new one, whole. Owner and mode of
/// an existing file stay, but for what everybody may: it can hold secrets. A link stays a link.
pub(crate) fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new("."));
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let draft = directory.join(name);
    let written = write_draft(&draft, text, fs::metadata(&path).ok());
    let written = written.and_then(|()| fs::rename(&draft, &path));
    if written.is_err() {
        // What is half written is of no use to anybody.
        let _ = fs::remove_file(&draft);
    }
    written?;
    File::open(directory)?.sync_all()
}

fn write_draft(draft: &Path, text: &str, old: Option<fs::Metadata>) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o640).open(draft)?;
    if let Some(old) = old {
        file.set_permissions(fs::Permissions::from_mode(old.mode() & 0o7770))?;
        // Only root may give a file away; whoever else writes it owns it already or may not.
        let _ = fchown(&file, Some(old.uid()), Some(old.gid()));
    }
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(directory: &tempfile::TempDir, text: &str) -> ConfigFile {
        let path = directory.path().join("leasehold.toml");
        fs::write(&path, text).unwrap();
        ConfigFile::new(path, text.into())
    }

    #[test]
    fn a_hand_made_change_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = file(&directory, "a = 1\n");
        fs::write(file.path(), "a = 2\n").unwrap();
        let error = file.replace("a = 3\n".into()).unwrap_err();
        assert!(error.to_string().contains("changed by hand"), "{error}");
        assert_eq!(fs::read_to_string(file.path()).unwrap(), "a = 2\n");
    }

    #[test]
    fn links_and_the_mode_stay_but_for_everybody() {
        let directory = tempfile::tempdir().unwrap();
        let mut file = file(&directory, "a = 1\n");
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o664)).unwrap();
        let link = directory.path().join("link.toml");
        std::os::unix::fs::symlink(file.path(), &link).unwrap();
        let target = std::mem::replace(&mut file.path, link.clone());
        file.replace("a = 2\n".into()).unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&target).unwrap(), "a = 2\n");
        assert_eq!(fs::metadata(&target).unwrap().permissions().mode() & 0o777, 0o660);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 2, "no draft is left");
    }
}
