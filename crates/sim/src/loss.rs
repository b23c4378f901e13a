//! What a server can still know after its store was lost, and what its probes have told it.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use leasehold_dhcp::{Mac, ProbeAnswer};

use crate::client::{Client, ClientId, Identity};
use crate::clock::Moment;
use crate::oracle::{View, same};

/// How long the server waits for an answer.
const PROBE: Duration = Duration::from_millis(500);

/// One address that the link was asked for.
#[derive(Clone, Copy, Debug)]
struct Probed {
    at: Moment,
    /// Who answered in time, as far as an answer tells.
    answered: Option<Option<Mac>>,
}

/// The part of the judge that knows of lost stores and of probes.
#[derive(Debug, Default)]
pub(crate) struct Loss {
    /// Leases that were promised before the store was lost, until the server knows them again.
    forgotten: BTreeSet<(ClientId, Ipv4Addr)>,
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
        self.contested.clear();
        self.served.clear();
    }

    pub(crate) fn is_forgotten(&self, client: ClientId, address: Ipv4Addr) -> bool {
        self.forgotten.contains(&(client, address))
    }

    /// The client has been promised the address again. Tells whether it was forgotten.
    pub(crate) fn known_again(&mut self, client: ClientId, address: Ipv4Addr) -> bool {
        self.served.insert(client);
        self.forgotten.remove(&(client, address))
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

    pub(crate) fn probed(&mut self, at: Moment, address: Ipv4Addr) {
        self.probed.insert(address, Probed { at, answered: None });
    }

    pub(crate) fn answered(&mut self, now: Moment, answer: &ProbeAnswer) {
        // An echo reply tells nobody's name: its owner cannot be told from a stranger.
        if answer.mac.is_none() {
            self.contested.insert(answer.address);
        }
        if let Some(probed) = self.probed.get_mut(&answer.address)
            && now.since(probed.at) < PROBE
        {
            probed.answered = Some(answer.mac);
        }
    }

    pub(crate) fn distrusts_answers(&mut self) {
        self.proxied = true;
    }

    /// Whether a client whose lease was forgotten may be told NAK.
    pub(crate) fn excuses_nak(&self, now: Moment, client: &Client, address: Ipv4Addr) -> bool {
        let own = Some(Some(Mac(client.identity.mac)));
        let probed = self.probed.get(&address);
        // Nobody answered in time: by now, somebody else has been given it.
        let is_given = probed.is_some_and(|it| now.since(it.at) >= PROBE && it.answered != own);
        let contested = is_given || self.contested.contains(&address);
        self.is_forgotten(client.id, address) && (contested || self.served.contains(&client.id))
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
        if let Some(by) = fresh.and_then(|it| it.answered)
            && by != Some(Mac(to.mac))
        {
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
