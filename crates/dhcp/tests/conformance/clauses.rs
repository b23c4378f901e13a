//! Clauses of the RFCs that no case stands for; `docs/rfc.md` says which test tests which clause.

use leasehold_dhcp::config::{
    BootpSupport, Matcher, OptionEntry, OptionSet, PoolIndex, Relay, Value,
};
use leasehold_dhcp::event::Silence;
use leasehold_dhcp::record::Location;
use leasehold_dhcp::{Answer, Event, Order, Probe};

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
        assert_eq!((ack.kind(), ack.address(54)), (Some(5), Some(server)));
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

//= https://www.rfc-editor.org/rfc/rfc1534#section-2
//= type=test
//# Such network addresses cannot be automatically reassigned by the server.
#[test]
fn an_automatic_address_of_a_bootp_client_is_its_own_for_ever() {
    let mut config = config();
    config.servers[0].bootp_support = BootpSupport::Dynamic;
    config.pools[0].ranges = vec![lan(200)..=lan(200)];
    let mut world = World::with(config);
    let reply = world.ask(&Packet::client(1));
    assert_eq!((reply.kind(), reply.yiaddr()), (None, lan(200)));
    world.pass(seconds(86_400 * 365 * 10));
    world.silent(&Packet::client(2));
    world.silent(&Packet::client(3).discover());
    assert_eq!(world.ask(&Packet::client(1)).yiaddr(), lan(200));
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3.3
//= type=test
//# The time value of 0xffffffff is reserved to represent "infinity".
#[test]
fn a_lease_for_ever_has_no_end_and_no_timers() {
    let mut config = config();
    config.servers[0].lease_time = u32::MAX;
    config.pools[0].ranges = vec![lan(200)..=lan(200)];
    let mut world = World::with(config);
    assert_eq!(world.lease(&Packet::client(1)), lan(200));
    world.pass(seconds(86_400 * 365 * 10));
    let ack = world.ask(&Packet::client(1).renew(lan(200)));
    assert_eq!(ack.option(51), Some(vec![0xff; 4]));
    assert!(!ack.has(58) && !ack.has(59));
    world.silent(&Packet::client(2).discover());
}

//= https://www.rfc-editor.org/rfc/rfc2132#section-3.5
//= type=test
//# Routers SHOULD be listed in order of preference.
//= https://www.rfc-editor.org/rfc/rfc2132#section-3.5
//= type=test
//# The minimum length for the router option is 4 octets, and the length MUST always be a multiple
//# of 4.
//= https://www.rfc-editor.org/rfc/rfc2132#section-3.8
//= type=test
//# Servers SHOULD be listed in order of preference.
//= https://www.rfc-editor.org/rfc/rfc2132#section-3.8
//= type=test
//# The minimum length for this option is 4 octets, and the length MUST always be a multiple of 4.
//= https://www.rfc-editor.org/rfc/rfc2132#section-8.3
//= type=test
//# Servers SHOULD be listed in order of preference.
//= https://www.rfc-editor.org/rfc/rfc2132#section-8.3
//= type=test
//# Its minimum length is 4, and the length MUST be a multiple of 4.
//= https://www.rfc-editor.org/rfc/rfc2132#section-8.5
//= type=test
//# The minimum length of the option is 4 octets, and the length must always be a multiple of 4.
#[test]
fn addresses_of_servers_are_told_in_the_order_of_the_configuration() {
    let addresses = [lan(9), lan(3), lan(6)];
    let octets: Vec<u8> = addresses.iter().flat_map(|address| address.octets()).collect();
    let mut config = config();
    let mut near = network("172.29.0.0/24");
    for list in [&mut near.gateways, &mut near.dns, &mut near.wins, &mut near.ntp] {
        *list = addresses.to_vec();
    }
    config.networks = [near].into_iter().collect();
    let mut world = World::with(config);
    let offer = world.ask(&Packet::client(1).asking_for(&[3, 6, 42, 44]).discover());
    for code in [3, 6, 42, 44] {
        assert_eq!(offer.option(code), Some(octets.clone()), "{code}");
    }
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.5
//= type=test
//# The server SHOULD return T1 and T2, and their values SHOULD be adjusted from their original
//# values to take account of the time remaining on the lease.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
//= type=test
//# The server may choose not to extend the lease (as a policy decision by the network
//# administrator), but should return a DHCPACK message regardless.
#[test]
fn the_timers_go_by_the_time_that_is_left() {
    let mut world = World::new();
    let held = world.lease(&Packet::client(1));
    world.reconfigure(|config| config.pools[0] = pool("lan-pool", lan(100), lan(150)));
    world.pass(seconds(40));
    let ack = world.ask(&Packet::client(1).renew(held));
    assert_eq!((ack.kind(), ack.yiaddr()), (Some(5), held));
    assert_eq!([51, 58, 59].map(|code| ack.number(code)), [Some(80), Some(40), Some(70)]);
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-2.2
//= type=test
//# As a consistency check, the allocating server SHOULD probe the reused address before allocating
//# the address
#[test]
fn an_address_that_another_client_had_is_probed_before_it_is_reused() {
    let mut config = config();
    config.servers[0].conflict_detection = true;
    config.pools[0].ranges = vec![lan(200)..=lan(200)];
    let mut world = World::with(config);
    world.send(&Packet::client(1).discover());
    let offer = world.pass(seconds(1)).remove(0);
    world.ask(&Packet::client(1).selecting(&offer));
    world.pass(seconds(u64::from(LEASE_TIME) + 1));
    world.probes.clear();
    assert!(world.send(&Packet::client(2).discover()).is_empty());
    assert_eq!(world.probes, [Probe::Arp { interface: LAN, target: lan(200) }]);
    assert_eq!(world.pass(seconds(1)).remove(0).yiaddr(), lan(200));
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//= type=test
//# Use 'file'/'sname' fields MAY MAY MUST NOT
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//= type=test
//# 'sname' Server host name Server host name (unused) or options or options
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//= type=test
//# 'file' Client boot file Client boot file (unused) name or options name or options
#[test]
fn a_nak_has_neither_a_file_nor_options_in_its_fields() {
    let mut config = config();
    let mut near = network("172.29.0.0/24");
    near.boot_file_name = "pxelinux.0".into();
    near.next_server = Some(lan(5));
    config.networks = [near].into_iter().collect();
    config.servers[0].options =
        OptionSet::new(vec![forced(150, &[7; 200]), forced(151, &[7; 200])]);
    let mut world = World::with(config);
    let held = world.lease(&Packet::client(1));
    let nak =
        world.ask(&Packet::client(2).asking_for(&[1, 66, 67, 150]).selecting_of(SERVER, held));
    assert_eq!((nak.codes(), nak.siaddr()), (vec![53, 54, 56], NOBODY));
    assert!(nak.bytes[44..236].iter().all(|&octet| octet == 0));
}

//= https://www.rfc-editor.org/rfc/rfc8925#section-3.1
//= type=test
//# Otherwise, the server MUST set it to zero.
//= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
//= type=test
//# Otherwise, it MUST set the field to zero.
#[test]
fn ipv6_only_preferred_without_a_time_is_zero() {
    let mut config = config();
    config.servers[0].ipv6_only_preferred = Some(0);
    let mut world = World::with(config);
    let offer = world.ask(&Packet::client(1).asking_for(&[1, 108]).discover());
    assert_eq!((offer.kind(), offer.yiaddr(), offer.number(108)), (Some(2), NOBODY, Some(0)));
}

//= https://www.rfc-editor.org/rfc/rfc3011#section-2
//= type=test
//# The IPv4 address to which a DHCP server sends a reply to MUST be the same as it would chose when
//# this option is not present.
#[test]
fn a_selected_subnet_changes_nothing_about_where_replies_go() {
    let mut config = config();
    config.settings.subnet_selection = true;
    config.servers[2].relay = Relay::Any;
    config.pools[2].next = Some(PoolIndex(1));
    let mut world = World::with(config);
    let client = Packet::client(1).relayed();
    let plain = world.ask(&client.clone().discover());
    let offer = world.ask(&Packet::client(2).relayed().option(118, &[172, 29, 1, 0]).discover());
    assert_eq!(offer.yiaddr().octets(), [172, 29, 1, 200]);
    assert_eq!((offer.to, offer.giaddr()), (plain.to, plain.giaddr()));
}
