//! SEL: DHCPREQUEST in SELECTING.

use std::net::Ipv4Addr;

use leasehold_dhcp::Event;
use leasehold_dhcp::event::{Malformed, Silence};
use leasehold_dhcp::record::Change;

use crate::world::*;

const OTHER_SERVER: Ipv4Addr = Ipv4Addr::new(172, 29, 0, 99);

fn reason(event: Event) -> Silence {
    let Event::Silent { reason, .. } = event else { panic!("{event}") };
    reason
}

#[test]
fn sel_01_the_right_server_and_the_offered_address() {
    let mut world = World::new();
    let client = Packet::client(1).asking_for(&[1, 3, 6, 15, 28]);
    let offer = world.ask(&client.clone().discover());
    let ack = world.ask(&client.clone().selecting(&offer));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), offer.yiaddr()));
    assert_eq!(ack.pieces()[1..], offer.pieces()[1..], "the same options but for 53");
    assert_eq!(ack.bytes[4..8], offer.bytes[4..8]);
    assert_eq!(world.log(), ["dhcp1 assigned 172.29.0.200 for 02:00:00:00:00:01"]);
}

#[test]
fn sel_02_another_server_is_chosen() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    let packet = Packet::client(1).selecting_of(OTHER_SERVER, offer.yiaddr());
    assert_eq!(reason(world.silent(&packet)), Silence::OtherServer);
    assert_eq!(world.usage().0, 0, "the offer is free again");
}

#[test]
fn sel_03_what_was_not_taken_is_for_others() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    world.silent(&Packet::client(1).selecting_of(OTHER_SERVER, offer.yiaddr()));
    let second = world.ask(&Packet::client(2).discover().wishing(offer.yiaddr()));
    assert_eq!(second.yiaddr(), offer.yiaddr());
}

#[test]
fn sel_04_another_free_address_than_was_offered() {
    let mut world = World::new();
    world.ask(&Packet::client(1).discover());
    let nak = world.ask(&Packet::client(1).selecting_of(SERVER, lan(150)));
    assert_eq!(nak.kind(), Some(6));
    assert_eq!(world.count("nak-not-offered"), 1);
}

#[test]
fn sel_05_another_clients_address() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let nak = world.ask(&Packet::client(2).selecting_of(SERVER, held));
    assert_eq!((nak.kind(), world.count("nak-taken")), (Some(6), 1));
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(5));
}

#[test]
fn sel_06_no_address_at_all() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    let mut packet = Packet::client(1).selecting(&offer);
    packet.options.retain(|(code, _)| *code != 50);
    let event = world.silent(&packet);
    assert!(matches!(event, Event::Malformed { rule: Malformed::NoAddress, .. }), "{event}");
}

#[test]
fn sel_07_a_request_without_an_offer_before() {
    let mut world = World::new();
    let ack = world.ask(&Packet::client(1).selecting_of(SERVER, lan(150)));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), lan(150)));
}

#[test]
fn sel_08_ciaddr_as_well() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    let packet = Packet::client(1).selecting(&offer);
    let event = world.silent(&Packet { ciaddr: lan(150), ..packet.clone() });
    assert!(matches!(event, Event::Malformed { rule: Malformed::TwoAddresses, .. }), "{event}");
    let ack = world.ask(&Packet { ciaddr: offer.yiaddr(), ..packet });
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), offer.yiaddr()));
}

#[test]
fn sel_09_a_server_identifier_of_two_octets() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    let mut packet = Packet::client(1).selecting(&offer);
    packet.options.iter_mut().find(|(code, _)| *code == 54).unwrap().1.truncate(2);
    let event = world.silent(&packet);
    let rule = Malformed::ServerIdentifier;
    assert!(matches!(event, Event::Malformed { rule: broken, .. } if broken == rule), "{event}");
    assert_eq!(world.count(rule.counter()), 1);
}

#[test]
fn sel_10_a_retransmitted_request_gets_the_same_ack() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    let packet = Packet::client(1).selecting(&offer);
    let first = world.ask(&packet);
    world.pass(seconds(4));
    let second = world.ask(&packet);
    assert_eq!((first.bytes, world.usage().0), (second.bytes, 1));
    world.pass(seconds(u64::from(LEASE_TIME) - 1));
    assert_eq!(world.ask(&Packet::client(1).renew(lan(200))).kind(), Some(5), "not shortened");
    assert_eq!(world.count("assigned"), 1);
}

#[test]
fn sel_11_another_client_id_is_another_client() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).client_id(b"one").discover());
    let nak = world.ask(&Packet::client(1).client_id(b"two").selecting(&offer));
    assert_eq!(nak.kind(), Some(6));
    assert_eq!(world.ask(&Packet::client(1).client_id(b"one").selecting(&offer)).kind(), Some(5));
}

#[test]
fn sel_12_a_client_with_a_static_lease_asks_for_another_address() {
    let mut config = config();
    config.leases = [fixed(1, lan(20))].into_iter().collect();
    let mut world = World::with(config);
    let nak = world.ask(&Packet::client(1).selecting_of(SERVER, lan(150)));
    assert_eq!((nak.kind(), world.count("nak-moved")), (Some(6), 1));
    assert_eq!(world.lease(&Packet::client(1)), lan(20));
}

#[test]
fn sel_13_a_reserved_address_and_a_stranger() {
    let mut config = config();
    config.leases = [fixed(1, lan(150))].into_iter().collect();
    let mut world = World::with(config);
    let nak = world.ask(&Packet::client(2).selecting_of(SERVER, lan(150)));
    assert_eq!((nak.kind(), world.count("nak-reserved")), (Some(6), 1));
}

#[test]
fn sel_14_an_offer_that_was_given_away() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    world.pass(seconds(31));
    let ack = world.ask(&Packet::client(2).selecting_of(SERVER, offer.yiaddr()));
    assert_eq!(ack.kind(), Some(5));
    assert_eq!(world.ask(&Packet::client(1).selecting(&offer)).kind(), Some(6));
}

#[test]
fn sel_15_the_form_of_a_nak() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let packet = Packet::client(2).client_id(b"two").asking_for(&[1, 3, 6]);
    let nak = world.ask(&packet.selecting_of(SERVER, held));
    assert_eq!(nak.codes(), [53, 54, 56, 61]);
    assert_eq!(nak.option(56), Some(b"requested address is in use".to_vec()));
    assert_eq!((nak.yiaddr(), nak.siaddr(), nak.ciaddr()), (NOBODY, NOBODY, NOBODY));
}

#[test]
fn sel_16_a_nak_is_broadcast() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let nak = world.ask(&Packet::client(2).selecting_of(SERVER, held));
    assert!(nak.is_broadcast(), "{:?}", nak.to);
    assert_eq!(nak.flags(), 0);
}

#[test]
fn sel_17_no_ack_that_the_store_does_not_keep() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    world.store_works = false;
    assert!(world.send(&Packet::client(1).selecting(&offer)).is_empty());
    assert!(world.log().contains(&Event::StoreFailed.to_string()));
    assert_eq!(reason(world.silent(&Packet::client(2).discover())), Silence::StoreFailed);
    world.store_works = true;
    world.input(leasehold_dhcp::Input::StoreRecovered);
    assert_eq!(world.ask(&Packet::client(1).selecting(&offer)).kind(), Some(5));
    assert!(matches!(world.disk.last().unwrap().change, Change::Bound(_)));
}

#[test]
fn sel_18_a_kill_right_after_the_ack() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let mut world = world.restarted(seconds(1));
    assert_ne!(world.lease(&Packet::client(2)), held);
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(5));
}

/// RouterOS 33: a bound client that starts over is told of twice.
#[test]
fn a_restarted_client_is_deassigned_and_assigned() {
    let mut world = World::new();
    world.lease(&Packet::client(1).option(12, b"host"));
    world.lease(&Packet::client(1).option(12, b"host"));
    let line = |word| format!("dhcp1 {word} 172.29.0.200 for 02:00:00:00:00:01 host");
    assert_eq!(world.log(), ["assigned", "deassigned", "assigned"].map(line));
}

/// A client ignores an ACK of another server than the one it chose.
#[test]
fn the_ack_comes_from_the_server_that_the_client_named() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).relayed().discover());
    let mut packet = Packet::client(1).relayed().selecting(&offer);
    packet.destination = SERVER2;
    let ack = world.ask(&packet);
    assert_eq!((ack.kind(), ack.address(54)), (Some(5), offer.address(54)));
}

/// While the store fails nothing that is nearly over is offered.
#[test]
fn an_offer_is_never_for_no_time_at_all() {
    let mut world = World::new();
    world.lease(&Packet::client(1));
    world.store_works = false;
    world.send(&Packet::client(1).renew(lan(200)));
    world.pass(std::time::Duration::from_millis(119_500));
    assert_eq!(reason(world.silent(&Packet::client(1).discover())), Silence::StoreFailed);
}
