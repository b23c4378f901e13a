//! EXT-23, in bulk: all bindings over one connection, page by page (RFC 6926).

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use leasehold_dhcp::bulk::{By, Connection, Hangup, Query, Spaces};
use leasehold_dhcp::config::{AddressPool, PoolIndex, PoolSpec};
use leasehold_dhcp::record::Location;
use leasehold_dhcp::{Answer, Mac, Order};

use crate::world::*;

const ACTIVE: Option<u8> = Some(13);
const UNASSIGNED: Option<u8> = Some(11);
const DONE: Option<u8> = Some(15);

fn world() -> World {
    let mut config = config();
    config.settings.bulk_leasequery = vec!["192.0.2.0/24".parse().expect("a prefix")];
    World::with(config)
}

/// A query about everything.
fn query(xid: u32) -> Packet {
    let mut packet = Packet::client(0).option(53, &[14]);
    (packet.hlen, packet.htype, packet.chaddr, packet.xid) = (0, 0, [0; 16], xid);
    packet
}

fn of_mac(number: u32) -> Packet {
    let Packet { hlen, htype, chaddr, .. } = Packet::client(number);
    Packet { hlen, htype, chaddr, ..query(number) }
}

fn framed(packet: &Packet) -> Vec<u8> {
    let bytes = packet.bytes();
    [&(bytes.len() as u16).to_be_bytes()[..], &bytes].concat()
}

/// The messages in a stream.
fn messages(mut stream: &[u8]) -> Vec<Reply> {
    let to = leasehold_dhcp::Destination::Routed {
        source: NOBODY,
        target: std::net::SocketAddrV4::new(NOBODY, 0),
    };
    let mut found = Vec::new();
    while let Some((length, rest)) = stream.split_first_chunk::<2>() {
        let (bytes, rest) = rest.split_at(usize::from(u16::from_be_bytes(*length)));
        found.push(Reply { to, bytes: bytes.to_vec() });
        stream = rest;
    }
    found
}

/// Orders and takes pages until nothing is under way.
fn run(world: &mut World, connection: &mut Connection, out: &mut Vec<u8>) -> usize {
    let mut pages = 0;
    while let Some(order) = connection.order() {
        let Answer::Bindings(page) = world.order(order) else { panic!("no page") };
        connection.page(world.now, &page, out).expect("a sound stream");
        pages += 1;
    }
    pages
}

/// What comes back for these queries, sent at once.
fn asked(world: &mut World, packets: &[Packet]) -> Vec<Reply> {
    let mut connection = Connection::new(UPLINK_ADDRESS, 4);
    let (mut out, stream) = (Vec::new(), packets.iter().flat_map(framed).collect::<Vec<_>>());
    connection.receive(&stream, &mut out).expect("a sound stream");
    run(world, &mut connection, &mut out);
    let replies = messages(&out);
    replies.iter().for_each(|reply| drop(reply.decoded()));
    replies
}

/// Status and text of a DHCPLEASEQUERYDONE.
fn status(reply: &Reply) -> (u8, String) {
    assert_eq!(reply.kind(), DONE);
    let value = reply.option(151).expect("a status");
    (value[0], String::from_utf8(value[1..].to_vec()).expect("text"))
}

#[test]
fn ext_23_bulk_of_everything_names_each_address_once() {
    let mut world = world();
    let leased: Vec<_> = (1..=5).map(|number| world.lease(&Packet::client(number))).collect();
    world.reconfigure(|config| {
        config.leases = leasehold_dhcp::config::FixedLeases::new(vec![fixed(77, lan(9))]);
    });
    let replies = asked(&mut world, &[query(7)]);
    let (done, bindings) = replies.split_last().expect("an end");
    assert_eq!((done.kind(), done.has(151)), (DONE, false), "no status when it went well");
    assert!(replies.iter().all(|reply| reply.bytes[4..8] == 7_u32.to_be_bytes()));
    assert_eq!(bindings[0].address(54), Some(UPLINK_ADDRESS));
    assert!(replies[1..].iter().all(|reply| !reply.has(54)), "only the first says who answers");
    let mut seen = BTreeMap::new();
    for reply in bindings {
        assert!(!reply.has(92) && reply.number(152) == Some(world.now.wall.0 as u32));
        assert_eq!(seen.insert(reply.ciaddr(), reply.kind()), None, "{}", reply.ciaddr());
    }
    assert_eq!(seen.len(), 3 * 101 + 1, "three pools and a static lease outside of them");
    assert_eq!(seen[&lan(9)], UNASSIGNED);
    for (address, kind) in seen {
        let expected = if leased.contains(&address) { ACTIVE } else { UNASSIGNED };
        assert_eq!(kind, expected, "{address}");
    }
}

#[test]
fn ext_23_bulk_by_mac_client_id_remote_id_and_relay_id() {
    let mut world = world();
    let plain = world.lease(&Packet::client(1));
    let named = world.lease(&Packet::client(1).client_id(b"second"));
    let relayed =
        |number| Packet::client(number).relayed().option(82, &[2, 2, 0, 9, 12, 3, 2, b'o', b'k']);
    let far: Vec<_> = (2..=4).map(|number| world.lease(&relayed(number))).collect();
    let addresses = |replies: &[Reply]| {
        let (done, bindings) = replies.split_last().expect("an end");
        assert_eq!(done.kind(), DONE);
        assert!(bindings.iter().all(|reply| reply.kind() == ACTIVE));
        let mut found: Vec<_> = bindings.iter().map(Reply::ciaddr).collect();
        found.sort_unstable();
        found
    };
    let sorted = |mut list: Vec<Ipv4Addr>| {
        list.sort_unstable();
        list
    };
    let found = asked(&mut world, &[of_mac(1)]);
    assert_eq!(addresses(&found), sorted(vec![plain, named]));
    let found = asked(&mut world, &[query(1).client_id(b"second")]);
    assert_eq!(addresses(&found), [named]);
    let found = asked(&mut world, &[query(1).option(82, &[2, 2, 0, 9])]);
    assert_eq!(addresses(&found), sorted(far.clone()));
    let found = asked(&mut world, &[query(1).option(82, &[12, 3, 2, b'o', b'k'])]);
    assert_eq!(addresses(&found), sorted(far));
    let nobody = asked(&mut world, &[query(1).option(82, &[12, 3, 2, b'n', b'o'])]);
    assert_eq!((nobody.len(), nobody[0].kind(), nobody[0].has(151)), (1, DONE, false));
    assert_eq!(nobody[0].address(54), Some(UPLINK_ADDRESS), "the first message is the last");
}

#[test]
fn ext_23_bulk_tells_what_is_asked_for() {
    let mut world = world();
    let client = Packet::client(1).client_id(b"one").option(12, b"host").option(60, b"cpe");
    let address = world.lease(&client.clone());
    world.pass(seconds(20));
    world.ask(&client.renew(address));
    world.pass(seconds(10));
    let all = [12, 51, 54, 60, 61, 82, 91, 152, 153, 156, 157];
    let reply = asked(&mut world, &[of_mac(1).asking_for(&all)]).remove(0);
    assert_eq!((reply.kind(), reply.ciaddr()), (ACTIVE, address));
    assert_eq!((reply.bytes[1..3].to_vec(), &reply.bytes[28..34]), (vec![1, 6], &mac(1).0[..]));
    let texts = [12, 60, 61].map(|code| reply.option(code).unwrap_or_default());
    assert_eq!(texts, [&b"host"[..], b"cpe", b"one"]);
    assert_eq!(reply.number(51), Some(LEASE_TIME - 10));
    assert_eq!((reply.number(91), reply.number(153)), (Some(10), Some(30)));
    assert_eq!(reply.option(156), Some(vec![2]));
    assert!(!reply.has(157), "no bit of it would be set");
    let reply = asked(&mut world, &[of_mac(1).asking_for(&[51])]).remove(0);
    assert_eq!(reply.codes(), [53, 54, 51]);
}

#[test]
fn ext_23_bulk_states() {
    let mut world = world();
    let address = world.lease(&Packet::client(1));
    world.send(&Packet::client(1).decline(SERVER, address));
    world.pass(seconds(5));
    let offered = world.ask(&Packet::client(2).discover()).yiaddr();
    let replies = asked(&mut world, &[query(1).asking_for(&[51, 153, 156])]);
    let of = |address| {
        replies.iter().find(|reply| reply.ciaddr() == address).expect("each address is named")
    };
    let declined = of(address);
    assert_eq!((declined.kind(), declined.option(156)), (UNASSIGNED, Some(vec![5])));
    assert_eq!((declined.number(51), declined.number(153)), (Some(595), Some(5)));
    let offer = of(offered);
    assert_eq!((offer.kind(), offer.option(156)), (UNASSIGNED, Some(vec![1])));
    assert!(!offer.has(51) && !offer.has(153));
}

#[test]
fn ext_23_bulk_within_a_time() {
    let mut world = world();
    let early = world.lease(&Packet::client(1));
    let middle = world.now.wall.0 as u32 + 5;
    world.pass(seconds(10));
    let late = world.lease(&Packet::client(2));
    let time = |code, time: u32| query(1).option(code, &time.to_be_bytes());
    let found = |replies: Vec<Reply>| {
        let active = replies.iter().filter(|reply| reply.kind() == ACTIVE);
        active.map(Reply::ciaddr).collect::<Vec<_>>()
    };
    assert_eq!(found(asked(&mut world, &[time(154, middle)])), [late]);
    assert_eq!(found(asked(&mut world, &[time(155, middle)])), [early]);
    let replies = asked(&mut world, &[time(154, middle)]);
    assert_eq!(replies.len(), 2, "what never changed did not change since then");
    let backwards = time(154, 20).option(155, &10_u32.to_be_bytes());
    assert_eq!(status(&asked(&mut world, &[backwards])[0]).0, 3);
}

#[test]
fn ext_23_bulk_refuses_what_makes_no_sense() {
    let mut world = world();
    let with = |change: fn(&mut Packet)| {
        let mut packet = query(9);
        change(&mut packet);
        packet
    };
    let malformed = [
        with(|it| it.ciaddr = lan(1)),
        with(|it| it.yiaddr = lan(1)),
        with(|it| it.siaddr = lan(1)),
        query(9).option(154, &[1, 2]),
        query(9).option(221, &[1, 2, 3]),
        with(|it| it.options[0].1 = vec![10]),
    ];
    for packet in malformed {
        let replies = asked(&mut world, &[packet]);
        let (code, text) = status(&replies[0]);
        assert_eq!((replies.len(), code), (1, 3), "{text}");
        assert!(!text.is_empty() && !text.contains('\0'));
        assert_eq!(replies[0].address(54), Some(UPLINK_ADDRESS));
    }
    let two = [of_mac(1).client_id(b"x"), query(1).option(82, &[2, 1, 7, 12, 1, 9])];
    for packet in two {
        assert_eq!(status(&asked(&mut world, &[packet])[0]).0, 4);
    }
}

#[test]
fn ext_23_bulk_hangs_up_on_what_is_no_query() {
    let hangs_up = |stream: &[u8]| {
        let mut connection = Connection::new(UPLINK_ADDRESS, 4);
        connection.receive(stream, &mut Vec::new()).unwrap_err()
    };
    assert_eq!(hangs_up(&[0, 100]), Hangup::Length);
    assert_eq!(hangs_up(&[0xff, 0xff]), Hangup::Length);
    let mut reply = query(1);
    reply.op = 2;
    assert_eq!(hangs_up(&framed(&reply)), Hangup::NoQuery);
    assert_eq!(hangs_up(&[&[1, 0][..], &[7; 256]].concat()), Hangup::NoQuery);
}

#[test]
fn ext_23_bulk_takes_octets_as_they_come() {
    let mut world = world();
    let address = world.lease(&Packet::client(1));
    let mut connection = Connection::new(UPLINK_ADDRESS, 1);
    let mut out = Vec::new();
    let stream = [framed(&of_mac(1)), framed(&query(5).client_id(b"nobody"))].concat();
    for octet in stream.chunks(1) {
        connection.receive(octet, &mut out).expect("a sound stream");
        if !connection.wants_input() {
            run(&mut world, &mut connection, &mut out);
        }
    }
    let replies = messages(&out);
    let told: Vec<_> = replies.iter().map(|reply| (reply.kind(), reply.ciaddr())).collect();
    assert_eq!(told, [(ACTIVE, address), (DONE, NOBODY), (DONE, NOBODY)]);
    assert!(!connection.is_busy());
}

#[test]
fn ext_23_bulk_queries_side_by_side_are_bounded() {
    let mut world = world();
    world.lease(&Packet::client(1));
    let mut connection = Connection::new(UPLINK_ADDRESS, 2);
    let mut out = Vec::new();
    let stream: Vec<u8> = [query(1), of_mac(1), query(3)].iter().flat_map(framed).collect();
    connection.receive(&stream, &mut out).expect("a sound stream");
    assert!(!connection.wants_input() && out.is_empty());
    // The short one is done before the long one, and then the third begins.
    for _ in 0..2 {
        let Answer::Bindings(page) = world.order(small(connection.order())) else { panic!() };
        connection.page(world.now, &page, &mut out).expect("a sound stream");
    }
    let done = |out: &[u8]| {
        let replies = messages(out);
        let done = replies.iter().filter(|reply| reply.kind() == DONE);
        done.map(|reply| reply.bytes[7]).collect::<Vec<_>>()
    };
    assert_eq!(done(&out), [1], "the transaction of the query by MAC");
    run(&mut world, &mut connection, &mut out);
    assert_eq!(done(&out).len(), 3);
}

/// The same order about fewer addresses at a time.
fn small(order: Option<Order>) -> Order {
    let Some(Order::Bindings { query, after, .. }) = order else { panic!("nothing is wanted") };
    Order::Bindings { query, after, limit: 10 }
}

#[test]
fn ext_23_bulk_pages_go_on_where_they_stopped_whatever_changed() {
    let mut world = world();
    let query = Query { by: By::All, spaces: Spaces::Global, from: None, until: None };
    let mut after: Option<Location> = None;
    let mut seen = Vec::new();
    for number in 1.. {
        let order = Order::Bindings { query: Box::new(query.clone()), after, limit: 7 };
        let Answer::Bindings(page) = world.order(order) else { panic!("no page") };
        assert!(page.bindings.len() <= 7);
        seen.extend(page.bindings.iter().map(|binding| binding.location.address));
        world.lease(&Packet::client(number));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert!(seen.is_sorted_by(|one, other| one < other), "each once, in order");
    assert_eq!(seen.len(), 303);
}

#[test]
fn ext_23_bulk_ends_queries_that_it_cannot_go_on_with() {
    let mut connection = Connection::new(UPLINK_ADDRESS, 4);
    let mut out = Vec::new();
    let stream: Vec<u8> = [query(1), query(2)].iter().flat_map(framed).collect();
    connection.receive(&stream, &mut out).expect("a sound stream");
    connection.terminate("the server is ending", &mut out);
    let replies = messages(&out);
    assert_eq!(replies.len(), 2);
    let expected = (2, "the server is ending".to_owned());
    assert!(replies.iter().all(|reply| status(reply) == expected));
    assert!(!connection.is_busy());
}

#[test]
fn ext_23_bulk_of_other_address_spaces() {
    let mut config = config();
    let lan2 = |host| Ipv4Addr::new(172, 29, 1, host);
    config.pools[1] = PoolSpec { space: "blue".into(), ..pool("lan2-pool", lan2(100), lan2(110)) };
    config.servers[1].address_pool = AddressPool::Pool(PoolIndex(1));
    config.settings.bulk_leasequery = vec!["192.0.2.0/24".parse().expect("a prefix")];
    let mut world = World::with(config);
    let client = Packet { interface: LAN2, link_source: Some(Mac([2; 6])), ..Packet::client(1) };
    let address = world.lease(&client);
    let active = |replies: &[Reply]| {
        let active = replies.iter().filter(|reply| reply.kind() == ACTIVE);
        active.map(|reply| (reply.ciaddr(), reply.option(221))).collect::<Vec<_>>()
    };
    let blue = [&[0][..], b"blue"].concat();
    let expected = [(address, Some(blue.clone()))];
    assert_eq!(active(&asked(&mut world, &[query(1)])), [], "the global one by default");
    assert_eq!(active(&asked(&mut world, &[query(1).option(221, &[255])])), []);
    assert_eq!(active(&asked(&mut world, &[query(1).option(221, &blue)])), expected);
    assert_eq!(active(&asked(&mut world, &[query(1).option(221, &[254])])), expected);
    assert_eq!(active(&asked(&mut world, &[of_mac(1).option(221, &[254])])), expected);
    let none = asked(&mut world, &[query(1).option(221, b"\0green")]);
    assert_eq!((none.len(), none[0].kind()), (1, DONE));
}
