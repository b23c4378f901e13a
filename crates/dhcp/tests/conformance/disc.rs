//! DISC: DHCPDISCOVER and DHCPOFFER.

use crate::world::*;

#[test]
fn disc_01_an_offer_holds_what_a_client_needs() {
    let mut world = World::new();
    let packet = Packet { flags: 0x8000, ..Packet::client(1) };
    let offer = world.ask(&packet.clone().discover());
    assert_eq!((offer.kind(), offer.yiaddr()), (Some(2), lan(200)));
    assert_eq!(offer.number(51), Some(LEASE_TIME));
    assert_eq!(offer.address(54), Some(SERVER));
    assert_eq!(offer.option(1), Some(vec![255, 255, 255, 0]));
    assert_eq!(offer.bytes[4..8], packet.xid.to_be_bytes());
    assert_eq!(offer.bytes[28..44], packet.chaddr);
    assert_eq!((offer.flags(), offer.giaddr(), offer.ciaddr()), (0x8000, NOBODY, NOBODY));
    let read = offer.decoded();
    assert_eq!(read.opts().msg_type(), Some(dhcproto::v4::MessageType::Offer));
}

#[test]
fn dora() {
    let mut world = World::new();
    assert_eq!(world.lease(&Packet::client(1)), lan(200));
    assert_eq!(world.lease(&Packet::client(2)), lan(199));
    assert_eq!(world.lease(&Packet::client(3).relayed()), far(200));
}
