//! Leases by client: a hash table whose key comes from the seed, so that nobody can aim at it.

use core::hash::{Hash, Hasher};

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::LeaseId;
use crate::engine::identity::Identity;
use crate::engine::lease::ServerKey;

/// Hash and lease. The hash is kept, so that growing looks at no lease.
#[derive(Debug)]
pub(super) struct Clients {
    table: HashTable<(u32, LeaseId)>,
    keys: [u64; 2],
}

impl Clients {
    pub(super) fn new(seed: u64) -> Self {
        // Two keys of one seed: SplitMix64's finaliser, twice.
        let mix = |mut z: u64| {
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        };
        let step = 0x9e37_79b9_7f4a_7c15_u64;
        let keys = [mix(seed.wrapping_add(step)), mix(seed.wrapping_add(step.wrapping_mul(2)))];
        Self { table: HashTable::new(), keys }
    }

    /// A table of the same key without entries.
    pub(super) fn empty(&self) -> Self {
        Self { table: HashTable::new(), keys: self.keys }
    }

    pub(super) fn hash(&self, ServerKey(server): ServerKey, identity: &Identity<'_>) -> u64 {
        let mut whole = Whole {
            hasher: SipHasher13::new_with_keys(self.keys[0], self.keys[1]),
            octets: [0; 64],
            length: 0,
        };
        whole.write_u32(server);
        identity.hash(&mut whole);
        whole.finish()
    }

    pub(super) fn insert(&mut self, hash: u64, id: LeaseId) {
        let spread = spread(hash);
        self.table.insert_unique(spread, (hash as u32, id), |&(hash, _)| spread_of(hash));
    }

    pub(super) fn remove(&mut self, hash: u64, id: LeaseId) {
        if let Ok(entry) = self.table.find_entry(spread(hash), |&(_, other)| other == id) {
            entry.remove();
        }
    }

    /// The leases whose clients have this hash; most often they are of one client.
    pub(super) fn with(&self, hash: u64) -> impl Iterator<Item = LeaseId> + '_ {
        let entries = self.table.iter_hash(spread(hash));
        entries.filter(move |(other, _)| *other == hash as u32).map(|&(_, id)| id)
    }

    pub(super) fn len(&self) -> usize {
        self.table.len()
    }
}

/// Tells the hasher all at once: several short writes cost it more than a long one.
struct Whole {
    hasher: SipHasher13,
    octets: [u8; 64],
    length: usize,
}

impl Hasher for Whole {
    fn write(&mut self, octets: &[u8]) {
        let end = self.length + octets.len();
        if let Some(room) = self.octets.get_mut(self.length..end) {
            room.copy_from_slice(octets);
            self.length = end;
        } else {
            self.hasher.write(&self.octets[..self.length]);
            self.hasher.write(octets);
            self.length = 0;
        }
    }

    fn finish(&self) -> u64 {
        let mut hasher = self.hasher;
        hasher.write(&self.octets[..self.length]);
        hasher.finish()
    }
}

fn spread(hash: u64) -> u64 {
    spread_of(hash as u32)
}

/// The table takes its control bits from the top of the hash and its place from the bottom.
fn spread_of(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_the_octets_however_many_they_are() {
        let clients = Clients::new(7);
        for length in [1, 6, 59, 60, 255] {
            let id = vec![9; length];
            let octets = [&3_u32.to_ne_bytes()[..], &[1], &id].concat();
            let plain = SipHasher13::new_with_keys(clients.keys[0], clients.keys[1]).hash(&octets);
            assert_eq!(clients.hash(ServerKey(3), &Identity::Client(&id)), plain, "{length}");
        }
    }
}
