//! IPv4 and UDP as octets: what a frame from a client must look like, and headers for replies.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};

/// A UDP datagram found in an IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp<'a> {
    /// IP source and UDP source port.
    pub source: SocketAddrV4,
    /// IP destination and UDP destination port.
    pub target: SocketAddrV4,
    /// The payload.
    pub payload: &'a [u8],
}

/// Which rule a packet breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// Not version 4, or a header that is shorter than 20 octets or longer than the packet.
    Header,
    /// The header's checksum is wrong.
    HeaderChecksum,
    /// The total length is more than has arrived, or less than its headers.
    TotalLength,
    /// A piece of a datagram.
    Fragment,
    /// Not UDP.
    Protocol,
    /// The UDP length is not that of the IP payload.
    UdpLength,
    /// The UDP checksum is wrong.
    UdpChecksum,
}

impl Broken {
    /// Its counter's name.
    #[must_use]
    pub fn counter(self) -> &'static str {
        match self {
            Self::Header => "ip-header",
            Self::HeaderChecksum => "ip-header-checksum",
            Self::TotalLength => "ip-total-length",
            Self::Fragment => "ip-fragment",
            Self::Protocol => "ip-protocol",
            Self::UdpLength => "udp-length",
            Self::UdpChecksum => "udp-checksum",
        }
    }
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Header => "the IP header is malformed (RFC 791 § 3.1)",
            Self::HeaderChecksum => "the IP header's checksum is wrong (RFC 791 § 3.1)",
            Self::TotalLength => "the IP total length is not what arrived (RFC 791 § 3.1)",
            Self::Fragment => "it is a fragment of a datagram (RFC 791 § 3.2)",
            Self::Protocol => "it is not UDP (RFC 768)",
            Self::UdpLength => "the UDP length is not that of the datagram (RFC 768)",
            Self::UdpChecksum => "the UDP checksum is wrong (RFC 768)",
        })
    }
}

/// Who answers for the UDP checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// We do: it has come over a wire.
    Verify,
    /// The kernel does: it has verified it, or has not made it yet (a local peer).
    Trust,
}

const IP: usize = 20;
const UDP: usize = 8;
const PROTOCOL_UDP: u8 = 17;

/// Headers in front of a payload: IP and UDP.
pub const HEADERS: usize = IP + UDP;

/// The UDP datagram in a whole IP packet.
pub fn parse(packet: &[u8], checksum: Checksum) -> Result<Udp<'_>, Broken> {
    let &first = packet.first().ok_or(Broken::Header)?;
    let header = usize::from(first & 0x0f) * 4;
    if first >> 4 != 4 || header < IP || packet.len() < header {
        return Err(Broken::Header);
    }
    if fold(sum(0, &packet[..header])) != 0xffff {
        return Err(Broken::HeaderChecksum);
    }
    let word = |at: usize| u16::from_be_bytes([packet[at], packet[at + 1]]);
    let total = usize::from(word(2));
    // What is longer is padding: Ethernet frames have at least 60 octets.
    if total > packet.len() || total < header + UDP {
        return Err(Broken::TotalLength);
    }
    if word(6) & 0x3fff != 0 {
        return Err(Broken::Fragment);
    }
    if packet[9] != PROTOCOL_UDP {
        return Err(Broken::Protocol);
    }
    let udp = &packet[header..total];
    let word = |at: usize| u16::from_be_bytes([udp[at], udp[at + 1]]);
    if usize::from(word(4)) != udp.len() {
        return Err(Broken::UdpLength);
    }
    let address =
        |at: usize| Ipv4Addr::new(packet[at], packet[at + 1], packet[at + 2], packet[at + 3]);
    let (from, to) = (address(12), address(16));
    // RFC 768: an all-zero checksum means that the sender made none.
    if checksum == Checksum::Verify
        && word(6) != 0
        && fold(sum(pseudo_header(from, to, udp.len()), udp)) != 0xffff
    {
        return Err(Broken::UdpChecksum);
    }
    Ok(Udp {
        source: SocketAddrV4::new(from, word(0)),
        target: SocketAddrV4::new(to, word(2)),
        payload: &udp[UDP..],
    })
}

/// IP and UDP headers in front of `payload`; `None` if it is too long for a datagram.
pub fn headers(
    source: SocketAddrV4,
    target: SocketAddrV4,
    payload: &[u8],
) -> Option<[u8; HEADERS]> {
    let length = u16::try_from(payload.len() + UDP).ok()?;
    let total = length.checked_add(IP as u16)?;
    let mut out = [0; HEADERS];
    out[0] = 0x45;
    // RFC 2474: class selector 6, as network control has it, so that replies survive congestion.
    out[1] = 0xc0;
    out[2..4].copy_from_slice(&total.to_be_bytes());
    out[8] = 64;
    out[9] = PROTOCOL_UDP;
    out[12..16].copy_from_slice(&source.ip().octets());
    out[16..20].copy_from_slice(&target.ip().octets());
    let header = !fold(sum(0, &out[..IP]));
    out[10..12].copy_from_slice(&header.to_be_bytes());
    out[20..22].copy_from_slice(&source.port().to_be_bytes());
    out[22..24].copy_from_slice(&target.port().to_be_bytes());
    out[24..26].copy_from_slice(&length.to_be_bytes());
    let pseudo = pseudo_header(*source.ip(), *target.ip(), payload.len() + UDP);
    let checksum = match !fold(sum(sum(pseudo, &out[IP..]), payload)) {
        0 => 0xffff,
        checksum => checksum,
    };
    out[26..28].copy_from_slice(&checksum.to_be_bytes());
    Some(out)
}

fn pseudo_header(source: Ipv4Addr, target: Ipv4Addr, length: usize) -> u64 {
    let addresses = sum(sum(0, &source.octets()), &target.octets());
    addresses + u64::from(PROTOCOL_UDP) + length as u64
}

/// Ones' complement sum of 16-bit words (RFC 1071), not yet folded.
fn sum(start: u64, bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<2>();
    let whole: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
    start + whole + rest.first().map_or(0, |&last| u64::from(last) << 8)
}

fn fold(mut sum: u64) -> u16 {
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packet(payload: &[u8]) -> Vec<u8> {
        let source = SocketAddrV4::new(Ipv4Addr::new(67, 9, 97, 1), 67);
        let target = SocketAddrV4::new(Ipv4Addr::BROADCAST, 68);
        [&headers(source, target, payload).unwrap(), payload].concat()
    }

    proptest! {
        #[test]
        fn what_is_built_is_accepted(payload in prop::collection::vec(any::<u8>(), 0..600)) {
            let packet = packet(&payload);
            let udp = parse(&packet, Checksum::Verify).unwrap();
            prop_assert_eq!((udp.payload, udp.target.port()), (&payload[..], 68));
        }

        #[test]
        fn a_changed_octet_is_noticed(
            payload in prop::collection::vec(any::<u8>(), 1..600),
            at in any::<prop::sample::Index>(),
            by in 1..=255u8,
        ) {
            let mut packet = packet(&payload);
            let at = at.index(packet.len());
            packet[at] ^= by;
            // Behind a UDP checksum that has become zero nothing is protected.
            prop_assume!(packet[26..28] != [0, 0]);
            prop_assert!(parse(&packet, Checksum::Verify).is_err());
        }

        #[test]
        fn rubbish_never_panics(packet in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = parse(&packet, Checksum::Trust);
        }
    }

    #[test]
    fn a_frame_may_be_padded_but_not_short() {
        let mut padded = packet(b"x");
        padded.extend_from_slice(&[0; 17]);
        assert_eq!(parse(&padded, Checksum::Verify).unwrap().payload, b"x");
        let short = packet(b"payload");
        assert_eq!(parse(&short[..short.len() - 1], Checksum::Verify), Err(Broken::TotalLength));
    }

    #[test]
    fn a_checksum_that_nobody_made_is_left_alone() {
        let mut packet = packet(b"payload");
        packet[26] ^= 0x55;
        assert_eq!(parse(&packet, Checksum::Verify), Err(Broken::UdpChecksum));
        assert!(parse(&packet, Checksum::Trust).is_ok(), "not made yet: a local peer");
        packet[26..28].copy_from_slice(&[0, 0]);
        assert!(parse(&packet, Checksum::Verify).is_ok(), "RFC 768: none was made");
    }

    #[test]
    fn udp_lengths_that_lie_are_refused() {
        for lie in [0u16, 7, 14, 16, 0xffff] {
            let mut packet = packet(b"payload");
            packet[24..26].copy_from_slice(&lie.to_be_bytes());
            assert_eq!(parse(&packet, Checksum::Trust), Err(Broken::UdpLength), "{lie}");
        }
    }
}
