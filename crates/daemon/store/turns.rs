//! The newest turns on disk: a log in segments that are laid out before and used again and again.
//!
//! A commit is one write into blocks that the file has already, synced by the same call: nothing
//! else of the file system is in its way. Folded segments are written over, so every segment has a
//! salt that its frames are sealed with; what an earlier use has left there is never taken for
//! a frame.
//!
//! **Invariant:** a broken frame that a later one knows to have been durable is damage, and is
//! told; any other is the torn end of what was never promised, and nothing behind it counts.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use leasehold_dhcp::record::Records;

use super::database::{Fault, StoreId};

mod frame;
mod segment;

pub(super) use frame::{Frame, frames};
use segment::{BLOCK, Blocks, Content, Header, Segment};

/// Octets of one segment: some 10,000 bound leases or 50,000 renewals.
const SEGMENT_BYTES: usize = 1 << 20;
/// Octets of records in one frame; a longer turn has several.
const FRAME_BYTES: usize = 256 << 10;
/// Folded segments that stay for the next use; more are removed.
const SPARE: usize = 2;

/// The log that is being written.
#[derive(Debug)]
pub(super) struct Turns {
    directory: PathBuf,
    id: StoreId,
    /// Counts up with each use of a segment.
    number: u64,
    current: Option<Current>,
    /// Written to the end; may be used again once everything up to the turn is folded.
    full: VecDeque<(u64, Segment)>,
    spare: Vec<Segment>,
    /// Frames that are not on disk yet.
    unwritten: Vec<u8>,
    /// The last block of the current segment, which is not full yet.
    blocks: Blocks,
    #[cfg(test)]
    faults: super::tests::Faults,
}

/// The segment that is being written.
#[derive(Debug)]
struct Current {
    segment: Segment,
    salt: u32,
    /// Where the next write goes.
    at: usize,
    /// The newest turn in it.
    newest: u64,
}

/// What the log held when it was opened.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Frames of turns that are not folded, as [`frames`] reads them.
    pub frames: Vec<u8>,
    /// How much of them are whole turns.
    ended: usize,
    /// The newest of the turns, folded or not; zero if there is none.
    pub newest: u64,
    /// Pieces that were durable once and are broken.
    pub damaged: u64,
    /// There was no log at all.
    pub is_missing: bool,
}

impl Found {
    fn after(folded: u64) -> Self {
        Self { newest: folded, ..Self::default() }
    }
}

impl Turns {
    /// Opens the log of this store, or lays it out, and gives back what follows turn `folded`.
    pub(super) fn open(
        directory: &Path,
        id: StoreId,
        folded: u64,
        settings: &super::Settings,
    ) -> Result<(Self, Found), Fault> {
        let existed = directory.exists();
        fs::create_dir_all(directory).map_err(|error| Fault::Io("make the turns' log", error))?;
        let mut turns = Self {
            directory: directory.to_owned(),
            id,
            number: 0,
            current: None,
            full: VecDeque::new(),
            spare: Vec::new(),
            unwritten: Vec::new(),
            blocks: Blocks::default(),
            #[cfg(test)]
            faults: settings.faults.clone(),
        };
        #[cfg(not(test))]
        let _ = settings;
        let mut used = Vec::new();
        let mut found = Found::after(folded);
        let segments = segment::all(directory)?;
        found.is_missing = segments.is_empty();
        for segment in segments {
            match segment.read()? {
                Content::Used(header, bytes) if header.id == id => {
                    found.damaged += u64::from(segment.is_cut());
                    used.push((header, bytes, segment));
                }
                Content::Used(..) => segment.set_aside("foreign", "belongs to another store")?,
                Content::Broken => {
                    found.damaged += 1;
                    segment.set_aside("broken", "does not begin as it should")?;
                }
                Content::Unused => turns.spare.push(segment),
            }
        }
        used.sort_by_key(|(header, ..)| header.number);
        for (header, bytes, segment) in used {
            turns.number = header.number;
            frame::read(header.salt, &bytes, &mut found);
            turns.full.push_back((found.newest, segment));
        }
        found.frames.truncate(found.ended);
        turns.recycle(folded);
        while turns.spare.len() < SPARE {
            let spare = turns.lay_out()?;
            turns.spare.push(spare);
        }
        if !existed {
            let parent = directory.parent().unwrap_or(Path::new("/"));
            sync_directory(parent).map_err(|e| Fault::Io("sync the state directory", e))?;
        }
        Ok((turns, found))
    }

    /// What a log that nobody writes holds, of one store or of any; nothing of it is changed.
    pub(super) fn peek(directory: &Path, id: Option<StoreId>, folded: u64) -> Result<Found, Fault> {
        let mut used = Vec::new();
        let mut found = Found::after(folded);
        let segments = if directory.exists() { segment::all(directory)? } else { Vec::new() };
        found.is_missing = segments.is_empty();
        for segment in segments {
            match segment.read()? {
                Content::Used(header, bytes) if id.is_none_or(|id| header.id == id) => {
                    found.damaged += u64::from(segment.is_cut());
                    used.push((header, bytes));
                }
                Content::Broken => found.damaged += 1,
                Content::Used(..) | Content::Unused => {}
            }
        }
        used.sort_by_key(|(header, _)| header.number);
        used.into_iter().for_each(|(header, bytes)| frame::read(header.salt, &bytes, &mut found));
        found.frames.truncate(found.ended);
        Ok(found)
    }

    /// Adds a turn to what [`Turns::commit`] writes; `durable` is the newest turn that is on disk.
    pub(super) fn append(
        &mut self,
        sequence: u64,
        durable: u64,
        records: &Records,
        written: &mut Vec<u8>,
    ) -> Result<(), Fault> {
        let mut runs = records.runs(FRAME_BYTES).peekable();
        let mut first = true;
        while let Some(run) = runs.next() {
            let more = runs.peek().is_some();
            let frame = Frame { sequence, durable, first, more, records: run };
            first = false;
            let length = frame.length();
            let salt = self.room(length, written)?;
            frame.write(salt, &mut self.unwritten);
            if let Some(current) = &mut self.current {
                current.newest = sequence;
            }
        }
        Ok(())
    }

    /// Makes everything appended durable, and adds its frames to `written`.
    pub(super) fn commit(&mut self, written: &mut Vec<u8>) -> Result<(), Fault> {
        #[cfg(test)]
        self.faults.error()?;
        let Some(current) = self.current.as_mut().filter(|_| !self.unwritten.is_empty()) else {
            return Ok(());
        };
        self.blocks.append(&self.unwritten);
        let begin = current.at - current.at % BLOCK;
        let wrote = current.segment.write(begin, self.blocks.whole());
        wrote.map_err(|error| Fault::Io("write the turns' log", error))?;
        // The header of a segment that is begun stands in front of its first frame.
        let header = if current.at == 0 { Header::LENGTH } else { 0 };
        written.extend_from_slice(&self.unwritten[header..]);
        current.at += self.unwritten.len();
        self.blocks.keep_last(current.at % BLOCK);
        self.unwritten.clear();
        Ok(())
    }

    /// Everything up to a turn is folded: its segments may be used again.
    pub(super) fn recycle(&mut self, folded: u64) {
        while self.full.front().is_some_and(|(newest, _)| *newest <= folded) {
            let Some((_, segment)) = self.full.pop_front() else { break };
            if self.spare.len() < SPARE {
                self.spare.push(segment);
            } else {
                segment.remove();
            }
        }
    }

    /// Whether the file that is written next is still in its directory.
    pub(super) fn is_in_place(&self) -> bool {
        let next = self.current.as_ref().map(|current| &current.segment);
        next.or(self.spare.last()).is_none_or(Segment::is_in_place)
    }

    /// Sees to it that a frame fits into the current segment; gives the segment's salt.
    fn room(&mut self, length: usize, written: &mut Vec<u8>) -> Result<u32, Fault> {
        if let Some(current) = &self.current
            && current.at + self.unwritten.len() + length <= SEGMENT_BYTES
        {
            return Ok(current.salt);
        }
        self.commit(written)?;
        if let Some(Current { segment, newest, .. }) = self.current.take() {
            self.full.push_back((newest, segment));
        }
        self.blocks.keep_last(0);
        let segment = self.spare.pop().map_or_else(|| self.lay_out(), Ok)?;
        self.number += 1;
        let header = Header::new(self.id, self.number)?;
        header.write(&mut self.unwritten);
        self.current = Some(Current { segment, salt: header.salt, at: 0, newest: 0 });
        Ok(header.salt)
    }

    fn lay_out(&self) -> Result<Segment, Fault> {
        let made = Segment::lay_out(&self.directory);
        made.map_err(|error| Fault::Io("lay out the turns' log", error))
    }
}

fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}
