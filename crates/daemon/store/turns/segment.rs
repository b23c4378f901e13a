//! One file of the log: written full of zeros before it is used, so that a commit changes nothing
//! of the file but its content.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::io::ReadWriteFlags;

use super::{SEGMENT_BYTES, sync_directory};
use crate::store::database::{Fault, StoreId};

/// What a segment begins with once it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// The store that it belongs to.
    pub id: StoreId,
    /// Segments are read in this order.
    pub number: u64,
    /// Goes into the seal of each frame of this use.
    pub salt: u32,
}

const MAGIC: [u8; 8] = *b"LHturns1";

impl Header {
    pub(super) const LENGTH: usize = 40;

    /// A header for another use of a segment.
    pub(super) fn new(id: StoreId, number: u64) -> Result<Self, Fault> {
        let mut salt = [0; 4];
        let filled = rustix::rand::getrandom(&mut salt, rustix::rand::GetRandomFlags::empty());
        filled.map_err(|error| Fault::Io("draw a random salt", error.into()))?;
        Ok(Self { id, number, salt: u32::from_le_bytes(salt) })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&self.id);
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.salt.to_le_bytes());
        let crc = crc32fast::hash(&out[start..]);
        out.extend_from_slice(&crc.to_le_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (sealed, crc) = bytes.split_last_chunk()?;
        let rest = sealed.strip_prefix(&MAGIC)?;
        let (id, rest) = rest.split_first_chunk()?;
        let (number, salt) = rest.split_first_chunk()?;
        let whole = crc32fast::hash(sealed).to_le_bytes() == *crc;
        let (number, salt) =
            (u64::from_le_bytes(*number), u32::from_le_bytes(salt.try_into().ok()?));
        whole.then_some(Self { id: *id, number, salt })
    }
}

/// A file of the log.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    place: (u64, u64),
}

/// What is in a file of the log.
pub(super) enum Content {
    /// A header, and what follows it.
    Used(Header, Vec<u8>),
    /// Zeros.
    Unused,
    /// Something that no version wrote.
    Broken,
}

const SUFFIX: &str = "turns";

/// All files of a log, in no order.
pub(super) fn all(directory: &Path) -> Result<Vec<Segment>, Fault> {
    let listed = fs::read_dir(directory).and_then(|entries| {
        let paths = entries.map(|entry| entry.map(|entry| entry.path()));
        let ours = |path: &PathBuf| path.extension().is_some_and(|suffix| suffix == SUFFIX);
        let paths = paths.filter(|path| path.as_ref().map_or(true, ours));
        paths.map(|path| path.and_then(Segment::open)).collect()
    });
    listed.map_err(|error| Fault::Io("open the turns' log", error))
}

impl Segment {
    fn open(path: PathBuf) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).write(true).open(&path)?;
        let meta = file.metadata()?;
        Ok(Self { path, file, place: (meta.dev(), meta.ino()) })
    }

    /// Makes a new one: every block of it is on disk when this returns.
    pub(super) fn lay_out(directory: &Path) -> io::Result<Self> {
        let free = |number: &u32| !directory.join(format!("{number}.{SUFFIX}")).exists();
        let number = (0..).find(free).ok_or(io::ErrorKind::AlreadyExists)?;
        // Under another name until it is whole.
        let beside = directory.join(format!("{number}.new"));
        let mut file = File::create(&beside)?;
        file.write_all(&vec![0; SEGMENT_BYTES])?;
        file.sync_all()?;
        let path = directory.join(format!("{number}.{SUFFIX}"));
        fs::rename(&beside, &path)?;
        sync_directory(directory)?;
        Self::open(path)
    }

    pub(super) fn read(&self) -> Result<Content, Fault> {
        let mut bytes = Vec::with_capacity(SEGMENT_BYTES);
        let read = (&self.file).read_to_end(&mut bytes);
        read.map_err(|error| Fault::Io("read the turns' log", error))?;
        // The header is written with the first frame, in one sector: it is never half there.
        let head = bytes.get(..Header::LENGTH).unwrap_or_default();
        Ok(match Header::read(head) {
            Some(header) => Content::Used(header, bytes.split_off(Header::LENGTH)),
            None if bytes.len() >= SEGMENT_BYTES && bytes.iter().all(|octet| *octet == 0) => {
                Content::Unused
            }
            None => Content::Broken,
        })
    }

    /// Whether something has cut it: a segment is laid out whole.
    pub(super) fn is_cut(&self) -> bool {
        self.file.metadata().is_ok_and(|meta| meta.len() < SEGMENT_BYTES as u64)
    }

    /// Writes and syncs in one call.
    pub(super) fn write(&self, mut at: usize, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let slice = [IoSlice::new(bytes)];
            let wrote = rustix::io::pwritev2(&self.file, &slice, at as u64, ReadWriteFlags::DSYNC);
            match wrote {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    bytes = &bytes[count..];
                    at += count;
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Whether its name still leads to it.
    pub(super) fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.place)
    }

    /// Moves it out of the log's way, for whoever wants to look at it.
    pub(super) fn set_aside(self, suffix: &str, why: &str) -> Result<(), Fault> {
        let aside = self.path.with_extension(suffix);
        let (path, kept) = (self.path.display(), aside.display());
        tracing::error!("store: {path} {why}: it is kept as {kept}");
        fs::rename(&self.path, &aside).map_err(|error| Fault::Io("set a log aside", error))
    }

    /// Removes it; one that stays is used again by the next start.
    pub(super) fn remove(self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!("store: cannot remove {}: {error}", self.path.display());
        }
    }
}
