//! What one client or one address may cost: leases by MAC, declines, repeated conflicts.

use std::collections::{BTreeMap, BTreeSet};

use super::book::{Book, Place};
use super::lease::{Lease, ServerKey, State};
use super::lifecycle::quarantine_seconds;
use crate::client::Hardware;
use crate::time::Boottime;

/// Leases by hardware address, on the servers that have a `client-mac-limit`.
#[derive(Debug, Default)]
pub(super) struct MacLimits {
    servers: BTreeSet<ServerKey>,
    held: BTreeMap<(ServerKey, Hardware), u32>,
}

impl MacLimits {
    /// Counts anew for the servers that have a limit.
    pub(super) fn adopt(&mut self, servers: BTreeSet<ServerKey>, book: &Book) {
        self.servers = servers;
        self.held.clear();
        if !self.servers.is_empty() {
            book.ids().for_each(|id| self.held(book.get(id)));
        }
    }

    /// A lease is held for its client.
    pub(super) fn held(&mut self, lease: &Lease) {
        if self.counts(lease) {
            *self.held.entry((lease.server, lease.client.hardware())).or_default() += 1;
        }
    }

    /// It is so no more from now on; the lease is still as it was.
    pub(super) fn let_go(&mut self, lease: &Lease) {
        if self.counts(lease) {
            let key = (lease.server, lease.client.hardware());
            if let Some(count) = self.held.get_mut(&key) {
                *count -= 1;
                if *count == 0 {
                    self.held.remove(&key);
                }
            }
        }
    }

    fn counts(&self, lease: &Lease) -> bool {
        self.servers.contains(&lease.server)
            && matches!(lease.state, State::Testing | State::Offered | State::Bound)
    }

    /// Leases of a hardware address on a server that has a limit.
    pub(super) fn count(&self, server: ServerKey, hardware: Hardware) -> u32 {
        self.held.get(&(server, hardware)).copied().unwrap_or_default()
    }
}

/// Declines by client and conflicts by address, as many as fit.
#[derive(Debug, Default)]
pub(super) struct Strikes {
    /// By hash of the identity: how many, and until when they count.
    clients: BTreeMap<u64, (u8, Boottime)>,
    places: BTreeMap<Place, u8>,
}

/// A client that declined so often is not believed for a while.
const DECLINES_MAX: u8 = 3;

/// Milliseconds that a decline counts.
const DECLINES_MS: u64 = 600_000;

/// More are not remembered at a time.
const REMEMBERED: usize = 1 << 14;

impl Strikes {
    /// A client declined an address.
    pub(super) fn declined(&mut self, client: u64, now: Boottime) {
        if self.clients.len() >= REMEMBERED {
            self.clients.retain(|_, (_, until)| *until > now);
        }
        if self.clients.len() < REMEMBERED || self.clients.contains_key(&client) {
            let (count, until) = self.clients.entry(client).or_default();
            *count = if *until > now { count.saturating_add(1) } else { 1 };
            *until = Boottime(now.0.saturating_add(DECLINES_MS));
        }
    }

    /// Whether a client has declined too much lately.
    pub(super) fn is_out(&self, client: u64, now: Boottime) -> bool {
        let strikes = self.clients.get(&client);
        strikes.is_some_and(|&(count, until)| count >= DECLINES_MAX && until > now)
    }

    /// Seconds that an address is out of use for its next conflict.
    pub(super) fn next_quarantine(&mut self, place: Place, first: u32) -> u32 {
        if self.places.len() >= REMEMBERED && !self.places.contains_key(&place) {
            self.places.clear();
        }
        let before = self.places.entry(place).or_default();
        let seconds = quarantine_seconds(first, *before);
        *before = before.saturating_add(1);
        seconds
    }

    /// An address is in use by its own client: what was before is forgotten.
    pub(super) fn is_well(&mut self, place: Place) {
        if !self.places.is_empty() {
            self.places.remove(&place);
        }
    }
}
