//! What happens while a pool is nearly empty, where the server is set to do something about it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use leasehold_dhcp::record::Change;
use leasehold_dhcp::{Config, Mac, Probe};

use crate::world::*;

const DAY: u32 = 86_400;
const SHORT: u32 = 600;

/// A pool of so many addresses, leases of a day.
fn pool_of(addresses: u8) -> Config {
    let mut config = small_pool(addresses);
    config.servers[0].lease_time = DAY;
    config
}

/// The time that a client is granted, which is the same in OFFER and ACK.
fn granted(world: &mut World, number: u32) -> Option<u32> {
    let offer = world.ask(&Packet::client(number).discover());
    let ack = world.ask(&Packet::client(number).selecting(&offer));
    assert_eq!(offer.number(51), ack.number(51));
    ack.number(51)
}

#[test]
fn new_leases_are_shorter_while_the_pool_is_nearly_empty() {
    let mut config = pool_of(20);
    config.servers[0].pressure_lease_time = Some(SHORT);
    let mut world = World::with(config);
    for number in 1..=18 {
        assert_eq!(granted(&mut world, number), Some(DAY), "{number}");
        world.pass(seconds(2));
    }
    for number in 19..=20 {
        assert_eq!(granted(&mut world, number), Some(SHORT), "one of twenty is left, or none");
        world.pass(seconds(2));
    }
    // It stays short for who has just come, and grows with the time that somebody stays.
    let address = lan(181);
    let renewed = |world: &mut World| {
        world.pass(seconds(300));
        world.ask(&Packet::client(20).renew(address)).number(51)
    };
    let times: Vec<_> = (0..4).map(|_| renewed(&mut world)).collect();
    assert_eq!(times, [Some(600), Some(602), Some(902), Some(1202)]);
    assert_eq!(world.ask(&Packet::client(1).renew(lan(200))).number(51), Some(1240));
    // The pressure is gone: everybody gets a day again.
    for number in 2..=4 {
        world.send(&Packet::client(number).release(SERVER, lan(201 - number as u8)));
    }
    world.pass(seconds(2));
    assert_eq!(world.ask(&Packet::client(20).renew(address)).number(51), Some(DAY));
}

#[test]
fn nothing_is_shorter_by_default_or_for_static_leases() {
    let mut config = pool_of(2);
    config.leases = leasehold_dhcp::config::FixedLeases::new(vec![fixed(3, lan(10))]);
    let mut world = World::with(config);
    assert_eq!([1, 2].map(|number| granted(&mut world, number)), [Some(DAY); 2]);
    world.reconfigure(|config| config.servers[0].pressure_lease_time = Some(SHORT));
    world.pass(seconds(2));
    assert_eq!(granted(&mut world, 3), Some(DAY));
}

/// A full pool whose server reclaims, eleven minutes after its clients were heard.
struct Full {
    world: World,
    owners: BTreeMap<Ipv4Addr, Mac>,
    asked: Vec<Ipv4Addr>,
}

impl Full {
    fn new() -> Self {
        let mut world = World::with(pool_of(10));
        let owners = (1..=10).map(|number| (world.lease(&Packet::client(number)), mac(number)));
        let owners = owners.collect();
        world.reconfigure(|config| {
            config.servers[0].conflict_detection = true;
            config.servers[0].reclaim_silent = true;
        });
        world.pass(seconds(660));
        Self { world, owners, asked: Vec::new() }
    }

    /// Lets time pass, second by second; the owners that are left answer for their addresses.
    fn pass(&mut self, time: u64) -> Vec<Reply> {
        let mut replies = Vec::new();
        for _ in 0..time {
            self.answer();
            replies.extend(self.world.pass(seconds(1)));
        }
        self.answer();
        replies
    }

    fn answer(&mut self) {
        for probe in std::mem::take(&mut self.world.probes) {
            let Probe::Arp { target, .. } = probe else { panic!("{probe:?}") };
            self.asked.push(target);
            if let Some(&mac) = self.owners.get(&target) {
                self.world.occupied(target, mac);
            }
        }
    }

    /// What a client that begins is offered, if anything, when its probe is over.
    fn offered(&mut self, number: u32) -> Option<Ipv4Addr> {
        let mut replies = self.world.send(&Packet::client(number).discover());
        replies.extend(self.pass(1));
        replies.first().map(Reply::yiaddr)
    }
}

#[test]
fn an_address_whose_owner_is_silent_is_reclaimed() {
    let mut full = Full::new();
    let gone = lan(195);
    full.owners.remove(&gone);
    assert_eq!(full.offered(11), None, "first the owners are asked");
    full.pass(15);
    assert_eq!(full.offered(11), None, "once is not enough");
    full.pass(30);
    assert_eq!(full.offered(11), Some(gone));
    let ack = full.world.ask(&Packet::client(11).selecting_of(SERVER, gone));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), gone));
    // On disk the old lease ended before the new one began.
    let of_gone = full.world.disk.iter().filter(|record| record.location.address == gone);
    let changes: Vec<_> = of_gone.map(|record| record.change.clone()).collect();
    assert!(matches!(changes[..], [Change::Bound(_), Change::Removed, Change::Bound(_)]));
    // Who answered was asked once, who did not three times; nobody else is reclaimed.
    let of_gone = full.asked.iter().filter(|asked| **asked == gone).count();
    assert_eq!((of_gone, full.asked.len()), (4, 13), "the fourth is the offer's own");
    assert_eq!(full.offered(12), None);
    let nak = full.world.ask(&Packet::client(6).rebind(gone));
    assert_eq!(nak.kind(), Some(6));
}

#[test]
fn an_owner_that_comes_back_keeps_its_lease_while_nobody_else_has_it() {
    let mut full = Full::new();
    let gone = lan(195);
    full.owners.remove(&gone);
    full.offered(11);
    full.pass(45);
    // It was asleep: it renews before anybody needed its address, and is not taken for gone.
    let ack = full.world.ask(&Packet::client(6).renew(gone));
    assert_eq!((ack.kind(), ack.number(51)), (Some(5), Some(DAY)));
    assert_eq!(full.offered(11), None);
    // It sleeps again, and the one who gets its address does not take it.
    full.pass(700);
    assert_eq!(full.offered(11), Some(gone));
    full.pass(60);
    let ack = full.world.ask(&Packet::client(6).rebind(gone));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), gone));
}

#[test]
fn an_owner_that_answers_the_probe_of_the_offer_is_left_in_peace() {
    let mut full = Full::new();
    let gone = lan(195);
    full.owners.remove(&gone);
    full.offered(11);
    full.pass(45);
    full.world.send(&Packet::client(11).discover());
    let replies = full.world.occupied(gone, mac(6));
    assert!(replies.is_empty(), "{:?}", full.world.log());
}

#[test]
fn silence_proves_nothing_where_nobody_ever_answers() {
    let mut full = Full::new();
    full.owners.clear();
    full.offered(11);
    full.pass(120);
    assert_eq!((full.offered(11), full.asked.len()), (None, 30));
}

#[test]
fn nothing_is_reclaimed_by_default_or_without_probes() {
    for (probes, reclaims) in [(true, false), (false, true)] {
        let mut full = Full::new();
        full.world.reconfigure(|config| {
            config.servers[0].conflict_detection = probes;
            config.servers[0].reclaim_silent = reclaims;
        });
        full.owners.remove(&lan(195));
        full.offered(11);
        full.pass(120);
        assert_eq!((full.offered(11), full.asked.len()), (None, 0));
    }
}
