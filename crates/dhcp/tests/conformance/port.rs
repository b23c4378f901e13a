//! RLY: how many leases one port behind a relay may have.

use leasehold_dhcp::config::{CircuitLimit, FixedLeases};
use leasehold_dhcp::event::Silence;
use leasehold_dhcp::{Config, Event};

use crate::world::*;

/// One lease for each port behind the relay.
fn one_a_port(replace_oldest: bool) -> Config {
    let mut config = config();
    config.servers[2].circuit_lease_limit = Some(CircuitLimit { leases: 1, replace_oldest });
    config
}

fn plugged(number: u32, port: &[u8; 2]) -> Packet {
    Packet::client(number).relayed().option(82, &[&[1, 2], &port[..], b"\x02\x03olt"].concat())
}

#[test]
fn rly_24_a_swapped_modem_works_at_once() {
    let mut world = World::with(one_a_port(true));
    let old = world.lease(&plugged(1, b"p1"));
    let neighbour = world.lease(&plugged(2, b"p2"));
    world.pass(seconds(5));
    let new = world.lease(&plugged(3, b"p1"));
    assert_ne!(new, old);
    assert!(world.log().contains(&format!("far deassigned {old} for {}", mac(1))));
    // The one that was taken out is a new client when it is heard again, and the last one wins.
    let nak = world.ask(&plugged(1, b"p1").rebind(old));
    assert_eq!((nak.kind(), nak.yiaddr()), (Some(5), old), "its address is still free");
    assert!(world.log().contains(&format!("far deassigned {new} for {}", mac(3))));
    // The neighbour keeps its own, also through a renewal, and nothing is replaced by renewing.
    let before = world.count("deassigned");
    assert_eq!(world.ask(&plugged(2, b"p2").rebind(neighbour)).yiaddr(), neighbour);
    assert_eq!(world.ask(&plugged(1, b"p1").rebind(old)).yiaddr(), old);
    assert_eq!(world.count("deassigned"), before);
}

#[test]
fn rly_24_a_port_with_a_pool_of_one_address() {
    let mut config = one_a_port(true);
    config.pools[2] = pool("far-pool", far(200), far(200));
    let mut world = World::with(config);
    assert_eq!(world.lease(&plugged(1, b"p1")), far(200));
    // Another port's client gets nothing for it.
    world.silent(&plugged(2, b"p2").discover());
    assert_eq!(world.lease(&plugged(3, b"p1")), far(200));
    assert_eq!(world.disk.len(), 3, "bound, removed, bound");
}

#[test]
fn rly_24_a_port_that_is_full_refuses() {
    let mut world = World::with(one_a_port(false));
    let held = world.lease(&plugged(1, b"p1"));
    for packet in [plugged(2, b"p1").discover(), plugged(2, b"p1").reboot(far(150))] {
        let event = world.silent(&packet);
        assert!(matches!(event, Event::Silent { reason: Silence::CircuitLimit, .. }), "{event}");
    }
    assert_eq!(world.ask(&plugged(1, b"p1").rebind(held)).yiaddr(), held);
    world.lease(&plugged(2, b"p2"));
    // The same port of another switch is another port.
    let other = Packet::client(4).relayed().option(82, b"\x01\x02p1\x02\x03msw");
    world.lease(&other);
    world.send(&Packet { ciaddr: held, ..plugged(1, b"p1") }.option(53, &[7]));
    world.lease(&plugged(5, b"p1"));
}

#[test]
fn rly_24_the_longest_unheard_goes_and_static_leases_stay() {
    let mut config = one_a_port(true);
    config.servers[2].circuit_lease_limit = Some(CircuitLimit { leases: 3, replace_oldest: true });
    config.leases = FixedLeases::new(vec![fixed(1, far(10))]);
    let mut world = World::with(config);
    let leases = [1, 2, 3].map(|number| {
        world.pass(seconds(1));
        world.lease(&plugged(number, b"p1"))
    });
    assert_eq!(leases[0], far(10));
    world.pass(seconds(10));
    world.ask(&plugged(2, b"p1").rebind(leases[1]));
    world.lease(&plugged(4, b"p1"));
    let gone: Vec<_> = world.log().into_iter().filter(|line| line.contains("deassigned")).collect();
    assert_eq!(gone, [format!("far deassigned {} for {}", leases[2], mac(3))]);
    // What the store knows of ports counts after a restart.
    let mut world = world.restarted(seconds(1));
    world.lease(&plugged(5, b"p1"));
    assert_eq!(world.count("deassigned"), 1);
}

/// The offers of a pool make room for others where most of them are.
#[test]
fn dur_07_a_flood_behind_one_port_takes_no_offer_of_another() {
    let mut world = World::with(config());
    let offer = world.ask(&plugged(1, b"p1").discover());
    for number in 100..400 {
        world.ask(&plugged(number, b"p2").discover());
    }
    let ack = world.ask(&plugged(1, b"p1").selecting(&offer));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), offer.yiaddr()));
}

#[test]
fn dur_07_offers_to_one_port_make_room_when_the_pool_is_empty() {
    let mut config = config();
    config.pools[2] = pool("far-pool", far(193), far(200));
    let mut world = World::with(config);
    for number in 100..108 {
        world.ask(&plugged(number, b"p1").discover());
    }
    world.silent(&plugged(108, b"p1").discover());
    let others: [(u32, &[u8; 2]); 4] = [(1, b"q1"), (2, b"q2"), (3, b"q3"), (4, b"q4")];
    let offers = others.map(|(number, port)| world.ask(&plugged(number, port).discover()));
    for ((number, port), offer) in others.into_iter().zip(&offers) {
        let ack = world.ask(&plugged(number, port).selecting(offer));
        assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), offer.yiaddr()));
    }
    // What a port holds that has no more than four is its own.
    world.silent(&plugged(5, b"q5").discover());
}

/// Probes are for all: a port that floods goes without before the others do.
#[test]
fn dur_07_a_flood_behind_one_port_leaves_probes_to_the_others() {
    let mut config = config();
    config.servers[2].conflict_detection = true;
    config.settings.probes_per_second = 40;
    let mut world = World::with(config);
    let flood = |world: &mut World, numbers: core::ops::Range<u32>| {
        numbers.filter(|&number| world.send(&plugged(number, b"p1").discover()).is_empty()).count()
    };
    assert_eq!(flood(&mut world, 100..150), 20, "half of the probes are for others");
    let is_probed =
        |world: &mut World, number, port| world.send(&plugged(number, port).discover()).is_empty();
    assert!(is_probed(&mut world, 1, b"p2") && is_probed(&mut world, 2, b"p3"));
    // A second later there are as many again, and what was had does not count any more.
    world.pass(seconds(1));
    assert_eq!(flood(&mut world, 200..250), 20);
    assert!(is_probed(&mut world, 3, b"p2"));
}
