//! Who a client is: its hardware address as the header carries it.

use core::fmt;

use crate::link::Mac;

/// `htype`, `hlen` and `chaddr` of a message: at most 16 octets, those beyond `hlen` are zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hardware {
    htype: u8,
    length: u8,
    octets: [u8; 16],
}

impl Hardware {
    /// Ethernet's number (RFC 1700).
    pub const ETHERNET: u8 = 1;

    /// The first 16 of `octets` count.
    #[must_use]
    pub fn new(htype: u8, octets: &[u8]) -> Self {
        let length = octets.len().min(16);
        let mut chaddr = [0; 16];
        chaddr[..length].copy_from_slice(&octets[..length]);
        Self { htype, length: length as u8, octets: chaddr }
    }

    /// `htype`.
    #[must_use]
    pub fn htype(&self) -> u8 {
        self.htype
    }

    /// `chaddr`, `hlen` octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.octets[..usize::from(self.length)]
    }

    /// The Ethernet address, if it is one.
    #[must_use]
    pub fn mac(&self) -> Option<Mac> {
        match (self.htype, self.octets()) {
            (Self::ETHERNET, &[a, b, c, d, e, f]) => Some(Mac([a, b, c, d, e, f])),
            _ => None,
        }
    }
}

impl From<Mac> for Hardware {
    fn from(mac: Mac) -> Self {
        Self::new(Self::ETHERNET, &mac.0)
    }
}

/// Upper-case octets with colons, as RouterOS prints a MAC address.
impl fmt::Display for Hardware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, octet) in self.octets().iter().enumerate() {
            let colon = if at == 0 { "" } else { ":" };
            write!(f, "{colon}{octet:02X}")?;
        }
        Ok(())
    }
}
