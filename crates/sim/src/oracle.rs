//! The judge: what no run may show, seen from the clients and in true time.
//!
//! A *claim* is an address that a client may use now, or may come to use because an ACK for it is
//! on its way: the client holds or remembers an unexpired lease, or waits for the very exchange
//! that the ACK belongs to. Claims end by the clock, by RELEASE or DECLINE when it is sent, and by
//! NAK when it is received. The server knows none of this; it has to be right all the same.

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};
use core::time::Duration;
use std::collections::{BTreeMap, BTreeSet};

use leasehold_dhcp::{Destination, ProbeAnswer};

use crate::client::{Client, ClientId, Identity};
use crate::clock::Moment;
use crate::disk::Disk;
use crate::legal::{self, Fault, Heard};
use crate::loss::{Again, Loss};
use crate::message::{self, Illegal, Kind, Message};
use crate::query;
use crate::site::{Site, SiteChange};
use crate::topology::{LinkId, Reach, Relays, link_of};

/// What no run may show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// An address was promised to one client while another had a claim to it.
    TwoOwners,
    /// An address was offered while another client had a claim to it.
    OfferedTaken,
    /// An address was given that the configuration does not give to this client on this link.
    NotConfigured,
    /// A client that holds a lease was told that it does not.
    NakedOwner,
    /// An ACK left whose lease is not on disk.
    NotDurable,
    /// A reply that no strict reader accepts.
    Illegible,
    /// A reply to nothing that was asked.
    Unasked,
    /// A reply with a field or option that table 3 forbids.
    Illegal(Fault),
    /// The engine's indexes disagree.
    Book,
    /// The store, folded, is not the promised part of the book.
    Store,
    /// A pool's bits are not what book and configuration say.
    Pool,
    /// A live lease was denied to a relay that asked for it, or told as another client's.
    Misinformed,
    /// A FORCERENEW that its client cannot believe, or a nonce that two share.
    Unbelievable,
    /// In the calm at the end, a polite client has no address.
    Unbound,
    /// The engine wants to be woken at a moment that is past, again and again.
    Stuck,
    /// The shipped code panicked.
    Panic,
}

impl Rule {
    /// Whether only somebody who looks into the server or its store can see it broken.
    pub(crate) fn is_inside(&self) -> bool {
        matches!(self, Self::NotDurable | Self::Book | Self::Store | Self::Pool | Self::Stuck)
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TwoOwners => f.write_str("an address promised to two clients at once"),
            Self::OfferedTaken => f.write_str("an address offered that another client holds"),
            Self::NotConfigured => f.write_str("an address that the configuration does not give"),
            Self::NakedOwner => f.write_str("a NAK to a client whose lease is live"),
            Self::NotDurable => f.write_str("an ACK that is not on disk"),
            Self::Illegible => f.write_str("a reply that no strict reader accepts"),
            Self::Unasked => f.write_str("a reply to nothing that was asked"),
            Self::Illegal(fault) => write!(f, "an illegal reply: {fault}"),
            Self::Book => f.write_str("the book's indexes disagree"),
            Self::Store => f.write_str("the store is not the promised part of the book"),
            Self::Pool => f.write_str("a pool's bits are not book and reservations"),
            Self::Misinformed => f.write_str("a relay told that a live lease is none"),
            Self::Unbelievable => f.write_str("a FORCERENEW that its client cannot believe"),
            Self::Unbound => f.write_str("a polite client without an address in the calm"),
            Self::Stuck => f.write_str("a deadline that stays in the past"),
            Self::Panic => f.write_str("a panic"),
        }
    }
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub at: Moment,
    /// Which.
    pub rule: Rule,
    /// Who and what.
    pub detail: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at {} s: {}: {}", self.at, self.rule, self.detail)
    }
}

/// The rule that is broken, and how.
pub(crate) type Verdict = Result<(), (Rule, String)>;

/// A reply as it leaves the server.
pub(crate) struct Reply<'a> {
    pub message: &'a Message,
    /// It promises something new: its turn grants it.
    pub is_new: bool,
    pub octets: usize,
    pub to: Destination,
}

/// What the judge may look at.
pub(crate) struct View<'a> {
    pub now: Moment,
    pub clients: &'a [Client],
    pub links: &'a [Reach],
    pub disk: &'a Disk,
    pub looks_inside: bool,
    /// The configuration under which the reply was decided.
    pub site: &'a Site,
}

impl View<'_> {
    /// Whether an address of another link is meant where two servers share a link: only the one
    /// that has given it knows how it came there.
    fn is_between_servers(&self, link: LinkId, address: Ipv4Addr) -> bool {
        let reach = self.links.get(usize::from(link.0));
        let shared =
            matches!(reach, Some(Reach::Relayed { relays: Relays::Two | Relays::Any, .. }));
        shared && link_of(address) != Some(link)
    }
}

/// Who is behind a request.
#[derive(Clone, Debug)]
struct Asked {
    heard: Heard,
    sender: ClientId,
    identity: Identity,
    at: Moment,
}

#[derive(Clone, Copy, Debug)]
struct Promise {
    xid: u32,
    address: Ipv4Addr,
    until: Moment,
}

/// A promise to a name that no well-behaved client has.
#[derive(Clone, Debug)]
struct StrangersPromise {
    identity: Identity,
    address: Ipv4Addr,
    until: Moment,
}

/// Everything that the judge has seen.
#[derive(Debug, Default)]
pub(crate) struct Oracle {
    asked: BTreeMap<(u32, [u8; 6]), Vec<Asked>>,
    /// What relays have asked, by transaction.
    queries: BTreeMap<u32, Message>,
    promises: BTreeMap<ClientId, Promise>,
    /// When somebody was last granted an address that the configuration gives.
    granted: BTreeMap<(Name, Ipv4Addr), Moment>,
    strangers: Vec<StrangersPromise>,
    static_changes: Vec<(Moment, SiteChange)>,
    rude: BTreeSet<ClientId>,
    cloned: BTreeSet<ClientId>,
    /// The newest address of a rude client, whether it heard of it or not: it may have asked for
    /// a second one.
    moved: BTreeMap<ClientId, Ipv4Addr>,
    /// When a server last heard a client give an address up.
    freed: BTreeMap<(Name, Ipv4Addr), Moment>,
    /// When the administrator last took an address away from whoever had it.
    removed: BTreeMap<Ipv4Addr, Moment>,
    /// Leases that the administrator took away, or that their clients gave up, until they get
    /// them again.
    revoked: BTreeSet<(ClientId, Ipv4Addr)>,
    /// What the judge knows of a lost store and of probes.
    loss: Loss,
    /// Clients whose newest ACK answers an old copy of a request: a server cannot tell, and may
    /// believe that they have moved.
    strayed: BTreeMap<ClientId, Ipv4Addr>,
    /// Leases that were revoked, or left for another, and that a renewal by unicast has brought
    /// back: it does not tell on which link its client is, and the server of another one may have
    /// answered.
    astray: BTreeSet<(ClientId, Ipv4Addr)>,
}

impl Oracle {
    pub(crate) fn new(rude: BTreeSet<ClientId>, cloned: BTreeSet<ClientId>) -> Self {
        Self { rude, cloned, ..Self::default() }
    }

    /// The server's kernel has taken a datagram in.
    pub(crate) fn hear(&mut self, now: Moment, heard: Heard, sender: ClientId) {
        let key = (heard.message.xid, heard.message.mac());
        let identity = identity(&heard.message);
        if let Some(address) = given_up(&heard.message) {
            // Perhaps an old copy; but a server cannot tell, and must believe it.
            self.relinquish(sender, &heard.message);
            self.freed.insert((name(&identity), address), now);
        }
        self.asked.entry(key).or_default().push(Asked { heard, sender, identity, at: now });
    }

    /// A client says itself that an address is free again: a rude one perhaps of its own.
    pub(crate) fn relinquish(&mut self, sender: ClientId, message: &Message) {
        let Some(address) = given_up(message) else { return };
        self.revoked.insert((sender, address));
        let identity = identity(message);
        self.strangers.retain(|p| !(same(&p.identity, &identity) && p.address == address));
    }

    /// The server was started; without its store, it has to probe until this moment.
    pub(crate) fn started(&mut self, suspects_until: Option<Moment>) {
        self.loss.started(suspects_until);
    }

    /// The store is lost: the server can know of no lease that was promised before.
    pub(crate) fn forget_leases(&mut self, now: Moment, clients: &[Client]) {
        let leases = clients.iter().filter_map(|one| Some((one.id, one.lease(now)?.address)));
        let promised = self.promises.iter().map(|(client, promise)| (*client, promise.address));
        self.loss.forget(leases.chain(promised));
        self.strangers.clear();
    }

    /// The server asked the link for an address.
    pub(crate) fn probed(&mut self, now: Moment, address: Ipv4Addr) {
        self.loss.probed(now, address);
    }

    /// The server heard an answer to that.
    pub(crate) fn probe_answered(&mut self, now: Moment, answer: &ProbeAnswer, clients: &[Client]) {
        self.loss.answered(now, answer, clients);
    }

    /// The server found that answers to its probes mean nothing.
    pub(crate) fn distrusts_answers(&mut self) {
        self.loss.distrusts_answers();
    }

    /// The server has decided on a binding, and promises it as soon as the disk has it.
    pub(crate) fn bound(
        &mut self,
        now: Moment,
        address: Ipv4Addr,
        to: &Identity,
        clients: &[Client],
    ) {
        self.loss.given(address, to, clients);
        self.loss.bound(address, to, clients);
        self.strangers.retain(|had| !same(&had.identity, to) || had.address == address);
        for client in clients.iter().filter(|client| same(&client.identity, to)) {
            if self.rude.contains(&client.id) {
                self.moved.insert(client.id, address);
            }
            // Who has another lease asked for this one long ago: an old copy of that came late.
            let has_another = client.lease(now).is_some_and(|lease| lease.address != address);
            if has_another && self.has_asked(to, address) {
                self.strayed.insert(client.id, address);
            }
        }
    }

    /// Whether somebody was heard to ask for an address by name.
    fn has_asked(&self, who: &Identity, address: Ipv4Addr) -> bool {
        let named = |message: &Message| {
            message.address(message::REQUESTED_ADDRESS).unwrap_or(message.ciaddr)
        };
        let mut all = self.asked.values().flatten();
        all.any(|it| same(&it.identity, who) && named(&it.heard.message) == address)
    }

    /// The administrator changed the configuration.
    pub(crate) fn reconfigured(&mut self, now: Moment, change: SiteChange) {
        if matches!(change, SiteChange::Static { .. }) {
            self.static_changes.push((now, change));
        }
    }

    /// The administrator takes an address away, whoever believes to have it.
    pub(crate) fn remove(&mut self, now: Moment, address: Ipv4Addr, clients: &[Client]) {
        self.removed.insert(address, now);
        self.revoked.extend(clients.iter().map(|client| (client.id, address)));
        self.strangers.retain(|promise| promise.address != address);
    }

    /// A relay asks.
    pub(crate) fn queried(&mut self, query: Message) {
        self.queries.insert(query.xid, query);
    }

    /// Judges what a relay is told: nothing about a lease that its client would deny.
    pub(crate) fn informed(&self, reply: &Reply<'_>, view: &View<'_>) -> Verdict {
        let message = reply.message;
        let query = self.queries.get(&message.xid);
        let query = query.ok_or_else(|| (Rule::Unasked, name_of(message.kind())))?;
        query::judge(message, reply.to, query)
            .map_err(|fault| (Rule::Illegal(fault), name_of(message.kind())))?;
        let claims = view.clients.iter().filter_map(|client| {
            let address = query::asked_of(query, client, view.now)?;
            self.has_claim(client, address, view).then_some((client, address))
        });
        for (client, address) in claims {
            if !query::tells(message, client, address) {
                let detail = format!("{address} of {}: {}", client.id, name_of(message.kind()));
                return Err((Rule::Misinformed, detail));
            }
        }
        Ok(())
    }

    /// Judges a reply. Tells whose request it answers.
    pub(crate) fn judge(
        &mut self,
        reply: &Reply<'_>,
        view: &View<'_>,
    ) -> Result<ClientId, (Rule, String)> {
        let message = reply.message;
        let kind = message.kind();
        let asked = self.asked(message, kind)?;
        if asked.heard.rubbish {
            let nobody = Identity { mac: message.mac(), client_id: Vec::new() };
            self.loss.given(message.yiaddr, &nobody, view.clients);
            return Ok(asked.sender);
        }
        legal::judge(message, reply.octets, reply.to, &asked.heard, view.links).map_err(
            |fault| (Rule::Illegal(fault), format!("{} to {}", name_of(kind), asked.sender)),
        )?;
        let informs = asked.heard.message.kind() == Some(Kind::Inform);
        match kind {
            // Who prefers IPv6 is offered no address.
            Some(Kind::Offer) if message.yiaddr.is_unspecified() => {}
            Some(Kind::Offer) => self.offered(message, &asked, view)?,
            Some(Kind::Ack) | None if !informs => self.promised(reply, &asked, view)?,
            Some(Kind::Nak) => self.naked(message, &asked, view)?,
            _ => {}
        }
        Ok(asked.sender)
    }

    /// The newest request that such a reply can answer.
    fn asked(&self, reply: &Message, kind: Option<Kind>) -> Result<Asked, (Rule, String)> {
        let key = (reply.xid, reply.mac());
        let all = self.asked.get(&key).map_or(&[][..], Vec::as_slice);
        let fits = |asked: &&Asked| {
            let request = &asked.heard.message;
            asked.heard.rubbish
                || (legal::answers(reply, request) && request.giaddr == reply.giaddr)
        };
        let found = all.iter().rev().find(fits).cloned();
        found
            .ok_or_else(|| (Rule::Unasked, format!("{} with xid {:08x}", name_of(kind), reply.xid)))
    }

    /// Whether a reply like this can only answer rubbish.
    pub(crate) fn heard_rubbish(&self, reply: &Message) -> bool {
        let all = self.asked.get(&(reply.xid, reply.mac())).map_or(&[][..], Vec::as_slice);
        !all.is_empty() && all.iter().all(|asked| asked.heard.rubbish)
    }

    fn offered(&mut self, offer: &Message, asked: &Asked, view: &View<'_>) -> Verdict {
        let address = offer.yiaddr;
        self.configured(address, asked, view)?;
        if let Some(owner) = self.claimant(address, &asked.identity, view) {
            let detail = format!("{address} to {}, held by {owner}", asked.sender);
            return Err((Rule::OfferedTaken, detail));
        }
        // A static lease is not probed: it is the administrator's word.
        let careless = self.loss.carelessness(address, &asked.identity, view);
        if let Some(detail) = careless.filter(|_| !view.site.is_static(address)) {
            return Err((Rule::OfferedTaken, format!("{address} {detail}")));
        }
        self.loss.given(address, &asked.identity, view.clients);
        Ok(())
    }

    fn promised(&mut self, reply: &Reply<'_>, asked: &Asked, view: &View<'_>) -> Verdict {
        let client = &view.clients[usize::from(asked.sender.0)];
        let ack = reply.message;
        let address = ack.yiaddr;
        // What was promised holds until it ends, whatever the configuration says now.
        if reply.is_new {
            let grant = (name(&asked.identity), address);
            match self.configured(address, asked, view) {
                Ok(()) => drop(self.granted.insert(grant, view.now)),
                // What is kept in the moment in which it was granted looks like new.
                Err(_) if self.granted.get(&grant) == Some(&view.now) => {}
                Err(broken) => return Err(broken),
            }
        }
        if let Some(owner) = self.claimant(address, &asked.identity, view) {
            let detail = format!("{address} to {}, held by {owner}", asked.sender);
            return Err((Rule::TwoOwners, detail));
        }
        self.loss.given(address, &asked.identity, view.clients);
        // A BOOTP client has its address for ever.
        let seconds = ack.seconds(message::LEASE_TIME).unwrap_or(u32::MAX);
        let lease = Duration::from_secs(u64::from(seconds));
        // A promise that was on its way for longer than it lasts is none any more.
        let over = asked.at.after(lease) <= view.now;
        let freed = self.freed.get(&(name(&asked.identity), address));
        let freed = freed.max(self.removed.get(&address));
        if over || freed.is_some_and(|freed| *freed >= asked.at) {
            return Ok(());
        }
        let awaited = client.awaits_ack().filter(|exchange| exchange.xid == ack.xid);
        // Who has gone on to another exchange, or is rude and has two, may have another address on
        // disk by now.
        let is_rude = self.rude.contains(&client.id);
        let is_own = same(&client.identity, &asked.identity);
        let went_on = is_own && (is_rude || awaited.is_none());
        let removed = self.revoked.contains(&(client.id, address)) || !view.looks_inside;
        if !removed && !went_on && !view.disk.has_just_held(address, &asked.identity) {
            return Err((Rule::NotDurable, format!("{address} to {}", asked.sender)));
        }
        let mut earlier = None;
        if let Some(exchange) = awaited {
            let until = exchange.began.after(lease);
            let promise = Promise { xid: ack.xid, address, until };
            earlier = self.promises.insert(client.id, promise).filter(|it| it.xid == ack.xid);
            let again = Again { address, asked: exchange.began, until: asked.at.after(lease) };
            let was_revoked = self.revoked.remove(&(client.id, address));
            let was_lost = self.loss.known_again(client.id, again, was_revoked);
            let was_elsewhere = self.strayed.contains_key(&client.id);
            if !asked.heard.unicast {
                self.astray.remove(&(client.id, address));
            } else if was_lost || was_elsewhere {
                self.astray.insert((client.id, address));
            }
        }
        self.strangers.retain(|promise| !same(&promise.identity, &asked.identity));
        // Of two ACKs of one exchange with two addresses, the older one may arrive last.
        let has_two = earlier.is_some_and(|earlier| earlier.address != address);
        if is_own && (awaited.is_none() || has_two) {
            self.strayed.insert(client.id, address);
        } else if earlier.is_none() {
            self.strayed.remove(&client.id);
        }
        if is_rude && awaited.is_none() {
            let (identity, until) = (asked.identity.clone(), asked.at.after(lease));
            self.strangers.push(StrangersPromise { identity, address, until });
        }
        Ok(())
    }

    fn naked(&self, nak: &Message, asked: &Asked, view: &View<'_>) -> Verdict {
        let client = &view.clients[usize::from(asked.sender.0)];
        let awaited = client.awaits_ack().is_some_and(|exchange| exchange.xid == nak.xid);
        let Some(lease) = client.lease(view.now).filter(|_| awaited) else { return Ok(()) };
        let request = &asked.heard.message;
        let address = request.address(message::REQUESTED_ADDRESS).unwrap_or(request.ciaddr);
        let is =
            |client: ClientId| same(&view.clients[usize::from(client.0)].identity, &asked.identity);
        let excused = lease.address != address
            || lease.link != client.link
            || self.is_void(client.id, address)
            || self.astray.contains(&(client.id, address))
            || self.strayed.contains_key(&client.id)
            || view.is_between_servers(asked.heard.link, address)
            || self.loss.excuses_nak(view.now, client, address)
            || self.loss.is_over(view.now, client.id, &lease)
            || (self.loss.is_forgotten(client.id, address)
                && !view.site.gives(client.link, view.links, is, address))
            || !view.site.leaves(asked.heard.link, is, address)
            || self.forbidden_since(client.id, address, lease.granted);
        if excused {
            return Ok(());
        }
        let left = lease.until.since(view.now).as_secs();
        Err((Rule::NakedOwner, format!("{} has {address} for {left} s", client.id)))
    }

    fn configured(&self, address: Ipv4Addr, asked: &Asked, view: &View<'_>) -> Verdict {
        let is =
            |client: ClientId| same(&view.clients[usize::from(client.0)].identity, &asked.identity);
        // A renewal that comes by unicast may have any way behind it: the address tells whose it
        // is.
        let unicast = asked.heard.unicast;
        let links = (0..).map(LinkId).zip(view.links).map(|(link, _)| link);
        let mut links = links.filter(|link| unicast || *link == asked.heard.link);
        let renews = unicast && view.site.renews(is, address);
        if renews || links.any(|link| view.site.gives(link, view.links, is, address)) {
            return Ok(());
        }
        Err((Rule::NotConfigured, format!("{address} to {}", asked.sender)))
    }

    /// Who else has a claim to an address.
    fn claimant(&self, address: Ipv4Addr, identity: &Identity, view: &View<'_>) -> Option<String> {
        let mut others = view.clients.iter().filter(|client| !same(&client.identity, identity));
        if let Some(owner) = others.find(|client| self.has_claim(client, address, view)) {
            return Some(owner.id.to_string());
        }
        let stranger = self.strangers.iter().any(|promise| {
            promise.address == address
                && view.now < promise.until
                && !same(&promise.identity, identity)
        });
        stranger.then(|| "a rude client".to_owned())
    }

    fn has_claim(&self, client: &Client, address: Ipv4Addr, view: &View<'_>) -> bool {
        let strayed = self.strayed.get(&client.id).is_some_and(|&newest| newest != address);
        let lost = strayed || self.loss.is_forgotten(client.id, address);
        if self.is_void(client.id, address) || lost {
            return false;
        }
        let holds = client.lease(view.now).is_some_and(|lease| {
            lease.address == address && !self.loss.is_over(view.now, client.id, &lease)
        });
        holds || self.is_promised(client, address, view.now)
    }

    fn is_promised(&self, client: &Client, address: Ipv4Addr, now: Moment) -> bool {
        let Some(exchange) = client.awaits_ack() else { return false };
        self.promises.get(&client.id).is_some_and(|promise| {
            promise.xid == exchange.xid && promise.address == address && now < promise.until
        })
    }

    /// Nobody can keep a promise to a client whose name another one uses too; a rude client that
    /// asked for a second address has given the first one up; and the administrator may do as he
    /// likes.
    fn is_void(&self, client: ClientId, address: Ipv4Addr) -> bool {
        let moved = self.rude.contains(&client)
            && self.moved.get(&client).is_some_and(|&newest| newest != address);
        let revoked = self.revoked.contains(&(client, address));
        moved || revoked || self.cloned.contains(&client)
    }

    /// Whether a static lease has since come between a client and its address.
    fn forbidden_since(&self, client: ClientId, address: Ipv4Addr, since: Moment) -> bool {
        self.static_changes.iter().any(|(at, change)| match *change {
            SiteChange::Static { client: named, address: fixed } => {
                *at >= since && (named == client || fixed == Some(address))
            }
            _ => false,
        })
    }
}

fn name_of(kind: Option<Kind>) -> String {
    kind.map_or_else(|| "BOOTREPLY".to_owned(), |kind| kind.to_string())
}

/// Reads a reply as strictly as a careful client could.
pub(crate) fn read(payload: &[u8]) -> Result<Message, (Rule, String)> {
    Message::decode(payload).map_err(|illegal: Illegal| (Rule::Illegible, illegal.to_string()))
}

/// How a server can tell who sent a message.
pub(crate) fn identity(message: &Message) -> Identity {
    let client_id = message.option(message::CLIENT_ID).unwrap_or_default().to_vec();
    Identity { mac: message.mac(), client_id }
}

/// The address that a message gives up.
fn given_up(message: &Message) -> Option<Ipv4Addr> {
    match message.kind()? {
        Kind::Release => Some(message.ciaddr),
        Kind::Decline => message.address(message::REQUESTED_ADDRESS),
        _ => None,
    }
}

/// What a client is told apart by (RFC 2131 § 4.2): option 61 if it sends one, else `chaddr`; an
/// option 61 that is nothing but the hardware address says the same as `chaddr`.
type Name = (bool, Vec<u8>);

fn name(identity: &Identity) -> Name {
    match identity.client_id.as_slice() {
        [] => (false, identity.mac.to_vec()),
        [1, mac @ ..] if mac.len() == 6 => (false, mac.to_vec()),
        id => (true, id.to_vec()),
    }
}

/// Whether two names are the same client.
pub(crate) fn same(one: &Identity, other: &Identity) -> bool {
    name(one) == name(other)
}

/// The UDP source of a client's message.
pub(crate) fn client_port(source: Ipv4Addr) -> SocketAddrV4 {
    SocketAddrV4::new(source, 68)
}
