//! Probes: ARP requests on a link, ICMP echo requests through routers, and who answers them.

use core::net::Ipv4Addr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use leasehold_dhcp::input::ProbeAnswer;
use leasehold_dhcp::{IfIndex, Mac};
use socket2::{Domain, Protocol, Socket, Type};

use super::packet::{ETH_ARP, unbound};
use super::sys::{self, From, Received, Sender, Sending, To};
use super::{filter, packet};

const ARP_QUEUE: u32 = 1 << 20;
const ARP: usize = 28;

/// One socket that hears the ARP replies of all interfaces.
#[derive(Debug)]
pub(crate) struct ArpSocket(Socket);

impl ArpSocket {
    pub(crate) fn open() -> io::Result<Self> {
        let socket = unbound(&filter::ARP_REPLIES, ARP_QUEUE)?;
        sys::bind_link(socket.as_fd(), &sys::link_address(ETH_ARP, IfIndex(0), None))?;
        Ok(Self(socket))
    }

    /// RFC 5227 § 2.1.1: a request for `target` from no address, so that no cache is polluted.
    pub(crate) fn ask(
        &self,
        sender: &mut Sender,
        interface: IfIndex,
        own: Mac,
        target: Ipv4Addr,
        refused: impl FnMut(io::Error),
    ) {
        let mut request = [0; ARP];
        request[..8].copy_from_slice(&[0, 1, 8, 0, 6, 4, 0, 1]);
        request[8..14].copy_from_slice(&own.0);
        request[24..].copy_from_slice(&target.octets());
        let to = To::Link(sys::link_address(ETH_ARP, interface, Some(Mac::BROADCAST)));
        sender.send(self.as_fd(), [Sending { to, header: &[], payload: &request }], refused);
    }

    /// Who answered, if it is an answer.
    pub(crate) fn answer(received: &Received<'_>) -> Option<ProbeAnswer> {
        let From::Link { interface, .. } = received.from else { return None };
        let reply = received.bytes.first_chunk::<ARP>().filter(|_| packet::is_ours(received))?;
        let sender: &[u8; 6] = reply[8..].first_chunk()?;
        let address: &[u8; 4] = reply[14..].first_chunk()?;
        let address = Ipv4Addr::from(*address);
        Some(ProbeAnswer { interface, address, mac: Some(Mac(*sender)) })
    }
}

impl AsFd for ArpSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// ICMP echo, requests out and replies in.
#[derive(Debug)]
pub(crate) struct EchoSocket {
    socket: Socket,
    identifier: [u8; 2],
}

const SOL_RAW: i32 = 255;
const ICMP_FILTER: i32 = 1;
const ECHO_REPLY: u8 = 0;
const ECHO_REQUEST: u8 = 8;

impl EchoSocket {
    /// Our replies are told from others' by `identifier`.
    pub(crate) fn open(identifier: u16) -> io::Result<Self> {
        let kind = Type::RAW.cloexec().nonblocking();
        let socket = Socket::new(Domain::IPV4, kind, Some(Protocol::ICMPV4))?;
        sys::set_option(socket.as_fd(), SOL_RAW, ICMP_FILTER, !(1 << ECHO_REPLY))?;
        sys::set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
        Ok(Self { socket, identifier: identifier.to_be_bytes() })
    }

    pub(crate) fn ask(
        &self,
        sender: &mut Sender,
        target: Ipv4Addr,
        refused: impl FnMut(io::Error),
    ) {
        let [a, b] = self.identifier;
        let mut request = [ECHO_REQUEST, 0, 0, 0, a, b, 0, 0];
        let sum = u32::from(u16::from_be_bytes([ECHO_REQUEST, 0]))
            + u32::from(u16::from_be_bytes(self.identifier));
        let checksum = !((sum & 0xffff) as u16 + (sum >> 16) as u16);
        request[2..4].copy_from_slice(&checksum.to_be_bytes());
        let target = core::net::SocketAddrV4::new(target, 0);
        let to = To::Inet(target, Ipv4Addr::UNSPECIFIED);
        sender.send(self.as_fd(), [Sending { to, header: &[], payload: &request }], refused);
    }

    pub(crate) fn answer(&self, received: &Received<'_>) -> Option<ProbeAnswer> {
        let From::Inet(source) = received.from else { return None };
        let (interface, _) = received.told.arrival?;
        let header = usize::from(*received.bytes.first()? & 0x0f) * 4;
        let reply: &[u8; 8] = received.bytes.get(header..)?.first_chunk()?;
        let ours = reply[0] == ECHO_REPLY && reply[4..6] == self.identifier;
        ours.then(|| ProbeAnswer { interface, address: *source.ip(), mac: None })
    }
}

impl AsFd for EchoSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
