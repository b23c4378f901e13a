//! Stored values: a version in front, a CRC behind; in between the engine's own records.
//!
//! A sealed value is `version, body, crc32 of both`. Opening one never panics and never allocates
//! more than its input.

use core::fmt;

use leasehold_dhcp::Record;
use leasehold_dhcp::record::{self, Framed, Location, decode_all};

/// Version of everything that is sealed.
const VERSION: u8 = 1;

/// Why stored bytes are not what this program wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Corrupt {
    /// The value ends before its content does.
    Short,
    /// More follows than its content.
    Long,
    /// The CRC does not match: bits have changed.
    Checksum,
    /// Written by a newer version of this program.
    Version(u8),
    /// A record in it is none.
    Record(record::Corrupt),
    /// A key that is no location's, or another one's.
    Key,
    /// A tag that no version wrote.
    Tag(u8),
    /// A tenure without its binding.
    Unbound,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("the value is cut short"),
            Self::Long => f.write_str("more follows than the value holds"),
            Self::Checksum => f.write_str("the checksum does not match"),
            Self::Version(version) => {
                write!(f, "format version {version} is newer than this program's {VERSION}")
            }
            Self::Record(error) => write!(f, "{error}"),
            Self::Key => f.write_str("its key is not that of its lease"),
            Self::Tag(tag) => write!(f, "unknown tag {tag}"),
            Self::Unbound => f.write_str("a tenure without its client"),
        }
    }
}

/// A sealed value with this body.
pub(super) fn seal(body: &[&[u8]]) -> Vec<u8> {
    let length: usize = body.iter().map(|part| part.len()).sum();
    let mut value = Vec::with_capacity(length + 5);
    value.push(VERSION);
    body.iter().for_each(|part| value.extend_from_slice(part));
    let crc = crc32fast::hash(&value);
    value.extend_from_slice(&crc.to_le_bytes());
    value
}

/// The body of a sealed value, once its CRC and version have been checked.
pub(super) fn body(value: &[u8]) -> Result<&[u8], Corrupt> {
    let (sealed, crc) = value.split_last_chunk::<4>().ok_or(Corrupt::Short)?;
    if crc32fast::hash(sealed).to_le_bytes() != *crc {
        return Err(Corrupt::Checksum);
    }
    match sealed.split_first() {
        Some((&VERSION, body)) => Ok(body),
        Some((&version, _)) => Err(Corrupt::Version(version)),
        None => Err(Corrupt::Short),
    }
}

/// A number in front of the rest of a body.
pub(super) fn number(body: &[u8]) -> Result<(u64, &[u8]), Corrupt> {
    let (number, rest) = body.split_first_chunk().ok_or(Corrupt::Short)?;
    Ok((u64::from_be_bytes(*number), rest))
}

/// Records without a seal of their own.
pub(super) fn frames(bytes: &[u8]) -> Result<Vec<Record>, Corrupt> {
    decode_all(bytes).map(|record| record.map_err(Corrupt::Record)).collect()
}

/// The same, by their frames.
pub(super) fn framed(bytes: &[u8]) -> impl Iterator<Item = Result<Framed<'_>, Corrupt>> {
    record::framed(bytes).map(|record| record.map_err(Corrupt::Record))
}

/// The location that a lease's key stands for.
pub(super) fn key_location(key: &[u8]) -> Result<Location, Corrupt> {
    Location::from_key(key).ok_or(Corrupt::Key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{any_record, encoded};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_flipped_bit_is_noticed(
            records in prop::collection::vec(any_record(), 1..5),
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
        ) {
            let mut value = seal(&[encoded(&records).bytes()]);
            prop_assert_eq!(frames(body(&value).unwrap()).unwrap(), records);
            let at = at.index(value.len());
            value[at] ^= 1u8 << bit;
            prop_assert!(body(&value).is_err());
        }

        #[test]
        fn sealed_rubbish_never_panics(rubbish in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = frames(body(&seal(&[&rubbish])).unwrap());
        }
    }
}
