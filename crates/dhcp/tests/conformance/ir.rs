//! IR: DHCPREQUEST in INIT-REBOOT.

use leasehold_dhcp::Event;
use leasehold_dhcp::config::Authoritative;
use leasehold_dhcp::event::{Malformed, Silence};

use crate::world::*;

fn world(authoritative: Authoritative) -> World {
    let mut config = config();
    config.servers.iter_mut().for_each(|server| server.authoritative = authoritative);
    World::with(config)
}

fn not_authoritative(event: Event) {
    let reason = Silence::NotAuthoritative;
    assert!(matches!(event, Event::Silent { reason: silent, .. } if silent == reason), "{event}");
}

#[test]
fn ir_01_the_right_address_of_a_known_client() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let ack = world.ask(&Packet::client(1).reboot(held));
    assert_eq!((ack.kind(), ack.yiaddr(), ack.number(51)), (Some(5), held, Some(LEASE_TIME)));
}

#[test]
fn ir_02_the_wrong_address_of_a_known_client() {
    for authoritative in [Authoritative::Yes, Authoritative::No] {
        let mut world = world(authoritative);
        let held = world.lease(&Packet::client(1));
        let nak = world.ask(&Packet::client(1).reboot(lan(150)));
        assert_eq!((nak.kind(), world.count("nak-wrong-address")), (Some(6), 1));
        assert_eq!(world.ask(&Packet::client(1).reboot(held)).kind(), Some(5));
    }
}

#[test]
fn ir_03_an_address_of_another_network() {
    let mut world = World::new();
    let nak = world.ask(&Packet::client(1).reboot("10.9.9.9".parse().unwrap()));
    assert_eq!((nak.kind(), nak.yiaddr(), nak.is_broadcast()), (Some(6), NOBODY, true));
    assert_eq!(world.count("nak-wrong-network"), 1);
}

#[test]
fn ir_04_an_unknown_client_with_a_free_address_of_the_pool() {
    not_authoritative(world(Authoritative::No).silent(&Packet::client(1).reboot(lan(150))));
    // The decision: an authoritative server adopts it, and it is durable before the ACK.
    let mut world = world(Authoritative::Yes);
    let ack = world.ask(&Packet::client(1).reboot(lan(150)));
    assert_eq!((ack.kind(), ack.yiaddr(), world.disk.len()), (Some(5), lan(150), 1));
}

#[test]
fn ir_05_an_unknown_client_with_an_address_outside_the_pool() {
    not_authoritative(world(Authoritative::No).silent(&Packet::client(1).reboot(lan(50))));
    // The decision: an authoritative server says what it can never give.
    let mut world = world(Authoritative::Yes);
    assert_eq!(world.ask(&Packet::client(1).reboot(lan(50))).kind(), Some(6));
    assert_eq!(world.count("nak-outside-pools"), 1);
}

#[test]
fn ir_06_no_address_at_all() {
    let mut world = World::new();
    let mut packet = Packet::client(1).reboot(lan(150));
    packet.options.retain(|(code, _)| *code != 50);
    let event = world.silent(&packet);
    assert!(matches!(event, Event::Malformed { rule: Malformed::NoAddress, .. }), "{event}");
}

#[test]
fn ir_07_a_nak_through_the_relay_has_the_broadcast_bit() {
    let mut world = World::new();
    let nak = world.ask(&Packet::client(1).relayed().reboot(lan(150)));
    assert_eq!((nak.kind(), nak.flags(), nak.giaddr()), (Some(6), 0x8000, RELAY));
    assert_eq!(nak.target(), "172.29.2.1:67".parse().unwrap());
}

#[test]
fn ir_08_an_expired_lease_that_nobody_has() {
    for authoritative in [Authoritative::Yes, Authoritative::No] {
        let mut world = world(authoritative);
        let held = world.lease(&Packet::client(1));
        world.pass(seconds(u64::from(LEASE_TIME) + 10));
        let ack = world.ask(&Packet::client(1).reboot(held));
        assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), held));
    }
}

#[test]
fn ir_09_a_server_that_is_not_authoritative_and_an_unknown_network() {
    let packet = Packet::client(1).reboot("10.9.9.9".parse().unwrap());
    not_authoritative(world(Authoritative::No).silent(&packet));
}

#[test]
fn ir_10_no_server_for_the_link() {
    let mut world = World::new();
    let packet = Packet { giaddr: "10.1.1.1".parse().unwrap(), ..Packet::client(1).relayed() };
    let event = world.silent(&packet.reboot(lan(150)));
    assert!(matches!(event, Event::Silent { reason: Silence::NoServer, .. }), "{event}");
}

/// RouterOS 20: the delay is measured by what the client says.
#[test]
fn authoritative_after_two_seconds() {
    let mut world = world(Authoritative::After(2));
    let packet = Packet::client(1).reboot("10.9.9.9".parse().unwrap());
    not_authoritative(world.silent(&Packet { secs: 1, ..packet.clone() }));
    assert_eq!(world.ask(&Packet { secs: 2, ..packet }).kind(), Some(6));
}

/// Never a NAK because of a configuration mistake.
#[test]
fn an_address_of_something_disabled_is_not_denied() {
    let mut config = config();
    config.withheld =
        vec![leasehold_dhcp::config::Withheld { space: "".into(), addresses: lan(20)..=lan(29) }];
    let mut world = World::with(config);
    for packet in [Packet::client(1).reboot(lan(25)), Packet::client(1).rebind(lan(25))] {
        let event = world.silent(&packet);
        assert!(matches!(event, Event::Silent { reason: Silence::Withheld, .. }), "{event}");
    }
}

/// A client that was carried to another link: NAK there, and its lease goes on here.
#[test]
fn ir_07_a_client_that_moved_to_another_network() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    for packet in
        [Packet::client(1).relayed().reboot(held), Packet::client(1).relayed().rebind(held)]
    {
        let nak = world.ask(&packet);
        assert_eq!((nak.kind(), nak.flags()), (Some(6), 0x8000));
    }
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(5));
    assert_eq!(world.lease(&Packet::client(1).relayed()), far(200));
}

/// The same where one server serves every relay.
#[test]
fn ir_07_a_client_that_moved_behind_another_relay() {
    let mut config = config();
    config.servers[2].relay = leasehold_dhcp::config::Relay::Any;
    config.networks = config.networks.iter().cloned().chain([network("172.29.3.0/24")]).collect();
    let mut world = World::with(config);
    let held = world.lease(&Packet::client(1).relayed());
    let there = Packet { giaddr: [172, 29, 3, 1].into(), ..Packet::client(1).relayed() };
    assert_eq!(world.ask(&there.reboot(held)).kind(), Some(6));
}
