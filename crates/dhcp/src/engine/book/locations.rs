//! Leases by place: ordered, so that a listing can go on where it stopped.

use core::net::Ipv4Addr;
use core::ops::Bound;
use std::collections::BTreeMap;

use leasehold_pool::SpaceId;

use super::{LeaseId, Place};

/// Blocks of 256 addresses: 4 octets an address where pools are dense, one lookup among few blocks.
#[derive(Debug, Default)]
pub(super) struct Locations {
    blocks: BTreeMap<(SpaceId, u32), Block>,
}

#[derive(Debug)]
struct Block {
    leases: Box<[Option<LeaseNumber>; 256]>,
    taken: u16,
}

/// A [`LeaseId`] plus one, so that an empty place takes no room of its own.
type LeaseNumber = core::num::NonZeroU32;

impl Locations {
    pub(super) fn get(&self, place: Place) -> Option<LeaseId> {
        let (block, at) = split(place);
        self.blocks.get(&block)?.leases[at].map(id)
    }

    pub(super) fn set(&mut self, place: Place, lease: Option<LeaseId>) {
        let (key, at) = split(place);
        let empty = || Block { leases: Box::new([None; 256]), taken: 0 };
        let block = self.blocks.entry(key).or_insert_with(empty);
        let lease = lease.and_then(|LeaseId(id)| LeaseNumber::new(id.wrapping_add(1)));
        block.taken -= u16::from(block.leases[at].is_some());
        block.taken += u16::from(lease.is_some());
        block.leases[at] = lease;
        if block.taken == 0 {
            self.blocks.remove(&key);
        }
    }

    pub(super) fn from(&self, after: Option<Place>) -> impl Iterator<Item = LeaseId> + '_ {
        let start = after.map(split);
        let first = start.map_or(Bound::Unbounded, |(block, _)| Bound::Included(block));
        self.blocks.range((first, Bound::Unbounded)).flat_map(move |(key, block)| {
            let skip = start.filter(|(block, _)| block == key).map_or(0, |(_, at)| at + 1);
            block.leases[skip..].iter().filter_map(|lease| lease.map(id))
        })
    }
}

fn split((space, address): (SpaceId, Ipv4Addr)) -> ((SpaceId, u32), usize) {
    let address = address.to_bits();
    ((space, address >> 8), (address & 0xff) as usize)
}

fn id(number: LeaseNumber) -> LeaseId {
    LeaseId(number.get() - 1)
}
