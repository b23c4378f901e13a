//! Records as bytes: versioned, self-delimiting, compact. The store adds its own checksum.
//!
//! ```text
//! frame    = length:2  record
//! record   = version<<4|kind:1  space:text  address:4  at:varint  body
//! Bound    = lease-time:4  server:text  htype:1  chaddr:text  client-id:text
//!            host-name:text  class-id:text  relay-agent:text  [giaddr:4 if it is not empty]
//!            [nonce:text if there is one or a giaddr follows]
//!            [giaddr:4 if there is one, and no relay-agent]
//! Renewed  = lease-time:4
//! Released, Expired, Removed = nothing
//! Quarantined = seconds:4  flags:1 (1: declined, 2: a MAC follows)  [mac:6]
//! text     = length:varint  octets
//! ```
//!
//! Numbers of fixed width are big-endian; a varint is LEB128.

use core::fmt;
use core::net::Ipv4Addr;

use super::{Binding, Change, Location, LocationRef, Record};
use crate::link::Mac;
use crate::time::Wall;

const VERSION: u8 = 1;

const BOUND: u8 = 1;
const RENEWED: u8 = 2;
const RELEASED: u8 = 3;
const EXPIRED: u8 = 4;
const REMOVED: u8 = 5;
const QUARANTINED: u8 = 6;

const DECLINED: u8 = 1;
const WITH_MAC: u8 = 2;

/// The longest text that a record holds; longer ones are cut (nothing on the wire is longer but
/// by RFC 3396, and no name may be).
const TEXT_MAX: usize = 4096;

/// A turn's records in order, in one buffer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Records {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// All records as frames one after the other; [`decode_all`] reads them.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The frames in runs of at most `limit` bytes, each run whole; a longer frame stands alone.
    pub fn runs(&self, limit: usize) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        let mut next = 0;
        core::iter::from_fn(move || {
            let first = *self.ends.get(next)?;
            let mut end = first;
            next += 1;
            while let Some(&more) = self.ends.get(next).filter(|&&more| more - start <= limit) {
                end = more;
                next += 1;
            }
            let run = &self.bytes[start..end];
            start = end;
            Some(run)
        })
    }

    /// The records, decoded: for tests and checkers; a store takes the bytes as they are.
    pub fn iter(&self) -> impl Iterator<Item = Record> + '_ {
        decode_all(&self.bytes).filter_map(Result::ok)
    }

    /// Appends one record.
    pub fn push(&mut self, record: &Record) {
        let Location { space, address } = &record.location;
        self.write(space, *address, record.at, ChangeRef::from(&record.change));
    }

    pub(crate) fn write(
        &mut self,
        space: &str,
        address: Ipv4Addr,
        at: Wall,
        change: ChangeRef<'_>,
    ) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0, 0]);
        encode(&mut self.bytes, space, address, at, change);
        let length = self.bytes.len() - start - 2;
        let length = u16::try_from(length).expect("seven texts of at most 4 KiB each");
        self.bytes[start..start + 2].copy_from_slice(&length.to_be_bytes());
        self.ends.push(self.bytes.len());
    }

    /// Others, none yet.
    pub(crate) fn with_room_for_as_many(&self) -> Self {
        let bytes = Vec::with_capacity(self.bytes.len());
        Self { bytes, ends: Vec::with_capacity(self.ends.len()) }
    }
}

/// Reads frames until the bytes end or are corrupt; after a corrupt one nothing follows.
pub fn decode_all(bytes: &[u8]) -> impl Iterator<Item = Result<Record, Corrupt>> + '_ {
    each(bytes).map(|read| read.map(|(_, record)| Record::from(record)))
}

/// The same, for those who take most records by their frames.
pub fn framed(bytes: &[u8]) -> impl Iterator<Item = Result<Framed<'_>, Corrupt>> {
    each(bytes).map(|read| read.map(|(frame, record)| Framed::new(frame, &record)))
}

fn each(mut bytes: &[u8]) -> impl Iterator<Item = Result<(&[u8], RecordRef<'_>), Corrupt>> {
    core::iter::from_fn(move || {
        if bytes.is_empty() {
            return None;
        }
        let start = bytes;
        let record = frame(&mut bytes);
        if record.is_err() {
            bytes = &[];
        }
        let length = start.len() - bytes.len();
        Some(record.map(|record| (&start[..length], record)))
    })
}

/// A record in its frame: where and when it is read, the rest when it is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Framed<'a> {
    location: LocationRef<'a>,
    at: Wall,
    kind: Kind,
    frame: &'a [u8],
}

/// What a store can do by octets alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Change::Bound`].
    Bound,
    /// [`Change::Renewed`], with its lease time.
    Renewed(u32),
    /// Any other.
    Other,
}

impl<'a> Framed<'a> {
    fn new(frame: &'a [u8], record: &RecordRef<'a>) -> Self {
        let &RecordRef { location, at, change } = record;
        let kind = match change {
            ChangeRef::Bound(_) => Kind::Bound,
            ChangeRef::Renewed { lease_time } => Kind::Renewed(lease_time),
            _ => Kind::Other,
        };
        Self { location, at, kind, frame }
    }

    /// Which lease.
    #[must_use]
    pub fn location(&self) -> LocationRef<'a> {
        self.location
    }

    /// When.
    #[must_use]
    pub fn at(&self) -> Wall {
        self.at
    }

    /// What happened, as far as it can be seen from outside.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Its octets, which [`decode_all`] reads.
    #[must_use]
    pub fn frame(&self) -> &'a [u8] {
        self.frame
    }

    /// All of it.
    #[must_use]
    pub fn record(&self) -> Record {
        frame(&mut { self.frame }).map(Record::from).expect("it was read when this was made")
    }
}

/// Makes a frame that binds a lease say another time and another lease time, where it stands.
/// False, and nothing is changed, if it is another record or the time has another length.
pub fn renew(frame: &mut [u8], at: Wall, lease_time: u32) -> bool {
    let place = |mut rest: &[u8]| {
        let length = usize::from(u16::from_be_bytes(array(&mut rest)?));
        let whole = rest.len() == length;
        let [head] = array(&mut rest)?;
        octets(&mut rest)?;
        array::<4>(&mut rest)?;
        let start = rest.len();
        number(&mut rest)?;
        let end = rest.len();
        array::<4>(&mut rest)?;
        Ok::<_, Corrupt>((whole && head == (VERSION << 4 | BOUND)).then_some((start, end)))
    };
    let Ok(Some((start, end))) = place(frame) else { return false };
    let (start, end) = (frame.len() - start, frame.len() - end);
    let mut time = Vec::with_capacity(10);
    varint(&mut time, at.0);
    if time.len() != end - start {
        return false;
    }
    frame[start..end].copy_from_slice(&time);
    frame[end..end + 4].copy_from_slice(&lease_time.to_be_bytes());
    true
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrupt {
    /// They end in the middle.
    Truncated,
    /// A version that this build does not know.
    Version(u8),
    /// A kind of record that version 1 does not have.
    Kind(u8),
    /// A name that is not UTF-8.
    Text,
    /// A number that is too large, or octets after the end.
    Shape,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("record ends in the middle"),
            Self::Version(version) => write!(f, "record of unknown version {version}"),
            Self::Kind(kind) => write!(f, "record of unknown kind {kind}"),
            Self::Text => f.write_str("name in a record is not UTF-8"),
            Self::Shape => f.write_str("record has a number out of range or octets too many"),
        }
    }
}

impl core::error::Error for Corrupt {}

/// [`Change`] without its allocations: what the engine writes from its book.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ChangeRef<'a> {
    Bound(BindingRef<'a>),
    Renewed { lease_time: u32 },
    Released,
    Expired,
    Removed,
    Quarantined { seconds: u32, by: Option<Mac>, declined: bool },
}

/// [`Binding`] without its allocations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BindingRef<'a> {
    pub(crate) lease_time: u32,
    pub(crate) server: &'a str,
    pub(crate) htype: u8,
    pub(crate) chaddr: &'a [u8],
    pub(crate) client_id: &'a [u8],
    pub(crate) host_name: &'a str,
    pub(crate) class_id: &'a [u8],
    pub(crate) giaddr: Ipv4Addr,
    pub(crate) relay_agent: &'a [u8],
    pub(crate) nonce: &'a [u8],
}

impl<'a> From<&'a Change> for ChangeRef<'a> {
    fn from(change: &'a Change) -> Self {
        match *change {
            Change::Bound(ref binding) => Self::Bound(BindingRef {
                lease_time: binding.lease_time,
                server: &binding.server,
                htype: binding.htype,
                chaddr: &binding.chaddr,
                client_id: &binding.client_id,
                host_name: &binding.host_name,
                class_id: &binding.class_id,
                giaddr: binding.giaddr,
                relay_agent: &binding.relay_agent,
                nonce: &binding.nonce,
            }),
            Change::Renewed { lease_time } => Self::Renewed { lease_time },
            Change::Released => Self::Released,
            Change::Expired => Self::Expired,
            Change::Removed => Self::Removed,
            Change::Quarantined { seconds, by, declined } => {
                Self::Quarantined { seconds, by, declined }
            }
        }
    }
}

fn encode(out: &mut Vec<u8>, space: &str, address: Ipv4Addr, at: Wall, change: ChangeRef<'_>) {
    let kind = match change {
        ChangeRef::Bound(_) => BOUND,
        ChangeRef::Renewed { .. } => RENEWED,
        ChangeRef::Released => RELEASED,
        ChangeRef::Expired => EXPIRED,
        ChangeRef::Removed => REMOVED,
        ChangeRef::Quarantined { .. } => QUARANTINED,
    };
    out.push(VERSION << 4 | kind);
    text(out, space.as_bytes());
    out.extend_from_slice(&address.octets());
    varint(out, at.0);
    match change {
        ChangeRef::Bound(binding) => {
            out.extend_from_slice(&binding.lease_time.to_be_bytes());
            text(out, binding.server.as_bytes());
            out.push(binding.htype);
            text(out, binding.chaddr);
            text(out, binding.client_id);
            text(out, binding.host_name.as_bytes());
            text(out, binding.class_id);
            text(out, binding.relay_agent);
            if !binding.relay_agent.is_empty() {
                out.extend_from_slice(&binding.giaddr.octets());
            }
            let is_plain = binding.relay_agent.is_empty() && !binding.giaddr.is_unspecified();
            if is_plain || !binding.nonce.is_empty() {
                text(out, binding.nonce);
            }
            if is_plain {
                out.extend_from_slice(&binding.giaddr.octets());
            }
        }
        ChangeRef::Renewed { lease_time } => out.extend_from_slice(&lease_time.to_be_bytes()),
        ChangeRef::Released | ChangeRef::Expired | ChangeRef::Removed => {}
        ChangeRef::Quarantined { seconds, by, declined } => {
            out.extend_from_slice(&seconds.to_be_bytes());
            let flags = if declined { DECLINED } else { 0 } | by.map_or(0, |_| WITH_MAC);
            out.push(flags);
            out.extend_from_slice(by.as_ref().map_or(&[], |mac| &mac.0[..]));
        }
    }
}

fn varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn text(out: &mut Vec<u8>, octets: &[u8]) {
    let octets = &octets[..octets.len().min(TEXT_MAX)];
    varint(out, octets.len() as u64);
    out.extend_from_slice(octets);
}

/// [`Record`] without its allocations.
#[derive(Clone, Copy, Debug)]
struct RecordRef<'a> {
    location: LocationRef<'a>,
    at: Wall,
    change: ChangeRef<'a>,
}

impl From<RecordRef<'_>> for Record {
    fn from(record: RecordRef<'_>) -> Self {
        let RecordRef { location, at, change } = record;
        Self { location: location.into(), at, change: change.into() }
    }
}

impl From<ChangeRef<'_>> for Change {
    fn from(change: ChangeRef<'_>) -> Self {
        match change {
            ChangeRef::Bound(binding) => Self::Bound(Box::new(Binding {
                lease_time: binding.lease_time,
                server: binding.server.into(),
                htype: binding.htype,
                chaddr: binding.chaddr.into(),
                client_id: binding.client_id.into(),
                host_name: binding.host_name.into(),
                class_id: binding.class_id.into(),
                giaddr: binding.giaddr,
                relay_agent: binding.relay_agent.into(),
                nonce: binding.nonce.into(),
            })),
            ChangeRef::Renewed { lease_time } => Self::Renewed { lease_time },
            ChangeRef::Released => Self::Released,
            ChangeRef::Expired => Self::Expired,
            ChangeRef::Removed => Self::Removed,
            ChangeRef::Quarantined { seconds, by, declined } => {
                Self::Quarantined { seconds, by, declined }
            }
        }
    }
}

fn frame<'a>(bytes: &mut &'a [u8]) -> Result<RecordRef<'a>, Corrupt> {
    let length = usize::from(u16::from_be_bytes(array(bytes)?));
    let mut body = bytes.split_off(..length).ok_or(Corrupt::Truncated)?;
    let record = decode(&mut body)?;
    if body.is_empty() { Ok(record) } else { Err(Corrupt::Shape) }
}

fn decode<'a>(bytes: &mut &'a [u8]) -> Result<RecordRef<'a>, Corrupt> {
    let [head] = array(bytes)?;
    if head >> 4 != VERSION {
        return Err(Corrupt::Version(head >> 4));
    }
    let space = name(bytes)?;
    let address = Ipv4Addr::from(array::<4>(bytes)?);
    let at = Wall(number(bytes)?);
    let change = match head & 0x0f {
        BOUND => ChangeRef::Bound(binding(bytes)?),
        RENEWED => ChangeRef::Renewed { lease_time: u32::from_be_bytes(array(bytes)?) },
        RELEASED => ChangeRef::Released,
        EXPIRED => ChangeRef::Expired,
        REMOVED => ChangeRef::Removed,
        QUARANTINED => {
            let seconds = u32::from_be_bytes(array(bytes)?);
            let [flags] = array(bytes)?;
            let by = if flags & WITH_MAC == 0 { None } else { Some(Mac(array(bytes)?)) };
            ChangeRef::Quarantined { seconds, by, declined: flags & DECLINED != 0 }
        }
        kind => return Err(Corrupt::Kind(kind)),
    };
    Ok(RecordRef { location: LocationRef { space, address }, at, change })
}

fn binding<'a>(bytes: &mut &'a [u8]) -> Result<BindingRef<'a>, Corrupt> {
    let lease_time = u32::from_be_bytes(array(bytes)?);
    let server = name(bytes)?;
    let [htype] = array(bytes)?;
    let chaddr = octets(bytes)?;
    if chaddr.len() > 16 {
        return Err(Corrupt::Shape);
    }
    let mut binding = BindingRef {
        lease_time,
        server,
        htype,
        chaddr,
        client_id: octets(bytes)?,
        host_name: name(bytes)?,
        class_id: octets(bytes)?,
        giaddr: Ipv4Addr::UNSPECIFIED,
        relay_agent: octets(bytes)?,
        nonce: &[],
    };
    if !binding.relay_agent.is_empty() {
        binding.giaddr = Ipv4Addr::from(array::<4>(bytes)?);
    }
    if !bytes.is_empty() {
        binding.nonce = octets(bytes)?;
    }
    if !bytes.is_empty() && binding.relay_agent.is_empty() {
        binding.giaddr = Ipv4Addr::from(array::<4>(bytes)?);
    }
    Ok(binding)
}

fn array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Corrupt> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or(Corrupt::Truncated)?;
    *bytes = rest;
    Ok(*head)
}

fn number(bytes: &mut &[u8]) -> Result<u64, Corrupt> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let [octet] = array(bytes)?;
        let part = u64::from(octet & 0x7f);
        if part << shift >> shift != part {
            return Err(Corrupt::Shape);
        }
        number |= part << shift;
        if octet & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(Corrupt::Shape)
}

fn octets<'a>(bytes: &mut &'a [u8]) -> Result<&'a [u8], Corrupt> {
    let length = usize::try_from(number(bytes)?).map_err(|_| Corrupt::Shape)?;
    bytes.split_off(..length).ok_or(Corrupt::Truncated)
}

fn name<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, Corrupt> {
    core::str::from_utf8(octets(bytes)?).map_err(|_| Corrupt::Text)
}
