//! FORCERENEW: a client is asked to renew now, and once more if it does not (RFC 3203, RFC 6704).

use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::BTreeMap;

use dhcproto::v4::MessageType;

use super::Engine;
use super::book::{LeaseId, Place};
use super::lease::{Lease, State};
use super::nonce::{self, Nonce};
use crate::link::Interface;
use crate::order::{Answer, OrderId, Reconfigure, ReconfigureStatus, Refusal};
use crate::outbox::{Destination, Outbox};
use crate::record::Location;
use crate::time::{Boottime, Now};
use crate::wire::{CLIENT_PORT, Header, IP_AND_UDP, Reply, code};

/// Seconds until the first repetition; each further wait is twice as long.
const FIRST_WAIT: u64 = 4;

/// Messages that are sent at most: after 0, 4, 12 and 28 seconds. The last one is given its time.
//= https://www.rfc-editor.org/rfc/rfc3203#section-2.2
//# The amount of retransmissions should be limited.
const SENT_MAX: u8 = 4;

/// Clients that were asked to renew, by the place of their leases.
#[derive(Debug, Default)]
pub(super) struct Reconfigures {
    asked: BTreeMap<Place, Asked>,
}

#[derive(Clone, Copy, Debug)]
struct Asked {
    sent: Boottime,
    times: u8,
    status: ReconfigureStatus,
}

impl Asked {
    /// When something has to happen if the client does nothing.
    //= https://www.rfc-editor.org/rfc/rfc3203#section-2.2
    //# it should retransmit the FORCERENEW message using an exponential backoff algorithm.
    fn due(&self) -> Option<Boottime> {
        let wait = Duration::from_secs(FIRST_WAIT << (self.times - 1));
        (self.status == ReconfigureStatus::Sent).then(|| self.sent.after(wait))
    }
}

impl Reconfigures {
    /// When the next client has had its time.
    pub(super) fn deadline(&self) -> Option<Boottime> {
        self.asked.values().filter_map(Asked::due).min()
    }

    /// The client at a place has renewed.
    pub(super) fn renewed(&mut self, place: Place) {
        if self.asked.is_empty() {
            return;
        }
        if let Some(asked) = self.asked.get_mut(&place) {
            asked.status = ReconfigureStatus::Renewed;
        }
    }

    /// Whether the client at a place was asked in vain.
    pub(super) fn was_unanswered(&self, place: Place) -> bool {
        self.asked.get(&place).is_some_and(|asked| asked.status == ReconfigureStatus::NoAnswer)
    }

    /// The lease at a place has ended.
    pub(super) fn forget(&mut self, place: Place) {
        if !self.asked.is_empty() {
            self.asked.remove(&place);
        }
    }

    /// How it stands with the lease at a place.
    pub(super) fn of(&self, place: Place, now: Boottime) -> Option<Reconfigure> {
        let asked = self.asked.get(&place)?;
        Some(Reconfigure { status: asked.status, ago: asked.sent.until(now) })
    }
}

impl Engine {
    /// Asks the client of a lease to renew, if it has said that it can be asked.
    pub(super) fn send_reconfigure(
        &mut self,
        now: Now,
        order: OrderId,
        location: &Location,
        out: &mut Outbox,
    ) {
        let answer = match self.reconfigurable(now.boottime, location) {
            Ok((id, nonce)) => {
                let lease = self.book.get(id);
                let place = (lease.space, lease.address);
                let (sent, status) = (now.boottime, ReconfigureStatus::Sent);
                self.reconfigures.asked.insert(place, Asked { sent, times: 1, status });
                self.force_renew(now, id, nonce, out);
                Answer::Done
            }
            Err(refusal) => Answer::Refused(refusal),
        };
        out.answer(order, answer);
    }

    /// Asks once more whoever has not renewed in time; gives up who has not after all.
    pub(super) fn ask_again(&mut self, now: Now, out: &mut Outbox) {
        let is_due = |asked: &Asked| asked.due().is_some_and(|due| due <= now.boottime);
        let all = self.reconfigures.asked.iter();
        let due: Vec<Place> = all.filter(|(_, it)| is_due(it)).map(|(&place, _)| place).collect();
        for place in due {
            let lease = self.book.at(place).map(|id| (id, self.book.get(id)));
            let nonce = lease.and_then(|(id, lease)| Some((id, lease.client.nonce()?)));
            let Some(asked) = self.reconfigures.asked.get_mut(&place) else { continue };
            match nonce.filter(|_| asked.times < SENT_MAX) {
                Some((id, nonce)) => {
                    asked.sent = now.boottime;
                    asked.times += 1;
                    self.force_renew(now, id, nonce, out);
                }
                None => asked.status = ReconfigureStatus::NoAnswer,
            }
        }
    }

    fn reconfigurable(
        &self,
        now: Boottime,
        location: &Location,
    ) -> Result<(LeaseId, Nonce), Refusal> {
        let id = self.find_listed(location).ok_or(Refusal::NoSuchLease)?;
        let lease = self.book.get(id);
        if lease.state != State::Bound || lease.is_due(now) {
            return Err(Refusal::NotBound);
        }
        let server = self.services.with_key(lease.server);
        let server = server.and_then(|index| self.config.server(index));
        if !server.is_some_and(|server| server.use_reconfigure) {
            return Err(Refusal::ReconfigureOff);
        }
        let nonce = lease.client.nonce().ok_or(Refusal::NotReconfigurable)?;
        Ok((id, nonce))
    }

    //= https://www.rfc-editor.org/rfc/rfc3203#section-6
    //# the FORCERENEW message MUST be authenticated using the procedures as described in
    //# [DHCP-AUTH].
    //= https://www.rfc-editor.org/rfc/rfc6704#section-5
    //# the FORCERENEW message MUST be authenticated using the procedures as described in [RFC3118]
    //# or the mechanism described in this document.
    fn force_renew(&mut self, now: Now, id: LeaseId, nonce: Nonce, out: &mut Outbox) {
        let replay = self.nonces.replay(self.clock.stamp(now).0);
        let lease = self.book.get(id);
        let (server_id, to) = self.way_to_client(lease);
        let reply: &mut Reply = &mut self.scratch.reply;
        reply.clear();
        //= https://www.rfc-editor.org/rfc/rfc3203#section-4
        //# DHCP option 53 (DHCP message type) is extended with a new value: DHCPFORCERENEW (9)
        reply.option(code::MESSAGE_TYPE, &[MessageType::ForceRenew.into()]);
        reply.option(code::SERVER_ID, &server_id.octets());
        if !lease.client.client_id().is_empty() {
            reply.option(code::CLIENT_ID, lease.client.client_id());
        }
        reply.option(code::AUTHENTICATION, &nonce::unsigned(replay));
        reply.require();
        let mut chaddr = [0; 16];
        let known = lease.client.chaddr();
        chaddr[..known.len()].copy_from_slice(known);
        let header = Header {
            htype: lease.client.htype(),
            hlen: known.len() as u8,
            xid: (replay ^ u64::from(lease.address.to_bits())) as u32,
            flags: 0,
            ciaddr: lease.address,
            yiaddr: Ipv4Addr::UNSPECIFIED,
            siaddr: Ipv4Addr::UNSPECIFIED,
            giaddr: Ipv4Addr::UNSPECIFIED,
            chaddr,
            file: &[],
            cookie: true,
        };
        out.reply(to, |bytes| {
            let start = bytes.len();
            reply.write(&header, None, 576 - IP_AND_UDP, bytes);
            nonce::sign(&nonce, &mut bytes[start..]);
        });
    }

    /// What the client calls its server, and the way that a unicast to it takes.
    //= https://www.rfc-editor.org/rfc/rfc3203#section-2.2
    //# The procedures described above assume the server to send a unicast FORCERENEW message to the
    //# client.
    fn way_to_client(&self, lease: &Lease) -> (Ipv4Addr, Destination) {
        let index = self.services.with_key(lease.server);
        let server = index.and_then(|index| self.config.server(index));
        let named = server.and_then(|server| self.interfaces.named(&server.interface));
        let mut own = named.iter().flat_map(|it| &it.addresses);
        let near = own.find(|net| net.contains(&lease.address)).map(ipnet::Ipv4Net::addr);
        let primary = || named.and_then(Interface::primary);
        let server_id = server.and_then(|server| server.server_address).or(near).or_else(primary);
        let server_id = server_id.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let target = SocketAddrV4::new(lease.address, CLIENT_PORT);
        let direct = index.and_then(|index| self.services.direct_interface(index));
        let to = match (direct, lease.client.hardware().mac()) {
            (Some(interface), Some(mac)) => {
                Destination::Link { interface, mac, source: server_id, target }
            }
            _ => {
                let own = Some(server_id).filter(|address| self.services.is_own(*address));
                Destination::Routed { source: own.unwrap_or(Ipv4Addr::UNSPECIFIED), target }
            }
        };
        (server_id, to)
    }
}
