//! Bytes of what is stored: records, the chunks of a turn, folded rows; each sealed with a CRC.
//!
//! Numbers are LEB128, byte strings carry their length, nothing is aligned. A sealed value is
//! `version, body, crc32 of both`. Reading never panics and never allocates more than the input.

use core::fmt;
use core::net::Ipv4Addr;

use leasehold_dhcp::record::{Binding, Change, Location};
use leasehold_dhcp::{Mac, Record, Wall};

/// Version of everything that [`seal`] closes.
pub(super) const VERSION: u8 = 1;

/// Why stored bytes are not what this program wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrupt {
    /// The value ends before its content does.
    Short,
    /// The CRC does not match: bits have changed.
    Checksum,
    /// Written by a newer version of this program.
    Version(u8),
    /// A tag that no version wrote.
    Tag(u8),
    /// A name that is not UTF-8.
    Text,
    /// A number or a length beyond its bounds.
    Bounds,
    /// Content goes on after its end.
    Trailing,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the value is cut short"),
            Self::Checksum => f.write_str("the checksum does not match"),
            Self::Version(version) => {
                write!(f, "format version {version} is newer than this program's {VERSION}")
            }
            Self::Tag(tag) => write!(f, "unknown tag {tag}"),
            Self::Text => f.write_str("a name is not UTF-8"),
            Self::Bounds => f.write_str("a number is out of bounds"),
            Self::Trailing => f.write_str("there are bytes after the end"),
        }
    }
}

/// Opens a value that [`close`] will seal.
pub(super) fn open() -> Vec<u8> {
    vec![VERSION]
}

/// Appends the CRC.
pub(super) fn close(mut value: Vec<u8>) -> Vec<u8> {
    let crc = crc32fast::hash(&value);
    value.extend_from_slice(&crc.to_le_bytes());
    value
}

/// The body of a sealed value, once its CRC and version have been checked.
pub(super) fn body(value: &[u8]) -> Result<Reader<'_>, Corrupt> {
    let at = value.len().checked_sub(4).ok_or(Corrupt::Short)?;
    let (sealed, crc) = value.split_at(at);
    if crc32fast::hash(sealed).to_le_bytes() != *crc {
        return Err(Corrupt::Checksum);
    }
    match sealed.split_first() {
        Some((&VERSION, body)) => Ok(Reader(body)),
        Some((&version, _)) => Err(Corrupt::Version(version)),
        None => Err(Corrupt::Short),
    }
}

/// The records of a turn as sealed values of at most `limit` bytes each (one record may exceed
/// it). sled moves large values into blob files, which it leaks: hence the limit.
pub(super) fn chunks(records: &[Record], limit: usize) -> Vec<Vec<u8>> {
    let mut chunks = Vec::new();
    let mut value = open();
    let mut record_bytes = Vec::new();
    for record in records {
        record_bytes.clear();
        put_record(&mut record_bytes, record);
        if value.len() > 1 && value.len() + record_bytes.len() + 4 > limit {
            chunks.push(close(core::mem::replace(&mut value, open())));
        }
        value.extend_from_slice(&record_bytes);
    }
    if value.len() > 1 {
        chunks.push(close(value));
    }
    chunks
}

/// The records of one chunk, in order.
pub(super) fn records(chunk: &[u8]) -> Result<Vec<Record>, Corrupt> {
    let mut body = body(chunk)?;
    let mut records = Vec::new();
    while !body.is_empty() {
        records.push(body.record()?);
    }
    Ok(records)
}

/// The key of a lease: its space, a zero octet, its address, so that keys sort as leases do.
pub(super) fn location_key(location: &Location) -> Vec<u8> {
    let mut key = Vec::with_capacity(location.space.len() + 5);
    key.extend_from_slice(location.space.as_bytes());
    key.push(0);
    key.extend_from_slice(&location.address.octets());
    key
}

/// Reads a key that [`location_key`] made.
pub(super) fn key_location(key: &[u8]) -> Result<Location, Corrupt> {
    let at = key.len().checked_sub(5).ok_or(Corrupt::Short)?;
    let (space, rest) = key.split_at(at);
    let [0, a, b, c, d] = *rest else { return Err(Corrupt::Bounds) };
    let space = core::str::from_utf8(space).map_err(|_| Corrupt::Text)?;
    Ok(Location { space: space.into(), address: Ipv4Addr::new(a, b, c, d) })
}

/// Appends a number, LEB128.
pub(super) fn put_number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    out.push(number.to_le_bytes()[0]);
}

/// Appends a byte string with its length.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_number(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// Appends a binding.
pub(super) fn put_binding(out: &mut Vec<u8>, binding: &Binding) {
    put_number(out, binding.lease_time.into());
    put_bytes(out, binding.server.as_bytes());
    put_bytes(out, &binding.client_id);
    out.push(binding.htype);
    put_bytes(out, &binding.chaddr);
    put_bytes(out, binding.host_name.as_bytes());
    put_bytes(out, &binding.class_id);
    put_bytes(out, &binding.relay_agent);
}

fn put_record(out: &mut Vec<u8>, record: &Record) {
    put_bytes(out, record.location.space.as_bytes());
    out.extend_from_slice(&record.location.address.octets());
    put_number(out, record.at.0);
    match &record.change {
        Change::Bound(binding) => {
            out.push(1);
            put_binding(out, binding);
        }
        Change::Renewed { lease_time } => {
            out.push(2);
            put_number(out, (*lease_time).into());
        }
        Change::Released => out.push(3),
        Change::Expired => out.push(4),
        Change::Removed => out.push(5),
        Change::Quarantined { seconds, by, declined } => {
            out.push(6);
            put_quarantine(out, *seconds, *by, *declined);
        }
    }
}

/// Appends what a quarantine is made of.
pub(super) fn put_quarantine(out: &mut Vec<u8>, seconds: u32, by: Option<Mac>, declined: bool) {
    put_number(out, seconds.into());
    out.push(u8::from(by.is_some()) | (u8::from(declined) << 1));
    if let Some(Mac(octets)) = by {
        out.extend_from_slice(&octets);
    }
}

/// Reads a body from its beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    /// Whether everything has been read.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Complains about bytes after the end.
    pub(super) fn end(self) -> Result<(), Corrupt> {
        if self.is_empty() { Ok(()) } else { Err(Corrupt::Trailing) }
    }

    /// One octet.
    pub(super) fn octet(&mut self) -> Result<u8, Corrupt> {
        let (&first, rest) = self.0.split_first().ok_or(Corrupt::Short)?;
        self.0 = rest;
        Ok(first)
    }

    /// A LEB128 number.
    pub(super) fn number(&mut self) -> Result<u64, Corrupt> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let octet = self.octet()?;
            let low = u64::from(octet & 0x7f);
            if shift == 63 && low > 1 {
                return Err(Corrupt::Bounds);
            }
            number |= low << shift;
            if octet & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(Corrupt::Bounds)
    }

    /// A number of seconds.
    pub(super) fn seconds(&mut self) -> Result<u32, Corrupt> {
        u32::try_from(self.number()?).map_err(|_| Corrupt::Bounds)
    }

    /// A byte string.
    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Corrupt> {
        let length = usize::try_from(self.number()?).map_err(|_| Corrupt::Bounds)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(Corrupt::Short)?;
        self.0 = rest;
        Ok(bytes)
    }

    /// A byte string that is a name.
    pub(super) fn text(&mut self) -> Result<&'a str, Corrupt> {
        core::str::from_utf8(self.bytes()?).map_err(|_| Corrupt::Text)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Corrupt> {
        let (array, rest) = self.0.split_first_chunk::<N>().ok_or(Corrupt::Short)?;
        self.0 = rest;
        Ok(*array)
    }

    /// A binding.
    pub(super) fn binding(&mut self) -> Result<Binding, Corrupt> {
        Ok(Binding {
            lease_time: self.seconds()?,
            server: self.text()?.into(),
            client_id: self.bytes()?.into(),
            htype: self.octet()?,
            chaddr: self.bytes()?.into(),
            host_name: self.text()?.into(),
            class_id: self.bytes()?.into(),
            relay_agent: self.bytes()?.into(),
        })
    }

    /// What a quarantine is made of.
    pub(super) fn quarantine(&mut self) -> Result<(u32, Option<Mac>, bool), Corrupt> {
        let seconds = self.seconds()?;
        let flags = self.octet()?;
        if flags > 3 {
            return Err(Corrupt::Tag(flags));
        }
        let by = if flags & 1 == 1 { Some(Mac(self.array()?)) } else { None };
        Ok((seconds, by, flags & 2 == 2))
    }

    fn record(&mut self) -> Result<Record, Corrupt> {
        let space = self.text()?.into();
        let address = Ipv4Addr::from(self.array::<4>()?);
        let at = Wall(self.number()?);
        let change = match self.octet()? {
            1 => Change::Bound(Box::new(self.binding()?)),
            2 => Change::Renewed { lease_time: self.seconds()? },
            3 => Change::Released,
            4 => Change::Expired,
            5 => Change::Removed,
            6 => {
                let (seconds, by, declined) = self.quarantine()?;
                Change::Quarantined { seconds, by, declined }
            }
            tag => return Err(Corrupt::Tag(tag)),
        };
        Ok(Record { location: Location { space, address }, at, change })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::any_record;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_come_back(records in prop::collection::vec(any_record(), 0..60)) {
            let chunks = chunks(&records, 700);
            let read: Vec<Record> =
                chunks.iter().flat_map(|chunk| super::records(chunk).unwrap()).collect();
            prop_assert_eq!(&read, &records);
            prop_assert!(chunks.iter().all(|chunk| chunk.len() <= 700 || super::records(chunk)
                .unwrap().len() == 1));
        }

        #[test]
        fn every_flipped_bit_is_noticed(
            records in prop::collection::vec(any_record(), 1..5),
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let mut chunk = chunks(&records, usize::MAX).remove(0);
            let at = at.index(chunk.len());
            chunk[at] ^= 1u8 << bit;
            prop_assert!(super::records(&chunk).is_err());
        }

        #[test]
        fn sealed_rubbish_never_panics(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut value = open();
            value.extend_from_slice(&body);
            let _ = super::records(&close(value));
        }

        #[test]
        fn keys_come_back_and_sort_as_addresses(a in any::<u32>(), b in any::<u32>()) {
            let location = |bits: u32| Location { space: "blue".into(), address: bits.into() };
            let key = location_key(&location(a));
            prop_assert_eq!(key_location(&key).unwrap(), location(a));
            prop_assert_eq!(key.cmp(&location_key(&location(b))), a.cmp(&b));
        }
    }
}
