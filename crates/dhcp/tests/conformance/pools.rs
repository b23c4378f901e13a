//! POOL: address pools in RouterOS's ways.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use leasehold_dhcp::config::{FixedLease, PoolIndex};
use leasehold_dhcp::order::UsedView;
use leasehold_dhcp::{Answer, Order};

use crate::world::*;

fn drain(world: &mut World, clients: u32) -> BTreeSet<Ipv4Addr> {
    (0..clients).map(|number| world.lease(&Packet::client(1000 + number))).collect()
}

#[test]
fn pool_01_one_client_that_wants_the_last_address() {
    let mut world = World::with(small_pool(20));
    let first = world.ask(&Packet::client(1).discover().wishing(lan(181)));
    assert_eq!(first.yiaddr(), lan(181));
    world.ask(&Packet::client(1).selecting(&first));
    assert_eq!(drain(&mut world, 19).len(), 19);
}

#[test]
fn pool_02_the_next_pool_when_the_first_is_full() {
    let mut config = small_pool(2);
    config.pools[0].next = Some(PoolIndex(3));
    config.pools.push(pool("second", lan(20), lan(21)));
    let mut world = World::with(config);
    let given: Vec<_> = (0..4).map(|number| world.lease(&Packet::client(number))).collect();
    assert_eq!(given, [lan(200), lan(199), lan(21), lan(20)]);
    let used = used(&mut world);
    let second: Vec<_> = used.iter().filter(|row| &*row.pool == "second").collect();
    assert_eq!(second.len(), 2);
    world.silent(&Packet::client(9).discover());
}

#[test]
fn pool_03_the_options_of_the_network_that_the_address_is_in() {
    let mut config = config();
    config.pools[0] = pool("lan-pool", lan(126), lan(129));
    let net = |prefix: &str, gateway| {
        let mut network = network(prefix);
        network.gateways = vec![gateway];
        network
    };
    config.networks =
        [net("172.29.0.0/25", lan(1)), net("172.29.0.128/25", lan(254))].into_iter().collect();
    let mut world = World::with(config);
    let mut told = |number, wish| {
        let packet = Packet::client(number).asking_for(&[1, 3]).discover().wishing(lan(wish));
        let offer = world.ask(&packet);
        (offer.yiaddr(), offer.address(3), offer.address(1))
    };
    let mask = Some(Ipv4Addr::new(255, 255, 255, 128));
    assert_eq!(told(1, 126), (lan(126), Some(lan(1)), mask));
    assert_eq!(told(2, 129), (lan(129), Some(lan(254)), mask));
}

#[test]
fn pool_04_several_ranges_and_single_addresses() {
    let mut config = config();
    config.pools[0].ranges = vec![lan(150)..=lan(152), lan(20)..=lan(20), lan(180)..=lan(181)];
    let mut world = World::with(config);
    let given = drain(&mut world, 6);
    assert_eq!(given, [20, 150, 151, 152, 180, 181].map(lan).into_iter().collect());
}

#[test]
fn pool_04_two_pools_over_the_same_addresses() {
    let mut config = small_pool(3);
    config.pools[1] = config.pools[0].clone();
    config.pools[1].name = "the same".into();
    let mut world = World::with(config);
    let one = world.lease(&Packet::client(1));
    let two = world.lease(&Packet { interface: LAN2, ..Packet::client(2) });
    assert_eq!([one, two], [lan(200), lan(199)]);
}

/// A model of who has what, against ten thousand random steps of forty clients.
#[test]
fn pool_05_random_steps_against_a_model() {
    let mut world = World::with(small_pool(25));
    world.check_every = 50;
    let mut held: BTreeMap<u32, Ipv4Addr> = BTreeMap::new();
    let mut random = 1_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (random >> 33) % below
    };
    for _ in 0..10_000 {
        let client = next(40) as u32;
        match (held.get(&client).copied(), next(3)) {
            (Some(address), 0) => {
                world.send(&Packet::client(client).release(SERVER, address));
                held.remove(&client);
            }
            (Some(address), _) => {
                assert_eq!(world.ask(&Packet::client(client).renew(address)).yiaddr(), address);
            }
            (None, _) if held.len() == 25 => {
                world.silent(&Packet::client(client).discover());
            }
            (None, wish) => {
                let wish = lan(176 + (wish as u8) * 8);
                let offer = world.ask(&Packet::client(client).discover().wishing(wish));
                let free = held.values().all(|&taken| taken != wish);
                assert!(!free || offer.yiaddr() == wish, "{wish} is free");
                let ack = world.ask(&Packet::client(client).selecting(&offer));
                assert!(held.values().all(|&taken| taken != ack.yiaddr()), "two owners");
                held.insert(client, ack.yiaddr());
            }
        }
        assert_eq!(world.usage().0, held.len() as u64);
        world.events.clear();
        world.disk.clear();
    }
}

#[test]
fn pool_07_a_static_lease_inside_the_pool_is_nobody_elses() {
    let mut config = small_pool(3);
    config.leases = [fixed(1, lan(199))].into_iter().collect();
    let mut world = World::with(config);
    assert_eq!(drain(&mut world, 2), [lan(198), lan(200)].into_iter().collect());
    world.silent(&Packet::client(5).discover());
    assert_eq!(world.lease(&Packet::client(1)), lan(199));
    // Also if it is added later.
    let mut world = World::with(small_pool(3));
    world.reconfigure(|config| config.leases = [fixed(1, lan(199))].into_iter().collect());
    assert!(!drain(&mut world, 2).contains(&lan(199)));
}

#[test]
fn pool_08_a_static_lease_outside_every_pool() {
    let mut config = config();
    config.leases = [fixed(1, lan(7)), fixed(2, far(7))].into_iter().collect();
    let mut world = World::with(config);
    assert_eq!(world.lease(&Packet::client(1)), lan(7));
    assert_eq!(world.lease(&Packet::client(2).relayed()), far(7));
    // A row for all servers does not follow its client into another network.
    assert_eq!(world.lease(&Packet::client(1).relayed()), far(200));
    assert_eq!(world.ask(&Packet::client(1).renew(lan(7))).kind(), Some(5));
}

#[test]
fn pool_09_two_static_leases_for_one_address() {
    let mut config = config();
    config.leases = [fixed(1, lan(20)), fixed(2, lan(20))].into_iter().collect();
    let mut world = World::with(config);
    assert_eq!(world.lease(&Packet::client(1)), lan(20));
    assert_ne!(world.lease(&Packet::client(2)), lan(20), "served all the same");
    world.lease(&Packet::client(3));
}

#[test]
fn pool_10_a_pool_is_removed_while_leases_live() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.pass(seconds(60));
    world.reconfigure(|config| {
        config.servers[0].address_pool = leasehold_dhcp::config::AddressPool::StaticOnly;
        config.pools[0] = pool("another", lan(20), lan(30));
    });
    let ack = world.ask(&Packet::client(1).renew(held));
    assert_eq!((ack.kind(), ack.yiaddr(), ack.number(51)), (Some(5), held, Some(60)));
    world.pass(seconds(61));
    assert_eq!(world.count("deassigned"), 1);
    // Back again: the client gets what it had.
    world.reconfigure(|config| {
        config.servers[0].address_pool = leasehold_dhcp::config::AddressPool::Pool(PoolIndex(0));
        config.pools[0] = pool("lan-pool", lan(100), lan(200));
    });
    assert_eq!(world.lease(&Packet::client(1)), held);
}

#[test]
fn pool_11_the_edges_of_networks_are_no_hosts() {
    let mut config = config();
    config.pools[0] = pool("lan-pool", lan(248), lan(255));
    let mut world = World::with(config);
    let given = drain(&mut world, 7);
    assert!(!given.contains(&lan(255)));
    world.silent(&Packet::client(1).discover());
}

fn used(world: &mut World) -> Vec<UsedView> {
    let mut rows: Vec<UsedView> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.location.clone());
        let Answer::Used { addresses, more } = world.order(Order::Used { after, limit: 2 }) else {
            panic!()
        };
        rows.extend(addresses);
        if !more {
            return rows;
        }
    }
}

#[test]
fn pool_12_used_addresses_and_counters_agree_with_the_leases() {
    let mut config = config();
    config.leases = [FixedLease { ..fixed(1, lan(150)) }].into_iter().collect();
    let mut world = World::with(config);
    for number in 0..7 {
        world.lease(&Packet::client(number));
    }
    world.ask(&Packet::client(7).discover());
    let held = lan(200);
    world.send(&Packet::client(0).decline(SERVER, held));
    let rows = used(&mut world);
    let Answer::Leases { leases, more } = world.order(Order::Leases { after: None, limit: 100 })
    else {
        panic!()
    };
    let listed: Vec<_> = leases.iter().map(|lease| lease.location.address).collect();
    assert_eq!(rows.iter().map(|row| row.location.address).collect::<Vec<_>>(), listed);
    assert!(!more && listed.is_sorted());
    assert_eq!((listed.len(), world.usage()), (8, (8, 93)));
}

/// Pages of a listing go on where the last one stopped, whatever happened meanwhile.
#[test]
fn leases_are_listed_in_pages() {
    let mut world = World::new();
    for number in 0..25 {
        world.lease(&Packet::client(number).client_id(&[number as u8 + 1]).option(12, b"host"));
    }
    let mut listed = Vec::new();
    let mut after = None;
    loop {
        let order = Order::Leases { after: after.take(), limit: 10 };
        let Answer::Leases { leases, more } = world.order(order) else { panic!() };
        after = leases.last().map(|lease| lease.location.clone());
        listed.extend(leases);
        if !more {
            break;
        }
    }
    assert_eq!(listed.len(), 25);
    let view = listed.iter().find(|lease| lease.location.address == lan(200)).unwrap();
    assert_eq!((&*view.client_id, &*view.host_name, &*view.server), (&[1][..], "host", "dhcp1"));
    assert_eq!(view.expires_after, Some(seconds(u64::from(LEASE_TIME))));
}

#[test]
fn an_administrator_removes_a_lease() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let location = leasehold_dhcp::Location::main(held);
    assert_eq!(world.order(Order::Remove(location.clone())), Answer::Done);
    assert_eq!((world.usage().0, world.count("deassigned")), (0, 1));
    let refused = Answer::Refused(leasehold_dhcp::order::Refusal::NoSuchLease);
    assert_eq!(world.order(Order::Remove(location)), refused);
}
