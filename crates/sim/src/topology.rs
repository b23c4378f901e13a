//! The wires: links with clients, direct or behind a relay, and the two uplinks of the server.

use core::fmt;
use core::net::Ipv4Addr;

use ipnet::Ipv4Net;
use leasehold_dhcp::{IfIndex, Interface, Interfaces, Mac};

/// A link's number in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u8);

impl LinkId {
    /// The link's network, 10.0.N.0/24.
    #[must_use]
    pub fn network(self) -> Ipv4Net {
        Ipv4Net::new_assert(Ipv4Addr::new(10, 0, self.0, 0), 24)
    }

    /// The host with this number on the link.
    #[must_use]
    pub fn host(self, number: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, self.0, number)
    }

    /// The link's gateway: the server itself, or the relay.
    #[must_use]
    pub fn gateway(self) -> Ipv4Addr {
        self.host(1)
    }

    /// The server's interface on the link, if it has one there.
    pub(crate) fn interface(self) -> IfIndex {
        IfIndex(10 + u32::from(self.0))
    }
}

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

/// Where all links, and with them their relays, are.
pub(crate) const RELAYS: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(10, 0, 0, 0), 16);

/// How a link reaches the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The server has an interface on it.
    Direct,
    /// Through relays, which add option 82 or not.
    Relayed {
        /// Whether the relay tells circuit and remote id.
        information: bool,
        /// Which relays, and who serves them.
        relays: Relays,
    },
}

/// The relays of a link. Two of them forward every broadcast twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relays {
    /// One, with a DHCP server for it.
    One,
    /// Two, with a DHCP server for each, which draw from one pool.
    Two,
    /// Two, and a DHCP server for every relay.
    Any,
}

impl Reach {
    /// The host numbers of the relays.
    pub(crate) fn relays(self) -> &'static [u8] {
        match self {
            Self::Direct => &[],
            Self::Relayed { relays: Relays::One, .. } => &[1],
            Self::Relayed { relays: Relays::Two | Relays::Any, .. } => &[1, 2],
        }
    }

    /// Whether a server for every relay serves the link.
    pub(crate) fn is_any(self) -> bool {
        matches!(self, Self::Relayed { relays: Relays::Any, .. })
    }
}

/// The uplinks: what is routed arrives on either.
pub(crate) const UPLINKS: [IfIndex; 2] = [IfIndex(1), IfIndex(2)];

/// The server's address on an uplink.
pub(crate) fn uplink_address(uplink: IfIndex) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, uplink.0 as u8 * 16 + 1)
}

/// The server's Ethernet address on an interface.
pub(crate) fn server_mac(interface: IfIndex) -> Mac {
    Mac([2, 0x5e, 0, 0, 0, interface.0 as u8])
}

/// What the server's kernel says of its interfaces.
pub(crate) fn interfaces(links: &[Reach]) -> Interfaces {
    let uplinks = UPLINKS.map(|uplink| interface(uplink, uplink_address(uplink), 28));
    let direct = links.iter().enumerate().filter(|(_, reach)| **reach == Reach::Direct);
    let direct = direct.map(|(number, _)| {
        let link = LinkId(number as u8);
        interface(link.interface(), link.gateway(), 24)
    });
    Interfaces::new(uplinks.into_iter().chain(direct).collect())
}

/// The name of an interface, as the configuration spells it.
pub(crate) fn interface_name(index: IfIndex) -> String {
    format!("ether{}", index.0)
}

/// The link whose wire is plugged into an interface.
pub(crate) fn link_on(interface: IfIndex) -> Option<LinkId> {
    u8::try_from(interface.0.checked_sub(10)?).ok().map(LinkId)
}

/// The link that an address belongs to.
pub(crate) fn link_of(address: Ipv4Addr) -> Option<LinkId> {
    match address.octets() {
        [10, 0, link, _] => Some(LinkId(link)),
        _ => None,
    }
}

fn interface(index: IfIndex, address: Ipv4Addr, prefix: u8) -> Interface {
    Interface {
        index,
        name: interface_name(index),
        mac: server_mac(index),
        addresses: vec![Ipv4Net::new_assert(address, prefix)],
        mtu: 1_500,
        running: true,
        slave: false,
    }
}
