//! Clauses of the RFCs that no case stands for; `docs/rfc.md` says which test tests which clause.

use leasehold_dhcp::config::{Matcher, OptionEntry, OptionSet, PoolIndex, Relay, Value};
use leasehold_dhcp::event::Silence;
use leasehold_dhcp::record::Location;
use leasehold_dhcp::{Answer, Event, Order};

use crate::world::*;

fn forced(code: u8, value: &[u8]) -> OptionEntry {
    OptionEntry { code, force: true, value: Value::Bytes(value.into()) }
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-1
//= type=test
//# A host should not act as a DHCP server unless explicitly configured to do so by a system
//# administrator.
#[test]
fn without_a_server_nobody_is_answered() {
    let mut config = config();
    config.servers.clear();
    let mut world = World::with(config);
    let event = world.silent(&Packet::client(1).discover());
    assert!(matches!(event, Event::Silent { reason: Silence::NoServer, .. }), "{event:?}");
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-2.2
//= type=test
//# The server should use whatever information is available in the configuration information
//# repository to choose an address to reuse.
#[test]
fn a_new_client_gets_an_address_that_is_remembered_for_nobody() {
    let mut world = World::new();
    let mut config = config();
    config.pools[0].ranges = vec![lan(199)..=lan(200)];
    world.reconfigure(|it| *it = config);
    assert_eq!(world.lease(&Packet::client(1)), lan(200));
    world.pass(seconds(u64::from(LEASE_TIME) + 1));
    assert_eq!(world.lease(&Packet::client(2)), lan(199));
    assert_eq!(world.lease(&Packet::client(1)), lan(200));
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
//= type=test
//# servers SHOULD check that the offered network address is not already in use
//= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
//= type=test
//# The server SHOULD NOT check the offered network address at this point.
//= https://www.rfc-editor.org/rfc/rfc2131#section-3.2
//= type=test
//# Servers SHOULD NOT check that the client's network address is already in use
#[test]
fn only_an_offer_is_preceded_by_a_probe() {
    let mut config = config();
    config.servers[0].conflict_detection = true;
    let mut world = World::with(config);
    let client = Packet::client(1);
    assert!(world.send(&client.clone().discover()).is_empty());
    let offer = world.pass(seconds(1)).remove(0);
    assert_eq!((offer.kind(), world.probes.len()), (Some(2), 1));
    for packet in [
        client.clone().selecting(&offer),
        client.clone().renew(lan(200)),
        client.clone().rebind(lan(200)),
        client.reboot(lan(200)),
    ] {
        let ack = world.ask(&packet);
        assert_eq!((ack.kind(), ack.yiaddr(), world.probes.len()), (Some(5), lan(200), 1));
    }
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
//= type=test
//# The server SHOULD mark an address offered to a client in a DHCPOFFER message as available if the
//# server receives no DHCPREQUEST message from that client.
#[test]
fn an_offer_that_nobody_takes_is_free_again() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).discover());
    let wish = Packet::client(2).discover().wishing(offer.yiaddr());
    assert_ne!(world.ask(&wish).yiaddr(), offer.yiaddr());
    world.pass(seconds(31));
    assert_eq!(world.usage().0, 0);
    assert_eq!(world.ask(&wish).yiaddr(), offer.yiaddr());
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//= type=test
//# A server with multiple network addresses MUST be prepared to to accept any of its network
//# addresses as identifying that server in a DHCP message.
#[test]
fn every_address_of_the_server_identifies_it() {
    for (number, server) in (1..).zip([SERVER, SERVER2, UPLINK_ADDRESS]) {
        let mut world = World::new();
        let client = Packet::client(number);
        let offer = world.ask(&client.clone().discover());
        let ack = world.ask(&client.clone().selecting_of(server, offer.yiaddr()));
        assert_eq!((ack.kind(), ack.address(54)), (Some(5), Some(SERVER)), "{server}");
        assert!(world.send(&client.release(server, offer.yiaddr())).is_empty());
        assert_eq!(world.usage().0, 0, "{server}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//= type=test
//# Requested IP address MUST NOT MUST NOT MUST NOT
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//= type=test
//# Parameter request list MUST NOT MUST NOT MUST NOT
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//= type=test
//# Maximum message size MUST NOT MUST NOT MUST NOT
#[test]
fn no_reply_holds_what_only_clients_say() {
    const CLIENTS: [u8; 3] = [50, 55, 57];
    let mut config = config();
    let entries = CLIENTS.map(|code| forced(code, &lan(9).octets())).to_vec();
    config.servers[0].options = OptionSet::new(entries);
    let mut world = World::with(config);
    let client = Packet::client(1).asking_for(&[1, 50, 55, 57]).option(57, &[5, 220]);
    let offer = world.ask(&client.clone().discover());
    let ack = world.ask(&client.clone().selecting(&offer));
    let inform = world.ask(&client.clone().inform(lan(7)));
    let nak = world.ask(&client.reboot(far(7)));
    assert_eq!(nak.kind(), Some(6));
    for reply in [offer, ack, inform, nak] {
        assert!(CLIENTS.iter().all(|&code| !reply.has(code)), "{:?}", reply.codes());
    }
}

//= https://www.rfc-editor.org/rfc/rfc3046#section-3.1
//= type=test
//# The DHCP server SHOULD report the Agent Circuit ID value of current leases in statistical
//# reports
//= https://www.rfc-editor.org/rfc/rfc3046#section-3.2
//= type=test
//# DHCP servers SHOULD report this value in any reports or MIBs associated with a particular
//# client.
#[test]
fn a_lease_shows_the_port_that_its_client_is_on() {
    let mut world = World::new();
    let agent = [1, 2, 0xab, 0xcd, 2, 1, 7];
    let client = Packet::client(1).relayed().option(82, &agent);
    let address = world.lease(&client);
    let location = Location { space: "".into(), address };
    let Answer::Lease(Some(view)) = world.order(Order::Lease(location)) else { panic!() };
    assert_eq!(*view.relay_agent, agent);
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3.2
//= type=test
//# Servers SHOULD NOT respond if their information is not guaranteed to be accurate.
#[test]
fn a_server_that_is_not_sure_says_nothing() {
    let mut world = World::new();
    world.store_works = false;
    // The first promise that cannot be kept tells.
    let offer = world.ask(&Packet::client(1).discover());
    assert!(world.send(&Packet::client(1).selecting(&offer)).is_empty());
    world.silent(&Packet::client(2).reboot(lan(150)));
    world.silent(&Packet::client(3).discover());
}

//= https://www.rfc-editor.org/rfc/rfc2132#section-8.4
//= type=test
//# Servers not equipped to interpret the vendor-specific information sent by a client MUST ignore
//# it
//= https://www.rfc-editor.org/rfc/rfc2132#section-9.13
//= type=test
//# Servers not equipped to interpret the class-specific information sent by a client MUST ignore it
//= https://www.rfc-editor.org/rfc/rfc3004#section-4
//= type=test
//# A server that is not equipped to interpret any given user class specified by a client MUST
//# ignore it
//= https://www.rfc-editor.org/rfc/rfc3925#section-4
//= type=test
//# Servers not equipped to interpret the vendor-specific information sent by a client MUST ignore
//# it.
#[test]
fn what_a_client_says_of_its_kind_means_nothing_without_a_matcher() {
    let mut world = World::new();
    let plain = Packet::client(1).asking_for(&[1, 3, 43, 6]);
    let expected = world.ask(&plain.clone().discover());
    let said = [
        (43, &b"\x01\x04\x00\x00\x00\x01"[..]),
        (60, b"a vendor's class"),
        (77, b"\x04user\x05class"),
        (124, b"\x00\x00\x00\x09\x05class"),
        (125, b"\x00\x00\x00\x09\x03\x01\x01\x07"),
    ];
    let telling = said.iter().fold(plain, |packet, (code, value)| packet.option(*code, value));
    assert_eq!(world.ask(&telling.discover()).bytes, expected.bytes);
}

/// A server that tells option 43 to the clients whose option `code` is `value`.
fn matching(code: u8, value: &[u8]) -> World {
    let mut config = config();
    let vendors = OptionEntry { force: false, ..forced(43, b"for you") };
    config.matchers = vec![Matcher {
        name: "class".into(),
        server: None,
        code,
        value: value.into(),
        substring: false,
        address_pool: None,
        options: OptionSet::new(vec![vendors]),
        lease_time: None,
    }];
    World::with(config)
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.2
//= type=test
//# a DHCP server will have to consider the values of the vendor class options included in
//# DHCPDISCOVER or DHCPREQUEST messages when determining the correct parameters for a particular
//# client.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//= type=test
//# Any parameters specific to this client's class
#[test]
fn the_vendor_class_chooses_parameters() {
    let mut world = matching(60, b"class");
    let asking = |number| Packet::client(number).asking_for(&[43]);
    let offer = world.ask(&asking(1).option(60, b"class").discover());
    assert_eq!(offer.option(43), Some(b"for you".to_vec()));
    let ack = world.ask(&asking(1).option(60, b"class").selecting(&offer));
    assert_eq!(ack.option(43), Some(b"for you".to_vec()));
    assert!(!world.ask(&asking(2).option(60, b"class 2").discover()).has(43));
    assert!(!world.ask(&asking(3).discover()).has(43));
}

//= https://www.rfc-editor.org/rfc/rfc3925#section-2
//= type=test
//# the aggregate of all instances of vendor-specific data is to be considered one long option.
//= https://www.rfc-editor.org/rfc/rfc3925#section-3
//= type=test
//# This option may be used wherever Vendor Class Identifier (option 60) may be used
//= https://www.rfc-editor.org/rfc/rfc3925#section-3
//= type=test
//# Multiple instances of this option may be present and MUST be concatenated in accordance with RFC
//# 3396
//= https://www.rfc-editor.org/rfc/rfc3925#section-4
//= type=test
//# Multiple instances of this option may be present and MUST be concatenated in accordance with RFC
//# 3396
#[test]
fn vendor_classes_by_enterprise_are_one_option_whatever_pieces_they_come_in() {
    for code in [124, 125] {
        let mut world = matching(code, b"\0\0\0\x09\x05class");
        let split = Packet::client(1).option(code, b"\0\0\0\x09\x05cl").asking_for(&[43]);
        let offer = world.ask(&split.option(code, b"ass").discover());
        assert_eq!(offer.option(43), Some(b"for you".to_vec()), "{code}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc3011#section-2
//= type=test
//# Servers that understand this option but are administratively configured to ignore the option
//# MUST ignore the option, use their normal algorithms to allocate an address, and MUST NOT return
//# this option in the DHCPOFFER or DHCPACK.
//= https://www.rfc-editor.org/rfc/rfc3011#section-6
//= type=test
//# Servers that implement the subnet selection option MUST by default disable use of the feature;
//# it must specifically be enabled through configuration.
#[test]
fn subnet_selection_is_off_by_default_and_then_ignored() {
    let mut world = World::new();
    let plain = world.ask(&Packet::client(1).discover());
    let selecting = Packet::client(1).asking_for(&[118]).option(118, &[172, 29, 1, 0]);
    let offer = world.ask(&selecting.discover());
    assert_eq!((offer.yiaddr(), offer.has(118)), (plain.yiaddr(), false));
}

//= https://www.rfc-editor.org/rfc/rfc3527#section-3
//= type=test
//# the information contained in the link-selection sub-option MUST be used to control
#[test]
fn link_selection_counts_more_than_subnet_selection() {
    let mut config = config();
    config.servers[2].relay = Relay::Any;
    config.pools[2].next = Some(PoolIndex(1));
    config.settings.subnet_selection = true;
    let mut world = World::with(config);
    let client = Packet::client(1).relayed().option(118, &[172, 29, 2, 0]);
    let offer = world.ask(&client.option(82, &[5, 4, 172, 29, 1, 1]).discover());
    assert_eq!(offer.yiaddr().octets(), [172, 29, 1, 200]);
}

//= https://www.rfc-editor.org/rfc/rfc8910#section-2.1
//= type=test
//# Len: The length (one octet), in octets, of the URI.
#[test]
fn the_uri_of_a_captive_portal_is_told_as_it_is_written() {
    const URI: &[u8] = b"https://portal.example.net/api";
    let mut config = config();
    let portal = OptionEntry { force: false, ..forced(114, URI) };
    config.servers[0].options = OptionSet::new(vec![portal]);
    let mut world = World::with(config);
    let offer = world.ask(&Packet::client(1).asking_for(&[114]).discover());
    assert!(offer.pieces().contains(&(114, URI.to_vec())));
    assert!(!world.ask(&Packet::client(2).asking_for(&[1]).discover()).has(114));
}
