//! EXT-23: leasequeries by address, MAC and client-id, from those that may ask.

use std::net::Ipv4Addr;

use leasehold_dhcp::Event;
use leasehold_dhcp::config::{AddressPool, PoolIndex, Server};
use leasehold_dhcp::event::Silence;

use crate::world::*;

const UNASSIGNED: Option<u8> = Some(11);
const UNKNOWN: Option<u8> = Some(12);
const ACTIVE: Option<u8> = Some(13);

/// A world in which the relay may ask.
fn world() -> World {
    let mut config = config();
    config.settings.leasequery = vec!["172.29.2.0/24".parse().expect("a prefix")];
    World::with(config)
}

/// A query of the relay about nothing yet.
fn query() -> Packet {
    let mut packet = Packet::client(0).relayed().option(53, &[10]);
    (packet.hlen, packet.htype, packet.chaddr) = (0, 0, [0; 16]);
    packet
}

fn by_address(address: Ipv4Addr) -> Packet {
    Packet { ciaddr: address, ..query() }
}

fn by_mac(number: u32) -> Packet {
    let Packet { hlen, htype, chaddr, .. } = Packet::client(number);
    Packet { hlen, htype, chaddr, ..query() }
}

fn reason(event: &Event) -> Silence {
    let Event::Silent { reason, .. } = event else { panic!("{event:?}") };
    *reason
}

#[test]
fn ext_23_by_address_by_mac_and_by_client_id() {
    let mut world = world();
    let plain = world.lease(&Packet::client(1));
    let named = world.lease(&Packet::client(2).client_id(b"opaque"));
    let queries = [
        (by_address(plain), plain, 1),
        (by_mac(1), plain, 1),
        (by_address(named), named, 2),
        (by_mac(2), named, 2),
        (query().client_id(b"opaque"), named, 2),
    ];
    for (packet, address, number) in queries {
        let reply = world.ask(&packet);
        assert_eq!((reply.kind(), reply.ciaddr()), (ACTIVE, address));
        assert_eq!(reply.bytes[28..34], mac(number).0, "whose it is");
        assert_eq!(reply.bytes[1..3], [1, 6]);
        assert_eq!((reply.giaddr(), reply.target().port()), (RELAY, 67));
        assert_eq!(*reply.target().ip(), RELAY);
        assert_eq!(reply.address(54), Some(UPLINK_ADDRESS));
        reply.decoded();
    }
}

#[test]
fn ext_23_what_is_not_leased_is_unassigned_or_unknown() {
    let mut world = world();
    let offered = world.ask(&Packet::client(1).discover()).yiaddr();
    let free = world.ask(&by_address(lan(150)));
    assert_eq!((free.kind(), free.ciaddr()), (UNASSIGNED, lan(150)));
    assert_eq!(world.ask(&by_address(offered)).kind(), UNASSIGNED, "an offer is no lease");
    assert_eq!(world.ask(&by_mac(1)).kind(), UNKNOWN);
    assert_eq!(world.ask(&by_address(Ipv4Addr::new(8, 8, 8, 8))).kind(), UNKNOWN);
    let stranger = world.ask(&query().client_id(b"nobody").asking_for(&[1, 51, 82, 91]));
    assert_eq!((stranger.kind(), stranger.codes()), (UNKNOWN, vec![53]));
    assert_eq!(free.codes(), [53], "no other options");
    let address = world.lease(&Packet::client(2));
    world.send(&Packet::client(2).release(SERVER, address));
    assert_eq!(world.ask(&by_address(address)).kind(), UNASSIGNED);
    assert_eq!(world.ask(&by_mac(2)).kind(), UNKNOWN);
}

//= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
//= type=test
//# then the DHCP server MUST return this option in the DHCPLEASEACTIVE message with its value equal
//# to the time remaining until lease expiration.
#[test]
fn ext_23_times_are_what_is_left_of_them() {
    let mut world = world();
    world.lease(&Packet::client(1));
    world.pass(seconds(20));
    let times = by_mac(1).asking_for(&[51, 58, 59, 91]);
    let reply = world.ask(&times);
    let told = [51, 58, 59, 91].map(|code| reply.number(code));
    assert_eq!(told, [Some(LEASE_TIME - 20), Some(40), Some(85), Some(20)]);
    world.pass(seconds(70));
    let reply = world.ask(&times);
    let told = [51, 58, 59, 91].map(|code| reply.number(code));
    assert_eq!(told, [Some(30), None, Some(15), Some(90)], "T1 is in the past");
}

#[test]
fn ext_23_the_last_transaction_survives_a_restart() {
    let mut world = world();
    let client = Packet::client(1);
    let address = world.lease(&client);
    world.pass(seconds(30));
    world.ask(&client.clone().renew(address));
    world.pass(seconds(10));
    let mut world = world.restarted(seconds(5));
    let reply = world.ask(&by_mac(1).asking_for(&[91, 51]));
    assert_eq!(reply.number(91), Some(15));
    let left = reply.number(51).expect("an active lease has a time");
    assert!((LEASE_TIME - 15..=LEASE_TIME - 14).contains(&left), "{left}");
}

#[test]
fn ext_23_option_82_is_the_one_that_the_client_came_with() {
    let mut world = world();
    let client = Packet::client(1).relayed().option(82, &[1, 2, 0, 7, 2, 2, 0, 9]);
    let address = world.lease(&client);
    let asked = world.ask(&by_address(address).asking_for(&[82, 61, 1, 3, 6, 66]));
    assert_eq!(asked.option(82).as_deref(), Some(&[1, 2, 0, 7, 2, 2, 0, 9][..]));
    assert_eq!(asked.option(1), Some(vec![255, 255, 255, 0]));
    assert_eq!(asked.address(3), Some(RELAY));
    assert!(!asked.has(66) && !asked.has(61) && !asked.has(51), "{:?}", asked.codes());
    assert_eq!(asked.codes().last(), Some(&82));
    assert!(!world.ask(&by_address(address).asking_for(&[51])).has(82), "not asked for");
    let plain = world.ask(&by_address(address));
    assert!([51, 58, 59, 82, 91, 1, 3].iter().all(|&code| plain.has(code)), "{:?}", plain.codes());
}

#[test]
fn ext_23_what_is_not_on_the_list_is_not_told() {
    let mut world = world();
    world.lease(&Packet::client(1).option(60, b"cpe"));
    let packet = by_mac(1).asking_for(&[60, 6, 15]);
    assert_eq!(world.ask(&packet).option(60).as_deref(), Some(&b"cpe"[..]));
    world.reconfigure(|config| config.settings.leasequery_options = vec![15]);
    let reply = world.ask(&packet);
    assert_eq!((reply.has(60), reply.has(6), reply.has(15)), (false, false, true));
}

//= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
//= type=test
//# In the case where more than one IP address has been involved in a DHCP message exchange with the
//# client specified by the MAC address and/or Client-identifier option, then the list of all of the
//# IP addresses MUST be returned in the associated-ip option
#[test]
fn ext_23_a_client_with_several_addresses() {
    let mut world = world();
    let first = world.lease(&Packet::client(1).client_id(b"one"));
    world.pass(seconds(5));
    let second = world.lease(&Packet::client(1).client_id(b"two"));
    let reply = world.ask(&by_mac(1));
    assert_eq!((reply.kind(), reply.ciaddr()), (ACTIVE, second), "the most recent one");
    let mut both = [first, second];
    both.sort_unstable();
    assert_eq!(reply.option(92), Some(both.map(|it| it.octets()).concat()));
    world.pass(seconds(5));
    world.ask(&Packet::client(1).client_id(b"one").renew(first));
    assert_eq!(world.ask(&by_mac(1)).ciaddr(), first);
    assert!(!world.ask(&by_address(first)).has(92), "a query by address is about one");
}

#[test]
fn ext_23_who_may_not_ask_hears_nothing() {
    let mut world = world();
    let address = world.lease(&Packet::client(1));
    let stranger = Packet { giaddr: Ipv4Addr::new(192, 0, 2, 99), ..by_address(address) };
    assert_eq!(reason(&world.silent(&stranger)), Silence::QueryDenied);
    let direct = Packet { giaddr: NOBODY, ..by_address(address) };
    assert_eq!(reason(&world.silent(&direct)), Silence::QueryWithoutRelay);
    let both = Packet { ciaddr: address, ..by_mac(1) };
    assert_eq!(reason(&world.silent(&both)), Silence::QueryShape);
    assert_eq!(reason(&world.silent(&query())), Silence::QueryShape);
    assert_eq!(reason(&world.silent(&by_mac(1).client_id(b"x"))), Silence::QueryShape);
    assert_eq!(world.count("silent-query-denied"), 1);
    let by_default = World::new().silent(&by_address(lan(100)));
    assert_eq!(reason(&by_default), Silence::QueryDenied);
}

#[test]
fn ext_23_it_may_be_switched_on_while_leases_are_out() {
    let mut world = World::new();
    let address = world.lease(&Packet::client(1));
    world.reconfigure(|config| {
        config.settings.leasequery = vec!["172.29.2.1/32".parse().expect("a prefix")];
    });
    assert_eq!(world.ask(&by_mac(1)).ciaddr(), address);
    world.reconfigure(|config| config.settings.leasequery.clear());
    assert_eq!(reason(&world.silent(&by_mac(1))), Silence::QueryDenied);
}

#[test]
fn ext_23_the_server_of_a_lease_may_be_gone() {
    let mut world = world();
    let address = world.lease(&Packet::client(1));
    world.reconfigure(|config| {
        let pool = AddressPool::Pool(PoolIndex(0));
        config.servers[0] = Server { address_pool: pool, ..server("other", "elsewhere", 0) };
    });
    let reply = world.ask(&by_address(address));
    assert_eq!((reply.kind(), reply.has(51)), (ACTIVE, true));
}

//= https://www.rfc-editor.org/rfc/rfc4388#section-7
//= type=test
//# DHCP servers supporting the DHCPLEASEQUERY message SHOULD ensure that they cannot be
//# successfully attacked by being flooded with large quantities of DHCPLEASEQUERY messages in a
//# short time.
#[test]
fn ext_23_a_flood_changes_nothing() {
    let mut world = world();
    let address = world.lease(&Packet::client(1).relayed().option(82, &[1, 1, 7]));
    world.check_every = 1000;
    let (records, usage) = (world.disk.len(), world.usage());
    let first = world.ask(&by_address(address)).bytes;
    for _ in 0..20_000 {
        assert_eq!(world.ask(&by_address(address)).bytes, first);
        world.events.clear();
    }
    assert_eq!((world.disk.len(), world.usage()), (records, usage));
}

#[test]
fn ext_23_the_last_second_of_a_lease_is_one() {
    let mut world = world();
    let address = world.lease(&Packet::client(1).relayed().option(82, &[1, 1, 7]));
    let left = world.ask(&by_address(address)).number(51).expect("a time");
    world.pass(seconds(u64::from(left) - 1));
    world.now.boottime = world.now.boottime.after(core::time::Duration::from_millis(400));
    let reply = world.ask(&by_address(address));
    assert_eq!((reply.kind(), reply.number(51)), (ACTIVE, Some(1)));
}
