//! A block: the rows of eight neighbouring addresses in one value.
//!
//! sled takes its time by the value rather than by the octet, and neighbours are bound, renewed and
//! loaded together. Each row has its seal, so that damage inside a block costs one row.

use std::borrow::Cow;
use std::net::Ipv4Addr;

use leasehold_dhcp::record::LocationRef;

use super::codec::Corrupt;

/// Addresses of a block: `2^BITS`.
const BITS: u32 = 3;
/// The same as a number; a block begins where it divides the address.
pub(super) const ROWS: usize = 1 << BITS;

/// What the value of a block begins with; those of rows and tenures begin with another version.
const VERSION: u8 = 2;

/// Whether two locations are in one block.
pub(super) fn is_shared(one: LocationRef<'_>, other: LocationRef<'_>) -> bool {
    let number = |location: LocationRef<'_>| u32::from(location.address) >> BITS;
    number(one) == number(other) && one.space == other.space
}

/// The place of an address in its block.
pub(super) fn place(address: Ipv4Addr) -> usize {
    u32::from(address) as usize % ROWS
}

/// The key of the block that the row with this key is in, and the row's place there.
pub(super) fn of_row(key: &[u8]) -> (Vec<u8>, usize) {
    let mut block = key.to_vec();
    let place = block.last_mut().map_or(0, |octet| {
        let place = usize::from(*octet) % ROWS;
        *octet -= place as u8;
        place
    });
    (block, place)
}

/// The key of the row at a place of a block.
pub(super) fn row_key(block: &[u8], place: usize) -> Vec<u8> {
    let mut key = block.to_vec();
    if let Some(octet) = key.last_mut() {
        *octet += place as u8;
    }
    key
}

/// The sealed rows of a block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Block<'a> {
    rows: [Option<Cow<'a, [u8]>>; ROWS],
}

impl<'a> Block<'a> {
    /// Takes the value under a block's key apart; gives back what can be told apart, and what is
    /// wrong with the rest.
    pub(super) fn read(key: &[u8], value: &'a [u8]) -> (Self, Option<Corrupt>) {
        match key.last() {
            Some(octet) if usize::from(*octet) % ROWS == 0 => Self::read_value(value),
            _ => (Self::default(), Some(Corrupt::Key)),
        }
    }

    /// The same, whatever its key is.
    pub(super) fn read_value(value: &'a [u8]) -> (Self, Option<Corrupt>) {
        let mut block = Self::default();
        let wrong = block.fill(value).err();
        (block, wrong)
    }

    /// A version, a bit for each place that has a row, and each row behind its length.
    fn fill(&mut self, value: &'a [u8]) -> Result<(), Corrupt> {
        let (&[version, present], mut rest) = value.split_first_chunk().ok_or(Corrupt::Short)?;
        if version != VERSION {
            return Err(Corrupt::Version(version));
        }
        for (place, row) in self.rows.iter_mut().enumerate() {
            if present & 1 << place != 0 {
                let (length, behind) = rest.split_first_chunk().ok_or(Corrupt::Short)?;
                let length = u32::from_le_bytes(*length) as usize;
                let (octets, behind) = behind.split_at_checked(length).ok_or(Corrupt::Short)?;
                *row = Some(Cow::Borrowed(octets));
                rest = behind;
            }
        }
        if rest.is_empty() { Ok(()) } else { Err(Corrupt::Long) }
    }

    /// Its value; a block without rows has none.
    pub(super) fn value(&self) -> Option<Vec<u8>> {
        let octets: usize = self.rows().map(|(_, row)| row.len() + 4).sum();
        let present = self.rows().fold(0, |present, (place, _)| present | 1 << place);
        let mut value = Vec::with_capacity(octets + 2);
        value.extend_from_slice(&[VERSION, present]);
        for (_, row) in self.rows() {
            value.extend_from_slice(&(row.len() as u32).to_le_bytes());
            value.extend_from_slice(row);
        }
        (present != 0).then_some(value)
    }

    /// The rows with their places.
    pub(super) fn rows(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let rows = self.rows.iter().enumerate();
        rows.filter_map(|(place, row)| Some((place, row.as_deref()?)))
    }

    pub(super) fn get(&self, place: usize) -> Option<&[u8]> {
        self.rows.get(place)?.as_deref()
    }

    pub(super) fn set(&mut self, place: usize, row: Vec<u8>) {
        self.rows[place] = Some(Cow::Owned(row));
    }

    pub(super) fn take(&mut self, place: usize) -> Option<Cow<'a, [u8]>> {
        self.rows.get_mut(place)?.take()
    }
}

#[cfg(test)]
mod tests {
    use leasehold_dhcp::record::Location;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn rows_are_in_the_block_of_their_address() {
        let key = |last| Location { space: "red".into(), address: [10, 0, 0, last].into() }.key();
        for last in 0..=255 {
            let (block, place) = of_row(&key(last));
            assert_eq!((block, place), (key(last / 8 * 8), usize::from(last) % 8));
            assert_eq!(row_key(&key(last / 8 * 8), place), key(last));
            assert_eq!(super::place([10, 0, 0, last].into()), place);
        }
        let at = |space, last| LocationRef { space, address: [10, 0, 0, last].into() };
        assert!(is_shared(at("", 8), at("", 15)) && !is_shared(at("", 7), at("", 8)));
        assert!(!is_shared(at("", 8), at("red", 8)));
    }

    proptest! {
        #[test]
        fn a_block_comes_back(rows in prop::collection::btree_map(
            0..ROWS, prop::collection::vec(any::<u8>(), 0..300), 0..=ROWS,
        )) {
            let mut block = Block::default();
            rows.iter().for_each(|(place, row)| block.set(*place, row.clone()));
            let value = block.value();
            prop_assert_eq!(value.is_none(), rows.is_empty());
            if let Some(value) = value {
                prop_assert_eq!(Block::read(&[16], &value), (block, None));
                prop_assert_eq!(Block::read(&[17], &value).1, Some(Corrupt::Key));
                // What is cut off takes no whole row along.
                let (rest, wrong) = Block::read(&[16], &value[..value.len() - 1]);
                prop_assert_eq!(rest.rows().count(), rows.len() - 1);
                prop_assert!(wrong.is_some());
            }
        }

        #[test]
        fn rubbish_never_panics(rubbish in prop::collection::vec(any::<u8>(), 0..200)) {
            let (block, _) = Block::read_value(&rubbish);
            prop_assert!(block.rows().all(|(place, row)| place < ROWS && row.len() < 200));
        }
    }
}
