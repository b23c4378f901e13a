//! HDR: header and transport, as far as it reaches the engine.

use leasehold_dhcp::Event;
use leasehold_dhcp::event::{Malformed, Silence};

use crate::world::*;

/// The rule that a packet breaks; the next good client is served.
fn broken(packet: &Packet) -> Malformed {
    let mut world = World::new();
    let Event::Malformed { rule, .. } = world.silent(packet) else {
        panic!("{:?}", world.events);
    };
    world.lease(&Packet::client(99));
    rule
}

#[test]
fn hdr_01_a_reply_is_no_request() {
    let packet = Packet { op: 2, ..Packet::client(1).discover() };
    assert_eq!(broken(&packet), Malformed::NotARequest);
}

#[test]
fn hdr_02_op_zero() {
    let packet = Packet { op: 0, ..Packet::client(1).discover() };
    assert_eq!(broken(&packet), Malformed::NotARequest);
}

#[test]
fn hdr_03_no_hardware_address_and_no_client_id() {
    let packet = Packet { hlen: 0, ..Packet::client(1).discover() };
    assert_eq!(broken(&packet), Malformed::NoIdentity);
}

#[test]
fn hdr_04_infiniband_is_told_apart_by_client_id_and_broadcast_to() {
    let mut world = World::new();
    let ib = |number: u8| {
        let chaddr = [0; 16];
        let packet = Packet { hlen: 0, htype: 32, flags: 0x8000, chaddr, ..Packet::client(1) };
        packet.client_id(&[255, 0, 0, 0, number, 0, 2, 1, 2, 3])
    };
    let offer = world.ask(&ib(1).discover());
    assert!(offer.is_broadcast());
    assert_eq!(offer.bytes[28..44], [0; 16]);
    assert_eq!(world.lease(&ib(1)), lan(200));
    assert_eq!(world.lease(&ib(2)), lan(199));
}

#[test]
fn hdr_05_sixteen_octets_of_chaddr_are_echoed() {
    let mut world = World::new();
    let chaddr = core::array::from_fn(|at| at as u8 + 1);
    let offer = world.ask(&Packet { hlen: 16, chaddr, ..Packet::client(1).discover() });
    assert_eq!((offer.bytes[2], &offer.bytes[28..44]), (16, &chaddr[..]));
}

#[test]
fn hdr_06_hlen_above_sixteen() {
    for hlen in [17, 255] {
        let packet = Packet { hlen, ..Packet::client(1).discover() };
        assert_eq!(broken(&packet), Malformed::HardwareLength);
    }
}

#[test]
fn hdr_07_htype_zero_is_a_type_like_any() {
    let mut world = World::new();
    let packet = Packet { htype: 0, ..Packet::client(1) };
    assert_eq!(world.lease(&packet), lan(200));
    assert_eq!(world.lease(&Packet::client(1)), lan(199), "another type is another client");
}

#[test]
fn hdr_08_nobody() {
    let packet = Packet { chaddr: [0; 16], ..Packet::client(1).discover() };
    assert_eq!(broken(&packet), Malformed::NoIdentity);
}

#[test]
fn hdr_09_a_group_of_stations() {
    let mut packet = Packet::client(1).discover();
    packet.chaddr[0] |= 1;
    assert_eq!(broken(&packet), Malformed::NoIdentity);
}

#[test]
fn hdr_10_another_cookie_is_not_dhcp() {
    let mut world = World::new();
    let packet = Packet { cookie: [0; 4], ..Packet::client(1).discover() };
    let event = world.silent(&packet);
    assert!(matches!(event, Event::Silent { reason: Silence::Bootp, .. }), "{event}");
}

#[test]
fn hdr_11_too_short() {
    let mut world = World::new();
    let packet = Packet::client(1).discover();
    let replies = world.send_bytes(&packet, &packet.bytes()[..239]);
    assert!(replies.is_empty());
    let Some(Event::Malformed { rule, .. }) = world.events.last() else { panic!() };
    assert_eq!(*rule, Malformed::TooShort);
}

#[test]
fn hdr_12_no_padding() {
    let mut world = World::new();
    let packet = Packet::client(1).discover();
    assert_eq!(packet.bytes().len(), 244);
    assert_eq!(world.ask(&packet).kind(), Some(2));
}

#[test]
fn hdr_13_no_end() {
    let mut world = World::new();
    let packet = Packet { tail: Vec::new(), ..Packet::client(1).discover() };
    assert_eq!(world.ask(&packet).kind(), Some(2));
}

#[test]
fn hdr_14_the_last_option_runs_past_the_datagram() {
    let mut world = World::new();
    let packet = Packet { tail: vec![61, 9, 1, 2], ..Packet::client(1).discover() };
    let offer = world.ask(&packet);
    assert!(!offer.has(61), "an option that is cut off is none");
}

#[test]
fn hdr_18_all_flags_set() {
    let mut world = World::new();
    let offer = world.ask(&Packet { flags: 0xffff, ..Packet::client(1).discover() });
    // Table 3: 'flags' from the client, whatever it means by the bits that must be zero.
    assert_eq!(offer.flags(), 0xffff);
    assert!(offer.is_broadcast());
}

#[test]
fn hdr_19_secs_and_hops_of_a_reply_are_zero() {
    let mut world = World::new();
    let packet = Packet { secs: 0x1234, hops: 3, ..Packet::client(1).relayed().discover() };
    let offer = world.ask(&packet);
    assert_eq!((offer.bytes[3], &offer.bytes[8..10]), (0, &[0, 0][..]));
}

#[test]
fn hdr_20_more_than_sixteen_hops() {
    let packet = Packet { hops: 17, ..Packet::client(1).relayed().discover() };
    assert_eq!(broken(&packet), Malformed::Hops);
    let mut world = World::new();
    world.ask(&Packet { hops: 16, ..Packet::client(1).relayed().discover() });
}

#[test]
fn hdr_21_the_reply_goes_to_port_68_whatever_the_source() {
    let mut world = World::new();
    let mut packet = Packet::client(1).discover();
    packet.source.set_port(9999);
    assert_eq!(world.ask(&packet).target().port(), 68);
}

#[test]
fn hdr_22_the_frame_goes_to_chaddr_not_to_the_bridge() {
    let mut world = World::new();
    let packet = Packet { link_source: Some(mac(77)), ..Packet::client(1).discover() };
    let offer = world.ask(&packet);
    assert_eq!(offer.link(), Some((mac(1), "172.29.0.200:68".parse().unwrap())));
}

#[test]
fn hdr_23_garbage_in_the_other_address_fields_is_ignored() {
    let mut world = World::new();
    let packet = Packet { siaddr: BROADCAST, yiaddr: BROADCAST, ..Packet::client(1).discover() };
    let offer = world.ask(&packet);
    assert_eq!((offer.yiaddr(), offer.siaddr(), offer.giaddr()), (lan(200), NOBODY, NOBODY));
    let event = world.silent(&Packet { giaddr: BROADCAST, ..Packet::client(2).discover() });
    assert!(matches!(event, Event::Silent { reason: Silence::NoServer, .. }), "{event}");
}

#[test]
fn hdr_25_each_interface_is_served_from_its_own_subnet() {
    let mut world = World::new();
    let packet = Packet::client(1).discover();
    let first = world.ask(&packet);
    let second = world.ask(&Packet { interface: LAN2, ..packet });
    assert_eq!((first.yiaddr(), first.address(54)), (lan(200), Some(SERVER)));
    let lan2 = std::net::Ipv4Addr::new(172, 29, 1, 200);
    assert_eq!((second.yiaddr(), second.address(54)), (lan2, Some(SERVER2)));
}
