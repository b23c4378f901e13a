//! Static leases, and how a client is found among them.

use core::net::Ipv4Addr;
use core::ops::Bound;
use std::collections::BTreeMap;

use super::{OptionSet, PoolIndex, ServerIndex};
use crate::link::Mac;

/// One static `/ip dhcp-server lease`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FixedLease {
    /// The configuration's key for it; a lease's view carries it back.
    pub key: u32,
    /// Its server; all of them if `None`.
    pub server: Option<ServerIndex>,
    /// The address it gives.
    pub address: FixedAddress,
    /// Its client's hardware address.
    pub mac: Option<Mac>,
    /// Its client's option 61, octets as sent.
    pub client_id: Option<Box<[u8]>>,
    /// Sub-option 1 of its client's option 82.
    pub circuit_id: Option<Box<[u8]>>,
    /// Sub-option 2 of its client's option 82.
    pub remote_id: Option<Box<[u8]>>,
    /// `mac` is compared with the frame's source instead of `chaddr`.
    pub use_src_mac: bool,
    /// Seconds instead of the server's lease time.
    pub lease_time: Option<u32>,
    /// Its client gets nothing.
    pub block_access: bool,
    /// Replies to its client are broadcast.
    pub always_broadcast: bool,
    /// `dhcp-option` and `dhcp-option-set`.
    pub options: OptionSet,
}

/// What a static lease gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FixedAddress {
    /// `0.0.0.0`: any of the server's pool.
    #[default]
    Server,
    /// Any of this pool.
    Pool(PoolIndex),
    /// This one, inside or outside of pools.
    At(Ipv4Addr),
}

/// The property `dynamic-lease-identifiers`: what tells dynamic clients apart. Of those that are
/// set and that a client shows, the first in the order option 82, client-id, MAC is its identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identifiers {
    /// `chaddr`. It is the last resort even where it is not set.
    pub client_mac: bool,
    /// Option 61.
    pub client_id: bool,
    /// Circuit and remote id of option 82.
    pub option_82: bool,
}

impl Default for Identifiers {
    fn default() -> Self {
        Self { client_mac: true, client_id: true, option_82: false }
    }
}

/// What a client shows of itself: everything that a static lease can name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown<'a> {
    /// `chaddr`, if it is an Ethernet address.
    pub mac: Option<Mac>,
    /// The frame's source.
    pub src_mac: Option<Mac>,
    /// Option 61.
    pub client_id: Option<&'a [u8]>,
    /// Sub-option 1 of option 82.
    pub circuit_id: Option<&'a [u8]>,
    /// Sub-option 2 of option 82.
    pub remote_id: Option<&'a [u8]>,
}

/// All static leases, with an index for each way to find one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FixedLeases {
    rows: Vec<FixedLease>,
    by_circuit_id: Index<Box<[u8]>>,
    by_remote_id: Index<Box<[u8]>>,
    by_client_id: Index<Box<[u8]>>,
    by_mac: Index<Mac>,
    by_address: Index<Ipv4Addr>,
}

/// Rows by one of their columns, in the order of the rows.
type Index<K> = BTreeMap<K, Vec<u32>>;

impl FixedLeases {
    /// Takes the rows in order; where two would serve a client equally well, the first does.
    #[must_use]
    pub fn new(rows: Vec<FixedLease>) -> Self {
        let mut all = Self::default();
        for (at, row) in (0..).zip(&rows) {
            let add = |index: &mut Index<Box<[u8]>>, key: &Option<Box<[u8]>>| {
                let Some(key) = key else { return false };
                index.entry(key.clone()).or_default().push(at);
                true
            };
            // Each row stands in the index of the most telling thing that it names.
            let _ = add(&mut all.by_circuit_id, &row.circuit_id)
                || add(&mut all.by_remote_id, &row.remote_id)
                || add(&mut all.by_client_id, &row.client_id)
                || row.mac.is_some_and(|mac| {
                    all.by_mac.entry(mac).or_default().push(at);
                    true
                });
            if let FixedAddress::At(address) = row.address {
                all.by_address.entry(address).or_default().push(at);
            }
        }
        Self { rows, ..all }
    }

    /// The static lease of a client: one by option 82 before one by client-id and MAC, before one
    /// by client-id, before one by MAC; of equals the one that names the server.
    #[must_use]
    pub fn find(&self, server: ServerIndex, shown: &Shown<'_>) -> Option<&FixedLease> {
        let by = |index: &Index<Box<[u8]>>, key: Option<&[u8]>| {
            self.best(index.get(key?)?, server, shown)
        };
        by(&self.by_circuit_id, shown.circuit_id)
            .or_else(|| by(&self.by_remote_id, shown.remote_id))
            .or_else(|| by(&self.by_client_id, shown.client_id))
            .or_else(|| self.best(self.by_mac.get(&shown.mac?)?, server, shown))
            .or_else(|| self.best(self.by_mac.get(&shown.src_mac?)?, server, shown))
    }

    /// The static leases that give `address`.
    pub fn at(&self, address: Ipv4Addr) -> impl Iterator<Item = &FixedLease> {
        let rows = self.by_address.get(&address).map_or(&[][..], Vec::as_slice);
        rows.iter().filter_map(|&at| self.rows.get(at as usize))
    }

    /// The addresses that they give, in order, from behind this one.
    pub fn addresses_behind(&self, after: Option<Ipv4Addr>) -> impl Iterator<Item = Ipv4Addr> + '_ {
        let first = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_address.range((first, Bound::Unbounded)).map(|(address, _)| *address)
    }

    /// All of them, in order.
    pub fn iter(&self) -> core::slice::Iter<'_, FixedLease> {
        self.rows.iter()
    }

    fn best(&self, rows: &[u32], server: ServerIndex, shown: &Shown<'_>) -> Option<&FixedLease> {
        let fits =
            |row: &&FixedLease| row.server.is_none_or(|named| named == server) && row.fits(shown);
        let rows = rows.iter().filter_map(|&at| self.rows.get(at as usize)).filter(fits);
        let rank =
            |row: &FixedLease| (row.client_id.is_some() && row.mac.is_some(), row.server.is_some());
        // `max_by_key` would take the last of equals.
        rows.reduce(|best, row| if rank(row) > rank(best) { row } else { best })
    }
}

impl FixedLease {
    /// Whether the client is the one that the row names: option 82 alone where it names that,
    /// else everything that it names.
    #[must_use]
    pub fn fits(&self, shown: &Shown<'_>) -> bool {
        let same = |named: &Option<Box<[u8]>>, shown: Option<&[u8]>| {
            named.as_deref().is_none_or(|named| shown == Some(named))
        };
        if self.circuit_id.is_some() || self.remote_id.is_some() {
            return same(&self.circuit_id, shown.circuit_id)
                && same(&self.remote_id, shown.remote_id);
        }
        let mac = if self.use_src_mac { shown.src_mac } else { shown.mac };
        let names_somebody = self.client_id.is_some() || self.mac.is_some();
        names_somebody
            && same(&self.client_id, shown.client_id)
            && self.mac.is_none_or(|named| mac == Some(named))
    }
}

impl FromIterator<FixedLease> for FixedLeases {
    fn from_iter<I: IntoIterator<Item = FixedLease>>(rows: I) -> Self {
        Self::new(rows.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);
    const OTHER: Mac = Mac([2, 0, 0, 0, 0, 2]);
    const SERVER: ServerIndex = ServerIndex(0);

    fn shown<'a>() -> Shown<'a> {
        Shown {
            mac: Some(MAC),
            src_mac: Some(OTHER),
            client_id: Some(b"id"),
            circuit_id: Some(b"port 7"),
            remote_id: Some(b"switch"),
        }
    }

    fn row(key: u32) -> FixedLease {
        FixedLease { key, ..FixedLease::default() }
    }

    fn found(rows: Vec<FixedLease>) -> Option<u32> {
        FixedLeases::new(rows).find(SERVER, &shown()).map(|row| row.key)
    }

    #[test]
    fn precedence_is_option_82_then_both_then_client_id_then_mac() {
        let id = || Some(Box::from(&b"id"[..]));
        let mut rows = vec![
            FixedLease { mac: Some(MAC), ..row(1) },
            FixedLease { client_id: id(), ..row(2) },
            FixedLease { client_id: id(), mac: Some(MAC), ..row(3) },
            FixedLease { remote_id: Some(Box::from(&b"switch"[..])), ..row(4) },
            FixedLease { circuit_id: Some(Box::from(&b"port 7"[..])), ..row(5) },
        ];
        for best in [5, 4, 3, 2, 1] {
            assert_eq!(found(rows.clone()), Some(best));
            rows.pop();
        }
        assert_eq!(found(rows), None);
    }

    #[test]
    fn everything_that_a_row_names_must_fit() {
        let id: Box<[u8]> = Box::from(&b"id"[..]);
        let both = FixedLease { client_id: Some(id), mac: Some(OTHER), ..row(1) };
        assert_eq!(found(vec![both]), None);
        let circuit = Some(Box::from(&b"port 8"[..]));
        let elsewhere = FixedLease { circuit_id: circuit, mac: Some(MAC), ..row(2) };
        assert_eq!(found(vec![elsewhere]), None);
        assert_eq!(found(vec![row(3)]), None, "a row that names nobody serves nobody");
    }

    #[test]
    fn the_frame_source_counts_only_where_the_row_says_so() {
        let by_source = FixedLease { mac: Some(OTHER), ..row(1) };
        assert_eq!(found(vec![by_source.clone()]), None);
        assert_eq!(found(vec![FixedLease { use_src_mac: true, ..by_source }]), Some(1));
    }

    #[test]
    fn a_row_that_names_the_server_comes_before_one_for_all() {
        let all = FixedLease { mac: Some(MAC), ..row(1) };
        let mine = FixedLease { server: Some(SERVER), ..all.clone() };
        let other = FixedLease { server: Some(ServerIndex(1)), key: 3, ..all.clone() };
        assert_eq!(found(vec![all.clone(), FixedLease { key: 2, ..mine }]), Some(2));
        assert_eq!(found(vec![other.clone()]), None);
        assert_eq!(found(vec![other, all]), Some(1));
    }
}
