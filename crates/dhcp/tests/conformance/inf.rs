//! INF: DHCPINFORM.

use std::net::{Ipv4Addr, SocketAddrV4};

use leasehold_dhcp::config::{OptionEntry, OptionSet, Value};
use leasehold_dhcp::event::Silence;
use leasehold_dhcp::{Answer, Event, Order};

use crate::world::*;

#[test]
fn inf_01_parameters_for_an_address_from_elsewhere() {
    let mut world = World::new();
    let ack = world.ask(&Packet::client(1).asking_for(&[1, 3, 6, 51, 58, 59]).inform(lan(50)));
    assert_eq!((ack.kind(), ack.yiaddr(), ack.ciaddr()), (Some(5), NOBODY, lan(50)));
    assert_eq!(ack.codes(), [53, 54, 1, 3, 6]);
    assert_eq!(ack.link(), Some((mac(1), SocketAddrV4::new(lan(50), 68))));
}

#[test]
fn inf_02_ciaddr_is_empty_but_the_source_is_not() {
    let mut world = World::new();
    let mut packet = Packet::client(1).inform(lan(50));
    packet.ciaddr = NOBODY;
    let ack = world.ask(&packet);
    assert_eq!((ack.kind(), ack.target()), (Some(5), SocketAddrV4::new(lan(50), 68)));
}

#[test]
fn inf_03_an_address_of_an_unknown_network() {
    let mut world = World::new();
    let event = world.silent(&Packet::client(1).inform(Ipv4Addr::new(10, 9, 9, 9)));
    assert!(matches!(event, Event::Silent { reason: Silence::Inform, .. }), "{event}");
    let mut nowhere = Packet::client(1).inform(NOBODY);
    nowhere.source = SocketAddrV4::new(NOBODY, 68);
    world.silent(&nowhere);
}

#[test]
fn inf_04_through_a_relay_it_goes_back_to_the_relay() {
    let mut world = World::new();
    let mut packet = Packet::client(1).relayed().inform(far(50));
    packet.source = SocketAddrV4::new(RELAY, 67);
    let ack = world.ask(&packet);
    assert_eq!((ack.kind(), ack.target()), (Some(5), SocketAddrV4::new(RELAY, 67)));
}

#[test]
fn inf_05_nothing_changes() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    let before = world.order(Order::Leases { after: None, limit: 10 });
    let disk = world.disk.len();
    world.ask(&Packet::client(1).inform(held));
    world.ask(&Packet::client(2).inform(lan(150)));
    assert_eq!(world.order(Order::Leases { after: None, limit: 10 }), before);
    assert_eq!((world.disk.len(), world.usage().0), (disk, 1));
    let Answer::Leases { leases, .. } = before else { panic!() };
    assert_eq!(leases.len(), 1);
}

#[test]
fn inf_06_an_empty_pool_informs_all_the_same() {
    let mut world = World::with(small_pool(1));
    world.lease(&Packet::client(1));
    assert_eq!(world.ask(&Packet::client(2).inform(lan(50))).kind(), Some(5));
}

#[test]
fn inf_07_the_options_of_a_static_lease() {
    let mut config = config();
    let value = Value::Bytes(Box::from(&b"its own"[..]));
    let options = OptionSet::new(vec![OptionEntry { code: 150, force: false, value }]);
    config.leases =
        [leasehold_dhcp::config::FixedLease { options, ..fixed(1, lan(20)) }].into_iter().collect();
    let mut world = World::with(config);
    let ask = |number| Packet::client(number).asking_for(&[150]).inform(lan(20));
    assert_eq!(world.ask(&ask(1)).option(150), Some(b"its own".to_vec()));
    assert_eq!(world.ask(&ask(2)).option(150), None);
}

#[test]
fn inf_08_option_82_is_echoed() {
    let mut world = World::new();
    let ack = world.ask(&Packet::client(1).inform(lan(50)).option(82, &[1, 1, 7]));
    assert_eq!((ack.option(82), ack.codes().last()), (Some(vec![1, 1, 7]), Some(&82)));
}

#[test]
fn inf_09_every_kind_of_option_that_is_asked_for() {
    let mut config = config();
    let mut network = network("172.29.0.0/24");
    network.gateways = vec![GATEWAY];
    network.dns = vec![lan(3), lan(4)];
    network.ntp = vec![lan(5)];
    network.wins = vec![lan(6)];
    network.caps_managers = vec![lan(7), lan(8)];
    network.domain = "example.net".into();
    network.next_server = Some(lan(9));
    network.boot_file_name = "boot.efi".into();
    config.networks = [network].into_iter().collect();
    let mut world = World::with(config);
    let list = [1, 3, 6, 15, 28, 42, 44, 66, 67, 138];
    let ack = world.ask(&Packet::client(1).asking_for(&list).inform(lan(50)));
    let addresses = |hosts: &[u8]| Some(hosts.iter().flat_map(|&h| lan(h).octets()).collect());
    assert_eq!(ack.codes()[2..], list);
    assert_eq!(ack.option(1), Some(vec![255, 255, 255, 0]));
    assert_eq!(ack.option(3), addresses(&[1]));
    assert_eq!(ack.option(6), addresses(&[3, 4]));
    assert_eq!(ack.option(15), Some(b"example.net".to_vec()));
    assert_eq!(ack.option(28), addresses(&[255]));
    assert_eq!(ack.option(42), addresses(&[5]));
    assert_eq!(ack.option(44), addresses(&[6]));
    assert_eq!(ack.option(66), Some(b"172.29.0.9".to_vec()));
    assert_eq!(ack.option(67), Some(b"boot.efi".to_vec()));
    assert_eq!(ack.option(138), addresses(&[7, 8]));
    assert_eq!((ack.siaddr(), ack.file()), (lan(9), &b"boot.efi"[..]));
}

#[test]
fn inf_10_the_answer_is_an_ack() {
    let mut world = World::new();
    let ack = world.ask(&Packet::client(1).inform(lan(50)));
    assert_eq!((ack.codes()[0], ack.kind()), (53, Some(5)));
}
