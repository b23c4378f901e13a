//! A simulated client: one Ethernet address, and the messages of RFC 2131 in each of its states.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::PATIENCE;
use super::frame::{Envelope, Mac};
use super::message::{Message, Reply, code, kind};
use super::tap::Tap;

/// After this time without an answer a client says it again.
const REPEAT: Duration = Duration::from_secs(3);

/// A client that speaks through a tap. It does not keep state: the test says what it sends.
pub struct Client<'t> {
    tap: &'t Tap,
    mac: Mac,
    client_id: Option<Vec<u8>>,
    parameters: Vec<u8>,
    flags: u16,
}

impl<'t> Client<'t> {
    /// The `number`th client; the same number is the same client.
    pub fn new(tap: &'t Tap, number: u32) -> Self {
        Self::with_mac(tap, Mac::of(number))
    }

    pub fn with_mac(tap: &'t Tap, mac: Mac) -> Self {
        let parameters = vec![code::MASK, code::ROUTER, code::DNS, code::DOMAIN];
        Self { tap, mac, client_id: None, parameters, flags: 0 }
    }

    /// The client names itself with option 61.
    pub fn client_id(mut self, client_id: &[u8]) -> Self {
        self.client_id = Some(client_id.to_vec());
        self
    }

    /// What the client asks for in option 55; nothing: no such option.
    pub fn parameters(mut self, codes: &[u8]) -> Self {
        self.parameters = codes.to_vec();
        self
    }

    /// The client cannot receive unicast before it has an address.
    pub fn wants_broadcast(mut self) -> Self {
        self.flags = Message::BROADCAST_FLAG;
        self
    }

    pub fn mac(&self) -> Mac {
        self.mac
    }

    /// A message of this kind under a new transaction id.
    pub fn message(&self, kind: u8) -> Message {
        let mut message = Message::new(kind, self.mac, self.tap.fresh_xid());
        message.flags = self.flags;
        if let Some(client_id) = &self.client_id {
            message = message.option(code::CLIENT_ID, client_id);
        }
        if !self.parameters.is_empty()
            && matches!(kind, kind::DISCOVER | kind::REQUEST | kind::INFORM)
        {
            message = message.option(code::PARAMETERS, &self.parameters);
        }
        message
    }

    pub fn discover(&self) -> Message {
        self.message(kind::DISCOVER)
    }

    /// The REQUEST of the SELECTING state: takes an offer.
    pub fn selecting(&self, offer: &Reply) -> Message {
        let server = offer.address(code::SERVER).expect("a server identifier");
        self.message(kind::REQUEST)
            .option_address(code::SERVER, server)
            .option_address(code::REQUESTED, offer.yiaddr())
            .with(|request| request.xid = offer.xid())
    }

    /// The REQUEST of the INIT-REBOOT state: remembers an address.
    pub fn init_reboot(&self, address: Ipv4Addr) -> Message {
        self.message(kind::REQUEST).option_address(code::REQUESTED, address)
    }

    /// The REQUEST of the RENEWING and REBINDING states, which differ only in how they are sent.
    pub fn renewing(&self, address: Ipv4Addr) -> Message {
        self.message(kind::REQUEST).with(|request| request.ciaddr = address)
    }

    pub fn release(&self, address: Ipv4Addr, server: Ipv4Addr) -> Message {
        self.message(kind::RELEASE)
            .option_address(code::SERVER, server)
            .with(|release| release.ciaddr = address)
    }

    pub fn decline(&self, address: Ipv4Addr, server: Ipv4Addr) -> Message {
        self.message(kind::DECLINE)
            .option_address(code::SERVER, server)
            .option_address(code::REQUESTED, address)
    }

    pub fn inform(&self, address: Ipv4Addr) -> Message {
        self.message(kind::INFORM).with(|inform| inform.ciaddr = address)
    }

    /// Broadcasts, as a client without an address does.
    pub fn broadcast(&self, message: &Message) {
        self.tap.send(&Envelope::broadcast(self.mac), message);
    }

    /// Broadcasts, repeats itself as clients do, and waits for the answer to this transaction.
    pub fn ask(&self, message: &Message) -> Reply {
        self.ask_in(&Envelope::broadcast(self.mac), message)
    }

    /// Like [`Client::ask`], inside any headers.
    pub fn ask_in(&self, envelope: &Envelope, message: &Message) -> Reply {
        // What is still on its way may answer an earlier message of the same transaction.
        self.tap.heard(|_| false);
        for _ in 0..PATIENCE.as_secs() / REPEAT.as_secs() {
            self.tap.send(envelope, message);
            if let Some(reply) = self.tap.hear(REPEAT, |reply| reply.answers(message)) {
                reply.assert_sound(message);
                return reply;
            }
        }
        panic!("no answer to kind {} of {}", message.kind(), self.mac);
    }

    /// Sends to one server as a bound client does, and waits for the answer.
    pub fn ask_server(&self, message: &Message, server_mac: Mac, server: Ipv4Addr) -> Reply {
        self.ask_in(&Envelope::unicast(self.mac, message.ciaddr, server_mac, server), message)
    }

    /// Waits for the answer to a message that was sent.
    pub fn answer(&self, message: &Message) -> Reply {
        let what = format!("the answer to kind {} of {}", message.kind(), self.mac);
        let reply = self.tap.expect(&what, |reply| reply.answers(message));
        reply.assert_sound(message);
        reply
    }

    /// DISCOVER, OFFER, REQUEST, ACK.
    pub fn lease(&self) -> Reply {
        let offer = self.ask(&self.discover());
        assert!(offer.is(kind::OFFER), "{offer:?}");
        let ack = self.ask(&self.selecting(&offer));
        assert!(ack.is(kind::ACK), "{ack:?}");
        assert_eq!(ack.yiaddr(), offer.yiaddr());
        ack
    }
}
