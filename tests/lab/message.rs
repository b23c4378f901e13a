//! DHCP messages: any bytes on the way out; on the way in read twice, by this file and by dhcproto.

use std::fmt;
use std::net::Ipv4Addr;

use dhcproto::{Decodable, Decoder, v4};

use super::frame::{Headers, Mac};

/// Values of option 53.
pub mod kind {
    pub const DISCOVER: u8 = 1;
    pub const OFFER: u8 = 2;
    pub const REQUEST: u8 = 3;
    pub const DECLINE: u8 = 4;
    pub const ACK: u8 = 5;
    pub const NAK: u8 = 6;
    pub const RELEASE: u8 = 7;
    pub const INFORM: u8 = 8;
}

/// Option codes that the tests name.
pub mod code {
    pub const MASK: u8 = 1;
    pub const ROUTER: u8 = 3;
    pub const DNS: u8 = 6;
    pub const HOST_NAME: u8 = 12;
    pub const DOMAIN: u8 = 15;
    pub const REQUESTED: u8 = 50;
    pub const LEASE_TIME: u8 = 51;
    pub const OVERLOAD: u8 = 52;
    pub const KIND: u8 = 53;
    pub const SERVER: u8 = 54;
    pub const PARAMETERS: u8 = 55;
    pub const TEXT: u8 = 56;
    pub const MAX_SIZE: u8 = 57;
    pub const T1: u8 = 58;
    pub const T2: u8 = 59;
    pub const CLIENT_ID: u8 = 61;
    pub const RELAY_AGENT: u8 = 82;
}

const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// A message to be sent. Every field can be made wrong.
#[derive(Clone)]
pub struct Message {
    pub op: u8,
    pub htype: u8,
    pub hlen: u8,
    pub hops: u8,
    pub xid: u32,
    pub secs: u16,
    pub flags: u16,
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub siaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub chaddr: [u8; 16],
    pub sname: [u8; 64],
    pub file: [u8; 128],
    pub cookie: [u8; 4],
    pub options: Vec<u8>,
    /// What follows the options: normally the END option.
    pub end: Vec<u8>,
    /// Zeros are added up to this length.
    pub padded_to: usize,
    /// And then everything from here on is cut off.
    pub cut_at: usize,
}

impl Message {
    pub const BROADCAST_FLAG: u16 = 0x8000;

    /// A client's message without options.
    pub fn bare(mac: Mac, xid: u32) -> Self {
        let mut chaddr = [0; 16];
        chaddr[..6].copy_from_slice(&mac.0);
        Self {
            op: 1,
            htype: 1,
            hlen: 6,
            hops: 0,
            xid,
            secs: 0,
            flags: 0,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr,
            sname: [0; 64],
            file: [0; 128],
            cookie: COOKIE,
            options: Vec::new(),
            end: vec![255],
            padded_to: 300,
            cut_at: usize::MAX,
        }
    }

    pub fn new(kind: u8, mac: Mac, xid: u32) -> Self {
        Self::bare(mac, xid).option(code::KIND, &[kind])
    }

    /// Adds one option, octets as given.
    pub fn option(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push(code);
        self.options.push(u8::try_from(value.len()).unwrap());
        self.options.extend_from_slice(value);
        self
    }

    pub fn option_address(self, code: u8, address: Ipv4Addr) -> Self {
        self.option(code, &address.octets())
    }

    /// Option 53 as it is going to be sent, or 0.
    pub fn kind(&self) -> u8 {
        self.option_sent(code::KIND).and_then(|value| value.first().copied()).unwrap_or(0)
    }

    /// The first option of this code, as this message is going to carry it.
    pub fn option_sent(&self, code: u8) -> Option<&[u8]> {
        let mut rest = self.options.as_slice();
        while let [present, length, tail @ ..] = rest {
            let (value, tail) = tail.split_at_checked((*length).into())?;
            if *present == code {
                return Some(value);
            }
            rest = tail;
        }
        None
    }

    /// Changes any field in passing.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.op, self.htype, self.hlen, self.hops];
        bytes.extend_from_slice(&self.xid.to_be_bytes());
        bytes.extend_from_slice(&self.secs.to_be_bytes());
        bytes.extend_from_slice(&self.flags.to_be_bytes());
        for address in [self.ciaddr, self.yiaddr, self.siaddr, self.giaddr] {
            bytes.extend_from_slice(&address.octets());
        }
        bytes.extend_from_slice(&self.chaddr);
        bytes.extend_from_slice(&self.sname);
        bytes.extend_from_slice(&self.file);
        bytes.extend_from_slice(&self.cookie);
        bytes.extend_from_slice(&self.options);
        bytes.extend_from_slice(&self.end);
        bytes.resize(bytes.len().max(self.padded_to), 0);
        bytes.truncate(self.cut_at);
        bytes
    }
}

/// A server's answer, with the headers that it came in.
#[derive(Clone)]
pub struct Reply {
    pub headers: Headers,
    pub bytes: Vec<u8>,
    /// dhcproto's reading of the same bytes.
    pub decoded: v4::Message,
    /// The options in their order on the wire.
    pub options: Vec<(u8, Vec<u8>)>,
}

impl Reply {
    /// Reads a message of either direction; `None` where it is not DHCP at all.
    pub fn read(headers: Headers, bytes: &[u8]) -> Option<Self> {
        if bytes.len() < 240 || bytes[2] > 16 {
            return None;
        }
        let decoded = v4::Message::decode(&mut Decoder::new(bytes)).ok()?;
        let options = if bytes[236..240] == COOKIE { options(&bytes[240..]) } else { Vec::new() };
        Some(Self { headers, bytes: bytes.to_vec(), decoded, options })
    }

    pub fn op(&self) -> u8 {
        self.bytes[0]
    }

    pub fn xid(&self) -> u32 {
        u32::from_be_bytes(self.bytes[4..8].try_into().unwrap())
    }

    /// Option 53, or 0 for BOOTP.
    pub fn kind(&self) -> u8 {
        self.option(code::KIND).map_or(0, |value| value[0])
    }

    pub fn is(&self, kind: u8) -> bool {
        self.kind() == kind
    }

    pub fn flags(&self) -> u16 {
        u16::from_be_bytes([self.bytes[10], self.bytes[11]])
    }

    pub fn ciaddr(&self) -> Ipv4Addr {
        self.decoded.ciaddr()
    }

    pub fn yiaddr(&self) -> Ipv4Addr {
        self.decoded.yiaddr()
    }

    pub fn siaddr(&self) -> Ipv4Addr {
        self.decoded.siaddr()
    }

    pub fn giaddr(&self) -> Ipv4Addr {
        self.decoded.giaddr()
    }

    pub fn chaddr(&self) -> &[u8] {
        &self.bytes[28..44]
    }

    pub fn mac(&self) -> Mac {
        Mac(self.bytes[28..34].try_into().unwrap())
    }

    /// One option's octets; an option that comes twice ends the test.
    pub fn option(&self, code: u8) -> Option<&[u8]> {
        let mut found = self.options.iter().filter(|(present, _)| *present == code);
        let value = found.next().map(|(_, value)| value.as_slice());
        assert!(found.next().is_none(), "option {code} twice in {self:?}");
        value
    }

    pub fn addresses(&self, code: u8) -> Vec<Ipv4Addr> {
        let value = self.option(code).unwrap_or_default();
        value.chunks_exact(4).map(|o| Ipv4Addr::new(o[0], o[1], o[2], o[3])).collect()
    }

    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.addresses(code).first().copied()
    }

    /// A number of four octets, such as the lease time in seconds.
    pub fn number(&self, code: u8) -> Option<u32> {
        self.option(code).map(|value| u32::from_be_bytes(value.try_into().unwrap()))
    }

    /// Is this a server's answer to that message? An OFFER never answers a REQUEST: it may be
    /// a late one to the DISCOVER of the same transaction.
    pub fn answers(&self, message: &Message) -> bool {
        let late = self.is(kind::OFFER) && message.kind() == kind::REQUEST;
        self.op() == 2 && self.xid() == message.xid && !late
    }

    /// What holds for every answer of a DHCP server, whatever was asked.
    pub fn assert_sound(&self, request: &Message) {
        // RFC 2131, table 3.
        let copied = (request.htype, request.hlen, 0, request.xid, 0, request.giaddr);
        let (hops, secs) = (self.bytes[3], u16::from_be_bytes([self.bytes[8], self.bytes[9]]));
        let found = (self.bytes[1], self.bytes[2], hops, self.xid(), secs, self.giaddr());
        assert_eq!(found, copied, "htype, hlen, hops, xid, secs, giaddr of {self:?}");
        assert_eq!(self.chaddr(), request.chaddr, "chaddr of {self:?}");
        // RFC 1542, section 2.1, and RFC 2132, section 3.2.
        assert!(self.bytes.len() >= 300, "shorter than BOOTP: {self:?}");
        let walked: usize = self.options.iter().map(|(_, value)| value.len() + 2).sum();
        let tail = &self.bytes[240 + walked..];
        assert_eq!(tail.first(), Some(&255), "no END after the options of {self:?}");
        assert!(tail[1..].iter().all(|octet| *octet == 0), "not zero behind the END of {self:?}");
        // RFC 2131, sections 4.1 and 4.3.1; RFC 6842, section 3.
        assert_eq!(self.headers.source_port, 67);
        assert_ne!(self.headers.checksum_good, Some(false), "UDP checksum of {self:?}");
        if self.kind() != 0 {
            assert_eq!(self.options[0].0, code::KIND, "option 53 is not the first of {self:?}");
            assert!(self.option(code::SERVER).is_some(), "no server identifier in {self:?}");
            let named = request.option_sent(code::CLIENT_ID).filter(|id| !id.is_empty());
            assert_eq!(self.option(code::CLIENT_ID), named, "client identifier of {self:?}");
        }
    }

    pub fn codes(&self) -> Vec<u8> {
        self.options.iter().map(|(code, _)| *code).collect()
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers = &self.headers;
        write!(
            f,
            "[{} {}:{} > {} {}:{}] kind {} xid {:08x} ciaddr {} yiaddr {} giaddr {} chaddr {} {:?}",
            headers.source_mac,
            headers.source,
            headers.source_port,
            headers.target_mac,
            headers.target,
            headers.target_port,
            self.kind(),
            self.xid(),
            self.ciaddr(),
            self.yiaddr(),
            self.giaddr(),
            self.mac(),
            self.options,
        )
    }
}

/// Walks an option field to its END.
fn options(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut options = Vec::new();
    loop {
        match *bytes {
            [0, ref rest @ ..] => bytes = rest,
            [255, ..] | [] | [_] => return options,
            [code, length, ref rest @ ..] => {
                let Some((value, rest)) = rest.split_at_checked(length.into()) else {
                    return options;
                };
                options.push((code, value.to_vec()));
                bytes = rest;
            }
        }
    }
}
