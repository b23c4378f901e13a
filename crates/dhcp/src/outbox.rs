//! What the engine says, and the rule that no promise leaves before it is on disk.
//!
//! **Invariant:** an ACK that grants or lengthens a lease stands in a [`Turn`], and the only way
//! out of a turn is [`Turn::release`], which consumes a [`Durable`] for that turn. The store makes
//! a `Durable` after its sync and nobody else does (`tests/tidy.rs` looks for its constructor).
//! RFC 2131 § 3.1: the server "commits the binding … to persistent storage and responds".

use core::net::{Ipv4Addr, SocketAddrV4};
use core::ops::Range;

use leasehold_pool::SpaceId;

use crate::event::Event;
use crate::link::{IfIndex, Mac};
use crate::order::{Answer, OrderId};
use crate::record::Records;
use crate::record::bytes::ChangeRef;
use crate::time::{Boottime, Wall};

/// Where a reply goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A frame of our own making: the client may have no address yet, and the kernel's neighbour
    /// table stays out of it.
    Link {
        /// The interface that carries it.
        interface: IfIndex,
        /// The frame's destination.
        mac: Mac,
        /// IP source.
        source: Ipv4Addr,
        /// IP destination and UDP port.
        target: SocketAddrV4,
    },
    /// A datagram that the kernel routes: relays, and clients behind routers.
    Routed {
        /// IP source; unspecified lets the kernel choose.
        source: Ipv4Addr,
        /// IP destination and UDP port.
        target: SocketAddrV4,
    },
}

/// One reply, as a range of its batch's bytes.
#[derive(Clone, Debug)]
struct Reply {
    to: Destination,
    bytes: Range<usize>,
}

/// Replies that leave together, in order, in one buffer.
#[derive(Debug, Default)]
pub struct Batch {
    bytes: Vec<u8>,
    replies: Vec<Reply>,
}

impl Batch {
    /// Appends one reply whose payload `write` adds at the end of the buffer.
    pub fn push(&mut self, to: Destination, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.replies.push(Reply { to, bytes: start..self.bytes.len() });
    }

    /// The replies in order: destination and UDP payload.
    pub fn iter(&self) -> impl Iterator<Item = (Destination, &[u8])> {
        self.replies.iter().map(|reply| (reply.to, &self.bytes[reply.bytes.clone()]))
    }

    /// Whether nothing is to be sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    /// How many replies.
    #[must_use]
    pub fn len(&self) -> usize {
        self.replies.len()
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.replies.clear();
    }
}

/// A question to the link: does anybody have this address?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// An ARP request (RFC 5227 probe form: sender address 0.0.0.0) for `target`.
    Arp {
        /// Where to ask.
        interface: IfIndex,
        /// Who is looked for.
        target: Ipv4Addr,
    },
    /// A DISCOVER for whatever other servers there are, from [`searcher`](crate::wire::searcher).
    Servers {
        /// Where to ask.
        interface: IfIndex,
        /// Of the DISCOVER.
        xid: u32,
    },
    /// An ICMP echo request through the kernel's routing, for addresses behind a relay.
    Echo {
        /// Who is looked for.
        target: Ipv4Addr,
    },
}

/// What may leave at once: OFFER, NAK, INFORM's ACK, renewals within what is already durable.
#[derive(Debug, Default)]
pub struct Prompt(Batch);

impl Prompt {
    /// The replies in order.
    #[must_use]
    pub fn replies(&self) -> &Batch {
        &self.0
    }
}

/// What must wait for the disk: the turn's records, and the replies that promise them.
#[must_use = "a turn holds promises to clients: make it durable and release it"]
#[derive(Debug)]
pub struct Turn {
    sequence: u64,
    records: Records,
    promised: Promises,
    undo: Vec<Undo>,
}

impl Turn {
    /// Turns count up from one; the store keeps them in this order.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// What has to be on disk before the promises leave, in order.
    #[must_use]
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Moves the records out, so that a store's thread can write them while the turn waits here.
    #[must_use]
    pub fn take_records(&mut self) -> Records {
        core::mem::take(&mut self.records)
    }

    /// Whether there is nothing to store and nothing to promise.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.undo.is_empty() && self.promised.is_empty()
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
    //# The server selected in the DHCPREQUEST message commits the binding for the client to
    //# persistent storage and responds with a DHCPACK message
    //= https://www.rfc-editor.org/rfc/rfc4039#section-3.1
    //# Servers sending the DHCPACK message commit the binding for the client to persistent storage
    //# before sending the DHCPACK.
    /// Trades the proof for the promises.
    ///
    /// # Panics
    ///
    /// If the proof is for an earlier turn: that is a bug of the caller, and sending would lie.
    #[must_use]
    pub fn release(self, proof: &Durable) -> Promises {
        assert!(proof.through >= self.sequence, "a proof for an earlier turn releases nothing");
        Promises { undo: self.undo, ..self.promised }
    }

    /// The store failed: nothing is promised, and the engine has to hear of it
    /// ([`Input::Abandoned`](crate::Input::Abandoned)).
    pub fn abandon(self) -> Abandoned {
        let orders = self.promised.answers.into_iter().map(|(order, _)| order).collect();
        Abandoned { undo: self.undo, orders }
    }
}

/// The proof that everything up to and including a turn is on disk. Only a store makes one.
#[derive(Debug)]
pub struct Durable {
    through: u64,
}

impl Durable {
    /// For stores alone, after their sync: all turns up to `through` are durable.
    #[must_use]
    pub fn after_sync(through: u64) -> Self {
        Self { through }
    }
}

/// ACKs, and answers to orders, whose records are on disk.
#[derive(Debug, Default)]
pub struct Promises {
    replies: Batch,
    answers: Vec<(OrderId, Answer)>,
    /// Nothing is undone any more: the buffer, for a later turn.
    undo: Vec<Undo>,
}

impl Promises {
    /// The replies in order.
    #[must_use]
    pub fn replies(&self) -> &Batch {
        &self.replies
    }

    /// The answers to orders that changed leases.
    pub fn answers(&mut self) -> std::vec::Drain<'_, (OrderId, Answer)> {
        self.answers.drain(..)
    }

    fn is_empty(&self) -> bool {
        self.replies.is_empty() && self.answers.is_empty()
    }
}

/// A turn that did not become durable for sure, as the engine has to hear of it.
#[must_use = "the engine has to hear what was not made durable"]
#[derive(Debug)]
pub struct Abandoned {
    pub(crate) undo: Vec<Undo>,
    pub(crate) orders: Vec<OrderId>,
}

/// What was durable of a lease before a record of the turn changed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Undo {
    pub(crate) space: SpaceId,
    pub(crate) address: Ipv4Addr,
    /// Until when its present owner may have it by what was durable before, if it may at all.
    pub(crate) until: Option<Boottime>,
}

/// Collects what one turn says.
#[derive(Debug, Default)]
pub struct Outbox {
    sequence: u64,
    prompt: Batch,
    promised: Promises,
    records: Records,
    undo: Vec<Undo>,
    probes: Vec<Probe>,
    events: Vec<Event>,
    answers: Vec<(OrderId, Answer)>,
    spare: Vec<Promises>,
}

impl Outbox {
    /// An empty outbox whose next turn follows turn `sequence` (zero for a new store).
    #[must_use]
    pub fn after(sequence: u64) -> Self {
        Self { sequence, ..Self::default() }
    }

    /// Closes the turn: what may go now, and what has to wait for the store.
    pub fn seal(&mut self) -> (Prompt, Turn) {
        let mut spare = self.spare.pop().unwrap_or_default();
        let undo = core::mem::take(&mut spare.undo);
        // A store's thread keeps them; the next turn's are about as many.
        let records = self.records.with_room_for_as_many();
        let turn = Turn {
            sequence: self.sequence + 1,
            records: core::mem::replace(&mut self.records, records),
            promised: core::mem::replace(&mut self.promised, spare),
            undo: core::mem::replace(&mut self.undo, undo),
        };
        if !turn.is_empty() {
            self.sequence += 1;
        }
        (Prompt(core::mem::take(&mut self.prompt)), turn)
    }

    /// Gives the buffers of a sent batch back, so that the next turn allocates nothing.
    pub fn recycle_prompt(&mut self, Prompt(mut batch): Prompt) {
        if self.prompt.is_empty() {
            batch.clear();
            self.prompt = batch;
        }
    }

    /// Gives the buffers of sent promises back.
    pub fn recycle_promises(&mut self, mut promises: Promises) {
        const SPARES: usize = 16;
        promises.replies.clear();
        promises.answers.clear();
        promises.undo.clear();
        if self.spare.len() < SPARES {
            self.spare.push(promises);
        }
    }

    /// How much the turn has gathered: a worker seals it before it grows beyond its batches.
    #[must_use]
    pub fn replies(&self) -> usize {
        self.prompt.len() + self.promised.replies.len()
    }

    /// The probes of the turn, in order.
    pub fn probes(&mut self) -> std::vec::Drain<'_, Probe> {
        self.probes.drain(..)
    }

    /// What happened in the turn, in order: for the log and the counters.
    pub fn events(&mut self) -> std::vec::Drain<'_, Event> {
        self.events.drain(..)
    }

    /// Answers to orders that change nothing. The others are in the turn's [`Promises`].
    pub fn answers(&mut self) -> std::vec::Drain<'_, (OrderId, Answer)> {
        self.answers.drain(..)
    }

    /// A reply that promises nothing new.
    pub(crate) fn reply(&mut self, to: Destination, write: impl FnOnce(&mut Vec<u8>)) {
        self.prompt.push(to, write);
    }

    /// A reply that promises what the turn records.
    pub(crate) fn promise(&mut self, to: Destination, write: impl FnOnce(&mut Vec<u8>)) {
        self.promised.replies.push(to, write);
    }

    /// A change of a lease, and until when its owner may have it by what was durable before.
    pub(crate) fn record(
        &mut self,
        space: (SpaceId, &str),
        address: Ipv4Addr,
        at: Wall,
        change: ChangeRef<'_>,
        until: Option<Boottime>,
    ) {
        self.records.write(space.1, address, at, change);
        self.undo.push(Undo { space: space.0, address, until });
    }

    pub(crate) fn probe(&mut self, probe: Probe) {
        self.probes.push(probe);
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    /// The answer to an order that changes nothing.
    pub(crate) fn answer(&mut self, order: OrderId, answer: Answer) {
        self.answers.push((order, answer));
    }

    /// The answer to an order that changes leases: waits for the turn's records.
    pub(crate) fn promise_answer(&mut self, order: OrderId, answer: Answer) {
        self.promised.answers.push((order, answer));
    }
}
