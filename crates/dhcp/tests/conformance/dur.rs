//! DUR: durability, restart and load, as far as the engine answers for it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::time::Duration;

use fastrand::Rng;
use leasehold_dhcp::config::{AddressPool, FixedLease, PoolIndex, ServerIndex};
use leasehold_dhcp::event::Silence;
use leasehold_dhcp::record::Change;
use leasehold_dhcp::{Event, Folded, Input, Location, Record, Start, StoreState};

use crate::world::*;

#[test]
fn dur_01_what_was_acknowledged_survives_every_kill() {
    let mut world = World::with(small_pool(60));
    let mut held: BTreeMap<u32, Ipv4Addr> = BTreeMap::new();
    // The same calls every time.
    let mut random = Rng::with_seed(1);
    for round in 0..40 {
        for _ in 0..20 {
            let client = random.u32(0..50);
            match held.get(&client).copied() {
                Some(address) if random.u8(0..4) == 0 => {
                    world.send(&Packet::client(client).release(SERVER, address));
                    held.remove(&client);
                }
                Some(address) => {
                    world.ask(&Packet::client(client).renew(address));
                }
                None => {
                    held.insert(client, world.lease(&Packet::client(client)));
                }
            }
        }
        world = match round % 2 {
            0 => world.restarted(seconds(1)),
            // What the store keeps of each address is enough.
            _ => {
                let disk = folded(&world.disk);
                let newest = disk.iter().map(|record| record.at).max();
                let start = Start { now: world.now, newest, store: StoreState::Intact };
                World::started((*world.config).clone(), start, &disk)
            }
        };
        for (&client, &address) in &held {
            let ack = world.ask(&Packet::client(client).renew(address));
            assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), address), "round {round}");
        }
    }
}

fn folded(disk: &[Record]) -> Vec<Record> {
    let mut places: BTreeMap<Location, Folded> = BTreeMap::new();
    for record in disk {
        places.entry(record.location.clone()).or_default().apply(record.clone());
    }
    places.values().flat_map(|folded| folded.records().cloned().collect::<Vec<_>>()).collect()
}

#[test]
fn dur_02_a_full_disk() {
    let mut world = World::new();
    let held: Vec<_> = (0..5).map(|number| world.lease(&Packet::client(number))).collect();
    let promised = world.disk.len();
    world.store_works = false;
    assert!(world.send(&Packet::client(0).renew(held[0])).is_empty());
    for (number, &address) in (0..).zip(&held) {
        assert_eq!(world.ask(&Packet::client(number).renew(address)).kind(), Some(5));
    }
    world.silent(&Packet::client(50).discover());
    world.silent(&Packet::client(51).reboot(lan(150)));
    world.send(&Packet::client(4).release(SERVER, held[4]));
    assert_eq!(world.disk.len(), promised);
    world.store_works = true;
    world.input(Input::StoreRecovered);
    // Everything that may be wrong on disk is told once more.
    let told: Vec<_> = world.disk[promised..].iter().map(|it| it.location.address).collect();
    assert_eq!(told, [held[4], held[0]]);
    assert!(matches!(world.disk[promised].change, Change::Removed));
    assert_eq!(world.lease(&Packet::client(50)), lan(195));
    let mut world = world.restarted(seconds(1));
    for (number, &address) in (0..4).zip(&held) {
        assert_eq!(world.ask(&Packet::client(number).renew(address)).kind(), Some(5));
    }
}

#[test]
fn dur_02_a_store_that_fails_under_a_new_lease_and_keeps_it_all_the_same() {
    // The worst case: the record is on disk, the client never heard of it.
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    world.store_works = false;
    assert!(world.send(&Packet::client(1).selecting(&offer)).is_empty());
    world.store_works = true;
    world.input(Input::StoreRecovered);
    assert!(matches!(world.disk.last().unwrap().change, Change::Removed));
    assert_eq!(world.lease(&Packet::client(2)), lan(199));
    assert_eq!(world.ask(&Packet::client(1).selecting(&offer)).kind(), Some(5));
}

#[test]
fn dur_02_a_lease_does_not_move_to_another_server_while_the_disk_is_full() {
    let mut config = config();
    config.servers[2].address_pool = AddressPool::Pool(PoolIndex(0));
    let mut world = World::with(config);
    let address = world.lease(&Packet::client(1));
    world.store_works = false;
    assert!(world.send(&Packet::client(1).renew(address)).is_empty());
    // Nothing on disk would say that the client is behind the relay now.
    world.silent(&Packet::client(1).relayed().reboot(address));
    assert_eq!(world.ask(&Packet::client(1).renew(address)).kind(), Some(5));
    world.store_works = true;
    world.input(Input::StoreRecovered);
    let moved = Packet::client(1).relayed();
    assert_eq!(world.ask(&moved.clone().reboot(address)).kind(), Some(5));
    // It is that server's now, and stays so when the pools are what they were.
    world.reconfigure(|config| config.servers[2].address_pool = AddressPool::Pool(PoolIndex(2)));
    assert_eq!(world.ask(&moved.rebind(address)).kind(), Some(5));
}

/// An address that is no more the server's to give is kept until its time is over, but the ACK that
/// gave it may be on its way to the disk still.
#[test]
fn what_is_kept_waits_for_the_disk_too() {
    let mut world = World::new();
    let address = world.lease(&Packet::client(1));
    world.reconfigure(|config| config.pools[0] = pool("lan-pool", lan(100), lan(110)));
    let kept = world.ask(&Packet::client(1).renew(address));
    assert_eq!((kept.kind(), kept.yiaddr()), (Some(5), address));
    world.store_works = false;
    assert!(world.send(&Packet::client(1).renew(address)).is_empty());
    // From now on nothing is on its way, and what is durable is known.
    let kept = world.ask(&Packet::client(1).renew(address));
    assert_eq!((kept.kind(), kept.yiaddr()), (Some(5), address));
}

/// In its last second there is nothing left to promise, and that is no fault of the store.
#[test]
fn what_is_kept_ends_in_silence() {
    let mut world = World::new();
    let address = world.lease(&Packet::client(1));
    world.reconfigure(|config| config.pools[0] = pool("lan-pool", lan(100), lan(110)));
    world.pass(Duration::from_millis(u64::from(LEASE_TIME) * 1000 - 400));
    let event = world.silent(&Packet::client(1).renew(address));
    assert!(matches!(event, Event::Silent { reason: Silence::Withheld, .. }), "{event:?}");
}

/// A server that has lost its store, and probes.
fn without_a_store() -> World {
    let now = World::new().now;
    World::started(
        config(),
        Start { now, newest: None, store: StoreState::Suspect { since: now.wall } },
        &[],
    )
}

#[test]
fn whom_a_probe_finds_on_its_own_address_keeps_it() {
    let mut world = without_a_store();
    assert!(world.send(&Packet::client(2).discover()).is_empty());
    // While the probe is under way, its answer is what counts.
    world.silent(&Packet::client(1).renew(lan(200)));
    world.occupied(lan(200), mac(1));
    world.pass(seconds(1));
    assert_eq!(world.ask(&Packet::client(3).renew(lan(200))).kind(), Some(6));
    let ack = world.ask(&Packet::client(1).client_id(b"own").renew(lan(200)));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), lan(200)));
    let mut world = world.restarted(seconds(1));
    assert_eq!(world.ask(&Packet::client(1).client_id(b"own").renew(lan(200))).kind(), Some(5));
}

/// An old copy of its DISCOVER has brought it an offer that it does not want; and it names its
/// server when it renews, as some clients do.
#[test]
fn whom_the_store_forgot_keeps_its_address_whatever_it_was_offered() {
    let mut world = without_a_store();
    let client = Packet::client(1);
    world.send(&client.clone().discover());
    assert_eq!(world.pass(seconds(1))[0].yiaddr(), lan(200));
    let ack = world.ask(&client.clone().renew(lan(180)).option(54, &SERVER.octets()));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), lan(180)));
    // Who only asks for it is held to what it was offered.
    let other = Packet::client(2);
    world.send(&other.clone().discover());
    world.pass(seconds(1));
    let request =
        other.option(53, &[3]).option(54, &SERVER.octets()).option(50, &lan(170).octets());
    assert_eq!(world.ask(&request).kind(), Some(6));
}

#[test]
fn who_finds_an_address_in_use_is_not_who_lent_it() {
    let mut world = without_a_store();
    assert!(world.send(&Packet::client(2).discover()).is_empty());
    world.occupied(lan(200), mac(1));
    world.pass(seconds(1));
    world.reconfigure(|config| {
        config.servers[0].address_pool = AddressPool::Pool(PoolIndex(1));
        config.servers[1].address_pool = AddressPool::Pool(PoolIndex(0));
    });
    let elsewhere = Packet { interface: LAN2, ..Packet::client(1) };
    let renewal = Packet { destination: SERVER2, ..elsewhere.renew(lan(200)) };
    assert_eq!(world.ask(&renewal).yiaddr(), lan(200));
}

#[test]
fn a_static_lease_outside_the_pools_is_renewed_around_its_relay() {
    let mut config = config();
    config.leases =
        [FixedLease { server: Some(ServerIndex(2)), ..fixed(1, far(20)) }].into_iter().collect();
    let mut world = World::with(config);
    let renewal = Packet { interface: UPLINK, ..Packet::client(1) }.renew(far(20));
    assert_eq!(world.ask(&renewal).yiaddr(), far(20));
}

#[test]
fn dur_05_what_falls_due_with_a_reload_is_decided_under_the_new_configuration() {
    let mut config = config();
    config.servers[0].conflict_detection = true;
    let mut world = World::with(config);
    assert!(world.send(&Packet::client(1).discover()).is_empty());
    world.now.boottime = world.now.boottime.after(seconds(1));
    let offers = world.reconfigure(|config| {
        config.servers[0].conflict_detection = false;
        config.pools[0] = pool("lan-pool", lan(100), lan(150));
    });
    let offered: Vec<_> = offers.iter().map(|offer| (offer.kind(), offer.yiaddr())).collect();
    assert_eq!(offered, [(Some(2), lan(150))]);
}

#[test]
fn dur_05_a_reload_between_offer_and_request() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    world.reconfigure(|config| config.servers[0].lease_time = 600);
    let ack = world.ask(&Packet::client(1).selecting(&offer));
    assert_eq!((ack.yiaddr(), ack.number(51)), (offer.yiaddr(), Some(600)));
    // A server that is renamed is still the same to its clients.
    world.reconfigure(|config| config.servers[0].name = "renamed".into());
    assert_eq!(world.ask(&Packet::client(1).discover()).yiaddr(), offer.yiaddr());
    assert_eq!(world.ask(&Packet::client(1).renew(offer.yiaddr())).number(51), Some(600));
}

#[test]
fn an_offer_outlives_an_end_in_good_order() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    let late = world.ask(&Packet::client(2).discover());
    world.pass(seconds(1));
    let offers = world.engine.offers(world.now);
    assert_eq!(offers.len(), 2);
    let mut world = world.restarted(seconds(2));
    offers.iter().for_each(|offer| world.engine.restore_offer(offer));
    // Who asked meanwhile does not get what others have been offered.
    let other = world.lease(&Packet::client(3));
    assert!(![offer.yiaddr(), late.yiaddr()].contains(&other));
    let ack = world.ask(&Packet::client(1).selecting(&offer));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), offer.yiaddr()));
    // It ends as any other offer does, and what is bound by then is nobody's offer.
    world.pass(seconds(600));
    assert_eq!(world.count("offered-without-success"), 1);
    offers.iter().for_each(|offer| world.engine.restore_offer(offer));
    world.engine.check().expect("a sound book");
}

#[test]
fn dur_07_a_starved_pool_still_serves_those_it_knows() {
    let mut world = World::new();
    world.check_every = 50;
    let held: Vec<_> = (0..50).map(|number| world.lease(&Packet::client(number))).collect();
    let mut random = Rng::with_seed(7);
    for round in 0..20_000_u32 {
        let mut packet = Packet::client(100_000 + round).discover();
        random.fill(&mut packet.chaddr[1..6]);
        world.send(&packet);
        if round % 400 == 0 {
            world.pass(seconds(1));
            for (number, &address) in (0..).zip(&held) {
                assert_eq!(world.ask(&Packet::client(number).renew(address)).kind(), Some(5));
            }
            assert!(world.usage().0 <= 50 + 17);
            world.events.clear();
            world.disk.clear();
        }
    }
}

/// Each start rounds the seconds of the store up, one more than another: what is promised again
/// without a record holds after the next start too.
#[test]
fn what_is_left_of_a_lease_outlives_the_next_start() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let mut world = world.restarted(Duration::from_millis(50_900));
    world.reconfigure(|config| config.pools[0] = pool("lan-pool", lan(10), lan(20)));
    let ack = world.ask(&Packet::client(1).renew(held));
    assert_eq!((ack.kind(), ack.number(51)), (Some(5), Some(LEASE_TIME - 50)));
    let ends = world.now.boottime.after(seconds(u64::from(LEASE_TIME - 50)));
    // The fractions of a second make a whole one meanwhile.
    world.now.wall.0 += 1;
    let mut world = world.restarted(Duration::from_millis(9_200));
    let left = world.now.boottime.until(ends);
    world.pass(left - Duration::from_millis(1));
    assert_eq!(world.count("deassigned"), 0);
    world.pass(seconds(2));
    assert_eq!(world.count("deassigned"), 1);
}
