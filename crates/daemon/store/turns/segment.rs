//! One file of the log: written full of zeros before it is used, so that a commit changes nothing
//! of the file but its content. It is written past the page cache where the file system can: the
//! same sync takes a fifth of the time and half of the processor then, as the inode with the time
//! of the change is not part of it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, IoSlice, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::io::ReadWriteFlags;

use super::{SEGMENT_BYTES, sync_directory};
use crate::store::database::{Fault, StoreId};
use crate::store::place::{self, Identity, Standing};

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
    /// The same file, past the page cache.
    direct: Option<File>,
    place: Identity,
}

/// What direct writes are aligned to: every disk's sectors and every file system's blocks.
pub(super) const BLOCK: usize = 4096;

/// Whole blocks on their way to the disk, in memory that is aligned as they are.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    memory: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Blocks {
    pub(super) fn append(&mut self, bytes: &[u8]) {
        let length = self.end - self.begin + bytes.len();
        if self.begin + length.next_multiple_of(BLOCK) > self.memory.len() {
            let mut memory = vec![0; 2 * length.next_multiple_of(BLOCK) + BLOCK];
            // Where no place is aligned a direct write fails, and another one follows.
            let begin = Some(memory.as_ptr().align_offset(BLOCK)).filter(|it| *it < BLOCK);
            let begin = begin.unwrap_or(0);
            let kept = &self.memory[self.begin..self.end];
            memory[begin..begin + kept.len()].copy_from_slice(kept);
            (self.end, self.begin) = (begin + kept.len(), begin);
            self.memory = memory;
        }
        self.memory[self.end..self.end + bytes.len()].copy_from_slice(bytes);
        self.end += bytes.len();
    }

    /// All of them, the last one filled up with zeros.
    pub(super) fn whole(&mut self) -> &[u8] {
        let end = self.begin + (self.end - self.begin).next_multiple_of(BLOCK);
        self.memory[self.end..end].fill(0);
        &self.memory[self.begin..end]
    }

    /// Keeps the beginning of the last block, which is written once more with what follows.
    pub(super) fn keep_last(&mut self, octets: usize) {
        self.memory.copy_within(self.end - octets..self.end, self.begin);
        self.end = self.begin + octets;
    }
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
        let mut direct = OpenOptions::new();
        direct.write(true).custom_flags(libc::O_DIRECT);
        // Not every file system has it.
        let direct = direct.open(&path).ok();
        let meta = file.metadata()?;
        Ok(Self { path, file, direct, place: place::identity(&meta) })
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
    pub(super) fn write(&mut self, at: usize, blocks: &[u8]) -> io::Result<()> {
        if let Some(direct) = &self.direct {
            match write(direct, at, blocks) {
                Err(error) if error.kind() == io::ErrorKind::InvalidInput => self.direct = None,
                written => return written,
            }
        }
        write(&self.file, at, blocks)
    }

    /// Whether its name still leads to it.
    pub(super) fn is_in_place(&self) -> bool {
        place::standing(&self.path, self.place) == Standing::There
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

fn write(file: &File, mut at: usize, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let slice = [IoSlice::new(bytes)];
        match rustix::io::pwritev2(file, &slice, at as u64, ReadWriteFlags::DSYNC) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_what_was_appended_and_zeros() {
        let mut blocks = Blocks::default();
        let mut all = Vec::new();
        for round in 1..200_usize {
            let bytes = vec![round as u8; round * 97 % 9_000];
            blocks.append(&bytes);
            let first = all.len() / BLOCK * BLOCK;
            all.extend_from_slice(&bytes);
            let whole = blocks.whole();
            assert_eq!(whole.as_ptr().align_offset(BLOCK), 0);
            assert_eq!(whole.len() % BLOCK, 0);
            let (written, rest) = whole.split_at(all.len() - first);
            assert_eq!(written, &all[first..]);
            assert!(rest.len() < BLOCK && rest.iter().all(|octet| *octet == 0));
            blocks.keep_last(all.len() % BLOCK);
        }
    }
}
