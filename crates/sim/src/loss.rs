//! What a server can still know after its store was lost, and what its probes have told it.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use leasehold_dhcp::{Mac, ProbeAnswer};

use crate::client::{Client, ClientId, Identity, Lease};
use crate::clock::Moment;
use crate::oracle::{View, same};

/// How long the server waits for an answer.
const PROBE: Duration = Duration::from_millis(500);

/// One address that the link was asked for.
#[derive(Clone, Debug)]
struct Probed {
    at: Moment,
    /// Who answered in time, as far as an answer tells: a squatter and the owner, perhaps.
    answers: Vec<Option<Mac>>,
}

/// A forgotten or revoked lease, promised again.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Again {
    pub address: Ipv4Addr,
    pub asked: Moment,
    pub until: Moment,
}

/// The part of the judge that knows of lost stores and of probes.
#[derive(Debug, Default)]
pub(crate) struct Loss {
    /// Leases that were promised before the store was lost, until the server knows them again.
    forgotten: BTreeSet<(ClientId, Ipv4Addr)>,
    /// What they were promised when the server came to know them again. A client may not have
    /// heard it.
    again: BTreeMap<(ClientId, Ipv4Addr), Again>,
    /// Until when every new offer has to be probed.
    suspects_until: Option<Moment>,
    probed: BTreeMap<Ipv4Addr, Probed>,
    /// Forgotten addresses that somebody else was given meanwhile, or was found to have.
    contested: BTreeSet<Ipv4Addr>,
    /// Clients that have been given something since.
    served: BTreeSet<ClientId>,
    /// Answers mean nothing on some link: proxy ARP.
    proxied: bool,
}

impl Loss {
    pub(crate) fn started(&mut self, suspects_until: Option<Moment>) {
        self.suspects_until = suspects_until;
        self.probed.clear();
        self.proxied = false;
    }

    pub(crate) fn forget(&mut self, leases: impl Iterator<Item = (ClientId, Ipv4Addr)>) {
        self.forgotten.extend(leases);
        self.again.clear();
        self.contested.clear();
        self.served.clear();
    }

    pub(crate) fn is_forgotten(&self, client: ClientId, address: Ipv4Addr) -> bool {
        self.forgotten.contains(&(client, address))
    }

    /// The client has been promised the address again, which the server had forgotten, or which
    /// was revoked. Tells whether it was one of them.
    pub(crate) fn known_again(
        &mut self,
        client: ClientId,
        again: Again,
        was_revoked: bool,
    ) -> bool {
        let lease = (client, again.address);
        self.served.insert(client);
        let was_lost = self.forgotten.remove(&lease) || was_revoked;
        if was_lost || self.again.contains_key(&lease) {
            self.again.insert(lease, again);
        }
        was_lost
    }

    /// Whether a client has only the lost lease any more: the ACK that made it known again
    /// was lost on its way, and what that promised is over.
    pub(crate) fn is_over(&self, now: Moment, client: ClientId, lease: &Lease) -> bool {
        self.again
            .get(&(client, lease.address))
            .is_some_and(|again| lease.granted < again.asked && again.until <= now)
    }

    /// Somebody is given an address.
    pub(crate) fn given(&mut self, address: Ipv4Addr, to: &Identity, clients: &[Client]) {
        let is_anothers = |&(client, forgotten): &(ClientId, Ipv4Addr)| {
            let owner = clients.get(usize::from(client.0));
            forgotten == address && owner.is_none_or(|owner| !same(&owner.identity, to))
        };
        if self.forgotten.iter().any(is_anothers) {
            self.contested.insert(address);
        }
    }

    /// Somebody is bound to an address: who had another one from before has left that, also if
    /// he never hears of it.
    pub(crate) fn bound(&mut self, address: Ipv4Addr, to: &Identity, clients: &[Client]) {
        let left = clients.iter().filter(|client| {
            let forgotten =
                |&(owner, had): &(ClientId, Ipv4Addr)| owner == client.id && had != address;
            same(&client.identity, to) && self.forgotten.iter().any(forgotten)
        });
        self.served.extend(left.map(|client| client.id));
    }

    pub(crate) fn probed(&mut self, at: Moment, address: Ipv4Addr) {
        self.probed.insert(address, Probed { at, answers: Vec::new() });
    }

    pub(crate) fn answered(&mut self, now: Moment, answer: &ProbeAnswer, clients: &[Client]) {
        // An echo reply tells nobody's name: its owner cannot be told from a stranger.
        let is_anothers = |&(client, forgotten): &(ClientId, Ipv4Addr)| {
            let owner = clients.get(usize::from(client.0)).map(|owner| Mac(owner.identity.mac));
            forgotten == answer.address && owner != answer.mac
        };
        if self.forgotten.iter().any(is_anothers) {
            self.contested.insert(answer.address);
        }
        if let Some(probed) = self.probed.get_mut(&answer.address)
            && now.since(probed.at) < PROBE
        {
            probed.answers.push(answer.mac);
        }
    }

    pub(crate) fn distrusts_answers(&mut self) {
        self.proxied = true;
    }

    /// Whether a client whose lease was forgotten may be told NAK.
    pub(crate) fn excuses_nak(&self, now: Moment, client: &Client, address: Ipv4Addr) -> bool {
        // Its owner did not answer in time: by now, somebody else has been given it.
        let is_lost = self
            .probed
            .get(&address)
            .is_some_and(|it| now.since(it.at) >= PROBE && it.answers.is_empty());
        let contested = is_lost || self.contested.contains(&address);
        let forgotten = self.is_forgotten(client.id, address);
        forgotten && (contested || self.served.contains(&client.id))
    }

    /// What the server should have known when it offered an address.
    pub(crate) fn carelessness(
        &self,
        address: Ipv4Addr,
        to: &Identity,
        view: &View<'_>,
    ) -> Option<String> {
        if self.proxied {
            return None;
        }
        let probed = self.probed.get(&address);
        // The offer that follows a probe comes with its end.
        let fresh = probed.filter(|it| view.now.since(it.at) < 2 * PROBE);
        let strangers = |it: &&Option<Mac>| **it != Some(Mac(to.mac));
        if let Some(by) = fresh.and_then(|it| it.answers.iter().find(strangers)) {
            return Some(format!("answered the probe: {by:?} has it"));
        }
        let suspects = self.suspects_until.is_some_and(|until| view.now < until);
        let owner = view.clients.iter().find(|one| {
            !same(&one.identity, to)
                && self.is_forgotten(one.id, address)
                && one.lease(view.now).is_some_and(|lease| lease.address == address)
        });
        let unasked = suspects && probed.is_none() && !self.contested.contains(&address);
        owner
            .filter(|_| unasked)
            .map(|owner| format!("was not probed after the store was lost: {} holds it", owner.id))
    }
}
