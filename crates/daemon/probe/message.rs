//! DHCP messages as a client sees them: built, read with tolerance, told in RouterOS's words.

use core::fmt;
use core::net::Ipv4Addr;

use leasehold_dhcp::Mac;

/// `DHCPDISCOVER` … `DHCPINFORM` (RFC 2132 § 9.6).
pub const DISCOVER: u8 = 1;
/// See [`DISCOVER`].
pub const OFFER: u8 = 2;
/// See [`DISCOVER`].
pub const REQUEST: u8 = 3;
/// See [`DISCOVER`].
pub const ACK: u8 = 5;
/// See [`DISCOVER`].
pub const NAK: u8 = 6;
/// See [`DISCOVER`].
pub const RELEASE: u8 = 7;

/// Option codes that the client itself uses.
pub mod code {
    /// Subnet mask.
    pub const MASK: u8 = 1;
    /// Router.
    pub const ROUTER: u8 = 3;
    /// DNS server.
    pub const DNS: u8 = 6;
    /// Requested address.
    pub const REQUESTED: u8 = 50;
    /// Lease time.
    pub const LEASE_TIME: u8 = 51;
    /// Message type.
    pub const KIND: u8 = 53;
    /// Server identifier.
    pub const SERVER: u8 = 54;
    /// Parameter request list.
    pub const PARAMETERS: u8 = 55;
    /// Error message.
    pub const MESSAGE: u8 = 56;
    /// Client identifier.
    pub const CLIENT_ID: u8 = 61;
}

/// One message, of a client or of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// 1 from clients, 2 from servers.
    pub op: u8,
    /// The transaction.
    pub xid: u32,
    /// The client asks for broadcasts.
    pub broadcast: bool,
    /// The client's address, if it has one.
    pub ciaddr: Ipv4Addr,
    /// The address that it gets.
    pub yiaddr: Ipv4Addr,
    /// The next server of its boot.
    pub siaddr: Ipv4Addr,
    /// Its relay.
    pub giaddr: Ipv4Addr,
    /// Its Ethernet address.
    pub mac: Mac,
    /// Options in the order in which they first appear; what is repeated is joined (RFC 3396).
    pub options: Vec<(u8, Vec<u8>)>,
}

const FIXED: usize = 236;
const COOKIE: [u8; 4] = [99, 130, 83, 99];
const BROADCAST: u16 = 0x8000;
/// RFC 1542 § 2.1: no relay needs to accept what is shorter.
const SHORTEST: usize = 300;

impl Message {
    /// A client's message.
    #[must_use]
    pub fn of_client(kind: u8, mac: Mac, xid: u32) -> Self {
        let none = Ipv4Addr::UNSPECIFIED;
        let (ciaddr, yiaddr, siaddr, giaddr) = (none, none, none, none);
        let options = vec![(code::KIND, vec![kind])];
        Self { op: 1, xid, broadcast: false, ciaddr, yiaddr, siaddr, giaddr, mac, options }
    }

    /// With one more option.
    #[must_use]
    pub fn with(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    /// Reads a UDP payload; `None` if it is no DHCP message of an Ethernet client.
    #[must_use]
    pub fn read(payload: &[u8]) -> Option<Self> {
        let (header, rest) = payload.split_at_checked(FIXED)?;
        let options = rest.strip_prefix(&COOKIE)?;
        let address =
            |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
        let mac = header[28..].first_chunk().copied().filter(|_| header[2] == 6).map(Mac)?;
        let mut message = Self {
            op: header[0],
            xid: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            broadcast: header[10] & 0x80 != 0,
            ciaddr: address(12),
            yiaddr: address(16),
            siaddr: address(20),
            giaddr: address(24),
            mac,
            options: Vec::new(),
        };
        message.read_options(options);
        message.kind()?;
        Some(message)
    }

    fn read_options(&mut self, mut bytes: &[u8]) {
        while let Some((&code, rest)) = bytes.split_first() {
            match code {
                0 => bytes = rest,
                255 => return,
                _ => {
                    let Some((&length, rest)) = rest.split_first() else { return };
                    let Some((value, rest)) = rest.split_at_checked(length.into()) else { return };
                    match self.options.iter_mut().find(|(known, _)| *known == code) {
                        Some((_, known)) => known.extend_from_slice(value),
                        None => self.options.push((code, value.to_vec())),
                    }
                    bytes = rest;
                }
            }
        }
    }

    /// The UDP payload.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![0; FIXED];
        out[..4].copy_from_slice(&[self.op, 1, 6, 0]);
        out[4..8].copy_from_slice(&self.xid.to_be_bytes());
        let flags = if self.broadcast { BROADCAST } else { 0 };
        out[10..12].copy_from_slice(&flags.to_be_bytes());
        for (at, address) in
            [(12, self.ciaddr), (16, self.yiaddr), (20, self.siaddr), (24, self.giaddr)]
        {
            out[at..at + 4].copy_from_slice(&address.octets());
        }
        out[28..34].copy_from_slice(&self.mac.0);
        out.extend_from_slice(&COOKIE);
        for (code, value) in &self.options {
            for part in value.chunks(255) {
                out.extend_from_slice(&[*code, part.len() as u8]);
                out.extend_from_slice(part);
            }
        }
        out.push(255);
        out.resize(out.len().max(SHORTEST), 0);
        out
    }

    /// Its type, if it has one.
    #[must_use]
    pub fn kind(&self) -> Option<u8> {
        match self.option(code::KIND)? {
            [kind] => Some(*kind),
            _ => None,
        }
    }

    /// The value of an option.
    #[must_use]
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        self.options.iter().find(|(known, _)| *known == code).map(|(_, value)| &**value)
    }

    /// The first address in an option.
    #[must_use]
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let octets = self.option(code)?.first_chunk::<4>()?;
        Some(Ipv4Addr::from(*octets))
    }

    /// Option 51, seconds.
    #[must_use]
    pub fn lease_time(&self) -> Option<u32> {
        let octets = self.option(code::LEASE_TIME)?.first_chunk::<4>()?;
        Some(u32::from_be_bytes(*octets))
    }

    /// The length of the prefix that option 1 names; 32 without one.
    #[must_use]
    pub fn prefix(&self) -> u8 {
        self.address(code::MASK).map_or(32, |mask| mask.to_bits().count_ones() as u8)
    }

    /// The name of its type.
    #[must_use]
    pub fn name(&self) -> &'static str {
        const NAMES: [&str; 8] =
            ["DISCOVER", "OFFER", "REQUEST", "DECLINE", "ACK", "NAK", "RELEASE", "INFORM"];
        let kind = usize::from(self.kind().unwrap_or(0));
        kind.checked_sub(1).and_then(|at| NAMES.get(at)).copied().unwrap_or("BOOTP")
    }

    /// Its options by name and text, the message type aside.
    pub fn told(&self) -> impl Iterator<Item = (String, String)> {
        let options = self.options.iter().filter(|(code, _)| *code != code::KIND);
        options.map(|(code, value)| (option_name(*code), Told(*code, value).to_string()))
    }
}

/// RouterOS's name of an option.
fn option_name(code: u8) -> String {
    let name = match code {
        1 => "Subnet-Mask",
        2 => "Time-Offset",
        3 => "Router",
        6 => "Domain-Server",
        12 => "Host-Name",
        15 => "Domain-Name",
        26 => "Interface-MTU",
        28 => "Broadcast-Address",
        42 => "NTP-Server",
        44 => "WINS-Server",
        50 => "Address-Request",
        51 => "Address-Time",
        54 => "Server-Id",
        55 => "Parameter-List",
        56 => "Message",
        57 => "Max-DHCP-Message-Size",
        58 => "Renewal-Time",
        59 => "Rebinding-Time",
        60 => "Class-Id",
        61 => "Client-Id",
        66 => "TFTP-Server-Name",
        67 => "Bootfile-Name",
        82 => "Relay-Agent",
        121 => "Classless-Route",
        other => return format!("Option-{other}"),
    };
    name.to_owned()
}

/// The value of an option as its code has it.
struct Told<'a>(u8, &'a [u8]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(code, value) = *self;
        match (code, value) {
            (1 | 3 | 6 | 28 | 42 | 44 | 50 | 54, _) if value.len() % 4 == 0 => {
                let addresses = value.as_chunks::<4>().0.iter().map(|a| Ipv4Addr::from(*a));
                list(f, addresses, ",")
            }
            (2 | 51 | 58 | 59, &[a, b, c, d]) => {
                write!(f, "{}", u32::from_be_bytes([a, b, c, d]))
            }
            (26 | 57, &[a, b]) => write!(f, "{}", u16::from_be_bytes([a, b])),
            (12 | 15 | 56 | 60 | 66 | 67, _) => write!(f, "\"{}\"", value.escape_ascii()),
            (55, _) => list(f, value.iter().map(|code| option_name(*code)), ","),
            _ => list(f, value.iter().map(|octet| format!("{octet:02x}")), "-"),
        }
    }
}

fn list(
    f: &mut fmt::Formatter<'_>,
    items: impl Iterator<Item = impl fmt::Display>,
    separator: &str,
) -> fmt::Result {
    for (at, item) in items.enumerate() {
        if at > 0 {
            f.write_str(separator)?;
        }
        write!(f, "{item}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ack() -> Message {
        let mut ack = Message::of_client(ACK, Mac([2, 0, 0, 0, 0, 1]), 7);
        ack.op = 2;
        ack.yiaddr = Ipv4Addr::new(67, 9, 97, 254);
        ack.with(code::MASK, &[255, 255, 255, 0]).with(code::LEASE_TIME, &86_400u32.to_be_bytes())
    }

    #[test]
    fn a_message_comes_back() {
        let long = ack().with(224, &[7; 600]);
        let read = Message::read(&long.bytes()).unwrap();
        assert_eq!(read, long);
        assert_eq!((read.prefix(), read.lease_time(), read.name()), (24, Some(86_400), "ACK"));
        let told: Vec<_> = ack().told().collect();
        let expected = [("Subnet-Mask", "255.255.255.0"), ("Address-Time", "86400")];
        assert_eq!(told, expected.map(|(name, text)| (name.into(), text.into())));
    }

    #[test]
    fn a_servers_text_cannot_reach_the_terminal_raw() {
        let nasty = ack().with(code::MESSAGE, b"\x1b[2Jhello\"");
        let told: Vec<_> = nasty.told().map(|(_, text)| text).collect();
        assert_eq!(told[2], r#""\x1b[2Jhello\"""#);
    }

    proptest! {
        #[test]
        fn rubbish_never_panics(mut payload in prop::collection::vec(any::<u8>(), 0..400)) {
            if let Some(cookie) = payload.get_mut(FIXED..FIXED + 4) {
                cookie.copy_from_slice(&COOKIE);
            }
            if let Some(message) = Message::read(&payload) {
                message.told().for_each(drop);
            }
        }
    }
}
