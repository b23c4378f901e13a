//! The way of a datagram: from a client over its link, perhaps a relay, to the server, and back.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::rc::Rc;

use leasehold_dhcp::{Destination, IfIndex, Mac, Probe, ProbeAnswer};

use crate::client::{ClientId, Outgoing, Payload, Toward};
use crate::clock::Moment;
use crate::history::What;
use crate::legal::Heard;
use crate::message::{self, Kind, Message};
use crate::oracle::{self, Reply, View};
use crate::planted::{self, Bug};
use crate::query;
use crate::site::Site;
use crate::topology::{LinkId, Reach, UPLINKS, link_of, link_on, uplink_address};
use crate::world::{Arrival, Happening, World};

impl World<'_> {
    /// A client puts a datagram on its link.
    pub(crate) fn send(&mut self, client: ClientId, outgoing: Outgoing) {
        let what = match &outgoing.payload {
            Payload::Message(message) => {
                self.oracle.relinquish(client, message);
                What::Sent { client, toward: outgoing.toward, message: message.into() }
            }
            Payload::Rubbish(bytes) => What::SentRubbish { client, octets: bytes.len() as u16 },
        };
        self.history.add(self.now, what);
        let link = self.clients[usize::from(client.0)].link;
        let reach = self.plan.links[usize::from(link.0)];
        // Each relay of a link forwards a broadcast; a router brings a unicast once.
        let relays = match outgoing.toward {
            Toward::Everybody => reach.relays(),
            Toward::Server(_) => &[],
        };
        let ways = relays.iter().map(|&host| link.host(host)).map(Some);
        let ways: Vec<_> = if relays.is_empty() { vec![None] } else { ways.collect() };
        for relay in ways {
            for at in self.network.carry(self.now, link, client).into_iter().flatten() {
                let arrival = match reach {
                    Reach::Direct => direct(client, link, &outgoing),
                    Reach::Relayed { information, .. } => {
                        let uplink = UPLINKS[self.network.draw(client, 1) as usize];
                        relayed(client, link, relay, &outgoing, (uplink, information))
                    }
                };
                self.agenda.plan(at, Happening::ToServer(Box::new(arrival)));
            }
        }
    }

    /// The server puts a reply on the wire. It is judged before anybody can receive it. One that
    /// has waited for the disk comes with what its turn has granted: an ACK that keeps an earlier
    /// promise grants nothing.
    pub(crate) fn emit(
        &mut self,
        to: Destination,
        payload: &[u8],
        granted: Option<&[(Ipv4Addr, u32)]>,
        site: &Site,
    ) {
        let message = match oracle::read(payload) {
            Ok(message) => message,
            Err(_) if self.oracle.heard_rubbish(&Message::glean(payload)) => return,
            Err(failure) => return self.fail(failure),
        };
        let promised = granted.is_some();
        let grant = (message.yiaddr, message.seconds(message::LEASE_TIME).unwrap_or(u32::MAX));
        let is_new = granted.is_some_and(|granted| granted.contains(&grant));
        self.history.add(self.now, What::Answered { message: (&message).into(), promised });
        let message = planted::answer(self.plan.planted, message);
        let reply = Reply { message: &message, is_new, octets: payload.len(), to };
        let view = View {
            now: self.now,
            clients: &self.clients,
            links: &self.plan.links,
            disk: &self.disk,
            looks_inside: self.plan.looks_inside,
            site,
        };
        if query::is_answer(&message) {
            if let Err(failure) = self.oracle.informed(&reply, &view) {
                self.fail(failure);
            }
            return;
        }
        let judged = match message.kind() {
            Some(Kind::ForceRenew) => self.nonces.judge(&message, to),
            _ => self.oracle.judge(&reply, &view).and_then(|_| self.nonces.told(&message)),
        };
        if let Err(failure) = judged {
            return self.fail(failure);
        }
        if self.plan.planted == Some(Bug::NakEndsLease) && message.kind() == Some(Kind::Nak) {
            self.end_leases_of(&message);
        }
        let link = match to {
            Destination::Link { interface, .. } => link_on(interface),
            Destination::Routed { target, .. } => link_of(*target.ip()),
        };
        let Some(link) = link else { return };
        self.deliver(link, message);
    }

    /// A planted bug: who is told NAK has no lease any more.
    fn end_leases_of(&mut self, nak: &Message) {
        let now = self.read_clocks();
        let Some(process) = &mut self.process else { return };
        for lease in process.leases(now) {
            if lease.hardware.mac() == Some(Mac(nak.mac())) {
                process.remove(now, lease.location.address);
            }
        }
    }

    fn deliver(&mut self, link: LinkId, message: Message) {
        let message = Rc::new(message);
        let hears =
            |one: &&crate::client::Client| one.link == link && one.identity.mac == message.mac();
        let listeners: Vec<ClientId> =
            self.clients.iter().filter(hears).map(|one| one.id).collect();
        for client in listeners {
            for at in self.network.carry(self.now, link, client).into_iter().flatten() {
                self.agenda.plan(at, Happening::ToClient(client, link, message.clone()));
            }
        }
    }

    /// The server asks the link whether anybody has an address.
    pub(crate) fn probe(&mut self, probe: Probe) {
        let (target, on) = match probe {
            Probe::Arp { interface, target } => (target, link_on(interface)),
            Probe::Echo { target } => (target, link_of(target)),
            Probe::Servers { .. } => return,
        };
        self.history.add(self.now, What::Probed { address: target });
        self.oracle.probed(self.now, target);
        let Some(link) = on else { return };
        let answers = |one: &&crate::client::Client| one.link == link && one.answers_for(target);
        let who: Vec<(ClientId, [u8; 6])> =
            self.clients.iter().filter(answers).map(|one| (one.id, one.identity.mac)).collect();
        for (client, mac) in who {
            let Some(at) = self.network.carry(self.now, link, client)[0] else { continue };
            self.history.add(self.now, What::ProbeAnswered { address: target, by: client });
            let answer = match probe {
                Probe::Arp { interface, .. } => {
                    ProbeAnswer { interface, address: target, mac: Some(Mac(mac)) }
                }
                Probe::Echo { .. } | Probe::Servers { .. } => {
                    ProbeAnswer { interface: UPLINKS[0], address: target, mac: None }
                }
            };
            // Some hosts take their time, and answer for an address that was offered meanwhile.
            let late = [0, 0, 0, 0, 0, 0, 0, 900, 5_000, 60_000];
            let late = late[self.network.draw(client, 9) as usize];
            self.agenda.plan(Moment(at.0 + late), Happening::ProbeAnswered(answer));
        }
    }
}

/// A client's datagram as it reaches the server's own interface on the link.
fn direct(client: ClientId, link: LinkId, outgoing: &Outgoing) -> Arrival {
    let (payload, message, rubbish) = written(&outgoing.payload);
    let mac = Mac(message.mac());
    Arrival {
        interface: link.interface(),
        link_source: Some(mac),
        destination: match outgoing.toward {
            Toward::Everybody => Ipv4Addr::BROADCAST,
            Toward::Server(address) => address,
        },
        payload,
        heard: Heard {
            message,
            source: oracle::client_port(outgoing.source),
            link,
            unicast: outgoing.toward != Toward::Everybody,
            rubbish,
        },
        sender: client,
    }
}

/// A client's datagram as a relay, or a router, brings it to one of the uplinks.
fn relayed(
    client: ClientId,
    link: LinkId,
    relay: Option<Ipv4Addr>,
    outgoing: &Outgoing,
    (uplink, information): (IfIndex, bool),
) -> Arrival {
    let (mut payload, mut message, rubbish) = written(&outgoing.payload);
    let (source, destination) = match (outgoing.toward, relay) {
        (Toward::Server(address), _) => (oracle::client_port(outgoing.source), address),
        (Toward::Everybody, relay) => {
            let relay = relay.unwrap_or(link.gateway());
            if rubbish {
                if let Some(giaddr) = payload.get_mut(24..28) {
                    giaddr.copy_from_slice(&relay.octets());
                }
                message = Message::glean(&payload);
            } else {
                message.giaddr = relay;
                message.hops += 1;
                if information {
                    let circuit = [1, 2, link.0, client.0 as u8, 2, 6];
                    let agent = [&circuit, &message.mac()[..]].concat();
                    message = message.with(message::RELAY_AGENT, &agent);
                }
                payload = message.encode();
            }
            (SocketAddrV4::new(relay, 67), uplink_address(uplink))
        }
    };
    Arrival {
        interface: uplink,
        link_source: None,
        destination,
        payload,
        heard: Heard {
            message,
            source,
            link,
            unicast: outgoing.toward != Toward::Everybody,
            rubbish,
        },
        sender: client,
    }
}

fn written(payload: &Payload) -> (Vec<u8>, Message, bool) {
    match payload {
        Payload::Message(message) => (message.encode(), message.clone(), false),
        Payload::Rubbish(bytes) => (bytes.clone(), Message::glean(bytes), true),
    }
}
