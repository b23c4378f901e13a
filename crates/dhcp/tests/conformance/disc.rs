//! DISC: DHCPDISCOVER and DHCPOFFER.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use leasehold_dhcp::config::{AddressPool, Matcher, OptionEntry, OptionSet, PoolIndex, Value};
use leasehold_dhcp::{Event, Probe};

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
fn disc_02_what_is_asked_for_and_configured_is_told() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover().asking_for(&[1, 3, 6, 15, 42]));
    assert_eq!(offer.address(3), Some(GATEWAY));
    assert_eq!(offer.option(6), Some(vec![8, 8, 8, 8, 8, 8, 4, 4]));
    assert_eq!(offer.option(15), Some(b"example.net".to_vec()));
    assert_eq!(offer.codes(), [53, 54, 51, 58, 59, 1, 3, 6, 15]);
}

#[test]
fn disc_03_a_free_address_of_the_pool_is_given_on_request() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover().wishing(lan(150)));
    assert_eq!(offer.yiaddr(), lan(150));
}

#[test]
fn disc_04_a_wish_outside_the_pool_is_no_wish() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover().wishing(lan(50)));
    assert_eq!(offer.yiaddr(), lan(200));
}

#[test]
fn disc_05_a_wish_for_another_subnet_is_no_wish() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover().wishing(far(150)));
    assert_eq!(offer.yiaddr(), lan(200));
}

#[test]
fn disc_06_nobody_gets_an_address_that_is_none() {
    let mut config = config();
    config.pools[0] = pool("lan-pool", lan(0), lan(255));
    let mut world = World::with(config);
    let bad = [SERVER, GATEWAY, lan(0), lan(255), NOBODY, BROADCAST];
    for (number, address) in (1..).zip(bad) {
        let offer = world.ask(&Packet::client(number).discover().wishing(address));
        assert!(!bad.contains(&offer.yiaddr()), "{address}: {}", offer.yiaddr());
    }
}

#[test]
fn disc_07_a_leased_address_is_not_given_on_request() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    assert_ne!(world.ask(&Packet::client(2).discover().wishing(held)).yiaddr(), held);
}

#[test]
fn disc_08_a_reserved_address_is_not_given_on_request() {
    let mut config = config();
    config.leases = [fixed(1, lan(150))].into_iter().collect();
    let mut world = World::with(config);
    let offer = world.ask(&Packet::client(2).discover().wishing(lan(150)));
    assert_eq!(offer.yiaddr(), lan(200));
}

#[test]
fn disc_09_a_bound_client_is_offered_its_address_and_keeps_its_lease() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let (disk, usage) = (world.disk.len(), world.usage());
    world.pass(seconds(20));
    let offer = world.ask(&Packet::client(1).discover().wishing(lan(150)));
    assert_eq!((offer.yiaddr(), world.disk.len()), (held, disk));
    assert_eq!(world.usage(), usage);
    world.pass(seconds(u64::from(LEASE_TIME) - 19));
    assert!(world.log().last().unwrap().contains("deassigned"), "the lease was not lengthened");
}

#[test]
fn disc_10_a_retransmission_gets_the_same_offer() {
    let mut world = World::new();
    let packet = Packet::client(1).discover();
    let first = world.ask(&packet);
    let second = world.ask(&packet);
    assert_eq!((first.bytes, world.usage().0), (second.bytes, 1));
}

#[test]
fn disc_11_an_expired_lease_comes_back_to_its_client() {
    let mut world = World::new();
    world.lease(&Packet::client(1));
    let held = world.lease(&Packet::client(2));
    world.pass(seconds(u64::from(LEASE_TIME) + 1));
    assert_eq!(world.lease(&Packet::client(2)), held);
}

#[test]
fn disc_12_a_released_lease_comes_back_to_its_client() {
    let mut world = World::new();
    world.lease(&Packet::client(1));
    let held = world.lease(&Packet::client(2));
    world.send(&Packet::client(2).release(SERVER, held));
    // Somebody new gets another one as long as there is one.
    assert_eq!(world.lease(&Packet::client(3)), lan(198));
    assert_eq!(world.lease(&Packet::client(2)), held);
}

#[test]
fn disc_13_two_new_clients_get_two_offers() {
    let mut world = World::new();
    let first = world.ask(&Packet::client(1).discover());
    let second = world.ask(&Packet::client(2).discover());
    assert_ne!(first.yiaddr(), second.yiaddr());
}

#[test]
fn disc_14_an_offer_is_held_for_its_client() {
    let mut world = World::new();
    let held = world.ask(&Packet::client(1).discover()).yiaddr();
    world.pass(seconds(29));
    assert_ne!(world.ask(&Packet::client(2).discover().wishing(held)).yiaddr(), held);
    world.pass(seconds(2));
    assert!(world.log().iter().any(|line| line.ends_with("without success")));
    assert_eq!(world.ask(&Packet::client(3).discover().wishing(held)).yiaddr(), held);
}

#[test]
fn disc_15_an_empty_pool_is_silent_and_says_so() {
    let mut world = World::with(small_pool(2));
    world.lease(&Packet::client(1));
    world.lease(&Packet::client(2));
    let event = world.silent(&Packet::client(3).discover());
    let line = "dhcp1 failed to give out IP address: pool <lan-pool> is empty";
    assert_eq!((event.to_string().as_str(), event.topics()), (line, "dhcp,error"));
    assert_eq!(world.count("pool-empty"), 1);
}

#[test]
fn disc_16_a_waiting_client_is_served_as_soon_as_one_releases() {
    let mut world = World::with(small_pool(2));
    let held = world.lease(&Packet::client(1));
    world.lease(&Packet::client(2));
    world.silent(&Packet::client(3).discover());
    world.send(&Packet::client(1).release(SERVER, held));
    assert_eq!(world.lease(&Packet::client(3)), held);
}

/// With conflict detection.
fn probing() -> World {
    let mut config = config();
    config.servers[0].conflict_detection = true;
    World::with(config)
}

#[test]
fn disc_17_an_address_that_answers_is_not_offered() {
    let mut world = probing();
    assert!(world.send(&Packet::client(1).discover()).is_empty());
    assert_eq!(world.probes, [Probe::Arp { interface: LAN, target: lan(200) }]);
    assert!(world.occupied(lan(200), mac(50)).is_empty(), "the next address is probed too");
    let offers = world.pass(seconds(1));
    assert_eq!(offers.iter().map(Reply::yiaddr).collect::<Vec<_>>(), [lan(199)]);
    let line = "dhcp1 detected conflict by ARP response for 172.29.0.200 from 02:00:00:00:00:32";
    assert!(world.log().contains(&line.to_owned()), "{:?}", world.log());
    assert_eq!(world.count("conflict"), 1);
}

#[test]
fn disc_18_a_silent_address_is_offered_within_half_a_second() {
    let mut world = probing();
    world.send(&Packet::client(1).discover());
    assert!(world.pass(std::time::Duration::from_millis(499)).is_empty());
    let offers = world.pass(std::time::Duration::from_millis(2));
    assert_eq!((offers.len(), offers[0].kind(), offers[0].yiaddr()), (1, Some(2), lan(200)));
    let ack = world.ask(&Packet::client(1).selecting(&offers[0]));
    assert_eq!(ack.kind(), Some(5));
}

/// The worker waited for its disk, say, while both probes' time ran out.
#[test]
fn disc_17_an_answer_that_waited_counts() {
    let mut world = probing();
    assert!(world.send(&Packet::client(1).discover()).is_empty());
    assert!(world.send(&Packet::client(2).discover()).is_empty());
    world.now.boottime = world.now.boottime.after(seconds(2));
    assert!(world.occupied(lan(200), mac(50)).is_empty());
    assert!(world.occupied(lan(199), mac(51)).is_empty());
    let offered: Vec<_> = world.pass(seconds(1)).iter().map(Reply::yiaddr).collect();
    assert_eq!(offered, [lan(198), lan(197)]);
}

#[test]
fn disc_18_nobody_else_waits_for_a_probe() {
    let mut world = probing();
    let held = {
        world.send(&Packet::client(1).discover());
        let offer = world.pass(seconds(1)).remove(0);
        world.ask(&Packet::client(1).selecting(&offer)).yiaddr()
    };
    world.send(&Packet::client(2).discover());
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(5));
    // A client that is asked for again is answered once, for its newest question.
    let again = Packet { xid: 4711, ..Packet::client(2).discover() };
    assert!(world.send(&again).is_empty());
    let offers = world.pass(seconds(1));
    assert_eq!((offers.len(), &offers[0].bytes[4..8]), (1, &4711_u32.to_be_bytes()[..]));
}

#[test]
fn disc_19_only_what_is_configured_is_booted() {
    let mut config = config();
    config.networks = boot_network();
    let mut world = World::with(config);
    let mut packet = Packet { siaddr: lan(9), ..Packet::client(1).discover() };
    packet.file[..4].copy_from_slice(b"evil");
    packet.sname[..4].copy_from_slice(b"evil");
    let offer = world.ask(&packet);
    assert_eq!((offer.siaddr(), offer.file()), (lan(5), &b"pxelinux.0"[..]));
    assert!(offer.bytes[44..108].iter().all(|&octet| octet == 0));
}

#[test]
fn disc_20_a_server_identifier_in_a_discover_means_nothing() {
    let mut world = World::new();
    let packet = Packet::client(1).discover().option(54, &[192, 0, 2, 99]);
    assert_eq!(world.ask(&packet).kind(), Some(2));
}

#[test]
fn disc_21_ciaddr_of_a_discover_is_not_copied() {
    let mut world = World::new();
    let packet = Packet { ciaddr: lan(150), ..Packet::client(1).discover() };
    assert_eq!(world.ask(&packet).ciaddr(), NOBODY);
}

#[test]
fn disc_22_many_clients_at_once_get_as_many_addresses() {
    let mut world = World::new();
    let offers: Vec<_> =
        (0..32).map(|number| world.ask(&Packet::client(number).discover())).collect();
    let mut bound = BTreeSet::new();
    for (number, offer) in (0..).zip(&offers) {
        let ack = world.ask(&Packet::client(number).selecting(offer));
        assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), offer.yiaddr()));
        bound.insert(ack.yiaddr());
    }
    assert_eq!((bound.len(), world.usage().0), (32, 32));
}

#[test]
fn disc_23_a_matcher_leads_to_its_pool_and_options() {
    let mut config = config();
    config.pools.push(pool("phones", lan(20), lan(29)));
    let value = Value::Bytes(Box::from(&b"tftp.example.net"[..]));
    config.matchers = vec![Matcher {
        name: "phones".into(),
        server: None,
        code: 60,
        value: Box::from(&b"phone"[..]),
        substring: false,
        address_pool: Some(AddressPool::Pool(PoolIndex(3))),
        options: OptionSet::new(vec![OptionEntry { code: 66, force: false, value }]),
        lease_time: None,
    }];
    let mut world = World::with(config);
    let phone = Packet::client(1).option(60, b"phone").asking_for(&[66]);
    let offer = world.ask(&phone.clone().discover());
    assert_eq!((offer.yiaddr(), offer.option(66)), (lan(29), Some(b"tftp.example.net".to_vec())));
    assert_eq!(world.lease(&phone), lan(29));
    let other = world.ask(&Packet::client(2).option(60, b"phone 2").asking_for(&[66]).discover());
    assert_eq!((other.yiaddr(), other.option(66)), (lan(200), None));
}

/// RouterOS 22: of four offers in a row the third and the fourth are broadcast.
#[test]
fn the_third_and_fourth_offer_in_a_row_are_broadcast() {
    let mut world = World::new();
    let packet = Packet::client(1).discover();
    let broadcast: Vec<_> = (0..5).map(|_| world.ask(&packet).is_broadcast()).collect();
    assert_eq!(broadcast, [false, false, true, true, false]);
    world.lease(&Packet::client(1));
    assert!(!world.ask(&packet).is_broadcast(), "a taken offer ends the row");
}

/// RouterOS 21: a client that has not tried for long enough is ignored.
#[test]
fn delay_threshold() {
    let mut config = config();
    config.servers[0].delay_threshold = 3;
    let mut world = World::with(config);
    let packet = |secs| Packet { secs, ..Packet::client(1).discover() };
    world.silent(&packet(2));
    assert_eq!(world.ask(&packet(3)).kind(), Some(2));
}

/// RouterOS 1 and 2: the highest address first, one that was somebody's last.
#[test]
fn addresses_go_downward_and_old_ones_last() {
    let mut world = World::new();
    assert_eq!(world.lease(&Packet::client(1)), lan(200));
    assert_eq!(world.lease(&Packet::client(2)), lan(199));
    world.send(&Packet::client(1).release(SERVER, lan(200)));
    assert_eq!(world.lease(&Packet::client(3)), lan(198));
}

/// RouterOS 12 and 13: pools that follow each other in a circle end.
#[test]
fn a_circle_of_pools_ends() {
    for next in [0, 3] {
        let mut config = small_pool(1);
        config.pools[0].next = Some(PoolIndex(next));
        config.pools.push(pool("b", lan(60), lan(60)));
        config.pools[3].next = Some(PoolIndex(0));
        let mut world = World::with(config);
        let first = world.lease(&Packet::client(1));
        assert_eq!(first, lan(200));
        if next == 3 {
            assert_eq!(world.lease(&Packet::client(2)), lan(60));
        }
        let event = world.silent(&Packet::client(3).discover());
        assert!(matches!(event, Event::PoolEmpty { .. }));
        assert_eq!(world.count("pool-empty"), 1);
    }
}

/// Offers that nobody takes hold at most sixteen addresses, or a tenth of what is free.
#[test]
fn a_flood_of_discovers_does_not_hold_the_pool() {
    let mut world = World::new();
    world.check_every = 50;
    for number in 0..5000 {
        world.ask(&Packet::client(number).discover());
        assert!(world.usage().0 <= 17, "{:?}", world.usage());
    }
    world.pass(seconds(31));
    let addresses: BTreeSet<Ipv4Addr> =
        (0..101).map(|number| world.lease(&Packet::client(10_000 + number))).collect();
    assert_eq!(addresses.len(), 101);
}
