//! A small DHCP client on one interface: asks, listens, keeps nothing.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use leasehold_dhcp::{IfIndex, Interface, Mac};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::Socket;

use super::message::{self, Message, code};
use crate::net::filter;
use crate::net::frame::{self, Checksum};
use crate::net::packet::{self, PacketSocket};
use crate::net::sys::{From, Receiver, Sender, Sending, To};

const CLIENT: u16 = 68;
const SERVER: u16 = 67;

/// What the client asks for: mask, router, DNS, name, domain, MTU, routes.
const PARAMETERS: [u8; 8] = [1, 3, 6, 12, 15, 26, 51, 121];

/// An answer, and who sent it.
#[derive(Clone, Debug)]
pub struct Answer {
    /// What it says.
    pub message: Message,
    /// The frame's source: the next hop of a renewal.
    pub station: Mac,
    /// The IP source.
    pub source: Ipv4Addr,
}

/// A lease that the client holds.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The address.
    pub address: Ipv4Addr,
    /// The server's identifier.
    pub server: Ipv4Addr,
    /// The station that answered.
    pub station: Mac,
    /// The ACK.
    pub ack: Message,
}

/// Why there is no lease.
#[derive(Debug)]
pub enum ProbeError {
    /// The interface cannot be used.
    Io(io::Error),
    /// Nobody answered the message of this name, so often sent.
    Silence(&'static str, u32),
    /// A server said no, and why.
    Refused(Ipv4Addr, String),
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                f.write_str("no permission for raw packets: run as root, or with CAP_NET_RAW")
            }
            Self::Io(error) => write!(f, "cannot use the interface: {error}"),
            Self::Silence(kind, times) => write!(f, "nobody answered a {kind} sent {times} times"),
            Self::Refused(server, why) if why.is_empty() => write!(f, "{server} said NAK"),
            Self::Refused(server, why) => write!(f, "{server} said NAK: {why}"),
        }
    }
}

impl std::error::Error for ProbeError {}

impl core::convert::From<io::Error> for ProbeError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// A client on an interface.
pub struct Client {
    socket: PacketSocket,
    out: Socket,
    receiver: Receiver,
    interface: IfIndex,
    mac: Mac,
    xid: u32,
}

const ATTEMPTS: u32 = 4;

impl Client {
    /// Opens the interface; `mac` stands in the messages, usually the interface's own.
    pub fn open(interface: &Interface, mac: Mac) -> io::Result<Self> {
        let mut xid = [0; 4];
        rustix::rand::getrandom(&mut xid, rustix::rand::GetRandomFlags::empty())?;
        Ok(Self {
            socket: PacketSocket::open(interface.index, &filter::direct(CLIENT))?,
            out: packet::sender()?,
            receiver: Receiver::new(),
            interface: interface.index,
            mac,
            xid: u32::from_ne_bytes(xid),
        })
    }

    /// One offer of each server that makes one within `wait`. A DISCOVER may be lost: half of the
    /// time is the second one's.
    pub fn discover(&mut self, wait: Duration) -> Result<Vec<Answer>, ProbeError> {
        let discover = self.message(message::DISCOVER).with(code::PARAMETERS, &PARAMETERS);
        let mut offers: Vec<Answer> = Vec::new();
        let began = Instant::now();
        for end in [began + wait / 2, began + wait] {
            self.send(&discover, None)?;
            while let Some(answer) = self.next(end)? {
                let is_same =
                    |it: &Answer| (it.station, it.source) == (answer.station, answer.source);
                let is_offer = answer.message.kind() == Some(message::OFFER);
                if is_offer && !offers.iter().any(is_same) {
                    offers.push(answer);
                }
            }
        }
        Ok(offers)
    }

    /// DISCOVER, OFFER, REQUEST, ACK; asks for `wanted` if it is given.
    pub fn lease(&mut self, wanted: Option<Ipv4Addr>) -> Result<Lease, ProbeError> {
        let mut discover = self.message(message::DISCOVER).with(code::PARAMETERS, &PARAMETERS);
        if let Some(wanted) = wanted {
            discover = discover.with(code::REQUESTED, &wanted.octets());
        }
        let offer = self.ask(&discover, None, &[message::OFFER])?;
        let server = offer.message.address(code::SERVER).unwrap_or(offer.source);
        // RFC 2131 § 4.4.1: the REQUEST has the xid of the OFFER.
        let request = Message { xid: discover.xid, ..self.message(message::REQUEST) };
        let request = request
            .with(code::SERVER, &server.octets())
            .with(code::REQUESTED, &offer.message.yiaddr.octets())
            .with(code::PARAMETERS, &PARAMETERS);
        let ack = self.ask(&request, None, &[message::ACK, message::NAK])?;
        granted(ack)
    }

    /// A REQUEST of the RENEWING state, to the server alone.
    pub fn renew(&mut self, lease: &Lease) -> Result<Lease, ProbeError> {
        let mut request = self.message(message::REQUEST).with(code::PARAMETERS, &PARAMETERS);
        request.ciaddr = lease.address;
        let ack = self.ask(&request, Some(lease), &[message::ACK, message::NAK])?;
        granted(ack)
    }

    /// A REQUEST of the INIT-REBOOT state: verifies an address that the client had.
    pub fn verify(&mut self, address: Ipv4Addr) -> Result<Lease, ProbeError> {
        let request = self.message(message::REQUEST).with(code::REQUESTED, &address.octets());
        let request = request.with(code::PARAMETERS, &PARAMETERS);
        let ack = self.ask(&request, None, &[message::ACK, message::NAK])?;
        granted(ack)
    }

    /// Gives the lease back; nobody answers that.
    pub fn release(&mut self, lease: &Lease) -> Result<(), ProbeError> {
        let mut release = self.message(message::RELEASE);
        release.ciaddr = lease.address;
        let release = release.with(code::SERVER, &lease.server.octets());
        self.send(&release, Some(lease))
    }

    fn message(&mut self, kind: u8) -> Message {
        self.xid = self.xid.wrapping_add(1);
        Message::of_client(kind, self.mac, self.xid)
    }

    /// Sends until one of the wanted kinds answers: after one, two, four, eight seconds.
    fn ask(
        &mut self,
        message: &Message,
        to: Option<&Lease>,
        kinds: &[u8],
    ) -> Result<Answer, ProbeError> {
        for attempt in 0..ATTEMPTS {
            self.send(message, to)?;
            let end = Instant::now() + Duration::from_secs(1 << attempt);
            while let Some(answer) = self.next(end)? {
                let kind = answer.message.kind().unwrap_or(0);
                if answer.message.xid == message.xid && kinds.contains(&kind) {
                    return Ok(answer);
                }
            }
        }
        Err(ProbeError::Silence(message.name(), ATTEMPTS))
    }

    fn send(&mut self, message: &Message, to: Option<&Lease>) -> Result<(), ProbeError> {
        let (station, address) =
            to.map_or((Mac::BROADCAST, Ipv4Addr::BROADCAST), |to| (to.station, to.server));
        let payload = message.bytes();
        let source = SocketAddrV4::new(message.ciaddr, CLIENT);
        let target = SocketAddrV4::new(address, SERVER);
        let header = frame::headers(source, target, &payload);
        let header = header.ok_or(io::Error::from(io::ErrorKind::InvalidInput))?;
        let to = To::Link(packet::station(self.interface, station));
        let mut refusal = None;
        let sending = Sending { to, header: &header, payload: &payload };
        Sender::new().send(self.out.as_fd(), [sending], |error| refusal = Some(error));
        refusal.map_or(Ok(()), |error| Err(ProbeError::Io(error)))
    }

    /// The next answer for this client before `end`.
    fn next(&mut self, end: Instant) -> Result<Option<Answer>, ProbeError> {
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let mut sockets = [PollFd::new(&self.socket, PollFlags::IN)];
            let left = Timespec::try_from(left).unwrap_or_default();
            match poll(&mut sockets, Some(&left)) {
                Ok(0) => return Ok(None),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(ProbeError::Io(error.into())),
            }
            if self.receiver.receive(self.socket.as_fd(), 1)? == 0 {
                continue;
            }
            let answer = self.receiver.get(0).and_then(|received| {
                let From::Link { mac: Some(station), .. } = received.from else { return None };
                let udp = frame::parse(received.bytes, Checksum::Trust).ok()?;
                let message = Message::read(udp.payload)?;
                let ours = message.op == 2 && message.mac == self.mac;
                ours.then(|| Answer { message, station, source: *udp.source.ip() })
            });
            if answer.is_some() {
                return Ok(answer);
            }
        }
    }
}

fn granted(answer: Answer) -> Result<Lease, ProbeError> {
    let Answer { message: ack, station, source } = answer;
    let server = ack.address(code::SERVER).unwrap_or(source);
    if ack.kind() == Some(message::NAK) {
        let why = ack.option(code::MESSAGE).unwrap_or_default();
        return Err(ProbeError::Refused(server, why.escape_ascii().to_string()));
    }
    Ok(Lease { address: ack.yiaddr, server, station, ack })
}
