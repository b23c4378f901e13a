//! What is wrong or suspicious in a configuration, on a machine with these interfaces.

use core::net::Ipv4Addr;
use core::ops::RangeInclusive;

use leasehold_dhcp::config::{AddressPool, Compiled, Config, PoolIndex, PoolSpec, Relay, Server};
use leasehold_dhcp::{Interfaces, menus};
use leasehold_routeros::Tree;

use super::{Finding, Findings};

/// Looks at everything that needs no packet.
pub(super) fn examine(
    tree: &Tree,
    compiled: &Compiled,
    interfaces: &Interfaces,
    found: &mut Findings,
) {
    for flaw in &compiled.flaws {
        let finding = Finding::new(flaw.to_string(), "see the property in docs/properties.md");
        if flaw.broken.invalidates() { found.error(finding) } else { found.warning(finding) }
    }
    for row in tree.rows::<menus::Server>().iter().filter(|row| row.disabled) {
        if let Ok(server) = &row.row {
            let name = &*server.name;
            let text = format!("server {name} is disabled: its clients get no answer");
            found.warning(Finding::new(text, "enable it, or remove it"));
        }
    }
    let config = &compiled.config;
    if config.servers.is_empty() {
        let text = "no server is enabled and valid: nobody is served";
        found.error(Finding::new(text, "add one: [[dhcp-server]] with interface and address-pool"));
    }
    for server in &config.servers {
        examine_interface(server, interfaces, found);
        examine_pool_of(config, server, found);
    }
    examine_pools(config, interfaces, found);
    examine_networks(config, found);
}

fn examine_interface(server: &Server, interfaces: &Interfaces, found: &mut Findings) {
    if !matches!(server.relay, Relay::None) {
        return;
    }
    let (name, on) = (&server.name, &server.interface);
    let Some(interface) = interfaces.named(on) else {
        let known: Vec<_> = interfaces.iter().map(|it| it.name.as_str()).collect();
        let text = format!("server {name}: there is no interface {on}");
        let mend = format!("it is served as soon as it appears; there are {}", known.join(", "));
        return found.error(Finding::new(text, mend));
    };
    if interface.slave {
        let text = format!("server {name}: {on} is a port of a bridge or bond, which hears for it");
        return found.error(Finding::new(text, "serve the bridge or the bond instead"));
    }
    if !interface.running {
        let text = format!("server {name}: {on} is down or has no carrier");
        found.error(Finding::new(text, format!("`ip link set {on} up`, or plug it in")));
    }
    if interface.addresses.is_empty() && server.server_address.is_none() {
        let text = format!("server {name}: {on} has no IPv4 address, so it serves nobody");
        let mend = format!("`ip addr add ADDRESS/LENGTH dev {on}`, or set server-address");
        found.error(Finding::new(text, mend));
    }
    let bridge = format!("/sys/class/net/{on}/brif");
    if std::fs::read_dir(bridge).is_ok_and(|mut ports| ports.next().is_none()) {
        let text = format!("server {name}: the bridge {on} has no ports");
        found.warning(Finding::new(text, format!("`ip link set PORT master {on}`")));
    }
}

fn examine_pool_of(config: &Config, server: &Server, found: &mut Findings) {
    match server.address_pool {
        AddressPool::StaticOnly if config.leases.iter().next().is_none() => {
            let text =
                format!("server {} gives only static leases, and there are none", server.name);
            found.warning(Finding::new(text, "set address-pool, or add [[dhcp-server-lease]]"));
        }
        AddressPool::StaticOnly => {}
        AddressPool::Pool(first) => {
            let mut seen = Vec::new();
            let mut next = Some(first);
            while let Some(index) = next {
                let Some(pool) = config.pool(index) else { break };
                if seen.contains(&index) {
                    let text = format!("pool {}: its next-pool leads back to it", pool.name);
                    found.warning(Finding::new(text, "end the chain: next-pool=none"));
                    break;
                }
                seen.push(index);
                next = pool.next;
            }
        }
    }
}

fn examine_pools(config: &Config, interfaces: &Interfaces, found: &mut Findings) {
    for (at, pool) in config.pools.iter().enumerate() {
        let name = &pool.name;
        let served = config.servers.iter().any(|server| reaches(config, server, at));
        if !served {
            let text = format!("pool {name} is used by no server");
            found.note(Finding::new(text, "set it as address-pool or next-pool, or remove it"));
        }
        for range in pool.ranges.iter().filter(|_| served) {
            for end in [*range.start(), *range.end()] {
                if config.networks.containing(end).is_none() {
                    let text = format!("pool {name}: no network entry contains {end}");
                    let mend = "clients get no gateway and no DNS server: add \
                                [[dhcp-server-network]] for it";
                    found.error(Finding::new(text, mend));
                    break;
                }
            }
        }
        for interface in interfaces.iter() {
            for own in interface.addresses.iter().filter(|own| holds(pool, own.addr())) {
                let text = format!("pool {name} contains this machine's address {}", own.addr());
                found.note(Finding::new(text, "it is never given out; the range may leave it out"));
            }
        }
        for other in config.pools.iter().skip(at + 1).filter(|other| other.space == pool.space) {
            if let Some(both) = overlap(pool, other) {
                let text = format!(
                    "pools {name} and {} overlap at {}-{}",
                    other.name,
                    both.start(),
                    both.end()
                );
                let mend = "no address is given twice, but both count it: change one of the ranges";
                found.warning(Finding::new(text, mend));
            }
        }
    }
}

fn examine_networks(config: &Config, found: &mut Findings) {
    for network in config.networks.iter() {
        let address = network.address;
        for gateway in &network.gateways {
            let reachable =
                leasehold_net(network.prefix_len(), address.network()).contains(gateway);
            if !reachable && !address.contains(gateway) {
                let text = format!("network {address}: the gateway {gateway} is outside of it");
                found.error(Finding::new(text, "clients cannot reach it: correct gateway"));
            }
        }
        if network.gateways.is_empty() {
            let text = format!("network {address} has no gateway");
            found.warning(Finding::new(text, "clients stay on their link: set gateway"));
        }
        if network.dns.is_empty() {
            let text = format!("network {address} has no DNS server, nor has this machine one");
            found.warning(Finding::new(text, "set dns-server"));
        }
    }
}

fn leasehold_net(length: u8, address: Ipv4Addr) -> ipnet::Ipv4Net {
    // A prefix length that a network has is at most 32.
    ipnet::Ipv4Net::new(address, length).unwrap_or_default().trunc()
}

fn reaches(config: &Config, server: &Server, pool: usize) -> bool {
    let AddressPool::Pool(first) = server.address_pool else { return false };
    let mut next = Some(first);
    for _ in 0..=config.pools.len() {
        let Some(PoolIndex(index)) = next else { return false };
        if usize::from(index) == pool {
            return true;
        }
        next = config.pool(PoolIndex(index)).and_then(|pool| pool.next);
    }
    false
}

fn holds(pool: &PoolSpec, address: Ipv4Addr) -> bool {
    pool.ranges.iter().any(|range| range.contains(&address))
}

fn overlap(one: &PoolSpec, other: &PoolSpec) -> Option<RangeInclusive<Ipv4Addr>> {
    let pairs = one.ranges.iter().flat_map(|a| other.ranges.iter().map(move |b| (a, b)));
    let mut common = pairs.map(|(a, b)| *a.start().max(b.start())..=*a.end().min(b.end()));
    common.find(|range| !range.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::configuration;
    use leasehold_dhcp::{IfIndex, Interface, Mac};
    use leasehold_routeros::Ids;
    use leasehold_routeros::syntax::toml;

    const GOOD: &str = include_str!("../../../config/leasehold.toml");

    fn interface(addresses: &[&str], running: bool, slave: bool) -> Interfaces {
        Interfaces::new(vec![Interface {
            index: IfIndex(2),
            name: "ether-83".into(),
            mac: Mac([2, 0, 0, 0, 0, 1]),
            addresses: addresses.iter().map(|net| net.parse().unwrap()).collect(),
            mtu: 1500,
            running,
            slave,
        }])
    }

    fn up() -> Interfaces {
        interface(&["67.9.97.1/24"], true, false)
    }

    fn texts(configuration: &str, interfaces: &Interfaces) -> Vec<String> {
        let opened = toml::open(menus::menus(), configuration, &Ids::default()).unwrap();
        let mut found = Findings::default();
        let compiled = configuration::compile(&opened.tree);
        examine(&opened.tree, &compiled, interfaces, &mut found);
        found.all.into_iter().map(|(_, finding)| finding.text).collect()
    }

    fn one(configuration: &str, interfaces: &Interfaces, text: &str) {
        let found = texts(configuration, interfaces);
        assert!(found.iter().any(|one| one.contains(text)), "{text:?} is not in {found:#?}");
    }

    #[test]
    fn the_example_is_faultless() {
        assert_eq!(texts(GOOD, &up()), [""; 0]);
    }

    #[test]
    fn interfaces_are_looked_at() {
        one(GOOD, &Interfaces::default(), "there is no interface ether-83");
        one(GOOD, &interface(&["67.9.97.1/24"], false, false), "down or has no carrier");
        one(GOOD, &interface(&["67.9.97.1/24"], true, true), "port of a bridge");
        one(GOOD, &interface(&[], true, false), "has no IPv4 address");
    }

    #[test]
    fn pools_and_networks_are_looked_at() {
        one(&GOOD.replace("67.9.97.0/24", "67.9.98.0/24"), &up(), "no network entry contains");
        one(&GOOD.replace("\"67.9.97.1\"", "\"10.0.0.1\""), &up(), "gateway 10.0.0.1 is outside");
        let wide = GOOD.replace("67.9.97.10-", "67.9.97.1-");
        one(&wide, &up(), "contains this machine's address 67.9.97.1");
        let more =
            format!("{GOOD}\n[[pool]]\nname = \"b\"\nranges = \"67.9.97.200-67.9.97.254\"\n");
        one(&more, &up(), "overlap at 67.9.97.200-67.9.97.254");
        one(&more, &up(), "pool b is used by no server");
        let looped = GOOD.replace("67.9.97.254\"", "67.9.97.254\"\nnext-pool = \"isp-pool\"");
        one(&looped, &up(), "its next-pool leads back to it");
        let off = GOOD.replace("lease-time = \"1d\"", "disabled = true");
        one(&off, &up(), "server dhcp-server-83 is disabled");
        one(&off, &up(), "nobody is served");
    }
}
