//! What the engine knows of the machine's interfaces: an input, like everything else.

use core::fmt;
use core::net::Ipv4Addr;

use ipnet::Ipv4Net;

/// The kernel's number of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IfIndex(pub u32);

/// An Ethernet address; prints as RouterOS does, `AA:BB:CC:DD:EE:FF`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Every station on the link.
    pub const BROADCAST: Self = Self([0xff; 6]);
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

/// One interface of the machine as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The kernel's number; changes when the interface is made anew.
    pub index: IfIndex,
    /// The kernel's name, `ether-83`.
    pub name: String,
    /// Its Ethernet address.
    pub mac: Mac,
    /// Its IPv4 addresses with their prefixes, in the kernel's order (the first is the primary).
    pub addresses: Vec<Ipv4Net>,
    /// Largest IP datagram, octets.
    pub mtu: u16,
    /// Administratively up and with carrier.
    pub running: bool,
    /// Enslaved to a bridge or bond: a server on it is `invalid`.
    pub slave: bool,
}

impl Interface {
    /// The primary address, which stands in option 54 unless `server-address` says otherwise.
    #[must_use]
    pub fn primary(&self) -> Option<Ipv4Addr> {
        self.addresses.first().map(Ipv4Net::addr)
    }
}

/// All interfaces, ordered by index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Interfaces(Vec<Interface>);

impl Interfaces {
    /// Takes the interfaces in any order.
    #[must_use]
    pub fn new(mut interfaces: Vec<Interface>) -> Self {
        interfaces.sort_by_key(|interface| interface.index);
        Self(interfaces)
    }

    /// The interface with this number.
    #[must_use]
    pub fn get(&self, index: IfIndex) -> Option<&Interface> {
        let at = self.0.binary_search_by_key(&index, |interface| interface.index).ok()?;
        self.0.get(at)
    }

    /// The interface with this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Interface> {
        self.0.iter().find(|interface| interface.name == name)
    }

    /// All of them, by index.
    pub fn iter(&self) -> core::slice::Iter<'_, Interface> {
        self.0.iter()
    }
}
