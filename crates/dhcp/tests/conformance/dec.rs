//! DEC: DHCPDECLINE.

use leasehold_dhcp::event::{Malformed, Silence};
use leasehold_dhcp::order::{LeaseView, Status};
use leasehold_dhcp::record::Change;
use leasehold_dhcp::{Answer, Config, Event, Location, Order, Start, StoreState};

use crate::world::*;

fn not_holder(event: Event) {
    let reason = Silence::NotHolder;
    assert!(matches!(event, Event::Silent { reason: silent, .. } if silent == reason), "{event}");
}

/// A client with a lease, and its address.
fn bound() -> (World, std::net::Ipv4Addr) {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    (world, held)
}

#[test]
fn dec_01_a_declined_address_is_given_to_nobody() {
    let (mut world, held) = bound();
    assert!(world.send(&Packet::client(1).decline(SERVER, held)).is_empty());
    assert_ne!(world.lease(&Packet::client(1)), held);
    assert_ne!(world.ask(&Packet::client(2).discover().wishing(held)).yiaddr(), held);
    assert_eq!(world.ask(&Packet::client(3).selecting_of(SERVER, held)).kind(), Some(6));
    let quarantined = |change: &Change| matches!(change, Change::Quarantined { .. });
    assert!(world.disk.iter().any(|record| quarantined(&record.change)));
    // And not by the next server that starts with this store.
    let mut world = world.restarted(seconds(1));
    assert_ne!(world.ask(&Packet::client(2).discover().wishing(held)).yiaddr(), held);
}

/// The record of a quarantine names no server: it is listed with the one that gives the address,
/// or, when no server is left, with none.
#[test]
fn dec_01_a_quarantine_outlives_its_server() {
    let listed = |world: &mut World| {
        let Answer::Leases { leases, .. } = world.order(Order::Leases { after: None, limit: 9 })
        else {
            panic!("no leases")
        };
        let listed = |lease: &LeaseView| (lease.location.address, lease.server.to_string());
        leases.iter().map(listed).collect::<Vec<_>>()
    };
    let mut world = World::new();
    let held = world.lease(&Packet::client(1).relayed());
    world.send(&Packet::client(1).relayed().decline(SERVER, held));
    let mut world = world.restarted(seconds(1));
    assert_eq!(listed(&mut world), [(held, "far".to_owned())]);
    let now = world.now;
    let start = Start { now, newest: None, store: StoreState::Intact };
    let mut world = World::started(Config { servers: Vec::new(), ..config() }, start, &world.disk);
    assert_eq!(listed(&mut world), [(held, String::new())]);
    world.reconfigure(|config| config.servers.clone_from(&self::config().servers));
    let discover = Packet::client(2).relayed().discover().wishing(held);
    assert_ne!(world.ask(&discover).yiaddr(), held);
}

#[test]
fn dec_02_after_the_quarantine_it_is_offered_again() {
    let (mut world, held) = bound();
    world.send(&Packet::client(1).decline(SERVER, held));
    world.pass(seconds(599));
    assert_ne!(world.ask(&Packet::client(2).discover().wishing(held)).yiaddr(), held);
    world.pass(seconds(2));
    assert_eq!(world.ask(&Packet::client(3).discover().wishing(held)).yiaddr(), held);
}

#[test]
fn dec_03_no_address() {
    let (mut world, held) = bound();
    let mut packet = Packet::client(1).decline(SERVER, held);
    packet.options.retain(|(code, _)| *code != 50);
    let event = world.silent(&packet);
    assert!(matches!(event, Event::Malformed { rule: Malformed::NoAddress, .. }), "{event}");
}

#[test]
fn dec_04_no_server_identifier_is_tolerated() {
    let (mut world, held) = bound();
    let mut packet = Packet::client(1).decline(SERVER, held);
    packet.options.retain(|(code, _)| *code != 54);
    world.send(&packet);
    assert_eq!(world.count("declined"), 1);
}

#[test]
fn dec_05_another_servers() {
    let (mut world, held) = bound();
    let event = world.silent(&Packet::client(1).decline(lan(99), held));
    assert!(matches!(event, Event::Silent { reason: Silence::OtherServer, .. }), "{event}");
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(5));
}

#[test]
fn dec_06_a_stranger_declines_somebodys_lease() {
    let (mut world, held) = bound();
    not_holder(world.silent(&Packet::client(2).decline(SERVER, held)));
    assert_eq!(world.ask(&Packet::client(1).renew(held)).kind(), Some(5));
}

#[test]
fn dec_07_a_stranger_declines_a_free_address() {
    let mut world = World::new();
    not_holder(world.silent(&Packet::client(1).decline(SERVER, lan(150))));
    assert_eq!(world.ask(&Packet::client(2).discover().wishing(lan(150))).yiaddr(), lan(150));
}

#[test]
fn dec_08_another_client_id() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1).client_id(b"one"));
    not_holder(world.silent(&Packet::client(1).client_id(b"two").decline(SERVER, held)));
    not_holder(world.silent(&Packet::client(1).decline(SERVER, held)));
    let bare = world.lease(&Packet::client(2));
    not_holder(world.silent(&Packet::client(2).client_id(b"other").decline(SERVER, bare)));
    assert_eq!(world.ask(&Packet::client(2).renew(bare)).kind(), Some(5));
}

#[test]
fn dec_09_a_declined_static_lease_is_blocked_for_a_while() {
    let mut config = config();
    config.leases = [fixed(1, lan(150))].into_iter().collect();
    let mut world = World::with(config);
    assert_eq!(world.lease(&Packet::client(1)), lan(150));
    world.send(&Packet::client(1).decline(SERVER, lan(150)));
    assert_eq!(world.count("declined"), 1);
    let event = world.silent(&Packet::client(1).discover());
    assert!(matches!(event, Event::Silent { reason: Silence::Conflict, .. }), "{event}");
    world.pass(seconds(601));
    assert_eq!(world.lease(&Packet::client(1)), lan(150));
}

#[test]
fn dec_10_a_client_that_declines_everything() {
    let mut world = World::new();
    for _ in 0..3 {
        let held = world.lease(&Packet::client(1));
        world.send(&Packet::client(1).decline(SERVER, held));
    }
    let event = world.silent(&Packet::client(1).discover());
    assert!(matches!(event, Event::Silent { reason: Silence::Declines, .. }), "{event}");
    assert_eq!(world.usage(), (3, 98));
    assert_eq!(world.ask(&Packet::client(2).discover()).kind(), Some(2));
    world.pass(seconds(601));
    assert_eq!(world.ask(&Packet::client(1).discover()).kind(), Some(2));
}

#[test]
fn dec_10_many_clients_that_decline_everything() {
    let mut world = World::new();
    for number in 0..300 {
        let held = world.lease(&Packet::client(number));
        world.send(&Packet::client(number).decline(SERVER, held));
        assert!(world.usage().0 <= 10, "at most a tenth of 101 addresses");
    }
}

#[test]
fn dec_11_the_administrator_is_told() {
    let (mut world, held) = bound();
    world.send(&Packet::client(1).decline(SERVER, held));
    let line = "dhcp1 lease 172.29.0.200 declined by 02:00:00:00:00:01";
    assert!(world.log().contains(&line.to_owned()), "{:?}", world.log());
    let Answer::Lease(Some(view)) = world.order(Order::Lease(Location::main(held))) else {
        panic!();
    };
    assert_eq!((view.status, view.hardware.mac()), (Status::Declined, Some(mac(1))));
}

/// RouterOS 30: `check-status` frees what is silent.
#[test]
fn check_status_frees_a_silent_address() {
    let (mut world, held) = bound();
    world.send(&Packet::client(1).decline(SERVER, held));
    let check = || Order::CheckStatus(Location::main(held));
    world.order(check());
    world.occupied(held, mac(9));
    world.pass(seconds(1));
    assert_ne!(world.ask(&Packet::client(2).discover().wishing(held)).yiaddr(), held);
    world.order(check());
    world.pass(seconds(1));
    assert_eq!(world.ask(&Packet::client(3).discover().wishing(held)).yiaddr(), held);
}

/// One station that answers for everything is proxy ARP: the pool must not be eaten by it.
#[test]
fn proxy_arp_is_recognised() {
    let mut config = config();
    config.servers[0].conflict_detection = true;
    let mut world = World::with(config);
    let mut offers = world.send(&Packet::client(1).discover());
    for host in [200, 199, 198] {
        offers.extend(world.occupied(lan(host), mac(66)));
    }
    assert_eq!(offers.iter().map(Reply::yiaddr).collect::<Vec<_>>(), [lan(198)]);
    assert_eq!((world.count("proxy-arp"), world.usage().0), (1, 1), "nothing is quarantined");
    assert_eq!(world.ask(&Packet::client(2).discover()).kind(), Some(2), "probes are suspended");
}

/// A client that still uses the address it is about to get is no conflict.
#[test]
fn a_client_may_answer_for_its_own_address() {
    let mut config = config();
    config.servers[0].conflict_detection = true;
    let mut world = World::with(config);
    world.send(&Packet::client(1).discover());
    world.occupied(lan(200), mac(1));
    let offers = world.pass(seconds(1));
    assert_eq!(offers[0].yiaddr(), lan(200));
}

/// RouterOS 31: a static address is not probed, nor one that its client had.
#[test]
fn static_and_familiar_addresses_are_not_probed() {
    let mut config = config();
    config.servers[0].conflict_detection = true;
    config.leases = [fixed(1, lan(150))].into_iter().collect();
    let mut world = World::with(config);
    assert_eq!(world.ask(&Packet::client(1).discover()).yiaddr(), lan(150));
    world.send(&Packet::client(2).discover());
    let offer = world.pass(seconds(1)).remove(0);
    world.ask(&Packet::client(2).selecting(&offer));
    world.send(&Packet::client(2).release(SERVER, offer.yiaddr()));
    assert_eq!(world.ask(&Packet::client(2).discover()).yiaddr(), offer.yiaddr());
    assert_eq!(world.probes.len(), 1);
}
