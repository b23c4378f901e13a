//! `/ip/dhcp-server/network`.

use core::net::Ipv4Addr;

use ipnet::Ipv4Net;
use leasehold_routeros::menu::Unique;
use leasehold_routeros::value::{Bounded, Reference};
use leasehold_routeros::{Fault, Kind, Value, menu};

use super::{DhcpOption, SetReference};

/// A prefix without host bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkAddress(pub Ipv4Net);

impl Value for NetworkAddress {
    const KIND: Kind = Kind::Network;
    const EXAMPLE: &'static str = Ipv4Net::EXAMPLE;

    fn describe() -> String {
        Ipv4Net::describe()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let net = Ipv4Net::parse(text)?;
        if net.addr() == net.network() {
            Ok(Self(net))
        } else {
            Err(Fault::Failure("invalid network"))
        }
    }

    fn print(&self) -> String {
        self.0.to_string()
    }
}

menu! {
    /// What clients are told, by the network that holds their address.
    pub struct Network in "/ip/dhcp-server/network" {
        /// The network; of several that hold an address the longest prefix counts.
        address: NetworkAddress = required(),
        /// Routers (option 3).
        gateway: Vec<Ipv4Addr> = preset("").always(),
        /// Subnet mask to announce (option 1); 0 is the network's own.
        netmask: Bounded<0, 32> = preset("0"),
        /// DNS servers (option 6); empty announces this machine's own.
        dns_server: Vec<Ipv4Addr> = preset("").always(),
        /// Announces no DNS server at all.
        dns_none: bool = preset("no"),
        /// WINS servers (option 44).
        wins_server: Vec<Ipv4Addr> = preset("").always(),
        /// NTP servers (option 42).
        ntp_server: Vec<Ipv4Addr> = preset("").always(),
        /// Announces no NTP server at all.
        ntp_none: bool = preset("no"),
        /// CAPWAP controllers (option 138).
        caps_manager: Vec<Ipv4Addr> = preset("").always(),
        /// CMR servers (newest versions); which option tells them is not published.
        cmr_server: Vec<Ipv4Addr> = preset("").not_obeyed(),
        /// Announces no CMR server at all (newest versions).
        cmr_none: bool = preset("no").not_obeyed(),
        /// Domain (option 15).
        domain: String = preset(""),
        /// Server to boot from (siaddr).
        next_server: Option<Ipv4Addr> = unset(),
        /// File to boot (option 67).
        boot_file_name: String = preset(""),
        /// Options for clients of this network.
        dhcp_option: Vec<Reference<DhcpOption>> = preset("").always(),
        /// A set of options for clients of this network.
        dhcp_option_set: SetReference = preset("none"),
        /// Free text.
        comment: String = preset(""),
    }
    /// What the running server knows of a network entry.
    live struct NetworkState {
        /// Made by something else than the configuration.
        dynamic: bool = live_or("no").flag('D'),
    }
    key: &["address"],
    columns: &["address", "gateway", "dns-server", "wins-server", "domain"],
    unique: &[Unique {
        by: &["address"],
        within: None,
        enabled_only: false,
        failure: "such network already exists",
    }],
    noun: "network",
}
