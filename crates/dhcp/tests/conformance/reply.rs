//! Replies as they would leave, read without the code under test.

use std::net::{Ipv4Addr, SocketAddrV4};

use dhcproto::{Decodable, Decoder, v4};
use leasehold_dhcp::{Destination, Mac};

use crate::world::BROADCAST;

/// A reply as it would leave.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) to: Destination,
    pub(crate) bytes: Vec<u8>,
}

impl Reply {
    fn field(&self, at: usize) -> Ipv4Addr {
        let octets: [u8; 4] = self.bytes[at..at + 4].try_into().expect("four octets");
        octets.into()
    }

    pub(crate) fn ciaddr(&self) -> Ipv4Addr {
        self.field(12)
    }

    pub(crate) fn yiaddr(&self) -> Ipv4Addr {
        self.field(16)
    }

    pub(crate) fn siaddr(&self) -> Ipv4Addr {
        self.field(20)
    }

    pub(crate) fn giaddr(&self) -> Ipv4Addr {
        self.field(24)
    }

    pub(crate) fn flags(&self) -> u16 {
        u16::from_be_bytes([self.bytes[10], self.bytes[11]])
    }

    pub(crate) fn file(&self) -> &[u8] {
        let file = &self.bytes[108..236];
        &file[..file.iter().position(|&octet| octet == 0).unwrap_or(128)]
    }

    /// Every piece in the options field, in order.
    pub(crate) fn pieces(&self) -> Vec<(u8, Vec<u8>)> {
        let (mut pieces, mut at) = (Vec::new(), 240);
        while self.bytes[at] != 255 {
            if self.bytes[at] == 0 {
                at += 1;
                continue;
            }
            let end = at + 2 + usize::from(self.bytes[at + 1]);
            pieces.push((self.bytes[at], self.bytes[at + 2..end].to_vec()));
            at = end;
        }
        let rest = &self.bytes[at + 1..];
        assert!(rest.iter().all(|&octet| octet == 0), "behind END there is nothing but padding");
        pieces
    }

    /// The codes of the options field, in order.
    pub(crate) fn codes(&self) -> Vec<u8> {
        self.pieces().into_iter().map(|(code, _)| code).collect()
    }

    pub(crate) fn option(&self, code: u8) -> Option<Vec<u8>> {
        let pieces: Vec<_> = self.pieces().into_iter().filter(|piece| piece.0 == code).collect();
        (!pieces.is_empty()).then(|| pieces.into_iter().flat_map(|piece| piece.1).collect())
    }

    pub(crate) fn has(&self, code: u8) -> bool {
        self.option(code).is_some()
    }

    pub(crate) fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(octets.into())
    }

    pub(crate) fn number(&self, code: u8) -> Option<u32> {
        let octets: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(u32::from_be_bytes(octets))
    }

    /// The message type: 2 OFFER, 5 ACK, 6 NAK.
    pub(crate) fn kind(&self) -> Option<u8> {
        self.option(53).map(|value| value[0])
    }

    /// As dhcproto reads it.
    pub(crate) fn decoded(&self) -> v4::Message {
        v4::Message::decode(&mut Decoder::new(&self.bytes)).expect("dhcproto reads it")
    }

    /// Where the frame goes: station and IP destination with port.
    pub(crate) fn link(&self) -> Option<(Mac, SocketAddrV4)> {
        match self.to {
            Destination::Link { mac, target, .. } => Some((mac, target)),
            Destination::Routed { .. } => None,
        }
    }

    pub(crate) fn target(&self) -> SocketAddrV4 {
        match self.to {
            Destination::Link { target, .. } | Destination::Routed { target, .. } => target,
        }
    }

    pub(crate) fn is_broadcast(&self) -> bool {
        self.link() == Some((Mac::BROADCAST, SocketAddrV4::new(BROADCAST, 68)))
    }
}
