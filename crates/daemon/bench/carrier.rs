//! How messages travel: as datagrams of a relay, or as frames of the clients themselves.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use super::frame::{self, BROADCAST, Envelope, Frame, HEADROOM};
use super::mmsg::{self, Inbox, Outgoing, SENT_MAX};
use super::packet::{CLIENT_PORT, Fields, Kind, Messages, SERVER_PORT};
use super::socket;

/// Messages of one system call.
const BATCH: usize = 64;

#[derive(Debug)]
enum Way {
    /// A relay's socket; all datagrams go to the server.
    Relayed { server: SocketAddrV4 },
    /// A raw socket on the clients' link. The server's Ethernet address is that of its last frame.
    Direct { server_mac: [u8; 6] },
}

/// The socket with its way and the messages that wait to be sent.
pub(super) struct Carrier {
    way: Way,
    socket: OwnedFd,
    out: Outgoing,
}

/// What has arrived.
pub(super) enum Arrived<'a> {
    /// A UDP payload for a client or the relay.
    Message(&'a [u8]),
    /// An ARP request: somebody looks for `target`.
    ArpRequest { asker: ([u8; 6], Ipv4Addr), target: Ipv4Addr },
    /// Nothing of interest.
    Other,
}

impl Carrier {
    pub(super) fn relayed(relay: SocketAddrV4, server: SocketAddrV4) -> io::Result<Self> {
        let socket = socket::datagrams(relay)?;
        Ok(Self { way: Way::Relayed { server }, socket, out: Outgoing::new(BATCH, HEADROOM) })
    }

    pub(super) fn direct(interface: &str) -> io::Result<Self> {
        let socket = socket::frames(interface, CLIENT_PORT)?;
        let way = Way::Direct { server_mac: BROADCAST };
        Ok(Self { way, socket, out: Outgoing::new(BATCH, 0) })
    }

    pub(super) fn inbox() -> Inbox {
        Inbox::new(BATCH)
    }

    /// Whether answers to other hosts' clients can be heard too.
    pub(super) fn hears_others(&self) -> bool {
        matches!(self.way, Way::Direct { .. })
    }

    pub(super) fn receive(&self, inbox: &mut Inbox) -> io::Result<usize> {
        inbox.receive(self.socket())
    }

    /// Looks at one received message; `bytes` are the inbox's.
    pub(super) fn open<'a>(&mut self, bytes: &'a [u8]) -> Arrived<'a> {
        let Way::Direct { server_mac } = &mut self.way else { return Arrived::Message(bytes) };
        match frame::parse(bytes) {
            Frame::Datagram { mac_source, payload, .. } => {
                *server_mac = mac_source;
                Arrived::Message(payload)
            }
            Frame::ArpRequest { mac, sender, target } => {
                Arrived::ArpRequest { asker: (mac, sender), target }
            }
            Frame::Other => Arrived::Other,
        }
    }

    /// Puts a client's message to those that wait, and sends them if they are many.
    pub(super) fn send(
        &mut self,
        messages: &Messages,
        kind: Kind,
        fields: &Fields,
    ) -> io::Result<()> {
        let slot = self.out.slot();
        let size = messages.write(kind, fields, &mut slot[HEADROOM..]);
        match &self.way {
            Way::Relayed { server } => self.out.push(HEADROOM + size, Some(*server)),
            Way::Direct { server_mac } => {
                let end = frame::wrap(slot, size, &envelope(kind, fields, *server_mac));
                self.out.push(end, None);
            }
        }
        self.flush_if_full()
    }

    /// Answers an ARP request for a client's address.
    pub(super) fn answer_arp(
        &mut self,
        owner: ([u8; 6], Ipv4Addr),
        asker: ([u8; 6], Ipv4Addr),
    ) -> io::Result<()> {
        let end = frame::arp_reply(self.out.slot(), owner, asker);
        self.out.push(end, None);
        self.flush_if_full()
    }

    pub(super) fn flush(&mut self) -> io::Result<()> {
        self.out.send(self.socket.as_fd())
    }

    fn flush_if_full(&mut self) -> io::Result<()> {
        if self.out.is_full() { self.flush() } else { Ok(()) }
    }

    /// Waits for an arrival, at most `limit`.
    pub(super) fn wait(&self, limit: Duration) -> io::Result<()> {
        mmsg::wait(self.socket(), libc::POLLIN, limit)
    }

    /// Answers that the kernel dropped because this process was too slow. Call once, at the end.
    pub(super) fn dropped(&self) -> u64 {
        match self.way {
            Way::Relayed { .. } => socket::datagrams_dropped(self.socket()),
            Way::Direct { .. } => socket::frames_dropped(self.socket()),
        }
    }

    fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// A client without an address broadcasts from 0.0.0.0; one that renews or releases speaks from
/// its address to its server.
fn envelope(kind: Kind, fields: &Fields, server_mac: [u8; 6]) -> Envelope {
    let (source, target, mac_target) = match kind {
        Kind::Renew | Kind::Release => (fields.address, fields.server, server_mac),
        Kind::Discover | Kind::Select | Kind::Reboot => {
            (Ipv4Addr::UNSPECIFIED, Ipv4Addr::BROADCAST, BROADCAST)
        }
    };
    Envelope {
        mac_source: fields.mac,
        mac_target,
        source: SocketAddrV4::new(source, CLIENT_PORT),
        target: SocketAddrV4::new(target, SERVER_PORT),
    }
}

const _: () = assert!(HEADROOM + 548 <= SENT_MAX, "a DHCP message of any relay fits");
