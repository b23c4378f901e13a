//! REN: DHCPREQUEST in RENEWING and REBINDING.

use std::net::Ipv4Addr;
use std::time::Duration;

use leasehold_dhcp::config::{Authoritative, FixedLease, PoolIndex, Relay, Server, ServerIndex};
use leasehold_dhcp::event::Silence;
use leasehold_dhcp::record::Change;
use leasehold_dhcp::{Destination, Event};

use crate::world::*;

#[test]
fn ren_01_a_unicast_renewal() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.pass(seconds(60));
    let ack = world.ask(&Packet::client(1).renew(held));
    assert_eq!((ack.kind(), ack.ciaddr(), ack.yiaddr()), (Some(5), held, held));
    assert_eq!((ack.number(51), ack.flags()), (Some(LEASE_TIME), 0));
    // By a frame of our own: the kernel's neighbour table has an end.
    assert_eq!(ack.link(), Some((mac(1), "172.29.0.200:68".parse().unwrap())));
    let renewed = &world.disk.last().unwrap().change;
    assert_eq!(*renewed, Change::Renewed { lease_time: LEASE_TIME });
}

#[test]
fn ren_01_a_renewal_over_another_uplink() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1).relayed());
    let mut packet = Packet { interface: UPLINK, ..Packet::client(1) }.renew(held);
    packet.link_source = None;
    let ack = world.ask(&packet);
    let target = std::net::SocketAddrV4::new(held, 68);
    assert_eq!(ack.to, Destination::Routed { source: UPLINK_ADDRESS, target });
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), held));
}

#[test]
fn ren_02_a_rebinding_client() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.pass(seconds(110));
    let ack = world.ask(&Packet::client(1).rebind(held));
    assert_eq!((ack.kind(), ack.number(51), ack.target().ip()), (Some(5), Some(120), &held));
}

#[test]
fn ren_03_a_renewal_before_t1() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.pass(seconds(5));
    assert_eq!(world.ask(&Packet::client(1).renew(held)).number(51), Some(LEASE_TIME));
    world.pass(seconds(119));
    assert_eq!(world.count("deassigned"), 0);
}

#[test]
fn ren_04_another_clients_address() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let nak = world.ask(&Packet::client(2).renew(held));
    assert_eq!((nak.kind(), nak.is_broadcast()), (Some(6), true));
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(5));
}

#[test]
fn ren_05_an_unknown_client_with_a_free_address_of_the_pool() {
    let mut config = config();
    config.servers[0].authoritative = Authoritative::No;
    let event = World::with(config).silent(&Packet::client(1).renew(lan(150)));
    assert!(matches!(event, Event::Silent { reason: Silence::NotAuthoritative, .. }), "{event}");
    // The decision: an authoritative server adopts it.
    let mut world = World::new();
    assert_eq!(world.ask(&Packet::client(1).renew(lan(150))).kind(), Some(5));
    assert_eq!(world.ask(&Packet::client(2).rebind(lan(151))).kind(), Some(5));
    assert_eq!(world.disk.len(), 2);
}

#[test]
fn ren_06_an_address_of_another_network() {
    let mut world = World::new();
    let nak = world.ask(&Packet::client(1).rebind("10.9.9.9".parse().unwrap()));
    assert_eq!((nak.kind(), nak.is_broadcast()), (Some(6), true));
}

#[test]
fn ren_07_a_pool_that_shrank_under_a_lease() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.pass(seconds(20));
    world.reconfigure(|config| config.pools[0] = pool("lan-pool", lan(100), lan(150)));
    world.pass(seconds(20));
    let ack = world.ask(&Packet::client(1).renew(held));
    assert_eq!((ack.kind(), ack.yiaddr(), ack.number(51)), (Some(5), held, Some(80)));
    world.pass(seconds(81));
    assert_eq!(world.ask(&Packet::client(1).reboot(held)).kind(), Some(6));
    assert_eq!(world.lease(&Packet::client(1)), lan(150));
}

#[test]
fn ren_08_a_static_lease_for_another_address_was_added() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.reconfigure(|config| config.leases = [fixed(1, lan(20))].into_iter().collect());
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(6));
    assert_eq!(world.lease(&Packet::client(1)), lan(20));
    assert_eq!(world.usage().0, 0);
}

#[test]
fn ren_09_a_server_identifier_makes_it_selecting() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let ack = world.ask(&Packet::client(1).renew(held).option(54, &SERVER.octets()));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), held));
    world.silent(&Packet::client(1).renew(held).option(54, &[10, 0, 0, 1]));
}

#[test]
fn ren_10_option_82_in_a_unicast_is_echoed() {
    let mut world = World::new();
    let agent = [1, 2, 0, 0xff, 2, 1, 7];
    let held = world.lease(&Packet::client(1).relayed().option(82, &agent));
    let mut packet = Packet { interface: UPLINK, ..Packet::client(1) }.renew(held);
    packet.link_source = None;
    let ack = world.ask(&packet.option(82, &agent));
    assert_eq!((ack.kind(), ack.option(82)), (Some(5), Some(agent.to_vec())));
}

#[test]
fn ren_11_a_rebinding_client_behind_a_relay() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1).relayed());
    let ack = world.ask(&Packet::client(1).relayed().rebind(held));
    assert_eq!((ack.kind(), ack.target()), (Some(5), "172.29.2.1:67".parse().unwrap()));
}

#[test]
fn ren_12_a_renewal_that_looks_like_init_reboot() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let mut packet = Packet::client(1).reboot(held);
    packet.destination = SERVER;
    assert_eq!(world.ask(&packet).kind(), Some(5));
}

#[test]
fn ren_13_a_renewal_at_the_moment_of_expiry() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.pass(Duration::from_secs(u64::from(LEASE_TIME)));
    let ack = world.ask(&Packet::client(1).renew(held));
    assert_eq!((ack.kind(), ack.yiaddr(), ack.number(51)), (Some(5), held, Some(LEASE_TIME)));
}

#[test]
fn ren_14_a_reload_changed_what_clients_are_told() {
    let mut world = World::new();
    let client = Packet::client(1).asking_for(&[6]);
    let held = world.lease(&client);
    world.reconfigure(|config| {
        let mut network = network("172.29.0.0/24");
        network.dns = vec![lan(3)];
        config.networks = [network].into_iter().collect();
    });
    assert_eq!(world.ask(&client.renew(held)).option(6), Some(lan(3).octets().to_vec()));
}

/// A static lease added onto an address that somebody else has: he is moved when he renews.
#[test]
fn the_old_owner_of_a_static_address_is_moved() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.reconfigure(|config| config.leases = [fixed(2, lan(200))].into_iter().collect());
    assert_eq!(world.lease(&Packet::client(2)), lan(199), "until then another one will do");
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(6));
    assert_ne!(world.lease(&Packet::client(1)), held);
    assert_eq!(world.ask(&Packet::client(2).renew(lan(199))).kind(), Some(6));
    assert_eq!(world.lease(&Packet::client(2)), held);
}

/// While the store does not work a renewal gets what is durable, and nothing is lengthened.
#[test]
fn a_renewal_while_the_store_fails() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.pass(seconds(50));
    world.store_works = false;
    assert!(world.send(&Packet::client(1).renew(held)).is_empty(), "not durable: no ACK");
    let ack = world.ask(&Packet::client(1).renew(held));
    assert_eq!((ack.kind(), ack.number(51)), (Some(5), Some(70)));
    world.pass(seconds(10));
    assert_eq!(world.ask(&Packet::client(1).renew(held)).number(51), Some(60));
    world.store_works = true;
    world.input(leasehold_dhcp::Input::StoreRecovered);
    assert_eq!(world.ask(&Packet::client(1).renew(held)).number(51), Some(LEASE_TIME));
}

/// The NAK may be lost: the client goes on using its address, so nobody else gets it.
#[test]
fn a_nak_takes_nothing_away() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.reconfigure(|config| config.leases = [fixed(2, held)].into_iter().collect());
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(6));
    assert_ne!(world.lease(&Packet::client(2)), held);
    world.pass(seconds(u64::from(LEASE_TIME)));
    assert_eq!(world.lease(&Packet::client(2)), held);
}

/// The ACK of a shorter lease may be lost: what was promised before holds as long.
#[test]
fn a_renewal_does_not_end_a_lease_before_what_was_promised() {
    let mut config = config();
    config.servers[0].lease_time = 600;
    let mut world = World::with(config);
    let held = world.lease(&Packet::client(1));
    world.reconfigure(|config| config.servers[0].lease_time = 30);
    world.pass(seconds(100));
    assert_eq!(world.ask(&Packet::client(1).renew(held)).number(51), Some(30));
    world.pass(seconds(200));
    assert_eq!(world.count("deassigned"), 0);
    let mut world = world.restarted(seconds(100));
    assert_ne!(world.ask(&Packet::client(2).discover().wishing(held)).yiaddr(), held);
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(5));
    world.pass(seconds(201));
    assert_eq!(world.ask(&Packet::client(3).discover().wishing(held)).yiaddr(), held);
}

/// A broadcast came from this very link, whatever address its client has.
#[test]
fn a_rebinding_client_outside_the_prefixes_of_the_interface() {
    let mut config = config();
    let other = "10.84.0.11".parse().unwrap();
    config.pools[0] = pool("lan-pool", other, other);
    let mut world = World::with(config);
    assert_eq!(world.lease(&Packet::client(1)), other);
    let ack = world.ask(&Packet::client(1).rebind(other));
    let target = std::net::SocketAddrV4::new(other, 68);
    assert_eq!((ack.kind(), ack.link()), (Some(5), Some((mac(1), target))));
}

/// A server is disabled while its clients have leases: no other server judges them.
#[test]
fn the_lease_of_a_disabled_server_is_nobody_elses_to_judge() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1).relayed());
    world.reconfigure(|config| {
        config.servers.remove(2);
        config.servers[0].address_pool = leasehold_dhcp::config::AddressPool::Pool(PoolIndex(2));
        config.leases = [fixed(1, lan(20))].into_iter().collect();
    });
    let mut packet = Packet { interface: UPLINK, ..Packet::client(1) }.renew(held);
    packet.link_source = None;
    let event = world.silent(&packet);
    assert!(matches!(event, Event::Silent { reason: Silence::Withheld, .. }), "{event}");
}

/// Behind a relay, where a server for every relay takes the disabled one's place: the client that
/// is heard through its own relay keeps its lease, through another one nothing is said of it.
#[test]
fn the_lease_of_a_disabled_server_is_not_denied_by_the_server_for_every_relay() {
    let mut config = config();
    let far2 = Ipv4Addr::new(172, 29, 3, 200);
    config.pools[2] = pool("far-pool", far(200), far(200));
    config.pools[2].next = Some(PoolIndex(3));
    config.pools.push(pool("far2-pool", far2, far2));
    config.networks = config.networks.iter().cloned().chain([network("172.29.3.0/24")]).collect();
    let mut any = server("any", &config.servers[2].interface, 3);
    any.relay = Relay::Any;
    config.servers.push(any);
    let mut world = World::with(config);
    world.lease(&Packet::client(1).relayed());
    let held = world.lease(&Packet::client(2).relayed());
    assert_eq!(held, far2, "the chain leads to another network");
    world.reconfigure(|config| {
        config.servers.remove(2);
    });
    assert_eq!(world.ask(&Packet::client(2).relayed().rebind(held)).kind(), Some(5));
    let elsewhere = Packet { giaddr: far(2), ..Packet::client(2).relayed() };
    let event = world.silent(&elsewhere.rebind(held));
    assert!(matches!(event, Event::Silent { reason: Silence::Withheld, .. }), "{event}");
}

/// Its static lease names another server of the same address space: that is nobody else's.
#[test]
fn a_static_lease_at_another_server_of_the_space_is_still_the_clients_own() {
    let mut config = config();
    let row = FixedLease { server: Some(ServerIndex(2)), ..fixed(1, far(20)) };
    config.leases = [row].into_iter().collect();
    let mut world = World::with(config);
    let client = Packet::client(1).relayed();
    let held = world.lease(&client);
    assert_eq!(held, far(20));
    world.reconfigure(|config| {
        config.servers[2].relay = Relay::At(far(2));
        let another = server("another", &config.servers[2].interface, 2);
        config.servers.push(Server { relay: Relay::At(RELAY), ..another });
    });
    assert_eq!(world.ask(&client.rebind(held)).kind(), Some(5));
    let stranger = Packet::client(2).relayed().rebind(held);
    assert_eq!(world.ask(&stranger).kind(), Some(6));
}
