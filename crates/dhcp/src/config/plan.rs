//! The pools of a configuration as a plan, with the addresses that are never given out reserved.

use core::net::Ipv4Addr;
use std::collections::BTreeSet;

use leasehold_pool::{Plan, Range, SpaceId};

use super::{AddressPool, Config, FixedAddress, PoolIndex, Server, ServerIndex};
use crate::link::Interfaces;

impl Config {
    /// Adds the pools to `plan`: a new one, or that of the [`Pools`](leasehold_pool::Pools) which
    /// are reconfigured. Reserved are the addresses of static leases and, inside of ranges, network
    /// and broadcast addresses, gateways, and the addresses of `interfaces`.
    #[must_use]
    pub fn plan(&self, interfaces: &Interfaces, mut plan: Plan) -> Plan {
        for pool in &self.pools {
            let space = space_id(&mut plan, &pool.space);
            let ranges: Vec<_> =
                pool.ranges.iter().map(|range| Range::new(*range.start(), *range.end())).collect();
            let next = pool.next.and_then(|next| self.pool(next)).map(|next| &*next.name);
            plan.pool(space, &pool.name, &ranges, next);
        }
        for (space, address) in self.static_addresses() {
            let space = space_id(&mut plan, space);
            plan.reserve(space, address);
        }
        for address in self.unusable(interfaces) {
            for pool in &self.pools {
                if pool.ranges.iter().any(|range| range.contains(&address)) {
                    let space = space_id(&mut plan, &pool.space);
                    plan.reserve(space, address);
                }
            }
        }
        plan
    }

    /// The server with this index.
    #[must_use]
    pub fn server(&self, ServerIndex(at): ServerIndex) -> Option<&Server> {
        self.servers.get(usize::from(at))
    }

    /// The pool with this index.
    #[must_use]
    pub fn pool(&self, PoolIndex(at): PoolIndex) -> Option<&super::PoolSpec> {
        self.pools.get(usize::from(at))
    }

    /// The name of the address space that a server's leases are in; `main` is the empty string.
    #[must_use]
    pub fn space_of(&self, server: &Server) -> &str {
        match server.address_pool {
            AddressPool::StaticOnly => "",
            AddressPool::Pool(pool) => self.pool(pool).map_or("", |pool| &pool.space),
        }
    }

    /// Where static leases are: a row for all servers counts in each server's space.
    fn static_addresses(&self) -> BTreeSet<(&str, Ipv4Addr)> {
        let spaces: BTreeSet<&str> =
            self.servers.iter().map(|server| self.space_of(server)).collect();
        let mut addresses = BTreeSet::new();
        for row in self.leases.iter() {
            let FixedAddress::At(address) = row.address else { continue };
            match row.server.map(|server| self.server(server)) {
                Some(server) => {
                    addresses.extend(server.map(|server| (self.space_of(server), address)));
                }
                None => addresses.extend(spaces.iter().map(|space| (*space, address))),
            }
        }
        addresses
    }

    /// Addresses that no client may have, wherever they are.
    fn unusable(&self, interfaces: &Interfaces) -> BTreeSet<Ipv4Addr> {
        let own = interfaces.iter().flat_map(|interface| &interface.addresses);
        let mut addresses: BTreeSet<_> = own.clone().map(ipnet::Ipv4Net::addr).collect();
        addresses.extend(self.networks.iter().flat_map(|network| &network.gateways));
        let prefixes = self.networks.iter().map(|network| network.address);
        for prefix in prefixes.chain(own.map(ipnet::Ipv4Net::trunc)) {
            // RFC 3021: a /31 has neither a network nor a broadcast address.
            if prefix.prefix_len() > 30 {
                continue;
            }
            for edge in [prefix.network(), prefix.broadcast()] {
                let inner = self.networks.containing(edge).map(|network| network.address);
                let is_host = inner.is_some_and(|inner| {
                    inner.prefix_len() > prefix.prefix_len()
                        && (inner.prefix_len() > 30
                            || (edge != inner.network() && edge != inner.broadcast()))
                });
                if !is_host {
                    addresses.insert(edge);
                }
            }
        }
        addresses.remove(&Ipv4Addr::UNSPECIFIED);
        addresses
    }
}

fn space_id(plan: &mut Plan, space: &str) -> SpaceId {
    if space.is_empty() { SpaceId::MAIN } else { plan.space(space) }
}

#[cfg(test)]
mod tests {
    use leasehold_pool::{AddressState, Pools};

    use super::*;
    use crate::config::{FixedLease, Network, PoolSpec};
    use crate::link::{IfIndex, Interface, Mac};

    fn network(prefix: &str, gateway: Option<&str>) -> Network {
        let gateways = gateway.iter().map(|gateway| gateway.parse().unwrap()).collect();
        Network { gateways, ..Network::new(prefix.parse().unwrap()) }
    }

    fn config(range: [&str; 2], networks: Vec<Network>) -> Config {
        let [first, last] = range.map(|address| address.parse().unwrap());
        let ranges = vec![first..=last];
        let pool = PoolSpec { name: "p".into(), space: "".into(), ranges, next: None };
        Config { pools: vec![pool], networks: Networks::new(networks), ..Config::default() }
    }

    use crate::config::Networks;

    fn reserved(config: &Config, interfaces: &Interfaces) -> Vec<String> {
        let pools = Pools::new(&config.plan(interfaces, Plan::new())).unwrap();
        let range = config.pools[0].ranges[0].clone();
        let all = (range.start().to_bits()..=range.end().to_bits()).map(Ipv4Addr::from_bits);
        let held =
            |address: &Ipv4Addr| pools.state(SpaceId::MAIN, *address) == AddressState::Vacant;
        all.filter(held).map(|address| address.to_string()).collect()
    }

    #[test]
    fn edges_gateway_and_own_addresses_are_reserved() {
        let config = config(
            ["10.0.0.0", "10.0.1.255"],
            vec![network("10.0.0.0/24", Some("10.0.0.1")), network("10.0.1.0/24", None)],
        );
        let own = Interfaces::new(vec![Interface {
            index: IfIndex(2),
            name: "ether-83".into(),
            mac: Mac::default(),
            addresses: vec!["10.0.0.2/24".parse().unwrap()],
            mtu: 1500,
            running: true,
            slave: false,
        }]);
        let expected = ["10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.255", "10.0.1.0", "10.0.1.255"];
        assert_eq!(reserved(&config, &own), expected);
    }

    /// POOL-11: the middle of a /23 is made of hosts, also where a /24 lies in it.
    #[test]
    fn the_edges_are_those_of_the_longest_prefix() {
        let none = Interfaces::default();
        let wide = config(["10.0.0.0", "10.0.1.255"], vec![network("10.0.0.0/23", None)]);
        assert_eq!(reserved(&wide, &none), ["10.0.0.0", "10.0.1.255"]);
        let point = config(["10.0.0.0", "10.0.0.1"], vec![network("10.0.0.0/31", None)]);
        assert_eq!(reserved(&point, &none), [""; 0]);
        let nested = config(
            ["10.0.0.0", "10.0.1.255"],
            vec![network("10.0.0.0/23", None), network("10.0.0.0/24", None)],
        );
        assert_eq!(reserved(&nested, &none), ["10.0.0.0", "10.0.0.255", "10.0.1.255"]);
    }

    #[test]
    fn a_static_address_is_reserved_inside_and_outside_of_pools() {
        let mut config = config(["10.0.0.10", "10.0.0.20"], Vec::new());
        config.servers.push(Server::default());
        let row = |address: &str| FixedLease {
            address: FixedAddress::At(address.parse().unwrap()),
            ..FixedLease::default()
        };
        config.leases = [row("10.0.0.15"), row("192.0.2.1")].into_iter().collect();
        let pools = Pools::new(&config.plan(&Interfaces::default(), Plan::new())).unwrap();
        for address in ["10.0.0.15", "192.0.2.1"] {
            let address = address.parse().unwrap();
            assert_eq!(pools.state(SpaceId::MAIN, address), AddressState::Vacant);
        }
    }
}
