//! The DISCOVER that looks for other servers, and what is needed to know of their answers.

use core::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use super::options::Index;
use super::{COOKIE, HEADER, code};
use crate::client::Hardware;
use crate::link::Mac;

/// BOOTP's smallest message: some servers ignore shorter ones.
const LENGTH: usize = 300;

/// Whom a search on an interface pretends to be: a station that is none of its clients, so that
/// nobody's lease is touched.
#[must_use]
pub fn searcher(own: Mac) -> Mac {
    let [_, b, c, d, e, f] = own.0;
    Mac([0x06, b, c, d, e, f ^ 0x55])
}

/// A DISCOVER of this station. Answers are to be broadcast: it has no address, and no interface.
#[must_use]
pub fn search(station: Mac, xid: u32) -> Vec<u8> {
    let mut message = vec![0; HEADER];
    message[..4].copy_from_slice(&[1, Hardware::ETHERNET, 6, 0]);
    message[4..8].copy_from_slice(&xid.to_be_bytes());
    message[10] = 0x80;
    message[28..34].copy_from_slice(&station.0);
    message[236..].copy_from_slice(&COOKIE);
    message.extend([code::MESSAGE_TYPE, 1, MessageType::Discover.into()]);
    message.extend([code::CLIENT_ID, 7, Hardware::ETHERNET]);
    message.extend(station.0);
    message.extend([code::PARAMETER_REQUEST_LIST, 2, code::SUBNET_MASK, code::ROUTER]);
    message.push(code::END);
    message.resize(LENGTH, 0);
    message
}

/// Whose word a message to a client is: the server identifier of an OFFER, an ACK or a NAK. The
/// outer `None` is for what no DHCP server says.
#[must_use]
pub fn server_of(payload: &[u8]) -> Option<Option<Ipv4Addr>> {
    let header = payload.first_chunk::<HEADER>()?;
    if header[0] != 2 || header[236..] != COOKIE {
        return None;
    }
    let mut index = Index::default();
    let options = index.walk(payload);
    let [kind] = options.array::<1>(code::MESSAGE_TYPE)?;
    let kind = MessageType::from(kind);
    let speaks = matches!(kind, MessageType::Offer | MessageType::Ack | MessageType::Nak);
    speaks.then(|| options.address(code::SERVER_ID))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Message, Parser};

    #[test]
    fn a_search_is_a_legal_discover_of_nobody() {
        let station = searcher(Mac([2, 0, 0, 0, 0, 1]));
        let payload = search(station, 7);
        let mut parser = Parser::default();
        let request = parser.parse(&payload, Ipv4Addr::BROADCAST).unwrap();
        assert_eq!(request.message, Message::Discover { requested: None });
        assert_eq!((request.hardware.mac(), request.xid), (Some(station), 7));
        assert!(request.wants_broadcast() && station.0[0] & 1 == 0);
        assert_eq!(server_of(&payload), None, "a client's");
    }

    #[test]
    fn what_servers_say_is_theirs() {
        let mut reply = search(Mac([2, 0, 0, 0, 0, 1]), 7);
        reply[0] = 2;
        assert_eq!(server_of(&reply), None, "a server sends no DISCOVER");
        reply[242] = 2;
        assert_eq!(server_of(&reply), Some(None));
        reply[243..249].copy_from_slice(&[54, 4, 192, 0, 2, 1]);
        assert_eq!(server_of(&reply), Some(Some(Ipv4Addr::new(192, 0, 2, 1))));
        assert_eq!(server_of(&reply[..100]), None);
    }
}
