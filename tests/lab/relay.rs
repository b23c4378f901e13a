//! A relay agent made by hand: a machine between a client network and the server, and a socket on
//! it.

use std::net::{Ipv4Addr, UdpSocket};

use super::PATIENCE;
use super::message::{Message, Reply};
use super::namespace::{Lab, Namespace};
use super::tap::Tap;

/// The relay's own address towards the clients, which stands in giaddr.
pub const GIADDR: Ipv4Addr = Ipv4Addr::new(172, 29, 2, 1);

/// The server's address on the uplink.
pub const UPLINK_SERVER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 1);

/// A server for that relay: its pool, its network, its entry.
pub const CONFIGURATION: &str = r#"
[[pool]]
name = "relayed-pool"
ranges = "172.29.2.100-172.29.2.200"

[[dhcp-server]]
name = "relayed"
interface = "uplink"
relay = "172.29.2.1"
address-pool = "relayed-pool"
lease-time = "1d"
conflict-detection = "no"

[[dhcp-server-network]]
address = "172.29.2.0/24"
gateway = "172.29.2.1"
dns-server = "8.8.8.8"
"#;

/// The relay's machine, with interface `uplink` to the server and `lan` for clients.
pub struct Relay {
    pub machine: Namespace,
    socket: UdpSocket,
    tap: Tap,
}

impl Relay {
    /// Makes the relay and its two cables: to the server's machine, and to the clients' one.
    pub fn new(lab: &Lab, server: &Namespace, clients: &Namespace) -> Self {
        let machine = Self::machine(lab, server, clients);
        let socket = machine.inside(|| UdpSocket::bind("0.0.0.0:67")).unwrap();
        let tap = Tap::new(&machine, "uplink");
        Self { machine, socket, tap }
    }

    /// The same machine without anybody who relays: for real relay agents.
    pub fn machine(lab: &Lab, server: &Namespace, clients: &Namespace) -> Namespace {
        let machine = lab.machine("relay");
        lab.cable((server, "uplink"), (&machine, "uplink"));
        lab.cable((clients, "eth0"), (&machine, "lan"));
        server.address("uplink", "10.83.0.1/24");
        machine.address("uplink", "10.83.0.2/24");
        machine.address("lan", "172.29.2.1/24");
        machine.sysctl("net/ipv4/ip_forward", "1");
        server.ip("route add 172.29.2.0/24 via 10.83.0.2");
        machine
    }

    /// Sends to the server as a relay does.
    pub fn send(&self, message: &Message) {
        self.socket.send_to(&message.bytes(), (UPLINK_SERVER, 67)).unwrap();
    }

    /// Relays a message of a client and waits for what the server answers to the relay.
    pub fn ask(&self, message: &Message) -> Reply {
        self.send(message);
        self.answer(message)
    }

    /// Waits for the answer to a message that was sent.
    pub fn answer(&self, message: &Message) -> Reply {
        let reply = self.tap.expect("an answer to the relay", |reply| reply.answers(message));
        reply.assert_sound(message);
        reply
    }

    /// What came back so far for this message.
    pub fn answers(&self, message: &Message) -> Vec<Reply> {
        self.tap.heard(|reply| reply.answers(message))
    }

    /// The octets of the next datagram that the relay's own socket got: past ARP, route and port.
    pub fn delivered(&self) -> Vec<u8> {
        self.socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut bytes = vec![0; 4096];
        let length = self.socket.recv(&mut bytes).expect("a datagram at port 67");
        bytes.truncate(length);
        bytes
    }
}
