//! `/interface…`, `/ip/address`, `/ip/arp` and their neighbours: the host's network, to look at.

use core::net::Ipv4Addr;

use leasehold_dhcp::Mac;
use leasehold_routeros::menu;
use leasehold_routeros::menu::Form;

macro_rules! link {
    ($(#[doc = $about:literal])+ $row:ident in $path:literal, $live:ident) => {
        menu! {
            $(#[doc = $about])+
            pub struct $row in $path {
            }
            /// One interface.
            live struct $live {
                /// The kernel's name.
                name: String = live(),
                /// The same: names are given by the host.
                default_name: String = live(),
                /// `ether`, `vlan`, `bridge`, `bond`, `loopback` …
                r#type: String = live(),
                /// Largest datagram, octets.
                mtu: u64 = live(),
                /// The same, as it is in force.
                actual_mtu: u64 = live(),
                /// Its Ethernet address.
                mac_address: Mac = live(),
                /// Octets received.
                rx_byte: u64 = live(),
                /// Octets sent.
                tx_byte: u64 = live(),
                /// Packets received.
                rx_packet: u64 = live(),
                /// Packets sent.
                tx_packet: u64 = live(),
                /// Packets that were received and dropped.
                rx_drop: u64 = live(),
                /// Packets that were to be sent and were dropped.
                tx_drop: u64 = live(),
                /// Packets received with errors.
                rx_error: u64 = live(),
                /// Packets not sent because of errors.
                tx_error: u64 = live(),
                /// Whether it is up and has a carrier.
                running: bool = live_or("no").flag('R'),
                /// Whether a bridge or bond owns it.
                slave: bool = live_or("no").flag('S'),
                /// Whether it is switched off.
                disabled: bool = live_or("no").flag('X'),
            }
            form: Form::View,
            columns: &["name", "type", "actual-mtu", "mac-address"],
            noun: "interface",
        }
    };
}

link!(
    /// The host's interfaces, all of this network namespace.
    Interface in "/interface", InterfaceState
);

link!(
    /// Those of them that are Ethernet.
    Ethernet in "/interface/ethernet", EthernetState
);

menu! {
    /// IPv4 addresses of the host. They are the host's to change.
    pub struct Address in "/ip/address" {
    }
    /// One address.
    live struct AddressState {
        /// The address with its prefix.
        address: String = live(),
        /// The first address of its network.
        network: Ipv4Addr = live(),
        /// Where it is.
        interface: String = live(),
        /// The same.
        actual_interface: String = live(),
        /// Whether its interface is gone.
        invalid: bool = live_or("no").flag('I'),
        /// Whether something else made it.
        dynamic: bool = live_or("no").flag('D'),
        /// Whether it is switched off.
        disabled: bool = live_or("no").flag('X'),
    }
    form: Form::View,
    key: &["address", "interface"],
    columns: &["address", "network", "interface"],
    noun: "address",
}

menu! {
    /// What the kernel knows of the stations on its links.
    pub struct Arp in "/ip/arp" {
    }
    /// One station.
    live struct Neighbour {
        /// Its address.
        address: Ipv4Addr = live(),
        /// Its Ethernet address, if it has told.
        mac_address: Mac = live(),
        /// Where.
        interface: String = live(),
        /// Whether this host answers for it.
        published: bool = live_or("no").flag('P'),
        /// Whether it has told its Ethernet address.
        complete: bool = live_or("no").flag('C'),
        /// Whether the kernel learnt it by itself.
        dynamic: bool = live_or("no").flag('D'),
        /// Whether it means nothing.
        invalid: bool = live_or("no"),
        /// Whether it is switched off.
        disabled: bool = live_or("no").flag('X'),
    }
    form: Form::View,
    key: &["address", "interface"],
    columns: &["address", "mac-address", "interface"],
    noun: "neighbour",
}

macro_rules! empty {
    ($(#[doc = $about:literal])+ $row:ident in $path:literal, $live:ident) => {
        menu! {
            $(#[doc = $about])+
            pub struct $row in $path {
            }
            /// There is none.
            live struct $live {
                /// What it would be called.
                name: String = live(),
            }
            form: Form::View,
        }
    };
}

empty!(
    /// Stations behind bridges: the host's own tools list them; clients want the list to exist.
    BridgeHost in "/interface/bridge/host", BridgeHostState
);

empty!(
    /// Wireless interfaces: there are none; clients only want the list to exist.
    Wifi in "/interface/wifi", WifiState
);

empty!(
    /// Wireless stations: there are none; clients only want the list to exist.
    Registration in "/interface/wifi/registration-table", RegistrationState
);

empty!(
    /// DHCP clients of the host: it runs its own; clients only want the list to exist.
    DhcpClient in "/ip/dhcp-client", DhcpClientState
);

empty!(
    /// Names: no DNS server is run; clients only want the list to exist.
    DnsStatic in "/ip/dns/static", DnsStaticState
);
