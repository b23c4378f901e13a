//! Binding a lease to its client: the record, the promise, and what stands in the ACK.

use core::time::Duration;

use dhcproto::v4::MessageType;

use super::Engine;
use super::book::LeaseId;
use super::exchange::Exchange;
use super::lease::{Client, State, Step};
use super::lifecycle::{after_seconds, seconds_covering, seconds_until};
use super::nonce::Nonce;
use super::reply::Given;
use crate::event::{Ended, Event, Silence};
use crate::outbox::Outbox;
use crate::planted::planted;
use crate::record::bytes::ChangeRef;

impl Engine {
    /// The lease is its client's from now on, for `lease_time` seconds, and the client hears of it
    /// when that is on disk.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
    //# The server selected in the DHCPREQUEST message commits the
    //# binding for the client to persistent storage and responds with a
    //# DHCPACK message containing the configuration parameters for the
    //# requesting client.
    pub(super) fn bind(
        &mut self,
        exchange: &Exchange<'_>,
        id: LeaseId,
        lease_time: u32,
        message: Option<MessageType>,
        out: &mut Outbox,
    ) {
        if self.store.has_failed() {
            // Another server's lease cannot become this one's: after the failure, or a restart,
            // its client would be told that it is on the wrong network.
            let elsewhere = self.book.get(id).server;
            if elsewhere != exchange.service.key && self.services.with_key(elsewhere).is_some() {
                return self.silent(Some(exchange), exchange.request, Silence::StoreFailed, out);
            }
            self.keep_promise(exchange, id, message, out);
            return;
        }
        self.end_other_leases(exchange, id, out);
        let now = exchange.now;
        let lease = self.book.get(id);
        let is_theirs = lease.is_of(&exchange.traits());
        let known = Some(&lease.client).filter(|_| is_theirs);
        let place = (lease.space, lease.address);
        let was_deaf = self.reconfigures.was_unanswered(place);
        let shared = exchange.nonce(known, was_deaf, &mut self.nonces);
        let (state, was_offered) = (lease.state, lease.offers > 0);
        let bound = state.next(Step::Bind);
        let goes_on = state == State::Bound && is_theirs;
        let until = goes_on.then_some(lease.deadline);
        if !goes_on {
            self.make_room_on_port(exchange, out);
        }
        if state == State::Bound && (!goes_on || was_offered) {
            let how = if goes_on { Ended::Restarted } else { Ended::Moved };
            self.tell(out, |engine| Event::Deassigned(engine.told(id), how));
        }
        let same = self.take_over(exchange, id, shared.nonce()) && goes_on;
        self.unoffer(id);
        self.book.forget_displaced(id);
        // The ACK of a shorter lease may be lost; what was promised before holds as long.
        let promised = after_seconds(now.boottime, lease_time);
        let before = until.filter(|_| !planted!(RenewalShortens));
        let deadline = before.map_or(promised, |before| before.max(promised));
        let recorded = if deadline == promised {
            lease_time
        } else {
            seconds_covering(now.boottime, deadline)
        };
        self.book.set_state(id, bound, now.boottime, deadline);
        let lease = self.book.get_mut(id);
        (lease.offers, lease.heard) = (0, now.boottime);
        self.strikes.is_well(place);
        self.reconfigures.renewed(place);
        if !goes_on || was_offered {
            self.tell(out, |engine| Event::Assigned(engine.told(id)));
        }
        let lease = self.book.get(id);
        let server = self.services.name(lease.server);
        let change = match same {
            true => ChangeRef::Renewed { lease_time: recorded },
            false => ChangeRef::Bound(lease.client.binding(server, recorded)),
        };
        let space = super::lifecycle::space_name(&self.pools, place.0);
        out.record((place.0, space), place.1, self.clock.stamp(now), change, until);
        //= https://www.rfc-editor.org/rfc/rfc1534#section-2
        //# The server marks a binding for a BOOTP client as BOUND after sending the BOOTP BOOTREPLY
        let nonce = shared.unknown().filter(|_| message.is_some());
        self.acknowledge(exchange, id, (lease_time, message), nonce, true, out);
    }

    /// The time that is durable already is promised again, nothing more: the store does not work,
    /// or the address is no more the server's to give.
    pub(super) fn keep_promise(
        &mut self,
        exchange: &Exchange<'_>,
        id: LeaseId,
        message: Option<MessageType>,
        out: &mut Outbox,
    ) {
        let now = exchange.now.boottime;
        let lease = self.book.get(id);
        // A start rounds what it reads up by less than a second; the next one may round up less.
        let was_read = lease.since < self.clock.start().boottime;
        let sure = if was_read { now.after(Duration::from_secs(1)) } else { now };
        let left = seconds_until(sure, lease.deadline);
        if lease.state != State::Bound || !lease.is_of(&exchange.traits()) || left == 0 {
            if lease.state == State::Offered {
                self.give_up(id);
            }
            let failed = self.store.has_failed();
            let reason = if failed { Silence::StoreFailed } else { Silence::Withheld };
            return self.silent(Some(exchange), exchange.request, reason, out);
        }
        self.book.get_mut(id).heard = now;
        // While the store works, what the book has may be on its way to the disk still.
        let waits = !self.store.has_failed();
        self.acknowledge(exchange, id, (left, message), None, waits, out);
    }

    fn acknowledge(
        &mut self,
        exchange: &Exchange<'_>,
        id: LeaseId,
        (lease_time, message): (u32, Option<MessageType>),
        nonce: Option<Nonce>,
        promised: bool,
        out: &mut Outbox,
    ) {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
        //# The 'yiaddr' field in the DHCPACK messages is filled in with the selected network
        //# address.
        let address = self.book.get(id).address;
        let given = Given {
            message,
            address,
            parameters_of: address,
            lease_time: message.map(|_| lease_time),
            broadcast: exchange.wants_broadcast(),
            nonce,
            promised,
        };
        self.give(exchange, Some(id), given, out);
    }

    /// A client has one lease on a server: what it had elsewhere ends, what it was offered
    /// elsewhere is given up, and only the last address is remembered.
    fn end_other_leases(&mut self, exchange: &Exchange<'_>, id: LeaseId, out: &mut Outbox) {
        let of = self.book.of(exchange.service.key, &exchange.traits(), exchange.hash);
        if let Some(pending) = of.pending.filter(|&other| other != id) {
            self.give_up(pending);
        }
        if let Some(bound) = of.bound.filter(|&other| other != id) {
            self.end(exchange.now, bound, Ended::Moved, out);
        }
        let displaced = self.book.get(id).displaced;
        for ended in [of.ended, of.bound].into_iter().flatten() {
            let is_other = ended != id && Some(ended) != displaced;
            if is_other && self.book.get(ended).state == State::Ended {
                self.book.remove(ended);
            }
        }
    }

    /// The lease takes over what the request says of its client; true if all was known.
    fn take_over(&mut self, exchange: &Exchange<'_>, id: LeaseId, nonce: Option<Nonce>) -> bool {
        let lease = self.book.get(id);
        let same_client = lease.is_of(&exchange.traits());
        let known = Some(&lease.client).filter(|_| same_client);
        self.scratch.write_client(exchange, known, nonce);
        let is_known = lease.client.is(&self.scratch.client);
        if is_known && same_client && lease.server == exchange.service.key {
            return true;
        }
        self.mac_limits.let_go(lease);
        let client = Client::read(&self.scratch.client);
        let kind = if same_client { lease.kind } else { exchange.kind };
        self.book.set_client(id, |lease| {
            lease.server = exchange.service.key;
            lease.kind = kind;
            lease.client = client;
        });
        self.mac_limits.held(self.book.get(id));
        false
    }

    /// The lease is held by no offer any more.
    fn unoffer(&mut self, id: LeaseId) {
        if matches!(self.book.get(id).state, State::Testing | State::Offered) {
            self.probes.forget(id);
            self.supply.unoffered(self.book.get(id));
        }
    }
}
