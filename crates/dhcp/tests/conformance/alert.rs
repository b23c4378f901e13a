//! The search for other servers, as `/ip dhcp-server alert` wants it.

use std::net::{Ipv4Addr, SocketAddrV4};

use leasehold_dhcp::config::{Alert, Config};
use leasehold_dhcp::event::Silence;
use leasehold_dhcp::{Answer, Datagram, Event, Input, Mac, Order, Probe, wire};

use crate::world::*;

const ROGUE: Mac = Mac([2, 0xbb, 0, 0, 0, 1]);

fn watched(timeout: Option<u32>) -> Config {
    let alert = Alert { interface: "lan".into(), valid_servers: vec![mac(7)], timeout };
    Config { alerts: vec![alert], ..config() }
}

/// Somebody on [`LAN`] says this to a client.
fn said(world: &mut World, station: Mac, kind: u8, address: Ipv4Addr, server: Ipv4Addr) {
    let mut packet = Packet::client(9).option(53, &[kind]).option(54, &server.octets());
    packet.op = 2;
    let replies = world.input(Input::Server(Datagram {
        interface: LAN,
        link_source: Some(station),
        source: SocketAddrV4::new(address, 67),
        destination: BROADCAST,
        payload: &packet.bytes(),
    }));
    assert!(replies.is_empty());
}

fn offered(world: &mut World, station: Mac) {
    said(world, station, 2, lan(66), lan(66));
}

fn alarms(world: &World) -> Vec<String> {
    let alarm = |event: &&Event| matches!(event, Event::UnknownServer { .. });
    world.events.iter().filter(alarm).map(ToString::to_string).collect()
}

fn listed(world: &mut World) -> Vec<Mac> {
    let Answer::Alerts(mut alerts) = world.order(Order::Alerts) else { panic!("no alerts") };
    assert_eq!((alerts.len(), &*alerts[0].interface), (1, "lan"));
    alerts.remove(0).unknown
}

fn searches(world: &World) -> usize {
    let search =
        |probe: &&Probe| matches!(probe, Probe::Servers { interface, .. } if *interface == LAN);
    world.probes.iter().filter(search).count()
}

#[test]
fn alert_looks_once_a_minute() {
    let mut world = World::with(watched(None));
    world.input(Input::Tick);
    assert_eq!(searches(&world), 1, "at once");
    world.pass(seconds(59));
    assert_eq!(searches(&world), 1);
    world.pass(seconds(181));
    assert_eq!(searches(&world), 5);
    world.reconfigure(|config| config.alerts.clear());
    world.pass(seconds(600));
    assert_eq!(searches(&world), 5);
}

#[test]
fn alert_tells_a_server_once_in_routeros_words() {
    let mut world = World::with(watched(None));
    for _ in 0..3 {
        offered(&mut world, ROGUE);
    }
    let line = "dhcp alert on lan: discovered unknown dhcp server, \
                mac 02:BB:00:00:00:01, ip 172.29.0.66";
    assert_eq!(alarms(&world), [line]);
    assert_eq!(listed(&mut world), [ROGUE]);
    world.pass(seconds(1_000_000));
    offered(&mut world, ROGUE);
    assert_eq!((alarms(&world).len(), world.count("unknown-server")), (1, 1), "never forgotten");
}

#[test]
fn alert_forgets_after_its_timeout_and_tells_again() {
    let mut world = World::with(watched(Some(3600)));
    offered(&mut world, ROGUE);
    world.pass(seconds(3599));
    assert_eq!(listed(&mut world), [ROGUE]);
    world.pass(seconds(2));
    assert_eq!(listed(&mut world), []);
    offered(&mut world, ROGUE);
    assert_eq!(alarms(&world).len(), 2);
}

#[test]
fn alert_does_not_count_the_allowed_nor_ourselves() {
    let mut world = World::with(watched(None));
    offered(&mut world, mac(7));
    said(&mut world, ROGUE, 5, SERVER, SERVER);
    said(&mut world, ROGUE, 5, lan(1), UPLINK_ADDRESS);
    said(&mut world, interfaces().named("lan2").expect("there").mac, 2, lan(66), lan(66));
    said(&mut world, ROGUE, 1, lan(66), lan(66));
    assert_eq!((alarms(&world).len(), listed(&mut world)), (0, vec![]));
    offered(&mut world, ROGUE);
    world.reconfigure(|config| config.alerts[0].valid_servers.push(ROGUE));
    assert_eq!(listed(&mut world), [], "allowed from now on");
}

#[test]
fn alert_is_reset_by_hand() {
    let mut world = World::with(watched(None));
    world.input(Input::Tick);
    offered(&mut world, ROGUE);
    assert_eq!(world.order(Order::ResetAlert("lan".into())), Answer::Done);
    assert_eq!(listed(&mut world), []);
    world.input(Input::Tick);
    assert_eq!(searches(&world), 2, "looked for again at once");
    offered(&mut world, ROGUE);
    assert_eq!(alarms(&world).len(), 2);
}

#[test]
fn alert_is_not_filled_by_made_up_servers() {
    let mut world = World::with(watched(None));
    for number in 100..1000 {
        offered(&mut world, mac(number));
    }
    assert_eq!((alarms(&world).len(), listed(&mut world).len()), (64, 64));
}

#[test]
fn alert_does_not_answer_its_own_search() {
    let mut world = World::with(watched(None));
    let own = interfaces().get(LAN).expect("there").mac;
    let payload = wire::search(wire::searcher(own), 7);
    let mut packet = Packet::client(1).relayed();
    packet.chaddr[..6].copy_from_slice(&payload[28..34]);
    let event = world.silent(&packet.discover());
    assert!(matches!(event, Event::Silent { reason: Silence::OwnSearch, .. }), "{event:?}");
}
