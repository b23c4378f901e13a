//! What a rude client does: other people's addresses, floods, rubbish, squatting.

use core::net::Ipv4Addr;

use super::{Client, Outgoing, Payload, Toward};
use crate::message::{self, Kind, Message};

/// One rude deed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mischief {
    /// RELEASE of somebody else's address under its own name.
    Release,
    /// DECLINE of somebody else's address under its own name.
    Decline,
    /// REQUEST for somebody else's address as if offered (options 50 and 54).
    Select,
    /// REQUEST for somebody else's address as after a reboot (option 50).
    Reboot,
    /// REQUEST for somebody else's address as a renewal (`ciaddr`).
    Renew,
    /// REQUEST that takes the offer of another server, which does not exist.
    Elsewhere,
    /// INFORM from an address that it has or has not.
    Inform,
    /// That many DISCOVERs from Ethernet addresses that nobody has.
    Flood(u8),
    /// That many REQUESTs for the addresses that follow, from Ethernet addresses that nobody has.
    Grab(u8),
    /// A message with octets changed, or cut short.
    Rubbish,
    /// Uses an address of the pool and answers ARP for it.
    Squat,
    /// Stops that.
    Leave,
}

/// What a rude client has overheard: an address of somebody, and the server's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rumour {
    pub address: Ipv4Addr,
    pub server: Ipv4Addr,
}

impl Client {
    pub(crate) fn misbehave(&mut self, deed: Mischief, rumour: Rumour, out: &mut Vec<Outgoing>) {
        let Rumour { address, server } = rumour;
        match deed {
            Mischief::Squat => self.squats = Some(address),
            Mischief::Leave => self.squats = None,
            Mischief::Release => {
                let mut message = self.rude(Kind::Release).with_address(message::SERVER_ID, server);
                message.ciaddr = address;
                self.shout(message, out);
            }
            Mischief::Decline => {
                let message = self
                    .rude(Kind::Decline)
                    .with_address(message::REQUESTED_ADDRESS, address)
                    .with_address(message::SERVER_ID, server);
                self.shout(message, out);
            }
            Mischief::Select | Mischief::Elsewhere => {
                let elsewhere = Ipv4Addr::new(10, 250, 0, 1);
                let taken = if deed == Mischief::Select { server } else { elsewhere };
                let message = self
                    .rude(Kind::Request)
                    .with_address(message::REQUESTED_ADDRESS, address)
                    .with_address(message::SERVER_ID, taken);
                self.shout(message, out);
            }
            Mischief::Reboot => {
                let message =
                    self.rude(Kind::Request).with_address(message::REQUESTED_ADDRESS, address);
                self.shout(message, out);
            }
            Mischief::Renew | Mischief::Inform => {
                let kind = if deed == Mischief::Renew { Kind::Request } else { Kind::Inform };
                let mut message = self.rude(kind);
                message.ciaddr = address;
                self.shout(message, out);
            }
            Mischief::Flood(count) => {
                for _ in 0..count {
                    let message = self.phantom(Kind::Discover);
                    self.shout(message, out);
                }
            }
            Mischief::Grab(count) => {
                for further in 0..u32::from(count) {
                    let wanted = Ipv4Addr::from(u32::from(address).wrapping_add(further));
                    let message = self
                        .phantom(Kind::Request)
                        .with_address(message::REQUESTED_ADDRESS, wanted)
                        .with_address(message::SERVER_ID, server);
                    self.shout(message, out);
                }
            }
            Mischief::Rubbish => self.rubbish(address, out),
        }
    }

    fn rude(&mut self, kind: Kind) -> Message {
        let xid = self.random.bits() as u32;
        let message = Message::request(kind, xid, self.identity.mac);
        if self.identity.client_id.is_empty() {
            return message;
        }
        message.with(message::CLIENT_ID, &self.identity.client_id.clone())
    }

    /// A message from an Ethernet address that no client has.
    fn phantom(&mut self, kind: Kind) -> Message {
        let bits = self.random.bits().to_be_bytes();
        let mac = [2, 0xff, bits[0], bits[1], bits[2], bits[3]];
        Message::request(kind, u32::from_be_bytes([bits[4], bits[5], bits[6], bits[7]]), mac)
    }

    fn shout(&mut self, message: Message, out: &mut Vec<Outgoing>) {
        self.send_bytes(Payload::Message(message), out);
    }

    fn rubbish(&mut self, address: Ipv4Addr, out: &mut Vec<Outgoing>) {
        let kind = self.random.pick(&[Kind::Discover, Kind::Request, Kind::Decline, Kind::Ack]);
        // A phantom's: an octet changed by chance must not speak in a real client's name.
        let mut bytes = self
            .phantom(kind)
            .with_address(message::REQUESTED_ADDRESS, address)
            .with(message::CLIENT_ID, &[1, 2, 3, 4, 5, 6, 7])
            .with(message::RELAY_AGENT, &[1, 3, 65, 66, 67])
            .encode();
        for _ in 0..self.random.within(0, 12) {
            let at = self.random.index(bytes.len());
            bytes[at] = self.random.bits() as u8;
        }
        if self.random.chance(300) {
            bytes.truncate(self.random.index(bytes.len()));
        }
        self.send_bytes(Payload::Rubbish(bytes), out);
    }

    fn send_bytes(&self, payload: Payload, out: &mut Vec<Outgoing>) {
        out.push(Outgoing { toward: Toward::Everybody, source: Ipv4Addr::UNSPECIFIED, payload });
    }
}
