//! All sockets of the worker behind one wait: what arrives, once; what leaves, in batches.

use core::mem::MaybeUninit;
use core::net::{Ipv4Addr, SocketAddrV4};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use leasehold_dhcp::input::ProbeAnswer;
use leasehold_dhcp::outbox::{Batch, Probe};
use leasehold_dhcp::wire::{self, CLIENT_PORT};
use leasehold_dhcp::{Datagram, Destination, IfIndex, Interfaces, Mac};
use rustix::event::epoll;
use socket2::Socket;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::filter;
use super::frame::{self, Broken, Checksum};
use super::late::{Lateness, is_late};
use super::packet::{self, PacketSocket};
use super::probe::{ArpSocket, EchoSocket};
use super::routed::{RoutedSocket, UdpError};
use super::sys::{self, From, Received, Receiver, Sender, Sending, To};
use crate::supervisor::Keep;

/// One thing that came in.
#[derive(Debug)]
pub enum Arrival<'a> {
    /// A datagram for the engine.
    Datagram(Datagram<'a>),
    /// What a server said to a client on a watched link.
    Server(Datagram<'a>),
    /// Somebody has an address.
    Probe(ProbeAnswer),
    /// A packet that is no whole datagram, and the rule that it breaks.
    Broken(IfIndex, Broken),
}

/// What went out, and what could not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams that were read and are for the engine.
    pub received: u64,
    /// Packets that were no whole datagrams.
    pub broken: u64,
    /// Datagrams that another socket handles.
    pub twice: u64,
    /// Datagrams that had waited too long.
    pub late: u64,
    /// Replies that the kernel took.
    pub sent: u64,
    /// Replies and probes that it refused.
    pub refused: u64,
}

/// The worker's sockets.
pub struct Sockets {
    wait: AsyncFd<OwnedFd>,
    links: BTreeMap<IfIndex, PacketSocket>,
    watched: BTreeMap<IfIndex, PacketSocket>,
    routed: RoutedSocket,
    arp: ArpSocket,
    echo: EchoSocket,
    out: Socket,
    port: u16,
    receiver: Receiver,
    sender: Sender,
    /// The headers of the frames of a batch; kept for the next.
    headers: Vec<Option<[u8; frame::HEADERS]>>,
    interfaces: Arc<Interfaces>,
    own: BTreeSet<Ipv4Addr>,
    lateness: Lateness,
    /// What hears clients outlives the process.
    keep: Keep,
    /// What has passed so far.
    pub traffic: Traffic,
}

/// A socket that could not be opened, and why.
#[derive(Debug)]
pub struct Unheard {
    /// The interface whose clients are not heard.
    pub interface: Arc<str>,
    /// Why.
    pub error: io::Error,
}

const ROUTED: u64 = 0;
const ARP: u64 = 1;
const ECHO: u64 = 2;
const LINKS: u64 = 16;
/// Behind all interfaces' numbers: the sockets that hear other servers.
const WATCHED: u64 = 1 << 40;
const READY: usize = 64;

impl Sockets {
    /// Opens all that does not depend on an interface. Needs a tokio runtime around it.
    pub fn open(port: u16, seed: u64, mut keep: Keep) -> Result<Self, UdpError> {
        let kept = |socket| RoutedSocket::adopt(socket, port);
        let routed = keep.or_open("routed", kept, || RoutedSocket::open(port))?;
        let arp = ArpSocket::open()?;
        let echo = EchoSocket::open((seed >> 7) as u16)?;
        let all = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(io::Error::from)?;
        for (socket, token) in [(routed.as_fd(), ROUTED), (arp.as_fd(), ARP), (echo.as_fd(), ECHO)]
        {
            listen(&all, socket, token)?;
        }
        Ok(Self {
            wait: sys::awaitable(all)?,
            links: BTreeMap::new(),
            watched: BTreeMap::new(),
            routed,
            arp,
            echo,
            out: packet::sender()?,
            port,
            receiver: Receiver::new(),
            sender: Sender::new(),
            headers: Vec::new(),
            interfaces: Arc::default(),
            own: BTreeSet::new(),
            lateness: Lateness::default(),
            keep,
            traffic: Traffic::default(),
        })
    }

    /// Follows the machine's interfaces and the servers' wishes: opens sockets for interfaces that
    /// are served and run, closes those of the others. Gives back what could not be opened.
    pub fn adopt<'a>(
        &mut self,
        interfaces: Arc<Interfaces>,
        served: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> Vec<Unheard> {
        let mut unheard = Vec::new();
        let mut wanted = BTreeSet::new();
        for name in served {
            let Some(interface) = interfaces.named(name).filter(|it| !it.slave) else { continue };
            let index = interface.index;
            wanted.insert(index);
            if !interface.running || self.links.contains_key(&index) {
                continue;
            }
            let filter = filter::direct(self.port);
            let kept = |socket| PacketSocket::adopt(socket, index, &filter);
            let opened =
                self.keep.or_open(&kept_as(index), kept, || PacketSocket::open(index, &filter));
            let token = LINKS + u64::from(index.0);
            match opened
                .and_then(|socket| listen(self.wait.get_ref(), &socket, token).and(Ok(socket)))
            {
                Ok(socket) => drop(self.links.insert(index, socket)),
                Err(error) => unheard.push(Unheard { interface: Arc::clone(name), error }),
            }
        }
        let unwanted: Vec<_> =
            self.links.keys().filter(|index| !wanted.contains(index)).copied().collect();
        for index in unwanted {
            self.close(index);
        }
        let own = interfaces.iter().flat_map(|it| it.addresses.iter().map(|net| net.addr()));
        self.own = own.collect();
        self.interfaces = interfaces;
        unheard
    }

    /// Opens sockets for what servers say on the links that are watched, closes the others.
    pub fn watch<'a>(&mut self, watched: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<Unheard> {
        let mut unheard = Vec::new();
        let mut wanted = BTreeSet::new();
        for name in watched {
            let interface = self.interfaces.named(name).filter(|it| it.running);
            let Some(index) = interface.map(|it| it.index) else { continue };
            wanted.insert(index);
            if self.watched.contains_key(&index) {
                continue;
            }
            let opened = PacketSocket::open(index, &filter::to_clients(CLIENT_PORT));
            let token = WATCHED + u64::from(index.0);
            match opened
                .and_then(|socket| listen(self.wait.get_ref(), &socket, token).and(Ok(socket)))
            {
                Ok(socket) => drop(self.watched.insert(index, socket)),
                Err(error) => unheard.push(Unheard { interface: Arc::clone(name), error }),
            }
        }
        self.watched.retain(|index, _| wanted.contains(index));
        unheard
    }

    /// Interfaces whose clients are heard.
    pub fn heard(&self) -> impl Iterator<Item = IfIndex> {
        self.links.keys().copied()
    }

    /// Waits until something may have arrived. Borrows no more than what is waited for: the buffers
    /// are not for other threads.
    pub fn ready(&self) -> impl Future<Output = io::Result<()>> + Send {
        let wait = &self.wait;
        async {
            wait.readable().await?.retain_ready();
            Ok(())
        }
    }

    /// Reads at most about `most` packets without waiting; gives what they hold to `each`. Zero
    /// means that nothing was there.
    pub fn receive(&mut self, most: usize, mut each: impl FnMut(Arrival<'_>)) -> usize {
        let mut room = [const { MaybeUninit::uninit() }; READY];
        let waited = self.wait.try_io(Interest::READABLE, |all| {
            let (ready, _) = epoll::wait(all, &mut room, Some(&ZERO))?;
            if ready.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(ready) }
        });
        let Ok(ready) = waited else { return 0 };
        let mut read = 0;
        for event in ready {
            read += self.drain(event.data.u64(), most - read.min(most), &mut each);
        }
        if let Some(on) = self.lateness.read(read < most, Instant::now()) {
            self.stamp(on);
        }
        read.max(1)
    }

    /// Reads what probes have been answered until now, at most about `most` of each kind.
    pub fn answers(&mut self, most: usize, mut each: impl FnMut(ProbeAnswer)) {
        for token in [ARP, ECHO] {
            self.drain(token, most, &mut |arrival| {
                if let Arrival::Probe(answer) = arrival {
                    each(answer);
                }
            });
        }
    }

    /// Reads a socket until it is empty, or at most about `most` packets.
    fn drain(&mut self, token: u64, most: usize, each: &mut impl FnMut(Arrival<'_>)) -> usize {
        let mut read = 0;
        while read < most {
            let count = self.receive_from(token, most - read, each);
            read += count;
            if count < sys::BATCH {
                break;
            }
        }
        read
    }

    /// Has the kernel note when datagrams come, or not.
    fn stamp(&self, on: bool) {
        let links = self.links.values().map(|socket| socket.as_fd());
        for socket in links.chain([self.routed.as_fd()]) {
            if let Err(error) = sys::stamp(socket, on) {
                tracing::debug!("a socket does not say when its datagrams come: {error}");
            }
        }
    }

    /// Sends replies: those on links as frames of our own making, the others through the kernel.
    pub fn send<'a>(&mut self, batches: impl IntoIterator<Item = &'a Batch> + Clone) {
        let replies = || batches.clone().into_iter().flat_map(Batch::iter);
        let Self { headers, sender, port, .. } = self;
        headers.clear();
        headers.extend(replies().map(|(to, payload)| match to {
            Destination::Link { source, target, .. } => {
                frame::headers(SocketAddrV4::new(source, *port), target, payload)
            }
            Destination::Routed { .. } => None,
        }));
        let frames = replies().zip(&*headers).filter_map(|((to, payload), header)| match to {
            Destination::Link { interface, mac, .. } => {
                let to = To::Link(packet::station(interface, mac));
                Some(Sending { to, header: header.as_ref()?, payload })
            }
            Destination::Routed { .. } => None,
        });
        let datagrams = replies().filter_map(|(to, payload)| match to {
            Destination::Link { .. } => None,
            Destination::Routed { source, target } => {
                Some(Sending { to: To::Inet(target, source), header: &[], payload })
            }
        });
        let mut refused = 0;
        let mut refuse = |error| {
            refused += 1;
            tracing::debug!("the kernel refused a reply: {error}");
        };
        let mut sent = sender.send(self.out.as_fd(), frames, &mut refuse);
        sent += sender.send(self.routed.sender(), datagrams, &mut refuse);
        self.traffic.refused += refused;
        self.traffic.sent += sent as u64 - refused;
    }

    /// Asks who has an address.
    pub fn probe(&mut self, probe: Probe) {
        let mut refused = 0;
        let refuse = |error| {
            refused += 1;
            tracing::debug!("the kernel refused a probe: {error}");
        };
        match probe {
            Probe::Arp { interface, target } => {
                let Some(own) = self.interfaces.get(interface).map(|it| it.mac) else { return };
                self.arp.ask(&mut self.sender, interface, own, target, refuse);
            }
            Probe::Echo { target } => self.echo.ask(&mut self.sender, target, refuse),
            Probe::Servers { interface, xid } => {
                let Some(own) = self.interfaces.get(interface).map(|it| it.mac) else { return };
                let payload = &wire::search(wire::searcher(own), xid);
                let source = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, CLIENT_PORT);
                let target = SocketAddrV4::new(Ipv4Addr::BROADCAST, self.port);
                let Some(header) = &frame::headers(source, target, payload) else { return };
                let to = To::Link(packet::station(interface, Mac::BROADCAST));
                self.sender.send(self.out.as_fd(), [Sending { to, header, payload }], refuse);
            }
        }
        self.traffic.refused += refused;
    }

    /// Whatever an earlier process has heard and this one does not is let go.
    pub fn forget_rest(&mut self) {
        self.keep.forget_rest();
    }

    fn close(&mut self, interface: IfIndex) {
        let Some(socket) = self.links.remove(&interface) else { return };
        // The manager has it open still, so it would go on waking us.
        if let Err(error) = epoll::delete(self.wait.get_ref(), &socket) {
            tracing::debug!("a socket that is closed is waited for: {error}");
        }
        self.keep.forget(&kept_as(interface));
    }

    fn receive_from(
        &mut self,
        token: u64,
        most: usize,
        each: &mut impl FnMut(Arrival<'_>),
    ) -> usize {
        let socket = match token {
            ROUTED => self.routed.as_fd(),
            ARP => self.arp.as_fd(),
            ECHO => self.echo.as_fd(),
            link => {
                let watched = link >= WATCHED;
                let (all, first) =
                    if watched { (&self.watched, WATCHED) } else { (&self.links, LINKS) };
                let index = u32::try_from(link - first).map_or(IfIndex(0), IfIndex);
                let Some(socket) = all.get(&index) else { return 0 };
                socket.as_fd()
            }
        };
        // An error (the interface went down) is read once and is then gone.
        let count = self.receiver.receive(socket, most).unwrap_or(0);
        let clock = self.lateness.clock();
        for received in (0..count).filter_map(|index| self.receiver.get(index)) {
            if is_late(received.told.came, clock) {
                self.traffic.late += 1;
                continue;
            }
            let arrival = match token {
                ROUTED => self.routed_arrival(&received),
                ARP => ArpSocket::answer(&received).map(Arrival::Probe),
                ECHO => self.echo.answer(&received).map(Arrival::Probe),
                WATCHED.. => watched_arrival(&received),
                _ => self.link_arrival(&received),
            };
            match &arrival {
                Some(Arrival::Datagram(_)) => self.traffic.received += 1,
                Some(Arrival::Broken(..)) => self.traffic.broken += 1,
                None if token == ROUTED || (LINKS..WATCHED).contains(&token) => {
                    self.traffic.twice += 1
                }
                Some(Arrival::Probe(_) | Arrival::Server(_)) | None => {}
            }
            if let Some(arrival) = arrival {
                each(arrival);
            }
        }
        count
    }

    fn link_arrival<'a>(&self, received: &Received<'a>) -> Option<Arrival<'a>> {
        let From::Link { interface, kind, mac } = received.from else { return None };
        if !packet::is_ours(received) {
            return None;
        }
        let udp = match frame::parse(received.bytes, checksum(received)) {
            Ok(udp) => udp,
            Err(broken) => return Some(Arrival::Broken(interface, broken)),
        };
        let destination = *udp.target.ip();
        // A frame for us with a packet for somebody else is to be forwarded.
        let ours = destination.is_broadcast() || self.own.contains(&destination);
        let passes_by = kind == libc::PACKET_HOST && !ours;
        (!passes_by).then_some(Arrival::Datagram(Datagram {
            interface,
            link_source: mac,
            source: udp.source,
            destination,
            payload: udp.payload,
        }))
    }

    fn routed_arrival<'a>(&self, received: &Received<'a>) -> Option<Arrival<'a>> {
        let From::Inet(source) = received.from else { return None };
        let (interface, destination) = received.told.arrival?;
        let payload = received.bytes;
        let direct = payload.get(24..28).is_none_or(|giaddr| giaddr == [0; 4]);
        let other = direct && self.links.contains_key(&interface);
        (!other).then_some(Arrival::Datagram(Datagram {
            interface,
            link_source: None,
            source,
            destination,
            payload,
        }))
    }
}

/// What somebody said to a client; what is broken is not worth a word.
fn watched_arrival<'a>(received: &Received<'a>) -> Option<Arrival<'a>> {
    let From::Link { interface, mac, .. } = received.from else { return None };
    let udp = packet::is_ours(received).then(|| frame::parse(received.bytes, checksum(received)));
    let udp = udp?.ok()?;
    Some(Arrival::Server(Datagram {
        interface,
        link_source: mac,
        source: udp.source,
        destination: *udp.target.ip(),
        payload: udp.payload,
    }))
}

/// Who answers for the checksum: nobody has made it yet where a local peer sent the frame.
fn checksum(received: &Received<'_>) -> Checksum {
    let known = libc::TP_STATUS_CSUMNOTREADY | libc::TP_STATUS_CSUM_VALID;
    if received.told.status & known != 0 { Checksum::Trust } else { Checksum::Verify }
}

const ZERO: rustix::event::Timespec = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };

/// The name under which the manager keeps a link's socket.
fn kept_as(IfIndex(interface): IfIndex) -> String {
    format!("link-{interface}")
}

fn listen(all: impl AsFd, socket: impl AsFd, token: u64) -> io::Result<()> {
    epoll::add(all, socket, epoll::EventData::new_u64(token), epoll::EventFlags::IN)?;
    Ok(())
}
