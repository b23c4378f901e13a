//! Cases RLY: relay agents, made by hand.

use std::net::Ipv4Addr;

use crate::lab::relay::{CONFIGURATION, GIADDR, Relay, UPLINK_SERVER};
use crate::lab::{Client, Lab, Message, Server, Tap, code, kind};

/// A server with one relay in front of it, and a clients' machine behind the relay.
struct Behind {
    server: Server,
    relay: Relay,
    tap: Tap,
    lab: Lab,
}

impl Behind {
    fn new() -> Self {
        Self::with(CONFIGURATION)
    }

    fn with(configuration: &str) -> Self {
        let lab = Lab::new();
        let (machine, clients) = (lab.machine("server"), lab.machine("clients"));
        let relay = Relay::new(&lab, &machine, &clients);
        let tap = Tap::new(&clients, "eth0");
        let server = Server::serve(&lab, &machine, configuration);
        Self { server, relay, tap, lab }
    }

    fn client(&self, number: u32) -> Client<'_> {
        Client::new(&self.tap, number)
    }

    /// Relays these, and shows that none is answered although the server goes on.
    fn assert_silent(&self, messages: &[Message]) {
        for message in messages {
            self.relay.send(message);
        }
        let witness = self.client(0xffff);
        let offer = self.relay.ask(&relayed(witness.discover()));
        let ack = self.relay.ask(&relayed(witness.selecting(&offer)).with(|m| m.xid ^= 0x5555));
        assert!(ack.is(kind::ACK), "{ack:?}");
        self.relay.send(&relayed(witness.release(ack.yiaddr(), UPLINK_SERVER)));
        for message in messages {
            let answers = self.relay.answers(message);
            assert!(answers.is_empty(), "answered instead of silence: {answers:#?}");
        }
    }
}

fn relayed(message: Message) -> Message {
    message.with(|message| {
        message.giaddr = GIADDR;
        message.hops = 1;
    })
}

#[test]
fn rly_01_answered_to_the_relay_from_its_network() {
    let behind = Behind::new();
    let client = behind.client(1);
    let offer = behind.relay.ask(&relayed(client.discover()));
    assert!(offer.is(kind::OFFER));
    assert_eq!(offer.yiaddr(), Ipv4Addr::new(172, 29, 2, 200));
    assert_eq!(offer.address(code::ROUTER), Some(GIADDR));
    assert_eq!((offer.headers.target, offer.headers.target_port), (GIADDR, 67));
    assert_eq!(offer.headers.source, UPLINK_SERVER);
    // Routed to the relay's other address, so it went through ARP for the uplink's.
    assert_eq!(behind.relay.delivered(), offer.bytes);
    let ack = behind.relay.ask(&relayed(client.selecting(&offer)));
    assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, offer.yiaddr()));
    behind.server.logged(&["relayed", "assigned", "172.29.2.200"]);
}

#[test]
fn rly_01_renewal_around_the_relay_is_routed() {
    let behind = Behind::new();
    let client = behind.client(1);
    let offer = behind.relay.ask(&relayed(client.discover()));
    let ack = behind.relay.ask(&relayed(client.selecting(&offer)));
    let address = ack.yiaddr();
    // The client's own stack: an address, a route, a socket on port 68.
    let clients = behind.tap.machine();
    clients.address("eth0", &format!("{address}/24"));
    clients.ip("route add default via 172.29.2.1");
    let socket = clients.inside(|| std::net::UdpSocket::bind((address, 68))).unwrap();
    let renewal = client.renewing(address);
    socket.send_to(&renewal.bytes(), (UPLINK_SERVER, 67)).unwrap();
    socket.set_read_timeout(Some(crate::lab::PATIENCE)).unwrap();
    let mut bytes = [0; 1500];
    let (length, from) = socket.recv_from(&mut bytes).expect("an ACK to ciaddr, port 68");
    assert_eq!(from, (UPLINK_SERVER, 67).into());
    let ack = behind.tap.expect("the same on the wire", |reply| reply.answers(&renewal));
    assert_eq!((&bytes[..length], ack.kind()), (ack.bytes.as_slice(), kind::ACK));
    assert_eq!((ack.yiaddr(), ack.headers.target), (address, address));
}

#[test]
fn rly_02_a_relay_of_no_network() {
    let behind = Behind::new();
    let client = behind.client(1);
    let stranger = client.discover().with(|m| m.giaddr = Ipv4Addr::new(192, 168, 77, 1));
    behind.assert_silent(&[stranger]);
}

#[test]
fn rly_03_05_07_10_option_82_comes_back_as_it_was_and_last() {
    let behind = Behind::new();
    let circuit: &[u8] = &[1, 6, 0, 0xff, b'p', b'7', 0, 1, 2, 3, 0xfe, 0xff, 0];
    for (number, agent) in (1..).zip([circuit, &[]]) {
        let client = behind.client(number);
        let offer = behind.relay.ask(&relayed(client.discover().option(82, agent)));
        let request = relayed(client.selecting(&offer)).option(82, agent);
        let ack = behind.relay.ask(&request);
        for reply in [offer, ack] {
            assert_eq!(reply.option(82), Some(agent));
            assert_eq!(reply.options.last().unwrap().0, 82, "not the last: {reply:?}");
        }
    }
    let client = behind.client(7);
    assert_eq!(behind.relay.ask(&relayed(client.discover())).option(82), None);
    // A client's broken option before the relay's: the relay's is still seen.
    let short = client.discover().option(code::LEASE_TIME, &[1]).option(82, circuit);
    assert_eq!(behind.relay.ask(&relayed(short)).option(82), Some(circuit));
}

#[test]
fn rly_06_09_broken_option_82() {
    let behind = Behind::new();
    let client = behind.client(1);
    let overrun = client.discover().option(82, &[1, 200, b'x']);
    behind.relay.send(&relayed(overrun));
    let twice = client.discover().option(82, &[1, 1, 7]).option(3, &[1, 2, 3, 4]);
    behind.relay.send(&relayed(twice.option(82, &[1, 1, 8])));
    behind.assert_silent(&[]);
}

#[test]
fn hdr_20_hops_beyond_the_limit() {
    let behind = Behind::new();
    let client = behind.client(1);
    behind.assert_silent(&[relayed(client.discover()).with(|message| message.hops = 17)]);
    let near = relayed(client.discover()).with(|message| message.hops = 16);
    assert!(behind.relay.ask(&near).is(kind::OFFER));
}

#[test]
fn rly_20_a_server_for_a_relay_ignores_direct_clients() {
    let behind = Behind::new();
    let client = behind.client(1);
    // Without giaddr, from the relay's own address.
    behind.assert_silent(&[client.discover()]);
}

#[test]
fn rly_21_our_own_address_as_the_relays() {
    let behind = Behind::new();
    let client = behind.client(1);
    behind.assert_silent(&[client.discover().with(|message| message.giaddr = UPLINK_SERVER)]);
}

#[test]
fn rly_22_rel_10_release_through_the_relay() {
    let behind = Behind::new();
    let client = behind.client(1);
    let offer = behind.relay.ask(&relayed(client.discover()));
    let ack = behind.relay.ask(&relayed(client.selecting(&offer)));
    behind.relay.send(&relayed(client.release(ack.yiaddr(), UPLINK_SERVER)));
    behind.server.logged(&["deassigned", "172.29.2.200"]);
}

#[test]
fn rly_23_the_broadcast_flag_is_kept() {
    let behind = Behind::new();
    let client = behind.client(1).wants_broadcast();
    let offer = behind.relay.ask(&relayed(client.discover()));
    assert_eq!(offer.flags() & Message::BROADCAST_FLAG, Message::BROADCAST_FLAG);
    assert_eq!(offer.headers.target, GIADDR);
}

#[test]
fn ir_07_a_wrong_address_behind_a_relay() {
    let behind = Behind::new();
    let client = behind.client(1);
    let nak = behind.relay.ask(&relayed(client.init_reboot(Ipv4Addr::new(10, 9, 9, 9))));
    assert!(nak.is(kind::NAK), "{nak:?}");
    assert_eq!((nak.headers.target, nak.headers.target_port), (GIADDR, 67));
    // RFC 2131, section 4.3.2: so that the relay broadcasts it.
    assert_eq!(nak.flags() & Message::BROADCAST_FLAG, Message::BROADCAST_FLAG);
}

#[test]
fn rly_17_a_relay_with_a_port_of_its_own() {
    let behind = Behind::new();
    let client = behind.client(1);
    let socket = behind.relay.machine.inside(|| std::net::UdpSocket::bind((GIADDR, 1067))).unwrap();
    let discover = relayed(client.discover()).option(82, &[19, 0]);
    socket.send_to(&discover.bytes(), (UPLINK_SERVER, 67)).unwrap();
    socket.set_read_timeout(Some(crate::lab::PATIENCE)).unwrap();
    let mut bytes = [0; 1500];
    let (_, from) = socket.recv_from(&mut bytes).expect("an answer to port 1067");
    assert_eq!(from.ip(), UPLINK_SERVER);
    let offer = u32::from_be_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]);
    assert_eq!(offer, discover.xid);
}

/// A second network behind the same relay, for link selection.
const SECOND: &str = r#"
[[pool]]
name = "second-pool"
ranges = "172.29.3.100-172.29.3.200"

[[dhcp-server]]
name = "second"
interface = "uplink"
relay = "172.29.3.1"
address-pool = "second-pool"
lease-time = "1d"
conflict-detection = "no"

[[dhcp-server-network]]
address = "172.29.3.0/24"
gateway = "172.29.3.1"
"#;

#[test]
fn rly_12_13_link_selection_names_the_network() {
    let behind = Behind::with(&format!("{CONFIGURATION}{SECOND}"));
    let client = behind.client(1);
    let selecting = |link: [u8; 4]| {
        let agent = [&[1, 2, b'p', b'7', 5, 4], &link[..]].concat();
        relayed(client.discover().option(82, &agent))
    };
    let offer = behind.relay.ask(&selecting([172, 29, 3, 0]));
    assert_eq!(offer.yiaddr(), Ipv4Addr::new(172, 29, 3, 200));
    // RFC 3527: the answer goes to giaddr all the same.
    assert_eq!((offer.headers.target, offer.giaddr()), (GIADDR, GIADDR));
    behind.assert_silent(&[selecting([192, 168, 99, 0])]);
}

#[test]
fn rly_15_16_the_relay_stands_for_the_server() {
    let behind = Behind::new();
    let client = behind.client(1);
    let override_agent = [&[11, 4][..], &GIADDR.octets()].concat();
    let offer = behind.relay.ask(&relayed(client.discover().option(82, &override_agent)));
    assert_eq!(offer.address(code::SERVER), Some(GIADDR));
    let request = relayed(client.selecting(&offer));
    behind.assert_silent(std::slice::from_ref(&request));
    let request = request.with(|request| request.xid ^= 0x0055_0000).option(82, &override_agent);
    let ack = behind.relay.ask(&request);
    assert_eq!((ack.kind(), ack.address(code::SERVER)), (kind::ACK, Some(GIADDR)));
}

#[test]
fn rly_08_option_82_of_a_switch_that_is_no_relay() {
    let scene = crate::lab::Scene::new();
    let client = scene.client(1);
    let circuit = b"\x01\x04eth7\x02\x03olt";
    let offer = client.ask(&client.discover().option(82, circuit));
    assert_eq!(offer.option(82), Some(&circuit[..]));
    let ack = client.ask(&client.selecting(&offer).option(82, circuit));
    assert_eq!((ack.kind(), ack.option(82)), (kind::ACK, Some(&circuit[..])));
}

#[test]
fn rly_04_option_82_stays_whole_when_room_is_short() {
    let behind = Behind::new();
    let circuit = [&[1, 200][..], &[0xc7; 200], &[2, 50], &[0x50; 50]].concat();
    let every: Vec<u8> = (1..=200).collect();
    let client = behind.client(1).parameters(&every);
    let small = client.discover().option(code::MAX_SIZE, &576_u16.to_be_bytes());
    let offer = behind.relay.ask(&relayed(small.option(82, &circuit)));
    assert_eq!(offer.option(82), Some(circuit.as_slice()));
    assert!(offer.bytes.len() <= 548);
}

#[test]
fn rly_discover_on_one_uplink_and_renewal_on_another() {
    let behind = Behind::new();
    let machine = behind.server.machine();
    let other = behind.lab.machine("other");
    behind.lab.cable((machine, "uplink2"), (&other, "uplink"));
    machine.address("uplink2", "10.84.0.1/24");
    other.address("uplink", "10.84.0.2/24");
    let client = behind.client(1);
    let offer = behind.relay.ask(&relayed(client.discover()));
    let ack = behind.relay.ask(&relayed(client.selecting(&offer)));
    // The client's network is now routed through the other uplink, and so is its renewal.
    machine.ip("route replace 172.29.2.0/24 via 10.84.0.2");
    other.address("lo", &format!("{}/32", ack.yiaddr()));
    other.ip("route add 10.83.0.1/32 via 10.84.0.1");
    let socket = other.inside(|| std::net::UdpSocket::bind((ack.yiaddr(), 68))).unwrap();
    let renewal = client.renewing(ack.yiaddr());
    socket.send_to(&renewal.bytes(), (UPLINK_SERVER, 67)).unwrap();
    socket.set_read_timeout(Some(crate::lab::PATIENCE)).unwrap();
    let mut bytes = [0; 1500];
    let (_, from) = socket.recv_from(&mut bytes).expect("an ACK on the other uplink");
    assert_eq!(from, (UPLINK_SERVER, 67).into());
    assert_eq!(bytes[4..8], renewal.xid.to_be_bytes());
}
