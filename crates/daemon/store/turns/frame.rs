//! A turn, or a part of one, as it stands in a segment; and how a segment is read after any end.
//!
//! ```text
//! frame = length:4  crc:4  sequence:8  durable:8  flags:1  records
//! ```
//!
//! Numbers are little-endian; flags are 1 (the turn goes on in the next frame) and 2 (it begins in
//! this one). `length` counts the records; the CRC covers the segment's salt and all behind it.
//! `durable` is the newest turn that was on disk when the frame was made.

use super::Found;

/// One frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store) struct Frame<'a> {
    /// The turn.
    pub sequence: u64,
    /// The newest turn that was durable before.
    pub durable: u64,
    /// Whether the turn begins here.
    pub first: bool,
    /// Whether the next frame belongs to the same turn.
    pub more: bool,
    /// The engine's records.
    pub records: &'a [u8],
}

const HEAD: usize = 25;
const MORE: u8 = 1;
const FIRST: u8 = 2;

impl<'a> Frame<'a> {
    /// Octets that it takes in a segment.
    pub(super) fn length(&self) -> usize {
        HEAD + self.records.len()
    }

    pub(super) fn write(&self, salt: u32, out: &mut Vec<u8>) {
        let flags = if self.more { MORE } else { 0 } | if self.first { FIRST } else { 0 };
        let start = out.len();
        out.extend_from_slice(&(self.records.len() as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&self.sequence.to_le_bytes());
        out.extend_from_slice(&self.durable.to_le_bytes());
        out.push(flags);
        out.extend_from_slice(self.records);
        let crc = seal(salt, &out[start + 8..]);
        out[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    /// The frame that bytes begin with, its seal, which is not checked, and what that covers.
    fn split(bytes: &'a [u8]) -> Option<(Self, u32, &'a [u8])> {
        let (length, rest) = bytes.split_first_chunk()?;
        let (crc, rest) = rest.split_first_chunk()?;
        let sealed = rest.get(..HEAD - 8 + u32::from_le_bytes(*length) as usize)?;
        let (sequence, body) = sealed.split_first_chunk()?;
        let (durable, body) = body.split_first_chunk()?;
        let (&flags, records) = body.split_first()?;
        let (sequence, durable) = (u64::from_le_bytes(*sequence), u64::from_le_bytes(*durable));
        let (first, more) = (flags & FIRST != 0, flags & MORE != 0);
        // Spares most of the checksums where bytes are looked through one by one.
        let plausible = flags <= FIRST | MORE && durable < sequence;
        let frame = Self { sequence, durable, first, more, records };
        plausible.then_some((frame, u32::from_le_bytes(*crc), sealed))
    }
}

fn seal(salt: u32, bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new_with_initial(salt);
    crc.update(bytes);
    crc.finalize()
}

/// Frames that were read or written by this process: their seals are not looked at again.
pub(in crate::store) fn frames(mut bytes: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    core::iter::from_fn(move || {
        let (frame, ..) = Frame::split(bytes)?;
        bytes = &bytes[frame.length()..];
        Some(frame)
    })
}

/// Adds the frames of a segment to what was found in those before.
pub(super) fn read(salt: u32, segment: &[u8], found: &mut Found) {
    let mut at = 0;
    while let Some((start, frame)) = whole(salt, segment, at).next() {
        if start != at && !knows_newer(salt, segment, start, found.newest) {
            return;
        }
        // Octets that are no frame, or a turn that was durable before and is not there.
        let damaged = start != at || frame.durable > found.newest;
        at = start + frame.length();
        if frame.sequence <= found.newest {
            continue;
        }
        found.damaged += u64::from(damaged);
        if frame.first && !damaged {
            // A turn whose end was never written, from an earlier start.
            found.frames.truncate(found.ended);
        }
        found.frames.extend_from_slice(&segment[start..at]);
        if !frame.more {
            found.newest = frame.sequence;
            found.ended = found.frames.len();
        }
    }
}

/// Whether a frame behind a place was made when a turn newer than `newest` was durable.
fn knows_newer(salt: u32, segment: &[u8], from: usize, newest: u64) -> bool {
    whole(salt, segment, from).any(|(_, frame)| frame.durable > newest)
}

/// The whole frames at or behind a place, with their places.
fn whole(salt: u32, segment: &[u8], from: usize) -> impl Iterator<Item = (usize, Frame<'_>)> {
    let mut next = from;
    core::iter::from_fn(move || {
        let found = (next..segment.len().saturating_sub(HEAD - 1)).find_map(|at| {
            let (frame, crc, sealed) = Frame::split(&segment[at..])?;
            (seal(salt, sealed) == crc).then_some((at, frame))
        });
        let (at, frame) = found?;
        next = at + frame.length();
        Some((at, frame))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SALT: u32 = 0x5eed_5a17;

    fn frame(sequence: u64, durable: u64, records: &[u8]) -> Frame<'_> {
        Frame { sequence, durable, first: true, more: false, records }
    }

    /// A segment's frames, one turn each, in groups that became durable together.
    fn segment(groups: &[usize]) -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        let (mut sequence, mut durable) = (0, 0);
        for group in groups {
            for _ in 0..*group {
                sequence += 1;
                let records = vec![sequence as u8; 1 + sequence as usize * 7 % 90];
                frame(sequence, durable, &records).write(SALT, &mut bytes);
                ends.push(bytes.len());
            }
            durable = sequence;
        }
        (bytes, ends)
    }

    fn read_all(bytes: &[u8]) -> (u64, u64, Vec<u64>) {
        let mut found = Found::default();
        read(SALT, bytes, &mut found);
        let turns = frames(&found.frames).map(|frame| frame.sequence).collect();
        (found.newest, found.damaged, turns)
    }

    proptest! {
        #[test]
        fn a_torn_end_is_no_damage(
            groups in prop::collection::vec(1usize..5, 1..12),
            cut in any::<prop::sample::Index>(),
            old in any::<bool>(),
        ) {
            let (mut bytes, ends) = segment(&groups);
            let last = ends.len() - groups[groups.len() - 1];
            let from = last.checked_sub(1).map_or(0, |at| ends[at]);
            // Any octet of the last group, which was never promised.
            let cut = from + cut.index(bytes.len() - from);
            // Zeros behind it, or the frames of an earlier use of the segment.
            bytes[cut..].fill(0);
            if old {
                frame(9999, 9998, b"old").write(!SALT, &mut bytes);
            }
            let whole = ends.iter().filter(|end| **end <= cut).count() as u64;
            prop_assert_eq!(read_all(&bytes), (whole, 0, (1..=whole).collect::<Vec<_>>()));
        }

        #[test]
        fn damage_is_told_and_the_rest_is_read(
            groups in prop::collection::vec(1usize..5, 2..12),
            at in any::<prop::sample::Index>(),
        ) {
            let (mut bytes, ends) = segment(&groups);
            let promised = ends.len() - groups[groups.len() - 1];
            let at = at.index(ends[promised - 1]);
            bytes[at] ^= 0x10;
            let broken = ends.iter().filter(|end| **end <= at).count() as u64 + 1;
            let (newest, damaged, turns) = read_all(&bytes);
            prop_assert_eq!(damaged, 1);
            let all = 1..=ends.len() as u64;
            prop_assert_eq!(newest, *all.end());
            prop_assert_eq!(turns, all.filter(|turn| *turn != broken).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_turn_that_has_no_end_is_none() {
        let part = |first, more| Frame { first, more, ..frame(7, 6, b"records") };
        let mut earlier = Vec::new();
        part(true, true).write(SALT, &mut earlier);
        let mut found = Found { newest: 6, ..Found::default() };
        read(SALT, &earlier, &mut found);
        assert_eq!((found.newest, found.ended), (6, 0));
        // The next start gave its number to another turn, in another segment.
        let mut later = Vec::new();
        part(true, true).write(!SALT, &mut later);
        part(false, false).write(!SALT, &mut later);
        read(!SALT, &later, &mut found);
        assert_eq!((found.newest, found.damaged), (7, 0));
        assert_eq!(found.frames, later);
    }
}
