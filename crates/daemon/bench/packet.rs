//! The messages that the clients send: laid out once, then copied and filled in at known places.

use std::net::Ipv4Addr;

pub(super) const SERVER_PORT: u16 = 67;
pub(super) const CLIENT_PORT: u16 = 68;

/// Octets before the options: RFC 2131's header with its two text fields, and the cookie.
pub(super) const HEADER: usize = 240;
pub(super) const COOKIE: [u8; 4] = [99, 130, 83, 99];
/// BOOTP's size, which relays and some servers still insist on (RFC 1542 § 2.1).
const SIZE_MIN: usize = 300;
const BROADCAST: u16 = 0x8000;
const REMOTE_ID: &[u8] = b"leasehold bench";
/// Digits of a client's number in its host name and circuit-id.
const DIGITS: usize = 8;

pub(super) const DISCOVER: u8 = 1;
pub(super) const OFFER: u8 = 2;
pub(super) const REQUEST: u8 = 3;
pub(super) const ACK: u8 = 5;
pub(super) const NAK: u8 = 6;
const RELEASE: u8 = 7;

/// A message by what it is for; REQUEST has RFC 2131 § 4.3.2's forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A client looks for servers.
    Discover,
    /// REQUEST in SELECTING: server identifier and requested address.
    Select,
    /// REQUEST in INIT-REBOOT: requested address alone.
    Reboot,
    /// REQUEST in RENEWING or, through a relay, REBINDING: ciaddr alone.
    Renew,
    /// A client gives its lease back.
    Release,
}

/// What all clients of a run have in common.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The relay's address; unspecified for clients on the link.
    pub giaddr: Ipv4Addr,
    /// Ask for broadcast answers.
    pub broadcast: bool,
    /// Send option 61.
    pub client_id: bool,
    /// Send option 12, of 12 octets.
    pub host_name: bool,
    /// The relay adds option 82.
    pub option_82: bool,
}

/// What differs between two messages of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Fields {
    /// Transaction.
    pub xid: u32,
    /// Seconds since the client began.
    pub secs: u16,
    /// `chaddr`.
    pub mac: [u8; 6],
    /// The client's number, which stands in its host name and circuit-id.
    pub number: u32,
    /// The address that it has or wants.
    pub address: Ipv4Addr,
    /// The server that it chose.
    pub server: Ipv4Addr,
}

/// One kind of message with room for its fields.
#[derive(Debug)]
struct Template {
    bytes: Vec<u8>,
    ciaddr: bool,
    client_id: Option<usize>,
    host_name: Option<usize>,
    requested: Option<usize>,
    server: Option<usize>,
    circuit: Option<usize>,
}

/// All kinds of messages.
#[derive(Debug)]
pub struct Messages {
    profile: Profile,
    templates: [Template; 5],
}

impl Messages {
    /// Lays all kinds out.
    #[must_use]
    pub fn new(profile: Profile) -> Self {
        use Kind::{Discover, Reboot, Release, Renew, Select};
        let kinds = [Discover, Select, Reboot, Renew, Release];
        Self { profile, templates: kinds.map(|kind| Template::new(kind, &profile)) }
    }

    /// Writes one message to the front of `to` and returns its size.
    pub fn write(&self, kind: Kind, fields: &Fields, to: &mut [u8]) -> usize {
        self.templates[kind as usize].write(fields, to)
    }

    /// Octets that the relay added as option 82 to this client's messages; none without a relay.
    pub(super) fn agent_matches(&self, number: u32, echoed: Option<&[u8]>) -> bool {
        match (self.profile.option_82, echoed) {
            (false, None) => true,
            (true, Some(echoed)) => {
                let mut expected = [0; 2 + CIRCUIT_ID.len() + DIGITS + 2 + REMOTE_ID.len()];
                agent(&mut expected);
                let at = 2 + CIRCUIT_ID.len();
                write_digits(number, &mut expected[at..at + DIGITS]);
                echoed == expected
            }
            _ => false,
        }
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.profile
    }
}

const CIRCUIT_ID: &[u8] = b"ether-83:";

/// Option 82's content with zeros for the digits: circuit-id (1) and remote-id (2).
fn agent(content: &mut [u8; 2 + CIRCUIT_ID.len() + DIGITS + 2 + REMOTE_ID.len()]) {
    content[0] = 1;
    content[1] = (CIRCUIT_ID.len() + DIGITS) as u8;
    content[2..2 + CIRCUIT_ID.len()].copy_from_slice(CIRCUIT_ID);
    let remote = 2 + CIRCUIT_ID.len() + DIGITS;
    content[remote] = 2;
    content[remote + 1] = REMOTE_ID.len() as u8;
    content[remote + 2..].copy_from_slice(REMOTE_ID);
}

impl Template {
    fn new(kind: Kind, profile: &Profile) -> Self {
        let mut bytes = vec![0; HEADER];
        bytes[..3].copy_from_slice(&[1, 1, 6]);
        bytes[3] = u8::from(!profile.giaddr.is_unspecified());
        let flags = if profile.broadcast && kind != Kind::Renew { BROADCAST } else { 0 };
        bytes[10..12].copy_from_slice(&flags.to_be_bytes());
        bytes[24..28].copy_from_slice(&profile.giaddr.octets());
        bytes[HEADER - 4..].copy_from_slice(&COOKIE);
        let message = match kind {
            Kind::Discover => DISCOVER,
            Kind::Select | Kind::Reboot | Kind::Renew => REQUEST,
            Kind::Release => RELEASE,
        };
        put(&mut bytes, 53, &[message]);
        let client_id = profile.client_id.then(|| put(&mut bytes, 61, &[1, 0, 0, 0, 0, 0, 0]) + 1);
        let requested = matches!(kind, Kind::Select | Kind::Reboot);
        let requested = requested.then(|| put(&mut bytes, 50, &[0; 4]));
        let server = matches!(kind, Kind::Select | Kind::Release);
        let server = server.then(|| put(&mut bytes, 54, &[0; 4]));
        let host_name = (profile.host_name && kind != Kind::Release)
            .then(|| put(&mut bytes, 12, b"cpe-00000000") + 4);
        if kind != Kind::Release {
            put(&mut bytes, 57, &1472u16.to_be_bytes());
            put(&mut bytes, 55, &[1, 3, 6, 15, 28, 42, 51, 54, 58, 59, 119, 121]);
        }
        let circuit = profile.option_82.then(|| {
            let mut content = [0; 2 + CIRCUIT_ID.len() + DIGITS + 2 + REMOTE_ID.len()];
            agent(&mut content);
            put(&mut bytes, 82, &content) + 2 + CIRCUIT_ID.len()
        });
        bytes.push(255);
        bytes.resize(bytes.len().max(SIZE_MIN), 0);
        let ciaddr = matches!(kind, Kind::Renew | Kind::Release);
        Self { bytes, ciaddr, client_id, host_name, requested, server, circuit }
    }

    fn write(&self, fields: &Fields, to: &mut [u8]) -> usize {
        let to = &mut to[..self.bytes.len()];
        to.copy_from_slice(&self.bytes);
        to[4..8].copy_from_slice(&fields.xid.to_be_bytes());
        to[8..10].copy_from_slice(&fields.secs.to_be_bytes());
        if self.ciaddr {
            to[12..16].copy_from_slice(&fields.address.octets());
        }
        to[28..34].copy_from_slice(&fields.mac);
        if let Some(at) = self.client_id {
            to[at..at + 6].copy_from_slice(&fields.mac);
        }
        if let Some(at) = self.requested {
            to[at..at + 4].copy_from_slice(&fields.address.octets());
        }
        if let Some(at) = self.server {
            to[at..at + 4].copy_from_slice(&fields.server.octets());
        }
        for at in [self.host_name, self.circuit].into_iter().flatten() {
            write_digits(fields.number, &mut to[at..at + DIGITS]);
        }
        self.bytes.len()
    }
}

/// Appends an option and returns where its content begins.
fn put(bytes: &mut Vec<u8>, code: u8, content: &[u8]) -> usize {
    bytes.extend_from_slice(&[code, content.len() as u8]);
    bytes.extend_from_slice(content);
    bytes.len() - content.len()
}

fn write_digits(mut number: u32, to: &mut [u8]) {
    for digit in to.iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profile(option_82: bool) -> Profile {
        let giaddr = Ipv4Addr::new(192, 0, 2, 1);
        Profile { giaddr, broadcast: false, client_id: true, host_name: true, option_82 }
    }

    fn fields() -> Fields {
        Fields {
            xid: 0x0102_0304,
            secs: 7,
            mac: [2, 0, 0, 0xaa, 0xbb, 0xcc],
            number: 12_345_678,
            address: Ipv4Addr::new(10, 0, 0, 9),
            server: Ipv4Addr::new(10, 0, 0, 1),
        }
    }

    fn option(message: &[u8], code: u8) -> Option<&[u8]> {
        let mut rest = &message[HEADER..];
        while let [found, length, tail @ ..] = rest {
            let (content, next) = tail.split_at(usize::from(*length));
            if *found == code {
                return Some(content);
            }
            if *found == 255 {
                break;
            }
            rest = next;
        }
        None
    }

    #[test]
    fn a_select_names_address_and_server() {
        let mut buffer = [0; 600];
        let messages = Messages::new(profile(true));
        let size = messages.write(Kind::Select, &fields(), &mut buffer);
        let message = &buffer[..size];
        assert_eq!(option(message, 53), Some(&[REQUEST][..]));
        assert_eq!(option(message, 50), Some(&[10, 0, 0, 9][..]));
        assert_eq!(option(message, 54), Some(&[10, 0, 0, 1][..]));
        assert_eq!(option(message, 61), Some(&[1, 2, 0, 0, 0xaa, 0xbb, 0xcc][..]));
        assert_eq!(option(message, 12), Some(&b"cpe-12345678"[..]));
        assert_eq!(message[12..16], [0; 4], "ciaddr is zero in SELECTING");
        assert!(messages.agent_matches(12_345_678, option(message, 82)));
        assert!(!messages.agent_matches(12_345_679, option(message, 82)));
        assert!(!messages.agent_matches(12_345_678, None));
    }

    #[test]
    fn a_renewal_has_its_address_in_ciaddr_alone() {
        let mut buffer = [0; 600];
        let messages = Messages::new(profile(false));
        let size = messages.write(Kind::Renew, &fields(), &mut buffer);
        let message = &buffer[..size];
        assert_eq!(message[12..16], [10, 0, 0, 9]);
        assert_eq!(option(message, 50), None);
        assert_eq!(option(message, 54), None);
        assert_eq!(message.len(), SIZE_MIN);
        assert!(messages.agent_matches(1, option(message, 82)));
    }
}
