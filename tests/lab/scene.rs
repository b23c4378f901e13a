//! The scene of most tests: the user's scenario on `ether-83`, and one cable to the client side.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::client::Client;
use super::frame::{Envelope, Mac};
use super::message::{Message, kind};
use super::namespace::{Lab, Namespace};
use super::server::Server;
use super::tap::Tap;

/// The how-to's pool, server and network, with a short lease and nothing that takes time.
pub const CONFIGURATION: &str = r#"
[[pool]]
name = "isp-pool"
ranges = "67.9.97.10-67.9.97.254"

[[dhcp-server]]
name = "dhcp-server-83"
interface = "ether-83"
address-pool = "isp-pool"
lease-time = "1d"
conflict-detection = "no"

[[dhcp-server-network]]
address = "67.9.97.0/24"
gateway = "67.9.97.1"
dns-server = "8.8.8.8"

[[dhcp-server-lease]]
address = "67.9.97.9"
mac-address = "02:1E:FF:FF:FF:FE"
comment = "the witness, who shows that the server still answers"
"#;

/// The same in a larger network: that of 10.84.0.1, the server, with this prefix.
pub fn wide(prefix: u8, ranges: &str) -> String {
    let network = Ipv4Net::new_assert(Ipv4Addr::new(10, 84, 0, 1), prefix).trunc();
    CONFIGURATION
        .replace("67.9.97.10-67.9.97.254", ranges)
        .replace("67.9.97.0/24", &network.to_string())
        .replace("gateway = \"67.9.97.1\"", "gateway = \"10.84.0.1\"")
}

/// Where the server listens.
pub const SERVER: Ipv4Addr = Ipv4Addr::new(67, 9, 97, 1);

/// The witness's number among the simulated clients, and its static lease.
const WITNESS: u32 = 0xffff_fffe;
const WITNESS_ADDRESS: Ipv4Addr = Ipv4Addr::new(67, 9, 97, 9);

/// The server's machine, the daemon on it, and the clients' end of the cable.
///
/// The order of the fields is the order in which they go: the daemon first, the laboratory last.
pub struct Scene {
    pub server: Server,
    pub tap: Tap,
    pub server_mac: Mac,
    pub clients: Namespace,
    pub lab: Lab,
}

impl Scene {
    pub fn new() -> Self {
        Self::with(CONFIGURATION)
    }

    /// The scene with another configuration, already serving.
    pub fn with(configuration: &str) -> Self {
        let mut scene = Self::prepared(configuration);
        scene.server.start();
        scene
    }

    /// The scene before the daemon starts.
    pub fn prepared(configuration: &str) -> Self {
        let lab = Lab::new();
        let machine = lab.machine("server");
        let clients = lab.machine("clients");
        lab.cable((&machine, "ether-83"), (&clients, "eth0"));
        machine.address("ether-83", "67.9.97.1/24");
        let tap = Tap::new(&clients, "eth0");
        let server_mac = Tap::new(&machine, "ether-83").mac();
        let server = Server::prepare(&lab, &machine, configuration);
        Self { server, tap, server_mac, clients, lab }
    }

    pub fn client(&self, number: u32) -> Client<'_> {
        Client::new(&self.tap, number)
    }

    /// Sends these messages, and shows that none is answered although the server goes on: a witness
    /// takes its static lease anew afterwards, so a durable answer to an earlier message would have
    /// come before the witness's.
    pub fn assert_silent(&self, messages: &[(Envelope, Message)]) {
        self.tap.heard(|_| false);
        self.tap.forget();
        for (envelope, message) in messages {
            self.tap.send(envelope, message);
        }
        self.assert_serving();
        for (_, message) in messages {
            let answers = self.tap.heard(|reply| reply.op() == 2 && reply.xid() == message.xid);
            assert!(answers.is_empty(), "answered instead of silence: {answers:#?}");
        }
    }

    /// Like [`Scene::assert_silent`] for messages broadcast by their own client.
    pub fn assert_silent_to(&self, messages: &[Message]) {
        let sent: Vec<_> = messages
            .iter()
            .map(|message| {
                let mac = Mac(message.chaddr[..6].try_into().unwrap());
                (Envelope::broadcast(mac), message.clone())
            })
            .collect();
        self.assert_silent(&sent);
    }

    /// Each of these clients, by number, comes back with its address. A thief asks first, so that
    /// the owner cannot be adopted with an address that was lost.
    pub fn assert_kept(&self, held: &[(u32, Ipv4Addr)]) {
        for &(number, address) in held {
            let thief = self.client(10_000 + number);
            assert!(thief.ask(&thief.init_reboot(address)).is(kind::NAK), "{address} is lost");
            let client = self.client(number);
            let ack = client.ask(&client.init_reboot(address));
            assert_eq!((ack.kind(), ack.yiaddr()), (kind::ACK, address));
        }
    }

    /// The witness gives up its lease and takes it again.
    pub fn assert_serving(&self) {
        let witness = self.client(WITNESS);
        witness.broadcast(&witness.release(WITNESS_ADDRESS, SERVER));
        assert_eq!(witness.lease().yiaddr(), WITNESS_ADDRESS);
    }
}
