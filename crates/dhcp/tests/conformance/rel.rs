//! REL: DHCPRELEASE.

use std::net::Ipv4Addr;

use leasehold_dhcp::Event;
use leasehold_dhcp::event::Silence;
use leasehold_dhcp::record::Change;

use crate::world::*;

fn bound(client: &Packet) -> (World, Ipv4Addr) {
    let mut world = World::new();
    let held = world.lease(client);
    (world, held)
}

/// The lease is still its owner's.
fn still_bound(world: &mut World, client: &Packet, held: Ipv4Addr) {
    assert_eq!(world.usage().0, 1);
    assert_eq!(world.ask(&client.clone().renew(held)).kind(), Some(5));
}

fn ignored(event: Event, expected: Silence) {
    assert!(matches!(event, Event::Silent { reason, .. } if reason == expected), "{event}");
}

#[test]
fn rel_01_the_owner_releases() {
    let (mut world, held) = bound(&Packet::client(1));
    assert!(world.send(&Packet::client(1).release(SERVER, held)).is_empty());
    assert_eq!(world.usage().0, 0);
    assert_eq!(world.disk.last().unwrap().change, Change::Released);
    let line = "dhcp1 deassigned 172.29.0.200 for 02:00:00:00:00:01";
    assert_eq!(world.log().last().unwrap(), line);
    let mut world = world.restarted(seconds(1));
    assert_eq!(world.ask(&Packet::client(2).discover().wishing(held)).yiaddr(), held);
}

#[test]
fn rel_02_another_servers() {
    let (mut world, held) = bound(&Packet::client(1));
    let event = world.silent(&Packet::client(1).release(lan(99), held));
    ignored(event, Silence::OtherServer);
    still_bound(&mut world, &Packet::client(1), held);
}

#[test]
fn rel_03_no_server_identifier_is_tolerated() {
    let (mut world, held) = bound(&Packet::client(1));
    let mut packet = Packet::client(1).release(SERVER, held);
    packet.options.retain(|(code, _)| *code != 54);
    world.send(&packet);
    assert_eq!(world.usage().0, 0);
}

#[test]
fn rel_04_another_mac_and_another_client_id() {
    let client = Packet::client(1).client_id(b"one");
    let (mut world, held) = bound(&client);
    for stranger in [Packet::client(2), Packet::client(2).client_id(b"two")] {
        ignored(world.silent(&stranger.release(SERVER, held)), Silence::NotHolder);
    }
    still_bound(&mut world, &client, held);
}

#[test]
fn rel_05_the_same_mac_and_another_client_id() {
    let client = Packet::client(1).client_id(b"one");
    let (mut world, held) = bound(&client);
    let event = world.silent(&Packet::client(1).client_id(b"two").release(SERVER, held));
    ignored(event, Silence::NotHolder);
    still_bound(&mut world, &client, held);
    let (mut world, held) = bound(&Packet::client(2));
    let event = world.silent(&Packet::client(2).client_id(b"two").release(SERVER, held));
    ignored(event, Silence::NotHolder);
    still_bound(&mut world, &Packet::client(2), held);
}

#[test]
fn rel_06_another_mac_and_the_same_client_id() {
    let (mut world, held) = bound(&Packet::client(1).client_id(b"one"));
    world.send(&Packet::client(2).client_id(b"one").release(SERVER, held));
    assert_eq!(world.usage().0, 0);
}

#[test]
fn rel_07_another_address() {
    let (mut world, held) = bound(&Packet::client(1));
    ignored(world.silent(&Packet::client(1).release(SERVER, lan(150))), Silence::NotHolder);
    still_bound(&mut world, &Packet::client(1), held);
}

#[test]
fn rel_08_released_twice() {
    let (mut world, held) = bound(&Packet::client(1));
    world.send(&Packet::client(1).release(SERVER, held));
    let event = world.silent(&Packet::client(1).release(SERVER, held));
    ignored(event, Silence::NotHolder);
    assert_eq!((world.usage(), world.count("deassigned")), ((0, 101), 1));
}

#[test]
fn rel_09_a_released_client_returns() {
    let client = Packet::client(1).asking_for(&[3, 6]);
    let mut world = World::new();
    world.lease(&Packet::client(2));
    let before = world.ask(&client.clone().discover());
    world.ask(&client.clone().selecting(&before));
    world.send(&Packet::client(1).release(SERVER, before.yiaddr()));
    // Also by a server that was restarted.
    let mut world = world.restarted(seconds(60));
    let after = world.ask(&client.discover());
    assert_eq!(after.bytes, before.bytes);
}

#[test]
fn rel_10_through_a_relay() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1).relayed());
    let relayed = Packet::client(1).relayed();
    let mut packet = relayed.clone().release(UPLINK_ADDRESS, held);
    (packet.destination, packet.source) = (relayed.destination, relayed.source);
    world.send(&packet);
    assert_eq!(world.disk.last().unwrap().change, Change::Released);
}

#[test]
fn rel_11_a_static_lease_waits_again() {
    let mut config = config();
    config.leases = [fixed(1, lan(150))].into_iter().collect();
    let mut world = World::with(config);
    assert_eq!(world.lease(&Packet::client(1)), lan(150));
    world.send(&Packet::client(1).release(SERVER, lan(150)));
    let nak = world.ask(&Packet::client(2).selecting_of(SERVER, lan(150)));
    assert_eq!(nak.kind(), Some(6), "the reservation stays");
    assert_eq!(world.lease(&Packet::client(1)), lan(150));
}
