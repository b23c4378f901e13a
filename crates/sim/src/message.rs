//! DHCP messages as the clients and relays write and read them: an encoding of our own, so that the
//! shipped one is not its own judge.

use core::fmt;
use core::net::Ipv4Addr;

const MAGIC: [u8; 4] = [99, 130, 83, 99];
const OPTIONS_AT: usize = 240;
const SNAME: core::ops::Range<usize> = 44..108;
const FILE: core::ops::Range<usize> = 108..236;

pub(crate) const SUBNET_MASK: u8 = 1;
pub(crate) const HOST_NAME: u8 = 12;
pub(crate) const REQUESTED_ADDRESS: u8 = 50;
pub(crate) const LEASE_TIME: u8 = 51;
pub(crate) const OVERLOAD: u8 = 52;
pub(crate) const MESSAGE_TYPE: u8 = 53;
pub(crate) const SERVER_ID: u8 = 54;
pub(crate) const PARAMETERS: u8 = 55;
pub(crate) const MESSAGE: u8 = 56;
pub(crate) const MAXIMUM_SIZE: u8 = 57;
pub(crate) const RENEWAL_TIME: u8 = 58;
pub(crate) const REBINDING_TIME: u8 = 59;
pub(crate) const CLIENT_ID: u8 = 61;
pub(crate) const RAPID_COMMIT: u8 = 80;
pub(crate) const FQDN: u8 = 81;
pub(crate) const RELAY_AGENT: u8 = 82;
pub(crate) const AUTHENTICATION: u8 = 90;
pub(crate) const ASSOCIATED_IP: u8 = 92;
pub(crate) const IPV6_ONLY_PREFERRED: u8 = 108;
pub(crate) const FORCERENEW_NONCE_CAPABLE: u8 = 145;

/// Option 53.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Discover,
    Offer,
    Request,
    Decline,
    Ack,
    Nak,
    Release,
    Inform,
    ForceRenew,
    LeaseQuery,
    LeaseUnassigned,
    LeaseUnknown,
    LeaseActive,
}

impl Kind {
    const ALL: [Self; 13] = [
        Self::Discover,
        Self::Offer,
        Self::Request,
        Self::Decline,
        Self::Ack,
        Self::Nak,
        Self::Release,
        Self::Inform,
        Self::ForceRenew,
        Self::LeaseQuery,
        Self::LeaseUnassigned,
        Self::LeaseUnknown,
        Self::LeaseActive,
    ];

    pub(crate) fn code(self) -> u8 {
        self as u8 + 1
    }

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code).checked_sub(1)?).copied()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Discover => "DISCOVER",
            Self::Offer => "OFFER",
            Self::Request => "REQUEST",
            Self::Decline => "DECLINE",
            Self::Ack => "ACK",
            Self::Nak => "NAK",
            Self::Release => "RELEASE",
            Self::Inform => "INFORM",
            Self::ForceRenew => "FORCERENEW",
            Self::LeaseQuery => "LEASEQUERY",
            Self::LeaseUnassigned => "LEASEUNASSIGNED",
            Self::LeaseUnknown => "LEASEUNKNOWN",
            Self::LeaseActive => "LEASEACTIVE",
        })
    }
}

/// A message, legal or not: a rude client writes what it likes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub op: u8,
    pub htype: u8,
    pub hlen: u8,
    pub hops: u8,
    pub xid: u32,
    pub secs: u16,
    pub broadcast: bool,
    /// The flags that must be zero.
    pub reserved: u16,
    pub ciaddr: Ipv4Addr,
    pub yiaddr: Ipv4Addr,
    pub siaddr: Ipv4Addr,
    pub giaddr: Ipv4Addr,
    pub chaddr: [u8; 16],
    /// Code and value in the order of the wire; an END is not among them.
    pub options: Vec<(u8, Vec<u8>)>,
    /// Further options, in `file` and `sname` (option 52).
    pub elsewhere: Vec<(u8, Vec<u8>)>,
}

/// Why bytes are not a message that a strict reader accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Illegal {
    Short,
    NoMagic,
    CutOption,
    NoEnd,
    RubbishAfterEnd,
    Repeated(u8),
}

impl fmt::Display for Illegal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("shorter than a header with a cookie"),
            Self::NoMagic => f.write_str("the magic cookie is missing"),
            Self::CutOption => f.write_str("an option runs past the end"),
            Self::NoEnd => f.write_str("there is no END option"),
            Self::RubbishAfterEnd => f.write_str("not only zeros follow the END option"),
            Self::Repeated(code) => write!(f, "option {code} stands twice, not side by side"),
        }
    }
}

impl Message {
    /// A request of the client with this Ethernet address.
    pub(crate) fn request(kind: Kind, xid: u32, mac: [u8; 6]) -> Self {
        let mut chaddr = [0; 16];
        chaddr[..6].copy_from_slice(&mac);
        Self {
            op: 1,
            htype: 1,
            hlen: 6,
            hops: 0,
            xid,
            secs: 0,
            broadcast: false,
            reserved: 0,
            ciaddr: Ipv4Addr::UNSPECIFIED,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr,
            options: vec![(MESSAGE_TYPE, vec![kind.code()])],
            elsewhere: Vec::new(),
        }
    }

    /// A request of a BOOTP client: no option tells its type.
    pub(crate) fn bootp(xid: u32, mac: [u8; 6]) -> Self {
        Self { options: Vec::new(), ..Self::request(Kind::Discover, xid, mac) }
    }

    /// Adds an option behind the others.
    pub(crate) fn with(mut self, code: u8, value: &[u8]) -> Self {
        self.options.push((code, value.to_vec()));
        self
    }

    /// Adds an option that holds an address.
    pub(crate) fn with_address(self, code: u8, address: Ipv4Addr) -> Self {
        self.with(code, &address.octets())
    }

    pub(crate) fn option(&self, code: u8) -> Option<&[u8]> {
        let mut all = self.options.iter().chain(&self.elsewhere);
        all.find(|(found, _)| *found == code).map(|(_, value)| value.as_slice())
    }

    pub(crate) fn address(&self, code: u8) -> Option<Ipv4Addr> {
        let octets: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(Ipv4Addr::from(octets))
    }

    /// The addresses that an option holds.
    pub(crate) fn addresses(&self, code: u8) -> impl Iterator<Item = Ipv4Addr> {
        let octets = self.option(code).unwrap_or_default();
        octets.as_chunks().0.iter().map(|octets: &[u8; 4]| Ipv4Addr::from(*octets))
    }

    pub(crate) fn seconds(&self, code: u8) -> Option<u32> {
        let octets: [u8; 4] = self.option(code)?.try_into().ok()?;
        Some(u32::from_be_bytes(octets))
    }

    pub(crate) fn kind(&self) -> Option<Kind> {
        match self.option(MESSAGE_TYPE)? {
            [code] => Kind::from_code(*code),
            _ => None,
        }
    }

    /// The first six octets of `chaddr`.
    pub(crate) fn mac(&self) -> [u8; 6] {
        core::array::from_fn(|at| self.chaddr[at])
    }

    /// The UDP payload, padded to 300 octets as old relays want it.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0; OPTIONS_AT];
        bytes[..4].copy_from_slice(&[self.op, self.htype, self.hlen, self.hops]);
        bytes[4..8].copy_from_slice(&self.xid.to_be_bytes());
        bytes[8..10].copy_from_slice(&self.secs.to_be_bytes());
        let flags = u16::from(self.broadcast) << 15 | self.reserved;
        bytes[10..12].copy_from_slice(&flags.to_be_bytes());
        let addresses = [self.ciaddr, self.yiaddr, self.siaddr, self.giaddr];
        for (field, address) in bytes[12..28].chunks_exact_mut(4).zip(addresses) {
            field.copy_from_slice(&address.octets());
        }
        bytes[28..44].copy_from_slice(&self.chaddr);
        bytes[236..240].copy_from_slice(&MAGIC);
        let (mut options, further) = (options(&self.options), options(&self.elsewhere));
        if further.len() <= SNAME.len() && !self.elsewhere.is_empty() {
            bytes[SNAME][..further.len()].copy_from_slice(&further);
            options.splice(options.len() - 1.., [OVERLOAD, 1, 2, 255]);
        } else if !self.elsewhere.is_empty() {
            bytes[FILE][..further.len()].copy_from_slice(&further);
            options.splice(options.len() - 1.., [OVERLOAD, 1, 1, 255]);
        }
        bytes.extend_from_slice(&options);
        bytes.resize(bytes.len().max(300), 0);
        bytes
    }

    /// Reads a payload as strictly as a careful client could.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Illegal> {
        let (header, options) = bytes.split_at_checked(OPTIONS_AT).ok_or(Illegal::Short)?;
        if header[236..240] != MAGIC {
            return Err(Illegal::NoMagic);
        }
        let mut message = Self { options: decode_options(options)?, ..Self::glean(header) };
        let overload = message.option(OVERLOAD).and_then(<[u8]>::first).copied().unwrap_or(0);
        for (bit, field) in [(1, FILE), (2, SNAME)] {
            if overload & bit != 0 {
                let further = decode_options(&header[field])?;
                further.into_iter().for_each(|(code, value)| message.join(code, value));
            }
        }
        Ok(message)
    }

    /// RFC 3396: what goes on in another field belongs to what began in this one.
    fn join(&mut self, code: u8, value: Vec<u8>) {
        let mut all = self.options.iter_mut().chain(&mut self.elsewhere);
        match all.find(|(found, _)| *found == code) {
            Some((_, begun)) => begun.extend(value),
            None => self.elsewhere.push((code, value)),
        }
    }

    /// What can be seen of bytes that are perhaps no message: a header, no options.
    pub(crate) fn glean(bytes: &[u8]) -> Self {
        let mut header = [0; OPTIONS_AT];
        let length = bytes.len().min(OPTIONS_AT);
        header[..length].copy_from_slice(&bytes[..length]);
        let address =
            |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
        Self {
            op: header[0],
            htype: header[1],
            hlen: header[2],
            hops: header[3],
            xid: u32::from_be_bytes([header[4], header[5], header[6], header[7]]),
            secs: u16::from_be_bytes([header[8], header[9]]),
            broadcast: header[10] & 0x80 != 0,
            reserved: u16::from_be_bytes([header[10] & 0x7f, header[11]]),
            ciaddr: address(12),
            yiaddr: address(16),
            siaddr: address(20),
            giaddr: address(24),
            chaddr: core::array::from_fn(|at| header[28 + at]),
            options: Vec::new(),
            elsewhere: Vec::new(),
        }
    }
}

/// The octets of one field, with its END.
fn options(options: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (code, value) in options {
        bytes.extend_from_slice(&[*code, value.len() as u8]);
        bytes.extend_from_slice(value);
    }
    bytes.push(255);
    bytes
}

/// RFC 3396 joins neighbours with the same code; anything else that repeats is refused.
fn decode_options(bytes: &[u8]) -> Result<Vec<(u8, Vec<u8>)>, Illegal> {
    let mut options: Vec<(u8, Vec<u8>)> = Vec::new();
    let mut rest = bytes;
    loop {
        match rest {
            [] => return Err(Illegal::NoEnd),
            [0, tail @ ..] => rest = tail,
            [255, tail @ ..] if tail.iter().all(|&octet| octet == 0) => return Ok(options),
            [255, ..] => return Err(Illegal::RubbishAfterEnd),
            [code, length, tail @ ..] => {
                let (value, tail) =
                    tail.split_at_checked(usize::from(*length)).ok_or(Illegal::CutOption)?;
                match options.iter().position(|(found, _)| found == code) {
                    Some(at) if at + 1 == options.len() => options[at].1.extend_from_slice(value),
                    Some(_) => return Err(Illegal::Repeated(*code)),
                    None => options.push((*code, value.to_vec())),
                }
                rest = tail;
            }
            [_] => return Err(Illegal::CutOption),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let mut message = Message::request(Kind::Request, 0xfeed_beef, [2, 0, 0, 0, 0, 9])
            .with_address(REQUESTED_ADDRESS, Ipv4Addr::new(10, 0, 1, 77))
            .with(CLIENT_ID, &[1, 2, 3]);
        message.broadcast = true;
        message.giaddr = Ipv4Addr::new(10, 0, 1, 1);
        let bytes = message.encode();
        assert_eq!(bytes.len(), 300);
        assert_eq!(Message::decode(&bytes), Ok(message.clone()));
        assert_eq!(message.kind(), Some(Kind::Request));
        assert_eq!(message.address(REQUESTED_ADDRESS), Some(Ipv4Addr::new(10, 0, 1, 77)));
    }

    #[test]
    fn a_strict_reader_refuses() {
        let good = Message::request(Kind::Discover, 1, [2, 0, 0, 0, 0, 1]).encode();
        assert_eq!(Message::decode(&good[..239]), Err(Illegal::Short));
        assert_eq!(Message::decode(&good[..243]), Err(Illegal::NoEnd));
        assert_eq!(Message::decode(&good[..242]), Err(Illegal::CutOption));
        let with = |at: usize, octet: u8| {
            let mut bytes = good.clone();
            bytes[at] = octet;
            Message::decode(&bytes)
        };
        assert_eq!(with(238, 0), Err(Illegal::NoMagic));
        assert_eq!(with(299, 7), Err(Illegal::RubbishAfterEnd));
    }

    #[test]
    fn options_in_other_fields_are_read_back() {
        let mut message = Message::request(Kind::Discover, 7, [2, 0, 0, 0, 0, 9]);
        message.elsewhere = vec![(HOST_NAME, b"host-9".to_vec())];
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes).unwrap().option(HOST_NAME), Some(&b"host-9"[..]));
        message.elsewhere = vec![(HOST_NAME, vec![65; 100])];
        let bytes = message.encode();
        assert_eq!(Message::decode(&bytes).unwrap().option(HOST_NAME), Some(&[65; 100][..]));
    }

    #[test]
    fn long_values_are_joined_and_scattered_ones_refused() {
        let mut bytes = Message::request(Kind::Ack, 1, [2, 0, 0, 0, 0, 1]).encode();
        bytes.truncate(243);
        let mut scattered = bytes.clone();
        bytes.extend_from_slice(&[121, 2, 1, 2, 121, 1, 3, 255]);
        let joined = Message::decode(&bytes).unwrap();
        assert_eq!(joined.option(121), Some([1, 2, 3].as_slice()));
        scattered.extend_from_slice(&[121, 1, 1, 12, 1, 65, 121, 1, 3, 255]);
        assert_eq!(Message::decode(&scattered), Err(Illegal::Repeated(121)));
    }
}
