//! `--probe`: who else answers on the served links, and who lives on addresses of the pools.

use core::net::Ipv4Addr;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use leasehold_dhcp::config::{Config, Relay};
use leasehold_dhcp::wire::searcher;
use leasehold_dhcp::{Interface, Interfaces, Mac};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Finding, Findings};
use crate::net::probe::ArpSocket;
use crate::net::sys::{Receiver, Sender};
use crate::probe::Client;
use crate::probe::message::code;

/// How long other servers have to answer: some first ping what they offer, for three seconds, and
/// one after another.
const PATIENCE: Duration = Duration::from_secs(8);
/// Addresses that are asked for on one link.
const SWEEP: usize = 4096;
/// Requests between pauses, so that nobody's neighbour table or limit is overrun.
const BURST: usize = 64;
const PAUSE: Duration = Duration::from_millis(20);

/// Asks on each served link.
pub(super) fn examine(
    config: &Config,
    interfaces: &Interfaces,
    known: &BTreeMap<Ipv4Addr, Mac>,
    found: &mut Findings,
) {
    let direct = config.servers.iter().filter(|server| matches!(server.relay, Relay::None));
    let names: BTreeSet<_> = direct.map(|server| &server.interface).collect();
    for interface in names.into_iter().filter_map(|name| interfaces.named(name)) {
        if !interface.running || interface.slave {
            continue;
        }
        let asked = servers(interface, found)
            .and_then(|()| hosts(config, interface, interfaces, known, found));
        if let Err(error) = asked {
            let text = format!("cannot ask on {}: {error}", interface.name);
            found.error(Finding::new(text, "run it as root"));
        }
    }
}

/// DHCP servers that are not this machine.
fn servers(interface: &Interface, found: &mut Findings) -> io::Result<()> {
    let mut client = Client::open(interface, searcher(interface.mac))?;
    for offer in client.discover(PATIENCE).map_err(io::Error::other)? {
        let server = offer.message.address(code::SERVER).unwrap_or(offer.source);
        let ours = interface.addresses.iter().any(|net| net.addr() == server);
        if !ours && offer.station != interface.mac {
            let text = format!(
                "another DHCP server answers on {}: {server} ({}) offers {}",
                interface.name, offer.station, offer.message.yiaddr
            );
            found.error(Finding::new(text, "switch it off, or filter it at the switch"));
        }
    }
    Ok(())
}

/// Hosts that use addresses of the pools without a lease.
fn hosts(
    config: &Config,
    interface: &Interface,
    interfaces: &Interfaces,
    known: &BTreeMap<Ipv4Addr, Mac>,
    found: &mut Findings,
) -> io::Result<()> {
    let on_link = |address: &Ipv4Addr| interface.addresses.iter().any(|net| net.contains(address));
    let own = |address| {
        let all = interfaces.iter().flat_map(|it| &it.addresses);
        all.map(ipnet::Ipv4Net::addr).any(|own| own == address)
    };
    let ranges = config.pools.iter().flat_map(|pool| &pool.ranges);
    let all = ranges.flat_map(|range| range.start().to_bits()..=range.end().to_bits());
    let asked: Vec<Ipv4Addr> =
        all.map(Ipv4Addr::from).filter(|address| on_link(address) && !own(*address)).collect();
    if asked.len() > SWEEP {
        let text = format!("only {SWEEP} of {} addresses were asked for", asked.len());
        found.note(Finding::new(text, "use a scanner for the others"));
    }
    let (mut sweep, mut sender) = (Sweep::open()?, Sender::new());
    for burst in asked.iter().take(SWEEP).collect::<Vec<_>>().chunks(BURST) {
        for address in burst {
            sweep.socket.ask(&mut sender, interface.index, interface.mac, **address, |_| ());
        }
        sweep.listen(PAUSE)?;
    }
    sweep.listen(Duration::from_secs(1))?;
    let asked: BTreeSet<_> = asked.into_iter().collect();
    for (address, mac) in sweep.answers {
        if asked.contains(&address) && known.get(&address) != Some(&mac) {
            let text = format!("{mac} uses {address} of a pool without a lease");
            let mend = "give it a static lease, or take the address out of the range; it is \
                        not given out while it answers";
            found.warning(Finding::new(text, mend));
        }
    }
    Ok(())
}

struct Sweep {
    socket: ArpSocket,
    receiver: Receiver,
    answers: BTreeMap<Ipv4Addr, Mac>,
}

impl Sweep {
    fn open() -> io::Result<Self> {
        let (socket, receiver) = (ArpSocket::open()?, Receiver::new());
        Ok(Self { socket, receiver, answers: BTreeMap::new() })
    }

    fn listen(&mut self, patience: Duration) -> io::Result<()> {
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let left = Timespec::try_from(left).unwrap_or_default();
            let mut sockets = [PollFd::new(&self.socket, PollFlags::IN)];
            match poll(&mut sockets, Some(&left)) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            }
            let count = self.receiver.receive(self.socket.as_fd(), usize::MAX)?;
            let received = (0..count).filter_map(|at| self.receiver.get(at));
            for answer in received.filter_map(|received| ArpSocket::answer(&received)) {
                self.answers.extend(answer.mac.map(|mac| (answer.address, mac)));
            }
        }
    }
}
