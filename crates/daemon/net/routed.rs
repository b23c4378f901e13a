//! The UDP socket: relays, and clients behind routers, on whichever interface they come in.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{AddressFamily, SocketType};
use socket2::{Domain, Protocol, Socket, Type};

use super::packet::enlarge;
use super::{filter, sys};
use crate::supervisor;

/// UDP port 67 on every address of the machine.
#[derive(Debug)]
pub(crate) struct RoutedSocket {
    listener: Socket,
    /// What replies leave through. With each datagram that a socket has sent the kernel looks for
    /// those who wait for that socket, which costs a tenth of the sending; nobody waits for this.
    sender: Option<Socket>,
}

/// Why the UDP socket cannot be had.
#[derive(Debug)]
pub enum UdpError {
    /// Another program has the port.
    Taken,
    /// We may not have it.
    Forbidden,
    /// Another reason.
    Io(io::Error),
}

impl fmt::Display for UdpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taken => f.write_str(
                "UDP port 67 is taken: another DHCP server or relay runs here; find it with \
                 `ss -lunp 'sport = :67'` and stop it",
            ),
            Self::Forbidden => f.write_str(
                "no permission for UDP port 67: run as root, or with the capabilities \
                 CAP_NET_BIND_SERVICE, CAP_NET_RAW and CAP_NET_ADMIN as the systemd unit does",
            ),
            Self::Io(error) => write!(f, "cannot open UDP port 67: {error}"),
        }
    }
}

impl From<io::Error> for UdpError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::AddrInUse => Self::Taken,
            io::ErrorKind::PermissionDenied => Self::Forbidden,
            _ => Self::Io(error),
        }
    }
}

const QUEUE: u32 = 16 << 20;

/// Where the sender is bound to: the dummy address (RFC 7600), which nothing is ever sent to. Each
/// reply says its source by itself.
const NOWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 0, 8);

impl RoutedSocket {
    /// Binds the port; nobody else may have it.
    pub(crate) fn open(port: u16) -> Result<Self, UdpError> {
        let socket = unbound()?;
        listen(&socket)?;
        socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
        Ok(Self::with_sender(socket))
    }

    /// One that an earlier process has opened so.
    pub(crate) fn adopt(socket: OwnedFd, port: u16) -> io::Result<Self> {
        supervisor::expect(socket.as_fd(), AddressFamily::INET, SocketType::DGRAM)?;
        let socket = Socket::from(socket);
        let bound = socket.local_addr()?.as_socket_ipv4();
        if bound != Some(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port)) {
            return Err(supervisor::unfit("it hears another port"));
        }
        listen(&socket)?;
        Ok(Self::with_sender(socket))
    }

    fn with_sender(listener: Socket) -> Self {
        let sender = sender(&listener).inspect_err(|error| {
            tracing::debug!("replies leave through the socket that requests come by: {error}");
        });
        Self { listener, sender: sender.ok() }
    }

    /// What replies leave through.
    pub(crate) fn sender(&self) -> BorrowedFd<'_> {
        self.sender.as_ref().unwrap_or(&self.listener).as_fd()
    }
}

fn unbound() -> io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::DGRAM.cloexec().nonblocking(), Some(Protocol::UDP))
}

fn listen(socket: &Socket) -> io::Result<()> {
    socket.attach_filter(&filter::ROUTED)?;
    sys::set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
    sys::stamp(socket.as_fd(), false)?;
    send(socket)
}

fn send(socket: &Socket) -> io::Result<()> {
    socket.set_broadcast(true)?;
    // Replies may be longer than a link on the way: routers may cut them.
    let dont = libc::IP_PMTUDISC_DONT.cast_unsigned();
    sys::set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, dont)?;
    enlarge(socket.as_fd(), QUEUE);
    Ok(())
}

/// Shares the listener's port. The listener lets it in, and nobody else before or after.
fn sender(listener: &Socket) -> io::Result<Socket> {
    let socket = unbound()?;
    socket.attach_filter(&filter::NOTHING)?;
    send(&socket)?;
    sys::set_option(socket.as_fd(), libc::IPPROTO_IP, libc::IP_FREEBIND, 1)?;
    let port = listener.local_addr()?.as_socket_ipv4().map_or(0, |bound| bound.port());
    let shares = |yes| [listener, &socket].into_iter().try_for_each(|it| it.set_reuse_address(yes));
    let bound = shares(true).and_then(|()| socket.bind(&SocketAddrV4::new(NOWHERE, port).into()));
    shares(false).and(bound)?;
    Ok(socket)
}

impl AsFd for RoutedSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::UdpSocket;
    use std::time::Duration;

    use super::super::sys::{Sender, Sending, To};
    use super::*;

    fn relay() -> UdpSocket {
        let relay = UdpSocket::bind("127.0.0.1:0").unwrap();
        relay.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        relay
    }

    fn port(routed: &RoutedSocket) -> u16 {
        routed.listener.local_addr().unwrap().as_socket_ipv4().unwrap().port()
    }

    /// Replies come from the port that is served, and from the source that they name.
    fn assert_replies(routed: &RoutedSocket) {
        let relay = relay();
        let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, relay.local_addr().unwrap().port());
        for source in [Ipv4Addr::new(127, 0, 0, 9), Ipv4Addr::UNSPECIFIED] {
            let reply = Sending { to: To::Inet(target, source), header: &[], payload: b"reply" };
            Sender::new().send(routed.sender(), [reply], |error| panic!("{error}"));
            let (length, from) = relay.recv_from(&mut [0; 16]).unwrap();
            let shown = if source.is_unspecified() { Ipv4Addr::LOCALHOST } else { source };
            assert_eq!((length, from), (5, SocketAddrV4::new(shown, port(routed)).into()));
        }
    }

    #[test]
    fn two_sockets_are_one_port_that_nobody_else_gets() {
        let routed = RoutedSocket::open(0).unwrap();
        assert!(routed.sender.is_some());
        for address in [Ipv4Addr::UNSPECIFIED, Ipv4Addr::LOCALHOST] {
            let thief = unbound().unwrap();
            thief.set_reuse_address(true).unwrap();
            let taken = thief.bind(&SocketAddrV4::new(address, port(&routed)).into()).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
        }

        relay().send_to(b"request", (Ipv4Addr::LOCALHOST, port(&routed))).unwrap();
        let mut request = [0; 16];
        assert_eq!((&routed.listener).read(&mut request).unwrap(), 7, "the listener hears it");
        assert_replies(&routed);
    }

    #[test]
    fn the_listener_does_where_no_second_socket_can_be_had() {
        let routed = RoutedSocket { sender: None, ..RoutedSocket::open(0).unwrap() };
        assert_replies(&routed);
    }
}
