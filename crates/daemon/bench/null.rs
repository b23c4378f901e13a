//! Null servers: they know nothing, keep nothing and answer at once, so that no server can be
//! faster on the same machine.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::frame::{self, BROADCAST, Envelope, Frame, HEADROOM};
use super::mmsg::{self, Inbox, Outgoing};
use super::packet::{ACK, CLIENT_PORT, COOKIE, DISCOVER, HEADER, OFFER, REQUEST, SERVER_PORT};
use super::socket;

/// Messages of one turn: as many as the daemon takes.
const BATCH: usize = 256;
/// How often a server without work looks whether it is to stop.
const PATIENCE: Duration = Duration::from_millis(200);
const LEASE_TIME: u32 = 3600;
/// Octets that an ACK's record takes in the log.
const RECORD: usize = 64;
/// Octets of the log; it is written round and round.
const LOG: u64 = 64 << 20;

/// What carries the messages.
enum Link {
    /// Datagrams of relays; each is answered to where it came from.
    Datagrams,
    /// Frames, which leave with this Ethernet address.
    Frames([u8; 6]),
}

/// A server that answers each DISCOVER and REQUEST with a prepared message.
pub(super) struct NullServer {
    link: Link,
    socket: OwnedFd,
    identity: Ipv4Addr,
    answer: Vec<u8>,
    log: Option<Log>,
}

impl NullServer {
    /// A server for relayed clients; `log` makes each turn's ACKs durable first.
    pub(super) fn datagrams(listen: SocketAddrV4, log: Option<Log>) -> io::Result<Self> {
        let identity = *listen.ip();
        let socket = socket::datagrams(listen)?;
        Ok(Self { link: Link::Datagrams, socket, identity, answer: prepared(identity), log })
    }

    /// A server for clients on an interface.
    pub(super) fn frames(
        interface: &str,
        identity: Ipv4Addr,
        log: Option<Log>,
    ) -> io::Result<Self> {
        let link = Link::Frames(socket::interface_mac(interface)?);
        let socket = socket::frames(interface, SERVER_PORT)?;
        Ok(Self { link, socket, identity, answer: prepared(identity), log })
    }

    /// Where a server of relayed clients listens: its port may have been chosen by the kernel.
    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        UdpSocket::from(self.socket.try_clone()?).local_addr()
    }

    /// Answers until it is told to stop.
    pub(super) fn serve(&mut self, stop: &AtomicBool) -> io::Result<()> {
        let first = if matches!(self.link, Link::Datagrams) { HEADROOM } else { 0 };
        let mut inbox = Inbox::new(BATCH);
        let mut out = Outgoing::new(BATCH, first);
        while !stop.load(Ordering::Relaxed) {
            let received = inbox.receive(self.socket.as_fd())?;
            for index in 0..received {
                self.answer(inbox.bytes(index), inbox.source(index), &mut out);
            }
            if let Some(log) = &mut self.log {
                log.sync()?;
            }
            out.send(self.socket.as_fd())?;
            if received == 0 {
                mmsg::wait(self.socket.as_fd(), libc::POLLIN, PATIENCE)?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, bytes: &[u8], source: SocketAddrV4, out: &mut Outgoing) {
        let request = match self.link {
            Link::Datagrams => bytes,
            Link::Frames(_) => match frame::parse(bytes) {
                Frame::Datagram { payload, .. } => payload,
                _ => return,
            },
        };
        let slot = out.slot();
        let Some(size) = fill(&self.answer, request, &mut slot[HEADROOM..]) else { return };
        if let (Some(log), ACK) = (&mut self.log, slot[HEADROOM + HEADER + 2]) {
            log.append(&slot[HEADROOM..]);
        }
        match self.link {
            Link::Datagrams => out.push(HEADROOM + size, Some(source)),
            Link::Frames(mac) => {
                let envelope = envelope(mac, self.identity, &slot[HEADROOM..]);
                let end = frame::wrap(slot, size, &envelope);
                out.push(end, None);
            }
        }
    }
}

/// RFC 2131 § 4.1: to the broadcast address if the client asks for it, else to what it has.
fn envelope(mac: [u8; 6], identity: Ipv4Addr, answer: &[u8]) -> Envelope {
    let mut client = [0; 6];
    client.copy_from_slice(&answer[28..34]);
    let yiaddr = Ipv4Addr::new(answer[16], answer[17], answer[18], answer[19]);
    let broadcast = answer[10] & 0x80 != 0;
    let (mac_target, target) =
        if broadcast { (BROADCAST, Ipv4Addr::BROADCAST) } else { (client, yiaddr) };
    Envelope {
        mac_source: mac,
        mac_target,
        source: SocketAddrV4::new(identity, SERVER_PORT),
        target: SocketAddrV4::new(target, CLIENT_PORT),
    }
}

/// An answer without the client's fields.
pub(super) fn prepared(identity: Ipv4Addr) -> Vec<u8> {
    let mut message = vec![0; HEADER];
    message[..3].copy_from_slice(&[2, 1, 6]);
    message[HEADER - 4..].copy_from_slice(&COOKIE);
    let mut put = |code: u8, content: &[u8]| {
        message.extend_from_slice(&[code, content.len() as u8]);
        message.extend_from_slice(content);
    };
    put(53, &[OFFER]);
    put(54, &identity.octets());
    put(51, &LEASE_TIME.to_be_bytes());
    put(58, &(LEASE_TIME / 2).to_be_bytes());
    put(59, &(LEASE_TIME / 8 * 7).to_be_bytes());
    put(1, &[255, 0, 0, 0]);
    put(3, &[10, 255, 255, 254]);
    put(6, &[10, 255, 255, 253]);
    message
}

/// Writes the answer to a request; the address follows from chaddr, so that no two clients with
/// different last three octets get the same. Nothing for what is not DISCOVER or REQUEST.
pub(super) fn fill(answer: &[u8], request: &[u8], to: &mut [u8]) -> Option<usize> {
    let (header, mut rest) = request.split_at_checked(HEADER)?;
    let (mut message, mut agent) = (0, None);
    while let [code, tail @ ..] = rest {
        if *code == 255 {
            break;
        }
        if *code == 0 {
            rest = tail;
            continue;
        }
        let (length, tail) = tail.split_first()?;
        let (content, tail) = tail.split_at_checked(usize::from(*length))?;
        match code {
            53 => message = *content.first()?,
            82 => agent = Some(content),
            _ => {}
        }
        rest = tail;
    }
    let kind = match message {
        DISCOVER => OFFER,
        REQUEST => ACK,
        _ => return None,
    };
    to[..answer.len()].copy_from_slice(answer);
    to[4..8].copy_from_slice(&header[4..8]);
    to[10..12].copy_from_slice(&header[10..12]);
    to[16] = 10;
    to[17..20].copy_from_slice(&header[31..34]);
    to[24..44].copy_from_slice(&header[24..44]);
    to[HEADER + 2] = kind;
    let mut end = answer.len();
    if let Some(content) = agent {
        let after = end + 2 + content.len();
        to.get_mut(end..=after)?[..2].copy_from_slice(&[82, content.len() as u8]);
        to[end + 2..after].copy_from_slice(content);
        end = after;
    }
    to[end] = 255;
    let size = (end + 1).max(300);
    to[end + 1..size].fill(0);
    Some(size)
}

/// A file for records of [`RECORD`] octets.
pub(super) struct Log {
    file: File,
    at: u64,
    pending: Vec<u8>,
}

impl Log {
    pub(super) fn create(path: &Path, laid_out: bool) -> io::Result<Self> {
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        if laid_out {
            let zeros = vec![0; 1 << 20];
            for _ in 0..LOG >> 20 {
                file.write_all(&zeros)?;
            }
        }
        file.sync_all()?;
        Ok(Self { file, at: 0, pending: Vec::with_capacity(BATCH * RECORD) })
    }

    /// Adds an ACK's record: transaction, addresses and chaddr.
    fn append(&mut self, ack: &[u8]) {
        self.pending.extend_from_slice(&ack[4..4 + RECORD]);
    }

    /// Makes what was added durable.
    fn sync(&mut self) -> io::Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.at + self.pending.len() as u64 > LOG {
            self.at = 0;
        }
        self.file.write_all_at(&self.pending, self.at)?;
        self.file.sync_data()?;
        self.at += self.pending.len() as u64;
        self.pending.clear();
        Ok(())
    }
}
