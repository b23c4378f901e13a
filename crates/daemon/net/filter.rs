//! Classic BPF: what the kernel drops before it costs us a wake-up.

use socket2::SockFilter;

const LD_B: u16 = 0x30;
const LD_H: u16 = 0x28;
const LD_W: u16 = 0x20;
const LDX_HEADER: u16 = 0xb1;
const LD_H_X: u16 = 0x48;
const LD_W_X: u16 = 0x40;
const JEQ: u16 = 0x15;
const JSET: u16 = 0x45;
const RET: u16 = 0x06;

const ALL: u32 = u32::MAX;
/// `SKF_AD_OFF + SKF_AD_PKTTYPE`: how the frame was addressed.
const PACKET_TYPE: u32 = 0xffff_f000 + 4;

const fn op(code: u16, value: u32) -> SockFilter {
    SockFilter::new(code, 0, 0, value)
}

const fn test(code: u16, value: u32, yes: u8, no: u8) -> SockFilter {
    SockFilter::new(code, yes, no, value)
}

/// For a cooked packet socket, whose first octet is the IP header's: UDP datagrams to `port`, no
/// fragments, and no `giaddr` in them (what a relay sends is the UDP socket's).
pub(crate) const fn direct(port: u16) -> [SockFilter; 11] {
    [
        op(LD_B, 9),
        test(JEQ, 17, 0, 8),
        op(LD_H, 6),
        test(JSET, 0x3fff, 6, 0),
        op(LDX_HEADER, 0),
        op(LD_H_X, 2),
        test(JEQ, port as u32, 0, 3),
        op(LD_W_X, 8 + 24),
        test(JEQ, 0, 0, 1),
        op(RET, ALL),
        op(RET, 0),
    ]
}

/// For a cooked packet socket: UDP datagrams to `port`, no fragments.
pub(crate) const fn to_clients(port: u16) -> [SockFilter; 9] {
    [
        op(LD_B, 9),
        test(JEQ, 17, 0, 6),
        op(LD_H, 6),
        test(JSET, 0x3fff, 4, 0),
        op(LDX_HEADER, 0),
        op(LD_H_X, 2),
        test(JEQ, port as u32, 0, 1),
        op(RET, ALL),
        op(RET, 0),
    ]
}

/// For a UDP socket, whose first octet is the UDP header's: what was sent to this host alone, and
/// broadcasts of relays. Broadcasts of direct clients are the packet sockets'.
pub(crate) const ROUTED: [SockFilter; 6] = [
    op(LD_W, PACKET_TYPE),
    test(JEQ, 0, 2, 0),
    op(LD_W, 8 + 24),
    test(JEQ, 0, 1, 0),
    op(RET, ALL),
    op(RET, 0),
];

/// For a socket that only sends.
pub(crate) const NOTHING: [SockFilter; 1] = [op(RET, 0)];

/// For a cooked packet socket: UDP over IPv4, whichever way it passes.
pub(crate) const UDP: [SockFilter; 6] = [
    op(LD_B, 0),
    test(JEQ, 0x45, 0, 3),
    op(LD_B, 9),
    test(JEQ, 17, 0, 1),
    op(RET, ALL),
    op(RET, 0),
];

/// For a cooked packet socket of ARP: replies about IPv4 on Ethernet.
pub(crate) const ARP_REPLIES: [SockFilter; 6] = [
    op(LD_W, 0),
    test(JEQ, 0x0001_0800, 0, 3),
    op(LD_H, 6),
    test(JEQ, 2, 0, 1),
    op(RET, ALL),
    op(RET, 0),
];

#[cfg(test)]
mod tests {
    use core::net::{Ipv4Addr, SocketAddrV4};
    use std::io::Read;
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::net::frame;

    /// Lets the kernel judge: a datagram through a filtered socket pair.
    fn passes(filter: &[SockFilter], bytes: &[u8]) -> bool {
        let (near, far) = UnixDatagram::pair().unwrap();
        far.set_nonblocking(true).unwrap();
        let far = socket2::Socket::from(std::os::fd::OwnedFd::from(far));
        far.attach_filter(filter).unwrap();
        // A filtered-out datagram counts as sent.
        near.send(bytes).unwrap();
        (&far).read(&mut [0; 2048]).is_ok()
    }

    fn packet(port: u16, giaddr: [u8; 4]) -> Vec<u8> {
        let mut payload = [0; 300];
        payload[24..28].copy_from_slice(&giaddr);
        let source = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
        let target = SocketAddrV4::new(Ipv4Addr::BROADCAST, port);
        [&frame::headers(source, target, &payload).unwrap()[..], &payload].concat()
    }

    #[test]
    fn direct_clients_pass_and_nothing_else() {
        let filter = direct(67);
        assert!(passes(&filter, &packet(67, [0; 4])));
        assert!(!passes(&filter, &packet(68, [0; 4])), "another port");
        assert!(!passes(&filter, &packet(67, [10, 0, 0, 1])), "a relay's");
        for (at, octet, why) in [(9, 6, "TCP"), (6, 0x20, "more fragments"), (7, 1, "a fragment")] {
            let mut other = packet(67, [0; 4]);
            other[at] = octet;
            assert!(!passes(&filter, &other), "{why}");
        }
        assert!(!passes(&filter, &packet(67, [0; 4])[..40]), "cut before giaddr");
    }

    #[test]
    fn what_is_for_clients_passes_with_and_without_a_relay() {
        let filter = to_clients(68);
        assert!(
            passes(&filter, &packet(68, [0; 4])) && passes(&filter, &packet(68, [10, 0, 0, 1]))
        );
        assert!(!passes(&filter, &packet(67, [0; 4])), "another port");
        let mut fragment = packet(68, [0; 4]);
        fragment[7] = 1;
        assert!(!passes(&filter, &fragment));
    }

    #[test]
    fn options_in_the_ip_header_are_stepped_over() {
        let mut long = packet(67, [0; 4]);
        long[0] = 0x46;
        long.splice(20..20, [1, 1, 1, 1]);
        assert!(passes(&direct(67), &long));
    }

    #[test]
    fn arp_replies_pass_and_requests_do_not() {
        let mut arp = [0; 28];
        arp[..8].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 2]);
        assert!(passes(&ARP_REPLIES, &arp));
        arp[7] = 1;
        assert!(!passes(&ARP_REPLIES, &arp));
    }
}
