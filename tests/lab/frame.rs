//! Ethernet, IPv4 and UDP headers, byte by byte: built as a test wants them, read as they came.

use std::fmt;
use std::net::Ipv4Addr;

/// An Ethernet address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mac(pub [u8; 6]);

impl Mac {
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The address of the `number`th simulated client.
    pub fn of(number: u32) -> Self {
        let [a, b, c, d] = number.to_be_bytes();
        Self([0x02, 0x1e, a, b, c, d])
    }

    pub fn parse(text: &str) -> Self {
        let mut octets = [0; 6];
        for (octet, digits) in octets.iter_mut().zip(text.trim().split(':')) {
            *octet = u8::from_str_radix(digits, 16).unwrap();
        }
        Self(octets)
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02X}:{b:02X}:{c:02X}:{d:02X}:{e:02X}:{g:02X}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What stands in the UDP checksum of a frame to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    Good,
    Bad,
    /// Zero: the sender made none.
    Absent,
    /// The kernel is told to finish it, as for a local container's packet; over a veth nobody does.
    Partial,
}

/// The headers around a DHCP message.
#[derive(Clone, Copy, Debug)]
pub struct Envelope {
    pub source_mac: Mac,
    pub target_mac: Mac,
    /// The 802.1Q tag, with priority bits.
    pub tag: Option<u16>,
    pub source: Ipv4Addr,
    pub target: Ipv4Addr,
    pub source_port: u16,
    pub target_port: u16,
    pub checksum: Checksum,
    /// Added to the UDP length field: a lie where not zero.
    pub udp_length_lie: i16,
}

impl Envelope {
    /// From a client without an address to everybody.
    pub fn broadcast(source_mac: Mac) -> Self {
        Self {
            source_mac,
            target_mac: Mac::BROADCAST,
            tag: None,
            source: Ipv4Addr::UNSPECIFIED,
            target: Ipv4Addr::BROADCAST,
            source_port: 68,
            target_port: 67,
            checksum: Checksum::Good,
            udp_length_lie: 0,
        }
    }

    /// From a client with an address to one server.
    pub fn unicast(source_mac: Mac, source: Ipv4Addr, target_mac: Mac, target: Ipv4Addr) -> Self {
        Self { target_mac, source, target, ..Self::broadcast(source_mac) }
    }

    /// The whole frame.
    pub fn frame(&self, payload: &[u8]) -> Vec<u8> {
        let mut frame = Vec::with_capacity(payload.len() + 46);
        frame.extend_from_slice(&self.target_mac.0);
        frame.extend_from_slice(&self.source_mac.0);
        if let Some(tag) = self.tag {
            frame.extend_from_slice(&0x8100_u16.to_be_bytes());
            frame.extend_from_slice(&tag.to_be_bytes());
        }
        frame.extend_from_slice(&0x0800_u16.to_be_bytes());
        frame.extend_from_slice(&self.packet(payload));
        frame
    }

    /// The IP packet.
    pub fn packet(&self, payload: &[u8]) -> Vec<u8> {
        let udp = self.udp(payload);
        let mut ip = vec![0x45, 0];
        ip.extend_from_slice(&u16::try_from(20 + udp.len()).unwrap().to_be_bytes());
        ip.extend_from_slice(&[0, 0, 0, 0, 64, 17, 0, 0]);
        ip.extend_from_slice(&self.source.octets());
        ip.extend_from_slice(&self.target.octets());
        let sum = !sum(&ip, 0);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());
        ip.extend_from_slice(&udp);
        ip
    }

    /// The frames of the same packet in two fragments.
    pub fn fragments(&self, payload: &[u8]) -> [Vec<u8>; 2] {
        const SPLIT: usize = 800;
        let packet = self.packet(payload);
        let (header, data) = packet.split_at(20);
        let (first, second) = data.split_at(SPLIT);
        let more_to_come = 0x2000;
        [(first, more_to_come), (second, u16::try_from(SPLIT / 8).unwrap())].map(|(part, field)| {
            let mut ip = header.to_vec();
            ip[2..4].copy_from_slice(&u16::try_from(20 + part.len()).unwrap().to_be_bytes());
            ip[4..6].copy_from_slice(&[0x4c, 0x48]);
            ip[6..8].copy_from_slice(&u16::to_be_bytes(field));
            ip[10..12].fill(0);
            let sum = !sum(&ip, 0);
            ip[10..12].copy_from_slice(&sum.to_be_bytes());
            [&self.target_mac.0[..], &self.source_mac.0, &[8, 0], &ip, part].concat()
        })
    }

    fn udp(&self, payload: &[u8]) -> Vec<u8> {
        let real = u16::try_from(8 + payload.len()).unwrap();
        let mut udp = Vec::with_capacity(real.into());
        udp.extend_from_slice(&self.source_port.to_be_bytes());
        udp.extend_from_slice(&self.target_port.to_be_bytes());
        udp.extend_from_slice(&real.wrapping_add_signed(self.udp_length_lie).to_be_bytes());
        udp.extend_from_slice(&[0, 0]);
        udp.extend_from_slice(payload);
        let pseudo = pseudo_sum(self.source, self.target, real);
        let checksum = match self.checksum {
            Checksum::Good => carry(!sum(&udp, pseudo)),
            Checksum::Bad => carry(!sum(&udp, pseudo)) ^ 0x5a5a,
            Checksum::Absent => 0,
            Checksum::Partial => sum(&[], pseudo),
        };
        udp[6..8].copy_from_slice(&checksum.to_be_bytes());
        udp
    }
}

/// RFC 768: a checksum that comes out as zero is sent as all ones.
fn carry(checksum: u16) -> u16 {
    if checksum == 0 { 0xffff } else { checksum }
}

fn pseudo_sum(source: Ipv4Addr, target: Ipv4Addr, udp_length: u16) -> u32 {
    let mut bytes = [source.octets(), target.octets()].concat();
    bytes.extend_from_slice(&[0, 17]);
    bytes.extend_from_slice(&udp_length.to_be_bytes());
    sum(&bytes, 0).into()
}

/// The ones' complement sum of RFC 1071.
fn sum(bytes: &[u8], start: u32) -> u16 {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let mut total = words.fold(start, |total, word| total + word);
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    u16::try_from(total).unwrap()
}

/// The headers of a frame that came.
#[derive(Clone, Debug)]
pub struct Headers {
    pub source_mac: Mac,
    pub target_mac: Mac,
    /// The VLAN that it was tagged with on the wire.
    pub vlan: Option<u16>,
    pub source: Ipv4Addr,
    pub target: Ipv4Addr,
    pub ttl: u8,
    pub source_port: u16,
    pub target_port: u16,
    /// The UDP checksum: `None` where it was zero, or left to the kernel by a local peer.
    pub checksum_good: Option<bool>,
    /// The whole frame as it came, for tshark.
    pub frame: Vec<u8>,
}

/// Takes a whole UDP frame apart; `None` for anything else. `unfinished`: the kernel said that the
/// checksum is still to be made.
pub fn open(frame: &[u8], vlan: Option<u16>, unfinished: bool) -> Option<(Headers, &[u8])> {
    let target_mac = Mac(frame.get(..6)?.try_into().ok()?);
    let source_mac = Mac(frame.get(6..12)?.try_into().ok()?);
    let ip = frame.get(14..)?;
    let header = usize::from(ip.first()? & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes(ip.get(2..4)?.try_into().ok()?));
    if frame.get(12..14)? != [0x08, 0x00] || ip[0] >> 4 != 4 || *ip.get(9)? != 17 {
        return None;
    }
    assert_eq!(sum(ip.get(..header)?, 0), 0xffff, "IP header checksum is wrong");
    let address = |at: usize| {
        let octets: [u8; 4] = ip[at..at + 4].try_into().unwrap();
        Ipv4Addr::from(octets)
    };
    let (source, target) = (address(12), address(16));
    let udp = ip.get(header..total)?;
    let length = u16::from_be_bytes(udp.get(4..6)?.try_into().ok()?);
    assert_eq!(usize::from(length), udp.len(), "UDP length differs from the IP payload");
    let checksum = u16::from_be_bytes(udp.get(6..8)?.try_into().ok()?);
    let good = sum(udp, pseudo_sum(source, target, length)) == 0xffff;
    let headers = Headers {
        source_mac,
        target_mac,
        vlan,
        source,
        target,
        ttl: ip[8],
        source_port: u16::from_be_bytes([udp[0], udp[1]]),
        target_port: u16::from_be_bytes([udp[2], udp[3]]),
        checksum_good: (checksum != 0 && !unfinished).then_some(good),
        frame: frame.to_vec(),
    };
    Some((headers, &udp[8..]))
}
