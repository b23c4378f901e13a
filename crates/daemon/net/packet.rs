//! Packet sockets: cooked IP frames of one interface in, frames for any interface out.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use leasehold_dhcp::{IfIndex, Mac};
use rustix::net::{AddressFamily, SocketType};
use socket2::{Domain, SockFilter, Socket, Type};

use super::sys::{self, LinkAddress, Received};
use crate::supervisor;

/// Octets that the kernel may hold for us while the disk syncs.
const QUEUE: u32 = 8 << 20;

/// How many octets one interface may hold: there may be thousands of them.
const LINK_QUEUE: u32 = 4 << 20;

/// One interface's clients.
#[derive(Debug)]
pub(crate) struct PacketSocket(Socket);

impl PacketSocket {
    /// Hears what `filter` passes of an interface that is up.
    pub(crate) fn open(interface: IfIndex, filter: &[SockFilter]) -> io::Result<Self> {
        let socket = unbound(filter, LINK_QUEUE)?;
        sys::bind_link(socket.as_fd(), &sys::link_address(ETH_IP, interface, None))?;
        // A group of its own, for the flag alone: fragments arrive as whole datagrams.
        let group = libc::PACKET_FANOUT_HASH
            | libc::PACKET_FANOUT_FLAG_DEFRAG
            | libc::PACKET_FANOUT_FLAG_UNIQUEID;
        let joined =
            sys::set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_FANOUT, group << 16);
        if let Err(error) = joined {
            tracing::debug!("fragments on interface {} are not put together: {error}", interface.0);
        }
        Ok(Self(socket))
    }

    /// One that an earlier process has opened so.
    pub(crate) fn adopt(
        socket: OwnedFd,
        interface: IfIndex,
        filter: &[SockFilter],
    ) -> io::Result<Self> {
        supervisor::expect(socket.as_fd(), AddressFamily::PACKET, SocketType::DGRAM)?;
        if sys::bound_link(socket.as_fd())? != (ETH_IP, interface) {
            return Err(supervisor::unfit("it hears another interface or another protocol"));
        }
        let socket = Socket::from(socket);
        listen(&socket, filter, LINK_QUEUE)?;
        Ok(Self(socket))
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// `ETH_P_IP`.
pub(crate) const ETH_IP: u16 = 0x0800;
/// `ETH_P_ARP`.
pub(crate) const ETH_ARP: u16 = 0x0806;

/// A packet socket that hears nothing until it is bound, so that nothing passes unfiltered.
pub(crate) fn unbound(filter: &[SockFilter], queue: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::DGRAM.cloexec().nonblocking(), None)?;
    listen(&socket, filter, queue)?;
    Ok(socket)
}

fn listen(socket: &Socket, filter: &[SockFilter], queue: u32) -> io::Result<()> {
    socket.attach_filter(filter)?;
    sys::set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
    sys::stamp(socket.as_fd(), false)?;
    enlarge(socket.as_fd(), queue);
    Ok(())
}

/// A packet socket that only sends.
pub(crate) fn sender() -> io::Result<Socket> {
    let socket = Socket::new(Domain::PACKET, Type::DGRAM.cloexec().nonblocking(), None)?;
    enlarge(socket.as_fd(), QUEUE);
    Ok(socket)
}

/// Asks for large queues: beyond the system's limit if we may (CAP_NET_ADMIN), else up to it.
pub(crate) fn enlarge(socket: BorrowedFd<'_>, octets: u32) {
    let pairs = [(libc::SO_RCVBUFFORCE, libc::SO_RCVBUF), (libc::SO_SNDBUFFORCE, libc::SO_SNDBUF)];
    for (force, ask) in pairs {
        let forced = sys::set_option(socket, libc::SOL_SOCKET, force, octets);
        let asked = forced.or_else(|_| sys::set_option(socket, libc::SOL_SOCKET, ask, octets));
        if let Err(error) = asked {
            tracing::debug!("a socket keeps its default queue: {error}");
        }
    }
}

/// Whom a frame is for.
pub(crate) fn station(interface: IfIndex, mac: Mac) -> LinkAddress {
    sys::link_address(ETH_IP, interface, Some(mac))
}

/// Whether a received frame is for us and for this interface itself: not overheard, not sent by
/// ourselves, and not of a VLAN that has no interface here (tag 0 is a mere priority).
pub(crate) fn is_ours(frame: &Received<'_>) -> bool {
    let sys::From::Link { kind, .. } = frame.from else { return false };
    let tagged = frame.told.status & libc::TP_STATUS_VLAN_VALID != 0;
    kind < libc::PACKET_OTHERHOST && !(tagged && frame.told.vlan & 0x0fff != 0)
}
