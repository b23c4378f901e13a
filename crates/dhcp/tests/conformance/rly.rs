//! RLY: relays and option 82.

use std::net::{Ipv4Addr, SocketAddrV4};

use leasehold_dhcp::config::{
    AddressPool, FixedLease, Identifiers, Matcher, OptionEntry, OptionSet, PoolIndex, PoolSpec,
    Relay, Server, Value,
};
use leasehold_dhcp::event::{Malformed, Silence};
use leasehold_dhcp::{Answer, Destination, Event, Location, Order};

use crate::world::*;

const FAR2: Ipv4Addr = Ipv4Addr::new(172, 29, 3, 1);

/// A second network behind a relay of its own, and one server for every relay.
fn any_relay() -> leasehold_dhcp::Config {
    let mut config = config();
    config.pools.push(pool("far2-pool", [172, 29, 3, 100].into(), [172, 29, 3, 200].into()));
    config.pools[2].next = Some(PoolIndex(3));
    config.servers[2].relay = Relay::Any;
    let networks = config.networks.iter().cloned().chain([network("172.29.3.0/24")]);
    config.networks = networks.collect();
    config
}

#[test]
fn rly_01_a_reply_goes_to_the_relay() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).relayed().discover());
    assert_eq!((offer.yiaddr(), offer.giaddr()), (far(200), RELAY));
    let target = SocketAddrV4::new(RELAY, 67);
    assert_eq!(offer.to, Destination::Routed { source: UPLINK_ADDRESS, target });
    assert_eq!(offer.address(54), Some(UPLINK_ADDRESS));
}

#[test]
fn rly_01_one_server_for_every_relay() {
    let mut world = World::with(any_relay());
    assert_eq!(world.lease(&Packet::client(1).relayed()), far(200));
    let packet = Packet { giaddr: FAR2, ..Packet::client(2).relayed() };
    assert_eq!(world.lease(&packet), Ipv4Addr::new(172, 29, 3, 200));
}

#[test]
fn rly_01_a_client_of_a_server_for_every_relay_renews_around_it() {
    let mut world = World::with(any_relay());
    let held = world.lease(&Packet::client(1).relayed());
    let renewal = Packet { interface: UPLINK, ..Packet::client(1) }.renew(held);
    assert_eq!(world.ask(&renewal).kind(), Some(5));
    // It is adopted even if nothing is known of it.
    assert_eq!(world.order(Order::Remove(Location::main(held))), Answer::Done);
    assert_eq!(world.ask(&renewal).kind(), Some(5));
    // The address of another relay's link is no address of its own.
    let moved = Packet { giaddr: FAR2, ..Packet::client(1).relayed() };
    assert_eq!(world.ask(&moved.reboot(held)).kind(), Some(6));
}

#[test]
fn rly_01_two_relays_of_one_link_with_a_server_each() {
    let twin = Ipv4Addr::new(172, 29, 2, 2);
    let mut config = config();
    config.servers.push(Server { relay: Relay::At(twin), ..server("far-2", "uplink", 2) });
    let mut world = World::with(config);
    let one = || Packet::client(1).relayed();
    let other = || Packet { giaddr: twin, ..one() };
    let held = world.lease(&one());
    // Nobody is told NAK because ranges have shrunk, whichever relay is the quicker one.
    world.reconfigure(|config| config.pools[2] = pool("far-pool", far(100), far(150)));
    assert_eq!(world.ask(&other().rebind(held)).kind(), Some(5));
    assert_eq!(world.ask(&one().rebind(held)).kind(), Some(5));
}

#[test]
fn rly_01_a_chain_that_is_cut_moves_nobody() {
    let plain = |number| Packet::client(number).relayed();
    let telling = |number| plain(number).option(82, &[1, 2, 0, 7]);
    for client in [&plain as &dyn Fn(u32) -> Packet, &telling] {
        let mut config = any_relay();
        config.pools[2] =
            PoolSpec { next: Some(PoolIndex(1)), ..pool("far-pool", far(200), far(200)) };
        let mut world = World::with(config);
        world.lease(&client(2));
        let held = world.lease(&client(1));
        assert_ne!(held.octets()[2], 2, "an address of the next pool");
        world.reconfigure(|config| config.pools[2].next = None);
        assert_eq!(world.ask(&client(1).rebind(held)).kind(), Some(5));
        let mut world = world.restarted(seconds(1));
        assert_eq!(world.ask(&client(1).rebind(held)).kind(), Some(5));
        let moved = Packet { giaddr: FAR2, ..client(1) };
        assert_eq!(world.ask(&moved.rebind(held)).kind(), Some(6));
    }
}

#[test]
fn rly_02_a_relay_in_no_network() {
    let mut world = World::with(any_relay());
    let packet = Packet { giaddr: [10, 1, 1, 1].into(), ..Packet::client(1).relayed() };
    let event = world.silent(&packet.discover());
    assert!(matches!(event, Event::Silent { reason: Silence::NoNetwork, .. }), "{event}");
}

#[test]
fn rly_03_option_82_comes_back_as_it_was_and_last() {
    let mut world = World::new();
    let agent = [1, 4, 0x00, 0xff, 0x00, 0xff, 2, 3, 0xff, 0, 1];
    let client = Packet::client(1).relayed().option(82, &agent).asking_for(&[82, 1, 3]);
    let offer = world.ask(&client.clone().discover());
    let ack = world.ask(&client.clone().selecting(&offer));
    let nak = world.ask(&client.selecting_of(UPLINK_ADDRESS, lan(150)));
    for reply in [offer, ack, nak] {
        assert_eq!(reply.option(82), Some(agent.to_vec()));
        assert_eq!(
            reply.codes().iter().position(|&code| code == 82),
            Some(reply.codes().len() - 1)
        );
    }
}

/// A configuration that does not fit into 548 octets.
fn crowded() -> leasehold_dhcp::Config {
    let mut config = config();
    let entry =
        |code| OptionEntry { code, force: false, value: Value::Bytes(Box::from([code; 40])) };
    config.servers.iter_mut().for_each(|server| {
        server.options = OptionSet::new((200..215).map(entry).collect());
    });
    config
}

#[test]
fn rly_04_option_82_is_never_in_file_or_sname() {
    let mut world = World::with(crowded());
    let list: Vec<u8> = (200..215).collect();
    let packet = Packet::client(1).relayed().option(82, &[9; 60]).asking_for(&list);
    let offer = world.ask(&packet.discover());
    assert!(offer.has(52), "it overflows");
    assert_eq!(offer.option(82), Some(vec![9; 60]));
    assert!(offer.bytes.len() <= 548);
    assert!(!offer.bytes[44..236].windows(2).any(|pair| pair == [82, 60]));
}

#[test]
fn rly_05_no_option_82_where_none_was() {
    let mut world = World::new();
    assert!(!world.ask(&Packet::client(1).relayed().discover()).has(82));
}

#[test]
fn rly_06_a_sub_option_that_runs_past_the_end() {
    let mut world = World::new();
    let packet = Packet::client(1).relayed().option(82, &[1, 200, 7]);
    let offer = world.ask(&packet.discover());
    assert_eq!(offer.option(82), Some(vec![1, 200, 7]));
}

#[test]
fn rly_07_a_short_option_of_the_client_does_not_hide_the_relays() {
    let mut world = World::new();
    let packet = Packet::client(1).relayed().discover().option(51, &[0, 0]).option(57, &[]);
    let offer = world.ask(&packet.option(82, &[1, 1, 7]));
    assert_eq!(offer.option(82), Some(vec![1, 1, 7]));
}

#[test]
fn rly_08_option_82_without_a_relay() {
    let mut config = config();
    config.servers[0].identifiers = Identifiers { option_82: true, ..Identifiers::default() };
    let port = |number| Packet::client(number).option(82, &[1, 1, 7, 2, 1, 1]);
    // The decision: a switch that snoops is believed …
    let mut world = World::with(config.clone());
    let held = world.lease(&port(1));
    assert_eq!(world.lease(&port(2)), held, "the port is the client");
    assert!(world.ask(&port(2).renew(held)).has(82));
    // … unless the administrator says otherwise.
    config.settings.trust_option_82_of_clients = false;
    let mut world = World::with(config);
    let held = world.lease(&port(1));
    assert_ne!(world.lease(&port(2)), held);
    assert!(!world.ask(&port(1).renew(held)).has(82));
}

#[test]
fn rly_09_two_options_82() {
    let mut world = World::new();
    let packet = Packet::client(1).relayed().option(82, &[1, 1, 7]).option(82, &[1, 1, 8]);
    let event = world.silent(&packet.discover());
    let rule = Malformed::RelayAgentTwice;
    assert!(matches!(event, Event::Malformed { rule: broken, .. } if broken == rule), "{event}");
}

#[test]
fn rly_10_an_empty_option_82() {
    let mut world = World::new();
    let offer = world.ask(&Packet::client(1).relayed().option(82, &[]).discover());
    assert_eq!(offer.option(82), Some(Vec::new()));
}

fn port(id: &[u8]) -> Option<Box<[u8]>> {
    Some(id.into())
}

#[test]
fn rly_11_only_the_very_circuit_id() {
    let mut config = config();
    let row = FixedLease { circuit_id: port(b"eth0/1"), mac: None, ..fixed(1, far(20)) };
    config.leases = [row].into_iter().collect();
    let mut world = World::with(config);
    let on = |number, circuit: &[u8]| {
        let agent = [&[1, circuit.len() as u8], circuit].concat();
        Packet::client(number).relayed().option(82, &agent)
    };
    for lookalike in [&b"eth0/10"[..], b"eth0/", b"ETH0/1", b"eth0/1\0"] {
        assert_ne!(world.ask(&on(5, lookalike).discover()).yiaddr(), far(20));
    }
    assert_eq!(world.lease(&on(6, b"eth0/1")), far(20));
}

fn selecting_link(number: u32, link: Ipv4Addr) -> Packet {
    let agent = [&[5, 4][..], &link.octets()].concat();
    Packet::client(number).relayed().option(82, &agent)
}

#[test]
fn rly_12_the_link_selection_chooses_the_subnet() {
    let mut world = World::with(any_relay());
    let offer = world.ask(&selecting_link(1, FAR2).discover());
    assert_eq!(offer.yiaddr(), Ipv4Addr::new(172, 29, 3, 200));
    assert_eq!(offer.target(), SocketAddrV4::new(RELAY, 67));
}

#[test]
fn rly_13_a_link_selection_in_no_network() {
    let mut world = World::new();
    let event = world.silent(&selecting_link(1, [10, 9, 9, 9].into()).discover());
    assert!(matches!(event, Event::Silent { reason: Silence::NoNetwork, .. }), "{event}");
}

#[test]
fn rly_14_the_link_selection_can_be_switched_off() {
    let mut config = any_relay();
    config.settings.link_selection = false;
    let mut world = World::with(config);
    assert_eq!(world.ask(&selecting_link(1, FAR2).discover()).yiaddr(), far(200));
}

const OVERRIDE: Ipv4Addr = Ipv4Addr::new(172, 29, 2, 254);

fn overriding(number: u32) -> Packet {
    let agent = [&[11, 4][..], &OVERRIDE.octets()].concat();
    Packet::client(number).relayed().option(82, &agent)
}

#[test]
fn rly_15_the_relays_server_identifier() {
    let mut world = World::new();
    let offer = world.ask(&overriding(1).discover());
    let ack = world.ask(&overriding(1).selecting(&offer));
    let nak = world.ask(&overriding(1).selecting_of(OVERRIDE, lan(150)));
    assert_eq!([offer.kind(), ack.kind(), nak.kind()], [Some(2), Some(5), Some(6)]);
    for reply in [offer, ack, nak] {
        assert_eq!(reply.address(54), Some(OVERRIDE));
    }
}

#[test]
fn rly_16_the_relays_server_identifier_without_the_relay_saying_so() {
    let mut world = World::new();
    let offer = world.ask(&overriding(1).discover());
    let event = world.silent(&Packet::client(1).relayed().selecting(&offer));
    assert!(matches!(event, Event::Silent { reason: Silence::OtherServer, .. }), "{event}");
}

#[test]
fn rly_17_the_relays_source_port() {
    let mut world = World::new();
    let mut packet = Packet::client(1).relayed().option(82, &[19, 0]);
    packet.source.set_port(1067);
    assert_eq!(world.ask(&packet.discover()).target(), SocketAddrV4::new(RELAY, 1067));
    let mut packet = Packet::client(2).relayed();
    packet.source.set_port(1067);
    assert_eq!(world.ask(&packet.discover()).target().port(), 67);
}

#[test]
fn rly_18_the_relays_flags_can_be_matched() {
    let mut config = config();
    config.pools.push(pool("unicast", far(20), far(29)));
    config.matchers = vec![Matcher {
        name: "unicast".into(),
        server: None,
        code: 82,
        value: Box::from([10, 1, 0x80]),
        substring: true,
        address_pool: Some(AddressPool::Pool(PoolIndex(3))),
        options: OptionSet::default(),
        lease_time: None,
    }];
    let mut world = World::with(config);
    let flagged = |number, flags| Packet::client(number).relayed().option(82, &[10, 1, flags]);
    assert_eq!(world.ask(&flagged(1, 0x80).discover()).yiaddr(), far(29));
    assert_eq!(world.ask(&flagged(2, 0).discover()).yiaddr(), far(200));
}

/// Clients on one port get an option of their own.
fn port_options() -> leasehold_dhcp::Config {
    let mut config = config();
    let value = Value::Bytes(Box::from(&b"port"[..]));
    config.matchers = vec![Matcher {
        name: "port".into(),
        server: None,
        code: 82,
        value: Box::from(&b"eth0/1"[..]),
        substring: false,
        address_pool: None,
        options: OptionSet::new(vec![OptionEntry { code: 150, force: true, value }]),
        lease_time: None,
    }];
    config
}

#[test]
fn rly_19_what_the_relay_said_counts_for_a_renewal_around_it() {
    let mut world = World::with(port_options());
    let relayed = Packet::client(1).relayed().option(82, b"\x01\x06eth0/1");
    let held = world.lease(&relayed);
    let mut renewal = Packet { interface: UPLINK, ..Packet::client(1) }.renew(held);
    renewal.link_source = None;
    let ack = world.ask(&renewal);
    assert_eq!((ack.option(150), ack.has(82)), (Some(b"port".to_vec()), false));
    // Also after a restart: the record has it.
    let mut world = world.restarted(seconds(1));
    assert_eq!(world.ask(&renewal).option(150), Some(b"port".to_vec()));
}

#[test]
fn rly_20_a_server_for_a_relay_ignores_direct_clients() {
    let mut world = World::new();
    let event = world.silent(&Packet { interface: UPLINK, ..Packet::client(1).discover() });
    assert!(matches!(event, Event::Silent { reason: Silence::NoServer, .. }), "{event}");
    // And a server for direct clients ignores relays.
    let packet = Packet { giaddr: lan(77), ..Packet::client(1).relayed() };
    world.silent(&packet.discover());
}

#[test]
fn rly_21_a_relay_that_is_this_machine() {
    let mut world = World::new();
    for own in [SERVER, UPLINK_ADDRESS] {
        let event = world.silent(&Packet { giaddr: own, ..Packet::client(1).relayed().discover() });
        assert!(matches!(event, Event::Silent { reason: Silence::OwnRelay, .. }), "{event}");
    }
}

#[test]
fn rly_22_release_and_decline_through_a_relay() {
    let mut world = World::new();
    let relayed = Packet::client(1).relayed();
    let held = world.lease(&relayed);
    world.send(&relayed.clone().decline(UPLINK_ADDRESS, held));
    assert_eq!(world.count("declined"), 1);
    let second = world.lease(&relayed);
    let mut release = relayed.clone().release(UPLINK_ADDRESS, second);
    (release.source, release.destination) = (relayed.source, relayed.destination);
    world.send(&release);
    assert_eq!(world.count("deassigned"), 2);
}

#[test]
fn rly_23_the_broadcast_flag_is_for_the_relay_to_see() {
    let mut world = World::new();
    let offer = world.ask(&Packet { flags: 0x8000, ..Packet::client(1).relayed().discover() });
    assert_eq!((offer.flags(), offer.target()), (0x8000, SocketAddrV4::new(RELAY, 67)));
}

#[test]
fn rly_24_a_client_that_moves_to_another_port() {
    let mut world = World::with(port_options());
    let on = |circuit: &[u8]| Packet::client(1).relayed().option(82, circuit);
    let held = world.lease(&on(b"\x01\x06eth0/1"));
    let ack = world.ask(&on(b"\x01\x06eth0/2").rebind(held));
    assert_eq!((ack.kind(), ack.has(150)), (Some(5), false));
    let ack = world.ask(&on(b"\x01\x06eth0/1").rebind(held));
    assert_eq!(ack.option(150), Some(b"port".to_vec()));
}

/// Two servers and pools that follow each other across networks behind one relay.
#[test]
fn a_next_pool_in_another_network_brings_that_networks_options() {
    let mut config = config();
    config.pools[2] = pool("far-pool", far(200), far(200));
    config.pools[2].next = Some(PoolIndex(3));
    config.pools.push(pool("far2-pool", [172, 29, 3, 100].into(), [172, 29, 3, 200].into()));
    let mut second = network("172.29.3.0/24");
    second.gateways = vec![FAR2];
    config.networks = config.networks.iter().cloned().chain([second]).collect();
    let mut world = World::with(config);
    let ask = |number| Packet::client(number).relayed().asking_for(&[1, 3]);
    assert_eq!(world.lease(&ask(1)), far(200));
    let offer = world.ask(&ask(2).discover());
    assert_eq!(offer.yiaddr(), Ipv4Addr::new(172, 29, 3, 200));
    assert_eq!(offer.address(3), Some(FAR2));
    let ack = world.ask(&ask(2).selecting(&offer));
    assert_eq!(ack.kind(), Some(5));
    assert_eq!(world.ask(&ask(2).rebind(ack.yiaddr())).kind(), Some(5));
}

/// A circuit id is local to its relay: without a remote id the same one elsewhere is another.
#[test]
fn the_same_circuit_behind_another_relay_is_another_client() {
    let mut config = any_relay();
    config.servers[2].identifiers = Identifiers { option_82: true, ..Identifiers::default() };
    let mut world = World::with(config);
    let one = Packet::client(1).relayed().option(82, &[1, 1, 7]);
    let two = Packet { giaddr: FAR2, ..one.clone() };
    assert_ne!(world.lease(&one), world.lease(&two));
    assert_eq!(world.log().len(), 2, "nobody is deassigned");
}

/// RFC 5107 § 4: also for a renewal around the relay.
//= https://www.rfc-editor.org/rfc/rfc5107#section-4
//= type=test
//# The DHCP server must also record the address in the suboption for use in subsequent messages to
//# the DHCP client
#[test]
fn rly_15_the_relays_server_identifier_is_remembered() {
    let mut world = World::new();
    let held = world.lease(&overriding(1));
    let mut renewal = Packet { interface: UPLINK, ..Packet::client(1) }.renew(held);
    renewal.link_source = None;
    assert_eq!(world.ask(&renewal).address(54), Some(OVERRIDE));
}

/// RFC 3527 § 3: no address of another subnet than the one that is asked for.
//= https://www.rfc-editor.org/rfc/rfc3527#section-3
//= type=test
//# the server MUST NOT offer an address that is not on the requested subnet or the link
#[test]
fn rly_12_a_selected_subnet_without_a_pool() {
    let mut config = config();
    config.networks = config.networks.iter().cloned().chain([network("172.29.9.0/24")]).collect();
    let mut world = World::with(config);
    let event = world.silent(&selecting_link(1, [172, 29, 9, 1].into()).discover());
    assert!(matches!(event, Event::Silent { reason: Silence::StaticOnly, .. }), "{event}");
}
