//! Orders from the faces: listings in pages, and changes by hand.

use core::net::Ipv4Addr;
use core::time::Duration;
use std::collections::BTreeSet;
use std::sync::Arc;

use leasehold_pool::SpaceId;

use super::Engine;
use super::book::{LeaseId, NEVER, Place};
use super::identity::{Kind, Traits};
use super::lease::{Hold, Lease, State};
use super::lifecycle::space_name;
use crate::client::Hardware;
use crate::config::{FixedAddress, FixedLease, ServerIndex};
use crate::event::Ended;
use crate::order::{Answer, LeaseView, Order, OrderId, PoolUsage, Refusal, Status, UsedView};
use crate::outbox::{Outbox, Probe};
use crate::record::Location;
use crate::time::{Boottime, Now};

/// No page is longer, whatever is asked for: packets wait while one is made.
const PAGE_MAX: usize = 1000;

impl Engine {
    pub(super) fn order(&mut self, now: Now, id: OrderId, order: Order, out: &mut Outbox) {
        let answer = match order {
            Order::Leases { after, limit } => self.list(now.boottime, after, limit),
            Order::Lease(location) => {
                let lease = self.find_listed(&location);
                let view = lease.map(|id| Box::new(self.view(now.boottime, id)));
                Answer::Lease(view)
            }
            Order::OfFixed(keys) => self.list_fixed(now.boottime, &keys),
            Order::TakeOver { leases, dry_run } => {
                return self.take_over_all(now, id, &leases, dry_run, out);
            }
            Order::Remove(location) => return self.remove(now, id, &location, out),
            Order::Reconfigure(location) => {
                return self.send_reconfigure(now, id, &location, out);
            }
            Order::CheckStatus(location) => self.check_status(now.boottime, &location, out),
            Order::Used { after, limit } => self.list_used(after, limit),
            Order::Bindings { query, after, limit } => {
                Answer::Bindings(self.bindings(now, &query, after.as_ref(), limit))
            }
            Order::Alerts => Answer::Alerts(self.alerts.all(now.boottime)),
            Order::ResetAlert(interface) => {
                self.alerts.reset(&interface);
                Answer::Done
            }
            Order::Usage => self.usage(),
            Order::Counters => Answer::Counters(self.counters.all()),
            Order::States => Answer::States(self.states()),
        };
        out.answer(id, answer);
    }

    fn states(&self) -> Vec<(&'static str, u64)> {
        let word = |state| match state {
            State::Ended => "ended",
            state => status(state).name(),
        };
        self.book.census().all().map(|(state, count)| (word(state), count)).collect()
    }

    fn list(&self, now: Boottime, after: Option<Location>, limit: usize) -> Answer {
        let after = after.and_then(|location| self.place(&location));
        let limit = limit.clamp(1, PAGE_MAX);
        let mut rest = self.book.from(after).filter(|&id| is_listed(self.book.get(id)));
        let leases = rest.by_ref().take(limit).map(|id| self.view(now, id)).collect();
        Answer::Leases { leases, more: rest.next().is_some() }
    }

    /// The leases that obey static rows: by their address, or by their client where the row names
    /// a pool.
    fn list_fixed(&self, now: Boottime, keys: &[u32]) -> Answer {
        let keys: BTreeSet<u32> = keys.iter().copied().collect();
        let rows = self.config.leases.iter().filter(|row| keys.contains(&row.key));
        let found = rows.flat_map(|row| self.of_row(row));
        let leases = found.map(|id| self.view(now, id)).collect();
        Answer::Leases { leases, more: false }
    }

    fn of_row(&self, row: &FixedLease) -> Vec<LeaseId> {
        let all = (0..self.config.servers.len() as u16).map(ServerIndex);
        let servers = all.filter(|&index| row.server.is_none_or(|named| named == index));
        let mac = row.mac.map(Hardware::from).unwrap_or_default();
        let traits = Traits {
            htype: mac.htype(),
            chaddr: mac.octets(),
            client_id: row.client_id.as_deref().unwrap_or_default(),
            giaddr: Ipv4Addr::UNSPECIFIED,
            relay_agent: &[],
            told_by: Kind::Hardware,
        };
        let mut found: Vec<LeaseId> = Vec::new();
        for index in servers {
            let key = self.services.key_of(index);
            let (Some(key), Some(space)) = (key, self.services.space_of(index)) else { continue };
            let id = match row.address {
                FixedAddress::At(address) => self.book.at((space, address)),
                FixedAddress::Server | FixedAddress::Pool(_) => {
                    let kinds = [Kind::Client, Kind::Hardware];
                    let bound = |told_by: Kind| {
                        let traits = Traits { told_by, ..traits };
                        let hash = self.book.hash(key, &traits.identity());
                        let of = self.book.of(key, &traits, hash);
                        of.bound.or(of.pending)
                    };
                    kinds.into_iter().find_map(bound)
                }
            };
            let obeys = |id: &LeaseId| is_listed(self.book.get(*id)) && self.obeys(*id, row);
            found.extend(id.filter(obeys).filter(|id| !found.contains(id)));
        }
        found
    }

    fn list_used(&self, after: Option<Location>, limit: usize) -> Answer {
        let after = after.and_then(|location| self.place(&location));
        let limit = limit.clamp(1, PAGE_MAX);
        let mut rest = self.book.from(after).filter_map(|id| self.used(id));
        let addresses = rest.by_ref().take(limit).collect();
        Answer::Used { addresses, more: rest.next().is_some() }
    }

    /// The row of `/ip/pool/used` of a lease, if it holds an address of a pool.
    fn used(&self, id: LeaseId) -> Option<UsedView> {
        let lease = self.book.get(id);
        let holds = matches!(lease.hold, Hold::Claimed(_) | Hold::Quarantined(_));
        let in_pool = |pool: &leasehold_pool::PoolId| {
            self.pools.space_of(*pool) == lease.space && self.pools.contains(*pool, lease.address)
        };
        let pool = self.pools.pools().find(in_pool).filter(|_| holds)?;
        Some(UsedView {
            pool: Arc::from(self.pools.name(pool)),
            location: self.location(lease),
            info: lease.client.hardware(),
        })
    }

    fn usage(&self) -> Answer {
        let usage = self.pools.pools().map(|pool| {
            let usage = self.pools.usage(pool);
            PoolUsage {
                name: Arc::from(self.pools.name(pool)),
                total: usage.total,
                used: usage.used,
                available: usage.available,
                quarantined: usage.quarantined,
            }
        });
        Answer::Usage(usage.collect())
    }

    fn remove(&mut self, now: Now, order: OrderId, location: &Location, out: &mut Outbox) {
        let Some(id) = self.find_listed(location) else {
            return out.answer(order, Answer::Refused(Refusal::NoSuchLease));
        };
        if self.store.has_failed() {
            return out.answer(order, Answer::Refused(Refusal::StoreFailed));
        }
        match self.book.get(id).state {
            State::Bound => self.end(now, id, Ended::Removed, out),
            State::Testing | State::Offered => self.give_up(id),
            State::Declined | State::Conflict => {
                self.record(now, id, crate::record::bytes::ChangeRef::Removed, out);
                self.pardon(id);
            }
            State::Ended => {}
        }
        out.promise_answer(order, Answer::Done);
    }

    fn check_status(&mut self, now: Boottime, location: &Location, out: &mut Outbox) -> Answer {
        let Some(id) = self.find_listed(location) else {
            return Answer::Refused(Refusal::NoSuchLease);
        };
        let lease = self.book.get(id);
        if !lease.state.is_quarantined() {
            return Answer::Refused(Refusal::NotInConflict);
        }
        let target = lease.address;
        let server = self.services.with_key(lease.server);
        let interface = server.and_then(|server| self.services.direct_interface(server));
        out.probe(match interface {
            Some(interface) => Probe::Arp { interface, target },
            None => Probe::Echo { target },
        });
        let wait = Duration::from_millis(self.config.settings.probe_ms.into());
        self.book.get_mut(id).checking = true;
        self.book.set_deadline(id, now.after(wait));
        Answer::Done
    }

    pub(super) fn find_listed(&self, location: &Location) -> Option<LeaseId> {
        let id = self.book.at(self.place(location)?)?;
        is_listed(self.book.get(id)).then_some(id)
    }

    fn place(&self, location: &Location) -> Option<Place> {
        let space = match &*location.space {
            "" => SpaceId::MAIN,
            name => self.pools.space(name)?,
        };
        Some((space, location.address))
    }

    fn location(&self, lease: &Lease) -> Location {
        let space = space_name(&self.pools, lease.space).into();
        Location { space, address: lease.address }
    }

    fn view(&self, now: Boottime, id: LeaseId) -> LeaseView {
        let lease = self.book.get(id);
        let client = &lease.client;
        let since = |then: Boottime| then.until(now);
        let rows = self.config.leases.at(lease.address).find(|row| self.obeys(id, row));
        LeaseView {
            location: self.location(lease),
            server: Arc::clone(self.services.name(lease.server)),
            status: status(lease.state),
            fixed: rows.map(|row| row.key),
            hardware: client.hardware(),
            client_id: client.client_id().into(),
            host_name: client.host_name().into(),
            class_id: client.class_id().into(),
            //= https://www.rfc-editor.org/rfc/rfc3046#section-3.1
            //# The DHCP server SHOULD report the Agent Circuit ID value of current leases in
            //# statistical reports
            //= https://www.rfc-editor.org/rfc/rfc3046#section-3.2
            //# DHCP servers SHOULD report this value in any reports or MIBs associated with a
            //# particular client.
            relay_agent: client.relay_agent().into(),
            expires_after: (lease.deadline != NEVER).then(|| now.until(lease.deadline)),
            age: since(lease.since),
            last_seen: (lease.heard != Boottime(0)).then(|| since(lease.heard)),
            reconfigure: self.reconfigures.of((lease.space, lease.address), now),
            conflict: client.hardware().mac().filter(|_| lease.state == State::Conflict),
        }
    }
}

/// What a lease is doing in the words of a router, which knows none that has ended.
fn status(state: State) -> Status {
    match state {
        State::Testing => Status::Testing,
        State::Offered => Status::Offered,
        State::Bound | State::Ended => Status::Bound,
        State::Declined => Status::Declined,
        State::Conflict => Status::Conflict,
    }
}

/// What has ended is remembered, but it is no lease any more.
fn is_listed(lease: &Lease) -> bool {
    lease.state != State::Ended
}
