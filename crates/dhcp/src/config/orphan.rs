//! What a new configuration would do to a client that has a lease now.

use core::fmt;
use std::collections::BTreeSet;

use super::{AddressPool, Config, PoolIndex, Server};
use crate::order::{LeaseView, Status};

/// Why a client would lose its address at its next renewal, or find another network around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Orphaned {
    /// No enabled server has the name of the one that gave it.
    ServerGone,
    /// The server's pools and static leases no longer hold the address.
    OutsidePools,
    /// The address would be in a network with another prefix or other gateways.
    OtherNetwork,
}

impl fmt::Display for Orphaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ServerGone => "its server would be gone",
            Self::OutsidePools => "no pool or static lease of its server would hold it",
            Self::OtherNetwork => "its network would have another prefix or gateway",
        })
    }
}

impl Config {
    /// Whether anything that [`Self::orphans`] looks at differs. Comparing is cheap, walking all
    /// leases is not.
    #[must_use]
    pub fn may_orphan(&self, new: &Self) -> bool {
        self.servers != new.servers
            || self.pools != new.pools
            || self.networks != new.networks
            || self.leases != new.leases
    }

    /// What `new` would do to a bound lease that this configuration serves.
    #[must_use]
    pub fn orphans(&self, new: &Self, lease: &LeaseView) -> Option<Orphaned> {
        let address = lease.location.address;
        if lease.status != Status::Bound || !self.serves(lease) {
            return None;
        }
        let Some(server) = self.heir(new, lease) else { return Some(Orphaned::ServerGone) };
        if !(new.gives(server, lease) || new.leases.at(address).next().is_some()) {
            return Some(Orphaned::OutsidePools);
        }
        let told = |config: &Self| {
            let network = config.networks.containing(address)?;
            Some((network.address, network.prefix_len(), network.gateways.clone()))
        };
        (told(self).is_some() && told(self) != told(new)).then_some(Orphaned::OtherNetwork)
    }

    /// The server of `new` that is the lease's: that of its name, else one that was renamed and
    /// serves the same clients.
    fn heir<'a>(&self, new: &'a Self, lease: &LeaseView) -> Option<&'a Server> {
        let named = new.servers.iter().find(|server| server.name == lease.server);
        named.or_else(|| {
            let old = self.servers.iter().find(|server| server.name == lease.server)?;
            let same = |it: &&Server| it.interface == old.interface && it.relay == old.relay;
            new.servers.iter().find(same)
        })
    }

    /// Whether the client could renew the lease now.
    fn serves(&self, lease: &LeaseView) -> bool {
        let server = self.servers.iter().find(|server| server.name == lease.server);
        let fixed = self.leases.at(lease.location.address).next().is_some();
        server.is_some_and(|server| fixed || self.gives(server, lease))
    }

    /// Whether the server's pools, or those of its matchers, hold the lease's address.
    fn gives(&self, server: &Server, lease: &LeaseView) -> bool {
        let matched = self.matchers.iter().filter_map(|matcher| matcher.address_pool);
        let pools = core::iter::once(server.address_pool).chain(matched);
        let mut seen = BTreeSet::new();
        pools.into_iter().any(|pool| match pool {
            AddressPool::StaticOnly => false,
            AddressPool::Pool(first) => self.chain_holds(first, lease, &mut seen),
        })
    }

    fn chain_holds(
        &self,
        first: PoolIndex,
        lease: &LeaseView,
        seen: &mut BTreeSet<PoolIndex>,
    ) -> bool {
        let mut next = Some(first);
        while let Some(index) = next.filter(|index| seen.insert(*index)) {
            let Some(pool) = self.pool(index) else { return false };
            let holds = pool.ranges.iter().any(|range| range.contains(&lease.location.address));
            if holds && *pool.space == *lease.location.space {
                return true;
            }
            next = pool.next;
        }
        false
    }
}
