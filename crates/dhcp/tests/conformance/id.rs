//! ID: client identity.

use leasehold_dhcp::Event;
use leasehold_dhcp::config::{FixedLease, Identifiers};
use leasehold_dhcp::event::Silence;

use crate::world::*;

#[test]
fn id_01_the_client_id_comes_back() {
    let mut world = World::new();
    let client = Packet::client(1).client_id(b"\x00\xffid");
    let offer = world.ask(&client.clone().discover());
    let ack = world.ask(&client.clone().selecting(&offer));
    let nak = world.ask(&client.selecting_of(SERVER, lan(150)));
    for reply in [offer, ack, nak] {
        assert_eq!(reply.option(61), Some(b"\x00\xffid".to_vec()));
    }
}

#[test]
fn id_02_none_comes_back_where_none_was() {
    let mut world = World::new();
    assert!(!world.ask(&Packet::client(1).discover()).has(61));
}

#[test]
fn id_03_the_same_client_id_from_two_macs() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1).client_id(b"id"));
    assert_eq!(world.lease(&Packet::client(2).client_id(b"id")), held);
    assert_eq!(world.usage().0, 1);
}

#[test]
fn id_04_two_client_ids_from_the_same_mac() {
    let mut world = World::new();
    let one = world.lease(&Packet::client(1).client_id(b"one"));
    assert_ne!(world.lease(&Packet::client(1).client_id(b"two")), one);
    // Told apart by MAC a boot ROM and the system that it starts are one client.
    let mut config = config();
    config.servers[0].identifiers = Identifiers { client_id: false, ..Identifiers::default() };
    let mut world = World::with(config);
    let one = world.lease(&Packet::client(1).client_id(b"one"));
    assert_eq!(world.lease(&Packet::client(1).client_id(b"two")), one);
}

#[test]
fn id_05_a_client_id_first_and_then_none() {
    let mut world = World::new();
    let with = world.lease(&Packet::client(1).client_id(b"id"));
    assert_ne!(world.lease(&Packet::client(1)), with);
    let mut config = config();
    config.servers[0].identifiers = Identifiers { client_id: false, ..Identifiers::default() };
    let mut world = World::with(config);
    let with = world.lease(&Packet::client(1).client_id(b"id"));
    assert_eq!(world.lease(&Packet::client(1)), with);
}

#[test]
fn id_06_an_empty_client_id_is_none() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1).client_id(b""));
    assert_eq!(world.lease(&Packet::client(1)), held);
    assert_ne!(world.lease(&Packet::client(2).client_id(b"")), held);
}

#[test]
fn id_07_a_client_id_of_one_octet() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1).client_id(b"\x07"));
    assert_ne!(world.lease(&Packet::client(1).client_id(b"\x08")), held);
}

#[test]
fn id_08_a_client_id_of_255_octets() {
    let mut world = World::new();
    let id: Vec<u8> = (0..255).collect();
    let offer = world.ask(&Packet::client(1).client_id(&id).discover());
    assert_eq!(offer.option(61), Some(id.clone()));
    let held = world.lease(&Packet::client(1).client_id(&id));
    assert_eq!(world.lease(&Packet::client(9).client_id(&id)), held);
    let mut world = world.restarted(seconds(1));
    assert_eq!(world.ask(&Packet::client(9).client_id(&id).renew(held)).kind(), Some(5));
}

#[test]
fn id_09_another_iaid_is_another_client() {
    let mut world = World::new();
    let duid = |iaid: u8| [255, 0, 0, 0, iaid, 0, 1, 0, 1, 7, 7, 7, 7, 2, 0, 0, 0, 0, 1];
    let one = world.lease(&Packet::client(1).client_id(&duid(1)));
    assert_ne!(world.lease(&Packet::client(1).client_id(&duid(2))), one);
    assert_eq!(world.lease(&Packet::client(2).client_id(&duid(1))), one);
}

#[test]
fn id_10_a_truncated_duid_is_opaque_too() {
    let mut world = World::new();
    let one = world.lease(&Packet::client(1).client_id(&[255]));
    let two = world.lease(&Packet::client(1).client_id(&[255, 0]));
    let three = world.lease(&Packet::client(1).client_id(&[255, 0, 0, 0]));
    assert!(one != two && two != three && one != three);
}

#[test]
fn id_11_a_client_id_that_is_the_mac_is_the_client_with_that_mac() {
    let mut world = World::new();
    let id = [&[1], &mac(1).0[..]].concat();
    let held = world.lease(&Packet::client(1));
    assert_eq!(world.lease(&Packet::client(1).client_id(&id)), held);
    assert_eq!(world.lease(&Packet::client(1)), held);
    let other = [&[1], &mac(2).0[..]].concat();
    assert_ne!(world.lease(&Packet::client(1).client_id(&other)), held);
}

#[test]
fn id_12_identity_follows_the_setting() {
    let lease_of = |identifiers, packets: [Packet; 2]| {
        let mut config = config();
        config.servers[0].identifiers = identifiers;
        let mut world = World::with(config);
        packets.map(|packet| world.lease(&packet))
    };
    let none = Identifiers { client_mac: false, client_id: false, option_82: false };
    let agent = [1, 1, 7, 2, 1, 9];
    let mac_only = Identifiers { client_mac: true, ..none };
    let [one, two] = lease_of(
        mac_only,
        [Packet::client(1).client_id(b"one"), Packet::client(1).client_id(b"two")],
    );
    assert_eq!(one, two);
    let id_only = Identifiers { client_id: true, ..none };
    let [one, two] =
        lease_of(id_only, [Packet::client(1).client_id(b"x"), Packet::client(2).client_id(b"x")]);
    assert_eq!(one, two);
    let port_only = Identifiers { option_82: true, ..none };
    let [one, two] =
        lease_of(port_only, [Packet::client(1), Packet::client(2)].map(|p| p.option(82, &agent)));
    assert_eq!(one, two, "a swapped modem works at once");
    let [one, two] = lease_of(port_only, [Packet::client(1), Packet::client(2)]);
    assert_ne!(one, two, "without option 82 there is still the MAC");
}

#[test]
fn id_12_a_changed_setting_makes_nobody_a_stranger() {
    let mut world = World::new();
    let client = Packet::client(1).client_id(b"id");
    let held = world.lease(&client);
    world.reconfigure(|config| {
        config.servers[0].identifiers = Identifiers { client_id: false, ..Identifiers::default() };
    });
    assert_eq!(world.ask(&client.clone().renew(held)).kind(), Some(5));
    assert_eq!(world.ask(&client.discover()).yiaddr(), held);
}

#[test]
fn id_13_a_mac_with_too_many_identities() {
    let mut config = config();
    config.servers[0].client_mac_limit = Some(2);
    let mut world = World::with(config);
    let client = |id: &[u8]| Packet::client(1).client_id(id);
    let held = world.lease(&client(b"one"));
    world.lease(&client(b"two"));
    let event = world.silent(&client(b"three").discover());
    assert!(matches!(event, Event::Silent { reason: Silence::MacLimit, .. }), "{event}");
    world.silent(&client(b"three").reboot(lan(150)));
    assert_eq!(world.ask(&client(b"one").renew(held)).kind(), Some(5));
    world.lease(&Packet::client(2));
    world.send(&client(b"one").release(SERVER, held));
    world.lease(&client(b"three"));
    let mut world = world.restarted(seconds(1));
    world.silent(&client(b"four").discover());
}

#[test]
fn id_14_the_frame_source_instead_of_chaddr() {
    let mut config = config();
    config.leases = [FixedLease { use_src_mac: true, ..fixed(9, lan(20)) }].into_iter().collect();
    let mut world = World::with(config);
    let behind = Packet { link_source: Some(mac(9)), ..Packet::client(1) };
    assert_eq!(world.lease(&behind), lan(20));
    let elsewhere = Packet { link_source: Some(mac(3)), ..Packet::client(9) };
    assert_ne!(world.ask(&elsewhere.discover()).yiaddr(), lan(20), "chaddr does not count");
}

#[test]
fn id_15_two_static_leases_for_one_client() {
    let mut config = config();
    let by_id = FixedLease { mac: None, client_id: Some(Box::from(*b"id")), ..fixed(2, lan(21)) };
    config.leases = [fixed(1, lan(20)), by_id].into_iter().collect();
    let mut world = World::with(config);
    // By client-id before by MAC.
    assert_eq!(world.lease(&Packet::client(1).client_id(b"id")), lan(21));
    assert_eq!(world.lease(&Packet::client(1)), lan(20));
}

#[test]
fn id_16_one_static_lease_for_several_macs() {
    let mut config = config();
    let row = FixedLease { mac: None, client_id: Some(Box::from(*b"dock")), ..fixed(1, lan(20)) };
    config.leases = [row].into_iter().collect();
    let mut world = World::with(config);
    assert_eq!(world.lease(&Packet::client(1).client_id(b"dock")), lan(20));
    assert_eq!(world.lease(&Packet::client(2).client_id(b"dock")), lan(20));
    assert_eq!(world.usage().0, 0);
}

/// A static lease by MAC serves whatever identity the machine shows: boot ROM, installer, system.
#[test]
fn a_static_lease_by_mac_is_taken_over_by_another_identity_of_the_machine() {
    let mut config = config();
    config.leases = [fixed(1, lan(20))].into_iter().collect();
    let mut world = World::with(config);
    assert_eq!(world.lease(&Packet::client(1).client_id(b"rom")), lan(20));
    assert_eq!(world.lease(&Packet::client(1).client_id(b"system")), lan(20));
    assert_eq!(world.ask(&Packet::client(1).client_id(b"system").renew(lan(20))).kind(), Some(5));
    assert_eq!(world.ask(&Packet::client(1).client_id(b"rom").reboot(lan(20))).kind(), Some(5));
}

#[test]
fn a_blocked_client_gets_nothing() {
    let mut config = config();
    config.leases = [FixedLease { block_access: true, ..fixed(1, lan(20)) }].into_iter().collect();
    let mut world = World::with(config);
    for packet in [Packet::client(1).discover(), Packet::client(1).reboot(lan(20))] {
        let event = world.silent(&packet);
        assert!(matches!(event, Event::Silent { reason: Silence::Blocked, .. }), "{event}");
    }
}
