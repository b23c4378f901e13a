//! BTP: BOOTP.

use leasehold_dhcp::Event;
use leasehold_dhcp::config::BootpSupport;
use leasehold_dhcp::event::{Malformed, Silence};

use crate::world::*;

fn world(bootp_support: BootpSupport) -> World {
    let mut config = config();
    config.leases = [fixed(1, lan(20))].into_iter().collect();
    config.networks = boot_network();
    config.servers.iter_mut().for_each(|server| server.bootp_support = bootp_support);
    World::with(config)
}

fn not_for_it(event: Event) {
    assert!(matches!(event, Event::Silent { reason: Silence::Bootp, .. }), "{event}");
}

#[test]
fn btp_01_a_static_lease_for_a_bootp_client() {
    let mut world = world(BootpSupport::Static);
    let reply = world.ask(&Packet::client(1));
    assert_eq!((reply.bytes[0], reply.yiaddr(), reply.kind()), (2, lan(20), None));
    for code in [51, 53, 54, 58, 59, 61] {
        assert!(!reply.has(code), "{code}");
    }
    assert_eq!(reply.option(1), Some(vec![255, 255, 255, 0]));
    assert_eq!((reply.siaddr(), reply.file()), (lan(5), &b"pxelinux.0"[..]));
    assert_eq!(reply.bytes.len(), 300);
    world.pass(seconds(86_400 * 365));
    assert_eq!(world.count("deassigned"), 0, "for ever");
}

#[test]
fn btp_02_no_static_lease() {
    not_for_it(world(BootpSupport::Static).silent(&Packet::client(2)));
    not_for_it(world(BootpSupport::None).silent(&Packet::client(1)));
}

#[test]
fn btp_03_an_address_of_the_pool_where_that_is_allowed() {
    let mut config = config();
    config.servers[0].bootp_support = BootpSupport::Dynamic;
    config.servers[0].bootp_lease_time = 300;
    let mut world = World::with(config);
    assert_eq!(world.ask(&Packet::client(2)).yiaddr(), lan(200));
    assert_eq!(world.disk.len(), 1);
    world.pass(seconds(299));
    assert_eq!(world.usage().0, 1);
    world.pass(seconds(2));
    assert_eq!(world.usage().0, 0);
}

#[test]
fn btp_04_a_client_without_a_cookie_gets_no_options() {
    let mut world = world(BootpSupport::Static);
    let reply = world.ask(&Packet { cookie: [0; 4], ..Packet::client(1) });
    assert_eq!((reply.yiaddr(), reply.bytes.len()), (lan(20), 300));
    assert!(reply.bytes[236..].iter().all(|&octet| octet == 0));
}

#[test]
fn btp_05_a_message_type_that_is_none_is_not_bootp() {
    for value in [&[][..], &[0]] {
        let event = world(BootpSupport::Static).silent(&Packet::client(1).option(53, value));
        assert!(matches!(event, Event::Malformed { rule: Malformed::MessageType, .. }), "{event}");
    }
}

#[test]
fn btp_06_a_retransmission_is_the_same_client() {
    let mut world = world(BootpSupport::Dynamic);
    let first = world.ask(&Packet::client(2));
    let second = world.ask(&Packet::client(2));
    assert_eq!((first.bytes, world.usage().0), (second.bytes, 1));
    assert_eq!(world.count("assigned"), 1);
}

#[test]
fn btp_07_through_a_relay() {
    let mut world = world(BootpSupport::Dynamic);
    let reply = world.ask(&Packet::client(2).relayed());
    assert_eq!((reply.yiaddr(), reply.giaddr()), (far(200), RELAY));
    assert_eq!(reply.target(), "172.29.2.1:67".parse().unwrap());
}

#[test]
fn btp_08_message_types_of_others() {
    let mut world = World::new();
    for kind in [9, 11, 12, 13, 14, 15, 16, 17, 18, 99] {
        let event = world.silent(&Packet::client(1).option(53, &[kind]));
        assert!(matches!(event, Event::Malformed { rule: Malformed::MessageType, .. }), "{event}");
    }
    assert_eq!(world.count("malformed-message-type"), 10);
}

#[test]
fn btp_09_a_servers_message_from_a_client() {
    let mut world = World::new();
    for kind in [2, 5, 6] {
        let event = world.silent(&Packet::client(1).option(53, &[kind]));
        assert_eq!(event.counter(), "malformed-server-message");
    }
}

/// BOOTP knows no overload: its client would take options in `file` for a file's name.
//= https://www.rfc-editor.org/rfc/rfc2132#section-2
//= type=test
//# Except for the options in section 9, all options may be used with either DHCP or BOOTP.
#[test]
fn a_bootp_reply_that_is_full_has_no_overload() {
    use leasehold_dhcp::config::{OptionEntry, OptionSet, Value};
    let forced = |code| {
        let value = Value::Bytes(Box::from([7; 30]));
        OptionEntry { code, force: true, value }
    };
    let mut config = config();
    config.servers[0].bootp_support = BootpSupport::Dynamic;
    config.servers[0].options = OptionSet::new(vec![forced(150), forced(151)]);
    let reply = World::with(config).ask(&Packet::client(1));
    assert_eq!((reply.bytes.len(), reply.has(52), reply.has(151)), (300, false, false));
    assert!(reply.bytes[44..236].iter().all(|&octet| octet == 0));
}
