//! Rows become the configuration that they mean, and bad rows do not hurt their neighbours.

use super::*;
use crate::config::Relay;
use crate::menus::menus;
use leasehold_routeros::Ids;
use leasehold_routeros::tree::{Given, GivenRow};

const POOL: &str = "/ip/pool";
const SERVER: &str = "/ip/dhcp-server";
const NETWORK: &str = "/ip/dhcp-server/network";
const LEASE: &str = "/ip/dhcp-server/lease";

fn compiled(rows: &[(&'static str, &str)]) -> Compiled {
    let property = |text: &str| {
        let (name, text) = text.split_once('=').unwrap();
        Given { name: name.into(), text: text.into() }
    };
    let rows: Vec<GivenRow> = rows
        .iter()
        .map(|(path, texts)| GivenRow {
            path,
            properties: texts.split(' ').map(property).collect(),
        })
        .collect();
    let (tree, _, _) = Tree::load(menus(), &rows, &Ids::default());
    Config::compile(&tree, Host { resolvers: &[Ipv4Addr::new(192, 0, 2, 53)] })
}

fn broken(compiled: &Compiled) -> Vec<String> {
    compiled.flaws.iter().map(ToString::to_string).collect()
}

#[test]
fn the_scenario_compiles() {
    let all = compiled(&[
        (POOL, "name=isp-pool ranges=67.9.97.10-67.9.97.254"),
        (SERVER, "name=dhcp-server-83 interface=ether-83 address-pool=isp-pool lease-time=1d"),
        (NETWORK, "address=67.9.97.0/24 gateway=67.9.97.1 dns-server=8.8.8.8"),
    ]);
    assert_eq!(broken(&all), [""; 0]);
    let server = &all.config.servers[0];
    assert_eq!((&*server.name, &*server.interface), ("dhcp-server-83", "ether-83"));
    assert_eq!((server.lease_time, server.relay), (86_400, Relay::None));
    assert_eq!(server.address_pool, AddressPool::Pool(PoolIndex(0)));
    let network = all.config.networks.containing(Ipv4Addr::new(67, 9, 97, 254)).unwrap();
    assert_eq!(network.dns, [Ipv4Addr::new(8, 8, 8, 8)]);
    assert_eq!(network.gateways, [Ipv4Addr::new(67, 9, 97, 1)]);
}

#[test]
fn chains_and_loops_are_resolved() {
    let all = compiled(&[
        (POOL, "name=a ranges=10.0.0.1 next-pool=b"),
        (POOL, "name=b ranges=10.0.0.2 next-pool=a"),
        (POOL, "name=c ranges=10.0.0.3 next-pool=a vrf=blue"),
    ]);
    let next: Vec<_> = all.config.pools.iter().map(|pool| pool.next).collect();
    assert_eq!(next, [Some(PoolIndex(1)), Some(PoolIndex(0)), None]);
    assert_eq!(
        broken(&all),
        ["/ip/pool c: next-pool a is in another vrf: set the same vrf for both"]
    );
}

#[test]
fn without_a_dns_server_the_host_s_resolvers_are_told() {
    let all = compiled(&[
        (NETWORK, "address=10.0.0.0/24"),
        (NETWORK, "address=10.0.1.0/24 dns-none=yes gateway=0.0.0.0"),
    ]);
    let dns = |address| all.config.networks.containing(address).unwrap().dns.clone();
    assert_eq!(dns(Ipv4Addr::new(10, 0, 0, 1)), [Ipv4Addr::new(192, 0, 2, 53)]);
    assert_eq!(dns(Ipv4Addr::new(10, 0, 1, 1)), [Ipv4Addr::UNSPECIFIED; 0]);
}

/// POOL-09: the second static lease of an address is invalid, and the service goes on.
#[test]
fn the_second_static_lease_of_an_address_is_left_out() {
    let all = compiled(&[
        (SERVER, "name=s interface=ether-83"),
        (LEASE, "address=10.0.0.5 mac-address=02:00:00:00:00:01"),
        (LEASE, "address=10.0.0.5 mac-address=02:00:00:00:00:02"),
        (LEASE, "address=10.0.0.6 mac-address=02:00:00:00:00:03"),
    ]);
    assert_eq!(all.config.leases.iter().count(), 2);
    assert_eq!(
        broken(&all),
        ["/ip/dhcp-server/lease 10.0.0.5: another one has the same address: change or remove one \
          of them"]
    );
    let withheld: Vec<_> = all.config.withheld.iter().map(|held| held.addresses.clone()).collect();
    assert_eq!(withheld, [Ipv4Addr::new(10, 0, 0, 5)..=Ipv4Addr::new(10, 0, 0, 5)]);
}

#[test]
fn a_disabled_server_withholds_its_pools_and_its_static_leases_are_off() {
    let all = compiled(&[
        (POOL, "name=p ranges=10.0.0.10-10.0.0.20"),
        (SERVER, "name=off interface=ether-83 address-pool=p disabled=yes"),
        (SERVER, "name=on interface=ether-84"),
        (LEASE, "address=10.0.0.5 mac-address=02:00:00:00:00:01 server=off"),
    ]);
    assert_eq!(all.config.servers.len(), 1);
    assert_eq!(all.config.leases.iter().count(), 0);
    assert_eq!(all.config.withheld.len(), 2);
}

#[test]
fn a_server_whose_pool_is_gone_serves_static_leases_and_tells_nobody_nak() {
    let all = compiled(&[(SERVER, "name=s interface=ether-83 address-pool=*1")]);
    let server = &all.config.servers[0];
    assert_eq!(server.address_pool, AddressPool::StaticOnly);
    assert_eq!(server.authoritative, crate::config::Authoritative::No);
    assert!(!all.flaws[0].broken.invalidates());
}

#[test]
fn a_value_that_does_not_go_with_its_code_leaves_the_option_out() {
    let all = compiled(&[
        ("/ip/dhcp-server/option", "name=dns code=6 value=10.0.0.0/8"),
        ("/ip/dhcp-server/option", "name=mtu code=26 value=1400"),
        (NETWORK, "address=10.0.0.0/24 dhcp-option=mtu"),
    ]);
    assert_eq!(
        broken(&all),
        ["/ip/dhcp-server/option dns: value of this code must be addresses: 10.0.0.1,10.0.0.2"]
    );
    let network = all.config.networks.containing(Ipv4Addr::new(10, 0, 0, 1)).unwrap();
    let mtu = network.options.get(26).unwrap();
    assert_eq!(mtu.value, crate::config::Value::Bytes([5, 0x78].into()));
}
