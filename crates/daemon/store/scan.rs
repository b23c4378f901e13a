//! Reads sled's log without sled: every whole message of a damaged store, wherever it stands.
//!
//! sled 0.34 gives a store up at the first page that it cannot read. Its log is segments of
//! messages that each have a checksum of their own, so what is around the damage can be read
//! still. Nothing here trusts a length, and nothing is written.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;

/// Octets of a segment; sled's default, which the store does not change.
const SEGMENT: usize = 512 << 10;
/// What a segment begins with: a checksum and two log numbers.
const SEGMENT_HEADER: usize = 20;
/// Longer messages are kept in files of their own.
const LONGEST: usize = SEGMENT / 4;

/// What a message holds, by sled's numbers.
mod kind {
    pub(super) const CAP: u8 = 2;
    pub(super) const NODE: u8 = 8;
    pub(super) const NODE_FILE: u8 = 9;
    pub(super) const LINK: u8 = 10;
    pub(super) const LINK_FILE: u8 = 11;
}

/// What was read, and what could not be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Scanned {
    /// Messages whose checksum holds.
    pub messages: u64,
    /// Stretches with content that belongs to no whole message: place and octets. A process that
    /// was killed leaves one behind its last message.
    pub broken: Vec<(u64, u64)>,
    /// Messages in front of which something of the same segment is missing. sled takes the first
    /// such place for the end of a log that was not closed, and drops what follows.
    pub gaps: u64,
}

/// Gives each key and value that the store's files hold to `found`, old ones included, and whether
/// the key is whole: a page that is lost takes the beginning of its keys with it.
pub(super) fn scan(store: &Path, mut found: impl FnMut(Entry<'_>)) -> io::Result<Scanned> {
    let mut pages = Pages::default();
    walk(store, |message| {
        if let Content::Node(node) = &message.content {
            pages.0.entry(message.page).or_default().insert(message.place, node.prefix.to_vec());
        }
    })?;
    walk(store, |message| match &message.content {
        Content::Node(node) => {
            for (key, value) in &node.entries {
                found(Entry { keys: vec![[node.prefix, key].concat()], value });
            }
        }
        Content::Set(key, value) => {
            let prefixes = pages.prefixes(message.page, message.place);
            found(Entry { keys: prefixes.map(|prefix| [prefix, key].concat()).collect(), value });
        }
        Content::Other => {}
    })
}

/// A value and what its key may be, the likeliest first.
pub(super) struct Entry<'a> {
    /// More than one, or none, if the page that begins the key is lost.
    pub keys: Vec<Vec<u8>>,
    /// As it was stored.
    pub value: &'a [u8],
}

/// What the keys of each page began with, since when: changes of a page leave that out.
#[derive(Default)]
struct Pages(HashMap<u64, BTreeMap<u64, Vec<u8>>>);

impl Pages {
    fn prefixes(&self, page: u64, place: u64) -> impl Iterator<Item = &[u8]> {
        let versions = self.0.get(&page).into_iter();
        versions.flat_map(move |versions| {
            let (before, after) = (versions.range(..place).rev(), versions.range(place..));
            before.chain(after).map(|(_, prefix)| prefix.as_slice())
        })
    }
}

/// Whether sled would drop, or stumble over, something that is whole.
pub(super) fn has_gaps(store: &Path) -> io::Result<bool> {
    Ok(walk(store, |_| {})?.gaps > 0)
}

fn walk(store: &Path, mut seen: impl FnMut(&Message<'_>)) -> io::Result<Scanned> {
    let mut scanned = Scanned::default();
    let mut log = match File::open(store.join("db")) {
        Ok(log) => log,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(scanned),
        Err(error) => return Err(error),
    };
    let files = store.join("blobs");
    let mut segment = Vec::with_capacity(SEGMENT);
    for start in (0u64..).step_by(SEGMENT) {
        segment.clear();
        let length = (&mut log).take(SEGMENT as u64).read_to_end(&mut segment)?;
        let mut broken = None;
        let mut at = SEGMENT_HEADER;
        let mut due = Due::of(&segment);
        while at < length {
            let Some((frame, octets)) = Frame::read(&segment[at..]) else {
                if segment[at] != 0 {
                    broken.get_or_insert(at);
                }
                at += 1;
                continue;
            };
            scanned.close(start, &mut broken, at);
            scanned.messages += 1;
            scanned.gaps += u64::from(due.misses(frame.segment, at));
            due = Due { segment: Some(frame.segment), at: at + octets, broken: false };
            frame.open(&files, at, &mut seen);
            at += octets;
        }
        scanned.close(start, &mut broken, length);
        if length < SEGMENT {
            return Ok(scanned);
        }
    }
    Ok(scanned)
}

impl Scanned {
    fn close(&mut self, start: u64, broken: &mut Option<usize>, at: usize) {
        if let Some(from) = broken.take() {
            self.broken.push((start + from as u64, (at - from) as u64));
        }
    }
}

/// Where the next message of a segment has to begin. Behind the last one, messages of an earlier
/// use of the same place may follow.
struct Due {
    segment: Option<u64>,
    at: usize,
    /// The segment's header is none.
    broken: bool,
}

impl Due {
    fn of(segment: &[u8]) -> Self {
        let header = segment.get(..SEGMENT_HEADER).unwrap_or_default();
        let number = header.split_first_chunk().and_then(|(crc, rest)| {
            let whole = crc32fast::hash(rest) ^ u32::MAX == u32::from_le_bytes(*crc);
            let number = rest.first_chunk().filter(|_| whole)?;
            Some((u64::from_le_bytes(*number) ^ i64::MAX as u64) / SEGMENT as u64)
        });
        let broken = number.is_none() && header.iter().any(|octet| *octet != 0);
        Self { segment: number, at: SEGMENT_HEADER, broken }
    }

    fn misses(&self, segment: u64, at: usize) -> bool {
        self.broken || self.segment == Some(segment) && self.at != at
    }
}

/// A message of the log whose checksum holds.
struct Frame<'a> {
    kind: u8,
    segment: u64,
    page: u64,
    body: &'a [u8],
}

struct Message<'a> {
    page: u64,
    /// Its log number: what is newer has a larger one.
    place: u64,
    content: Content<'a>,
}

enum Content<'a> {
    Node(Node<'a>),
    /// A key without the prefix of its page, and its value.
    Set(&'a [u8], &'a [u8]),
    /// Removals are passed over: what was removed is in the folded rows.
    Other,
}

/// A leaf of a tree.
struct Node<'a> {
    prefix: &'a [u8],
    entries: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Frame<'a> {
    /// The message at the beginning of `bytes`, and its length there.
    fn read(bytes: &'a [u8]) -> Option<(Self, usize)> {
        let (crc, mut rest) = bytes.split_first_chunk::<4>()?;
        let kind = octet(&mut rest).filter(|kind| (1..=kind::LINK_FILE).contains(kind))?;
        let length = usize::try_from(number(&mut rest)?).ok()?;
        let (segment, page) = (number(&mut rest)?, number(&mut rest)?);
        let most = if kind == kind::CAP { SEGMENT } else { LONGEST };
        let body = rest.get(..length).filter(|_| length <= most)?;
        let header = &bytes[4..bytes.len() - rest.len()];
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(body);
        hasher.update(header);
        let whole = hasher.finalize() ^ u32::MAX == u32::from_le_bytes(*crc);
        whole.then_some((Self { kind, segment, page, body }, 4 + header.len() + length))
    }

    fn open(&self, files: &Path, at: usize, seen: &mut impl FnMut(&Message<'_>)) {
        let place = self.segment.saturating_mul(SEGMENT as u64).saturating_add(at as u64);
        let mut tell = |content: Option<Content<'_>>| {
            let content = content.unwrap_or(Content::Other);
            seen(&Message { page: self.page, place, content });
        };
        match self.kind {
            kind::NODE => tell(node(self.body)),
            kind::LINK => tell(link(self.body)),
            kind::NODE_FILE | kind::LINK_FILE => {
                let file = <[u8; 8]>::try_from(self.body).ok().map(i64::from_le_bytes);
                let bytes = file.and_then(|file| fs::read(files.join(file.to_string())).ok());
                let parts = bytes.as_deref().and_then(<[u8]>::split_first_chunk);
                match parts.and_then(|(crc, rest)| {
                    let whole = crc32fast::hash(rest) == u32::from_le_bytes(*crc);
                    rest.split_first().filter(|_| whole)
                }) {
                    Some((&kind::NODE_FILE, body)) => tell(node(body)),
                    Some((&kind::LINK_FILE, body)) => tell(link(body)),
                    _ => {}
                }
            }
            _ => {}
        }
    }
}

fn link(mut body: &[u8]) -> Option<Content<'_>> {
    (octet(&mut body)? == 0).then_some(())?;
    Some(Content::Set(string(&mut body)?, string(&mut body)?))
}

fn node(mut body: &[u8]) -> Option<Content<'_>> {
    let (_next, _merging_child) = (number(&mut body)?, number(&mut body)?);
    let (_merging, prefix) = (octet(&mut body)?, octet(&mut body)?);
    let (low, _high) = (string(&mut body)?, string(&mut body)?);
    let prefix = low.get(..usize::from(prefix))?;
    (octet(&mut body)? == 0).then_some(())?;
    let count = number(&mut body)?;
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push((string(&mut body)?, &[][..]));
    }
    for (_, value) in &mut entries {
        *value = string(&mut body)?;
    }
    Some(Content::Node(Node { prefix, entries }))
}

fn octet(bytes: &mut &[u8]) -> Option<u8> {
    let (first, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(*first)
}

fn string<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(number(bytes)?).ok()?;
    let (string, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(string)
}

/// sled's numbers of one to nine octets.
fn number(bytes: &mut &[u8]) -> Option<u64> {
    let first = octet(bytes)?;
    let mut more = |octets: usize| {
        let (number, rest) = bytes.split_at_checked(octets)?;
        *bytes = rest;
        let mut all = [0; 8];
        all[..octets].copy_from_slice(number);
        Some(all)
    };
    Some(match first {
        0..=240 => u64::from(first),
        241..=248 => 240 + 256 * u64::from(first - 241) + u64::from(more(1)?[0]),
        249 => {
            let two = more(2)?;
            2288 + 256 * u64::from(two[0]) + u64::from(two[1])
        }
        _ => u64::from_le_bytes(more(usize::from(first - 247))?),
    })
}
