//! `/ping` and `/tool/torch`: commands that look at the network for a while.

use core::net::Ipv4Addr;

use leasehold_dhcp::menus::Lasting;
use leasehold_routeros::menu;
use leasehold_routeros::menu::Form;
use leasehold_routeros::value::{Bounded, Interface};

menu! {
    /// Asks an address for an echo, again and again.
    pub struct Ping in "/ping" {
        /// Whom.
        address: Ipv4Addr = required(),
        /// How often; until it is cancelled if not given.
        count: Option<Bounded<1, 4294967295>> = unset(),
        /// Time between two questions.
        interval: Lasting = preset("1s"),
        /// Octets of the IP datagram.
        size: Bounded<28, 1500> = preset("56"),
        /// How many routers it may pass.
        ttl: Bounded<1, 255> = preset("255"),
        /// Address to ask from.
        src_address: Option<Ipv4Addr> = unset(),
        /// Interface to ask through.
        interface: Option<Interface> = unset(),
    }
    /// What became of one question.
    live struct Echo {
        /// Its number.
        seq: u64 = live(),
        /// Who answered, or was asked.
        host: Ipv4Addr = live(),
        /// Octets of the answer.
        size: u64 = live(),
        /// Routers that the answer might still have passed.
        ttl: u64 = live(),
        /// How long it took.
        time: String = live(),
        /// What happened, if nobody answered.
        status: String = live(),
        /// Questions so far.
        sent: u64 = live(),
        /// Answers so far.
        received: u64 = live(),
        /// Share without an answer, percent.
        packet_loss: u64 = live(),
        /// The shortest time so far.
        min_rtt: String = live(),
        /// The mean time.
        avg_rtt: String = live(),
        /// The longest time.
        max_rtt: String = live(),
    }
    form: Form::Activity,
    key: &["address"],
    columns: &["seq", "host", "size", "ttl", "time", "status"],
}

menu! {
    /// Shows the DHCP traffic of an interface, second by second.
    pub struct Torch in "/tool/torch" {
        /// Interface to look at.
        interface: Interface = required(),
        /// How long; until it is cancelled if not given.
        duration: Option<Lasting> = unset(),
        /// Time between two reports.
        freeze_frame_interval: Lasting = preset("1s"),
        /// Ends after one report.
        once: bool = preset("no"),
    }
    /// What passed between two ends since the report before; sent is what this machine sent.
    live struct Flow {
        /// `ip`.
        mac_protocol: String = live(),
        /// `udp`.
        ip_protocol: String = live(),
        /// The client's side, or the relay's.
        src_address: Ipv4Addr = live(),
        /// Its port.
        src_port: u64 = live(),
        /// The server's side.
        dst_address: Ipv4Addr = live(),
        /// Its port.
        dst_port: u64 = live(),
        /// Sent, bits a second.
        tx: u64 = live(),
        /// Received, bits a second.
        rx: u64 = live(),
        /// Sent, packets a second.
        tx_packets: u64 = live(),
        /// Received, packets a second.
        rx_packets: u64 = live(),
    }
    form: Form::Activity,
    key: &["interface"],
    columns: &[
        "ip-protocol", "src-address", "src-port", "dst-address", "dst-port", "tx", "rx",
        "tx-packets", "rx-packets",
    ],
}
