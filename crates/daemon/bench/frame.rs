//! Ethernet, ARP, IPv4 and UDP headers of raw frames.

use std::net::{Ipv4Addr, SocketAddrV4};

/// Octets in front of a UDP payload: Ethernet, IPv4 without options, UDP.
pub(super) const HEADROOM: usize = ETHERNET + IP + UDP;
const ETHERNET: usize = 14;
const IP: usize = 20;
const UDP: usize = 8;
const ARP: usize = 28;
pub(super) const BROADCAST: [u8; 6] = [0xff; 6];

/// Addresses of one datagram on the link.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    pub(super) mac_source: [u8; 6],
    pub(super) mac_target: [u8; 6],
    pub(super) source: SocketAddrV4,
    pub(super) target: SocketAddrV4,
}

/// What a frame is to us.
#[derive(Debug)]
pub(super) enum Frame<'a> {
    Datagram {
        mac_source: [u8; 6],
        payload: &'a [u8],
    },
    /// Who has `target`? An RFC 5227 probe has the sender 0.0.0.0.
    ArpRequest {
        mac: [u8; 6],
        sender: Ipv4Addr,
        target: Ipv4Addr,
    },
    Other,
}

/// Reads a frame.
pub(super) fn parse(frame: &[u8]) -> Frame<'_> {
    let Some((ethernet, packet)) = frame.split_at_checked(ETHERNET) else { return Frame::Other };
    let mut mac_source = [0; 6];
    mac_source.copy_from_slice(&ethernet[6..12]);
    match ethernet[12..] {
        [0x08, 0x00] => parse_ip(mac_source, packet).unwrap_or(Frame::Other),
        [0x08, 0x06] => parse_arp(packet).unwrap_or(Frame::Other),
        _ => Frame::Other,
    }
}

fn parse_ip(mac_source: [u8; 6], packet: &[u8]) -> Option<Frame<'_>> {
    let header = usize::from(*packet.first()? & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    let fragment = u16::from_be_bytes([*packet.get(6)?, *packet.get(7)?]) & 0x3fff;
    let whole = packet.get(..total)?;
    let udp = whole.get(header.max(IP)..)?;
    if packet[0] >> 4 != 4 || packet[9] != 17 || fragment != 0 || udp.len() < UDP {
        return None;
    }
    let length = usize::from(u16::from_be_bytes([udp[4], udp[5]]));
    let payload = udp.get(UDP..length)?;
    Some(Frame::Datagram { mac_source, payload })
}

fn parse_arp(packet: &[u8]) -> Option<Frame<'_>> {
    let request = packet.get(..8)? == [0, 1, 8, 0, 6, 4, 0, 1];
    let mac = packet.get(8..14)?.try_into().ok()?;
    let (sender, target) = (address(packet, 14)?, address(packet, 24)?);
    request.then_some(Frame::ArpRequest { mac, sender, target })
}

fn address(packet: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = packet.get(at..at + 4)?.try_into().ok()?;
    Some(octets.into())
}

/// Fills in the headers before a payload of `size` octets that stands at [`HEADROOM`]; returns the
/// frame's size.
pub(super) fn wrap(frame: &mut [u8], size: usize, envelope: &Envelope) -> usize {
    let end = HEADROOM + size;
    frame[..6].copy_from_slice(&envelope.mac_target);
    frame[6..12].copy_from_slice(&envelope.mac_source);
    frame[12..14].copy_from_slice(&[0x08, 0x00]);
    let ip = &mut frame[ETHERNET..end];
    ip[..IP].fill(0);
    ip[0] = 0x45;
    ip[2..4].copy_from_slice(&((IP + UDP + size) as u16).to_be_bytes());
    ip[8] = 64;
    ip[9] = 17;
    ip[12..16].copy_from_slice(&envelope.source.ip().octets());
    ip[16..20].copy_from_slice(&envelope.target.ip().octets());
    let header = !fold(sum(&ip[..IP]));
    ip[10..12].copy_from_slice(&header.to_be_bytes());
    let length = (UDP + size) as u16;
    let addresses = sum(&ip[12..IP]);
    let udp = &mut ip[IP..];
    udp[..2].copy_from_slice(&envelope.source.port().to_be_bytes());
    udp[2..4].copy_from_slice(&envelope.target.port().to_be_bytes());
    udp[4..6].copy_from_slice(&length.to_be_bytes());
    udp[6..8].fill(0);
    let whole = !fold(addresses + 17 + u64::from(length) + sum(udp));
    let whole = if whole == 0 { u16::MAX } else { whole };
    udp[6..8].copy_from_slice(&whole.to_be_bytes());
    end
}

/// Writes an ARP reply: `address` is at `mac`. Returns the frame's size.
pub(super) fn arp_reply(
    frame: &mut [u8],
    (mac, address): ([u8; 6], Ipv4Addr),
    (mac_target, target): ([u8; 6], Ipv4Addr),
) -> usize {
    let end = ETHERNET + ARP;
    frame[..6].copy_from_slice(&mac_target);
    frame[6..12].copy_from_slice(&mac);
    frame[12..22].copy_from_slice(&[0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 2]);
    frame[22..28].copy_from_slice(&mac);
    frame[28..32].copy_from_slice(&address.octets());
    frame[32..38].copy_from_slice(&mac_target);
    frame[38..42].copy_from_slice(&target.octets());
    end
}

/// RFC 1071: the sum of the 16-bit words, an odd octet padded.
fn sum(bytes: &[u8]) -> u64 {
    let pairs = bytes.chunks_exact(2);
    let odd = pairs.remainder().first().map_or(0, |&last| u64::from(last) << 8);
    let words = pairs.map(|pair| u64::from(u16::from_be_bytes([pair[0], pair[1]])));
    words.sum::<u64>() + odd
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

    fn envelope() -> Envelope {
        Envelope {
            mac_source: [2, 0, 0, 0, 0, 1],
            mac_target: BROADCAST,
            source: SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68),
            target: SocketAddrV4::new(Ipv4Addr::BROADCAST, 67),
        }
    }

    #[test]
    fn what_is_wrapped_can_be_read() {
        let mut frame = [0xee; HEADROOM + 301];
        frame[HEADROOM..].fill(7);
        let end = wrap(&mut frame, 301, &envelope());
        let Frame::Datagram { mac_source, payload } = parse(&frame[..end]) else {
            panic!("a datagram");
        };
        assert_eq!(mac_source, [2, 0, 0, 0, 0, 1]);
        assert_eq!(payload, [7; 301]);
        assert_eq!(fold(sum(&frame[ETHERNET..ETHERNET + IP])), 0xffff, "the IP header's sum");
        let pseudo = sum(&frame[26..34]) + 17 + 309;
        assert_eq!(fold(pseudo + sum(&frame[ETHERNET + IP..end])), 0xffff, "the UDP sum");
    }

    #[test]
    fn a_cut_frame_is_nothing() {
        let mut frame = [0; HEADROOM + 300];
        let end = wrap(&mut frame, 300, &envelope());
        for cut in 0..end {
            assert!(matches!(parse(&frame[..cut]), Frame::Other), "{cut} octets");
        }
    }

    #[test]
    fn an_arp_reply_is_no_request() {
        let mut frame = [0; 64];
        let here = ([2, 0, 0, 0, 0, 1], Ipv4Addr::new(10, 0, 0, 1));
        let there = ([2, 0, 0, 0, 0, 2], Ipv4Addr::new(10, 0, 0, 2));
        let end = arp_reply(&mut frame, here, there);
        assert!(matches!(parse(&frame[..end]), Frame::Other));
        frame[21] = 1;
        let Frame::ArpRequest { mac, sender, target } = parse(&frame[..end]) else {
            panic!("a request");
        };
        assert_eq!((mac, sender), here);
        assert_eq!(target, there.1);
    }
}
