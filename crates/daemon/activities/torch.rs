//! `/tool/torch`: what DHCP passes an interface, counted by its ends.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use leasehold_dhcp::IfIndex;
use leasehold_routeros::{Fault, Trap};
use rustix::net::netdevice;
use tokio::io::unix::AsyncFd;
use tokio::time::Instant;

use super::{Listener, failed};
use crate::menus::{Flow, Torch};
use crate::net::frame::{self, Checksum};
use crate::net::sys::{self, Receiver};
use crate::net::{filter, packet};

/// `ETH_P_ALL`: also what the machine itself sends.
const EVERYTHING: u16 = 0x0003;
const QUEUE: u32 = 1 << 20;
/// Ends that are told apart in one report; what others send is not counted.
const ENDS: usize = 256;
const SERVER_PORT: u16 = 67;
const CLIENT_PORT: u16 = 68;
/// Octets of an Ethernet header: what torch counts are frames.
const ETHERNET: u64 = 14;

pub(super) async fn run(torch: &Torch, mut listener: Listener) -> Result<(), Trap> {
    let opened =
        rustix::net::socket(rustix::net::AddressFamily::INET, rustix::net::SocketType::DGRAM, None);
    let named = opened.and_then(|socket| netdevice::name_to_index(socket, &torch.interface.0));
    let index = named.map_err(|_| Trap::value("interface", Fault::NoMatch))?;
    let mut tap = Tap::open(IfIndex(index)).map_err(|error| failed("cannot listen", &error))?;
    let every = Duration::from_secs(torch.freeze_frame_interval.seconds().into());
    let lasting = torch.duration.map(|duration| Duration::from_secs(duration.seconds().into()));
    let end = lasting.map(|lasting| Instant::now() + lasting);
    loop {
        let until = end.map_or(Instant::now() + every, |end| end.min(Instant::now() + every));
        let seen = tap.listen(until).await.map_err(|error| failed("cannot listen", &error))?;
        for (ends, carried) in &seen {
            listener.tell(&flow(ends, carried, every)).await;
        }
        if torch.once || end.is_some_and(|end| Instant::now() >= end) {
            return Ok(());
        }
    }
}

/// The client's or relay's side, and the server's.
type Ends = ((Ipv4Addr, u16), (Ipv4Addr, u16));

#[derive(Default)]
struct Carried {
    sent: u64,
    sent_octets: u64,
    received: u64,
    received_octets: u64,
}

struct Tap {
    socket: AsyncFd<OwnedFd>,
    receiver: Receiver,
}

impl Tap {
    fn open(interface: IfIndex) -> io::Result<Self> {
        let socket = packet::unbound(&filter::UDP, QUEUE)?;
        let address = sys::link_address(EVERYTHING, interface, None);
        sys::bind_link(socket.as_fd(), &address)?;
        Ok(Self { socket: sys::awaitable(socket.into())?, receiver: Receiver::new() })
    }

    /// What passes until then.
    async fn listen(&mut self, until: Instant) -> io::Result<BTreeMap<Ends, Carried>> {
        let mut seen = BTreeMap::new();
        loop {
            let ready = tokio::time::timeout_at(until, self.socket.readable()).await;
            let Ok(ready) = ready else { return Ok(seen) };
            let mut ready = ready?;
            let count = match self.receiver.receive(self.socket.as_fd(), sys::BATCH) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                Err(error) => return Err(error),
            };
            if count == 0 {
                ready.clear_ready();
            }
            for at in 0..count {
                let Some(received) = self.receiver.get(at) else { continue };
                let Ok(udp) = frame::parse(received.bytes, Checksum::Trust) else { continue };
                let (source, target) = (udp.source, udp.target);
                note(
                    &mut seen,
                    (*source.ip(), source.port()),
                    (*target.ip(), target.port()),
                    received.bytes.len() as u64 + ETHERNET,
                );
            }
        }
    }
}

/// Counts a datagram if it is DHCP. What goes to a client's port was sent by a server; of what
/// passes between a relay and a server the answer was, which goes back where one was asked from.
fn note(
    seen: &mut BTreeMap<Ends, Carried>,
    source: (Ipv4Addr, u16),
    target: (Ipv4Addr, u16),
    octets: u64,
) {
    let dhcp = |port| port == SERVER_PORT || port == CLIENT_PORT;
    if !dhcp(source.1) || !dhcp(target.1) {
        return;
    }
    let answered = seen.contains_key(&(target, source));
    let sent = target.1 == CLIENT_PORT || (source.1 == SERVER_PORT && answered);
    let ends = if sent { (target, source) } else { (source, target) };
    if seen.len() >= ENDS && !seen.contains_key(&ends) {
        return;
    }
    let carried = seen.entry(ends).or_default();
    match sent {
        true => {
            (carried.sent, carried.sent_octets) = (carried.sent + 1, carried.sent_octets + octets)
        }
        false => {
            carried.received += 1;
            carried.received_octets += octets;
        }
    }
}

fn flow(
    ((source, source_port), (target, target_port)): &Ends,
    carried: &Carried,
    every: Duration,
) -> Flow {
    let seconds = every.as_secs().max(1);
    // A report of less than one packet a second still shows that there was one.
    let rate = |count: u64| count.div_ceil(seconds);
    Flow {
        mac_protocol: Some("ip".into()),
        ip_protocol: Some("udp".into()),
        src_address: Some(*source),
        src_port: Some((*source_port).into()),
        dst_address: Some(*target),
        dst_port: Some((*target_port).into()),
        tx: Some(rate(carried.sent_octets * 8)),
        rx: Some(rate(carried.received_octets * 8)),
        tx_packets: Some(rate(carried.sent)),
        rx_packets: Some(rate(carried.received)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dhcp_is_counted_by_its_ends_and_nothing_else() {
        let mut seen = BTreeMap::new();
        let nobody = (Ipv4Addr::UNSPECIFIED, CLIENT_PORT);
        let everybody = Ipv4Addr::BROADCAST;
        let server = Ipv4Addr::new(67, 9, 97, 1);
        note(&mut seen, nobody, (everybody, SERVER_PORT), 300);
        note(&mut seen, (server, SERVER_PORT), (everybody, CLIENT_PORT), 300);
        note(&mut seen, (server, 53), (everybody, 5353), 300);
        assert_eq!(seen.len(), 2);
        let asked = &seen[&(nobody, (everybody, SERVER_PORT))];
        assert_eq!((asked.received, asked.sent), (1, 0));
        let answered = &seen[&((everybody, CLIENT_PORT), (server, SERVER_PORT))];
        assert_eq!((answered.received, answered.sent, answered.sent_octets), (0, 1, 300));
    }

    #[test]
    fn a_relay_s_traffic_is_one_flow() {
        let mut seen = BTreeMap::new();
        let relay = (Ipv4Addr::new(10, 0, 0, 1), SERVER_PORT);
        let server = (Ipv4Addr::new(67, 9, 97, 1), SERVER_PORT);
        note(&mut seen, relay, server, 300);
        note(&mut seen, server, relay, 300);
        let carried = &seen[&(relay, server)];
        assert_eq!((seen.len(), carried.received, carried.sent), (1, 1, 1));
    }

    #[test]
    fn ends_are_bounded() {
        let mut seen = BTreeMap::new();
        for number in 0..1000 {
            let relay = (Ipv4Addr::from_bits(number), SERVER_PORT);
            note(&mut seen, relay, (Ipv4Addr::BROADCAST, SERVER_PORT), 300);
        }
        assert_eq!(seen.len(), ENDS);
    }
}
