//! A new configuration, or other interfaces: leases stay, everything else is resolved anew.

use std::collections::BTreeSet;
use std::sync::Arc;

use leasehold_pool::{Pools, SpaceId};

use super::Engine;
use super::book::LeaseId;
use super::lease::{Hold, ServerKey, State};
use crate::config::{Config, Identifiers, ServerIndex};
use crate::link::{IfIndex, Interfaces};
use crate::planted::planted;

impl Engine {
    /// Adopts all of it at once.
    pub(super) fn adopt(&mut self, config: Arc<Config>, pools: Pools, interfaces: Arc<Interfaces>) {
        let before = self.identifiers();
        self.services.adopt(&self.config, &config, &pools, &interfaces);
        self.config = config;
        self.pools = pools;
        self.interfaces = interfaces;
        let after = self.identifiers();
        let changed: Vec<_> = after.into_iter().filter(|it| !before.contains(it)).collect();
        self.rekey(&changed);
        self.claim_what_is_unclaimed();
        let counts_ports = self.config.servers.iter().any(|it| it.circuit_lease_limit.is_some());
        let settings = &self.config.settings;
        let asked = !(settings.leasequery.is_empty() && settings.bulk_leasequery.is_empty());
        self.book.keep_traits(counts_ports || asked);
        self.alerts.adopt(&self.config.alerts, &self.interfaces);
        self.supply.adopt(&self.pools, &mut self.book);
        self.pressure.forget();
        let limited = self.config.servers.iter().zip(0..);
        let limited = limited.filter(|(server, _)| server.client_mac_limit.is_some());
        let limited = limited.filter_map(|(_, at)| self.services.key_of(ServerIndex(at)));
        let limited: BTreeSet<ServerKey> = limited.collect();
        self.mac_limits.adopt(limited, &self.book);
    }

    fn identifiers(&self) -> Vec<(ServerKey, Identifiers)> {
        let servers = self.config.servers.iter().zip(0..);
        let keyed = servers.filter_map(|(server, at)| {
            Some((self.services.key_of(ServerIndex(at))?, server.identifiers))
        });
        keyed.collect()
    }

    /// Clients of servers whose `dynamic-lease-identifiers` changed are told apart anew, so that
    /// nobody becomes a stranger by it.
    fn rekey(&mut self, changed: &[(ServerKey, Identifiers)]) {
        if changed.is_empty() {
            return;
        }
        let ids: Vec<LeaseId> = self.book.ids().collect();
        for id in ids {
            let lease = self.book.get(id);
            let identifiers = changed.iter().find(|(key, _)| *key == lease.server);
            let Some(&(_, identifiers)) = identifiers else { continue };
            let kind = lease.traits().kind(identifiers);
            if kind != lease.kind {
                self.book.set_client(id, |lease| lease.kind = kind);
            }
        }
    }

    /// A lease may be older than the pool that its address is in now.
    fn claim_what_is_unclaimed(&mut self) {
        let needs = |id: &LeaseId| {
            let lease = self.book.get(*id);
            matches!(lease.hold, Hold::None) && lease.state != State::Ended
        };
        if planted!(RestoreTakesNothing) {
            return;
        }
        let unclaimed: Vec<LeaseId> = self.book.ids().filter(needs).collect();
        for id in unclaimed {
            let lease = self.book.get(id);
            let (space, address) = (lease.space, lease.address);
            let claim = self.pools.take(space, address);
            let claim = claim.or_else(|_| self.pools.take_reserved(space, address));
            if let Ok(claim) = claim {
                let hold = match self.book.get(id).state.is_quarantined() {
                    true => Hold::Quarantined(self.pools.quarantine(claim)),
                    false => Hold::Claimed(claim),
                };
                self.book.get_mut(id).hold = hold;
            }
        }
    }

    /// The address spaces that an address on an interface may be meant in, likeliest first.
    pub(super) fn spaces_of(&self, interface: IfIndex) -> Vec<SpaceId> {
        let mut spaces: Vec<SpaceId> = Vec::new();
        let direct = self.services.direct(interface).and_then(|it| self.services.space_of(it));
        for space in direct.into_iter().chain([SpaceId::MAIN]).chain(self.services.spaces()) {
            if !spaces.contains(&space) {
                spaces.push(space);
            }
        }
        spaces
    }

    /// Whether every lease that needs its address has it, and the pools know.
    pub(super) fn check_holds(&self) -> Result<(), String> {
        use leasehold_pool::AddressState;
        for id in self.book.ids() {
            let lease = self.book.get(id);
            let state = self.pools.state(lease.space, lease.address);
            let agrees = match (&lease.hold, lease.state) {
                (Hold::None, State::Ended) => true,
                (Hold::None, _) => state == AddressState::NotCovered,
                (Hold::Claimed(claim), State::Testing | State::Offered | State::Bound) => {
                    (claim.space(), claim.address()) == (lease.space, lease.address)
                        && matches!(state, AddressState::Claimed | AddressState::NotCovered)
                }
                (Hold::Quarantined(held), State::Declined | State::Conflict) => {
                    held.address() == lease.address
                        && matches!(state, AddressState::Quarantined | AddressState::NotCovered)
                }
                _ => false,
            };
            if !agrees {
                let (address, lease) = (lease.address, lease.state);
                return Err(format!("{address} is {lease:?} in the book, {state:?} in the pools"));
            }
        }
        Ok(())
    }
}
