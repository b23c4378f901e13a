//! Leases and offers behind one port of a relay or switch: the property `circuit-lease-limit`, and
//! whose offers make room when a pool is empty.

use leasehold_pool::PoolId;

use super::Engine;
use super::book::LeaseId;
use super::exchange::Exchange;
use super::lease::{Lease, State};
use super::supply::number;
use crate::config::CircuitLimit;
use crate::event::{Ended, Silence};
use crate::outbox::Outbox;

impl Engine {
    /// Whether the client's port has room for one more lease, or makes it.
    pub(super) fn within_circuit_limit(&self, exchange: &Exchange<'_>) -> Result<(), Silence> {
        match exchange.server.circuit_lease_limit {
            Some(CircuitLimit { leases, replace_oldest: false }) => {
                let is_held = |lease: &Lease| lease.state != State::Ended;
                let held = self.others_on_port(exchange, is_held).len();
                if held >= leases as usize { Err(Silence::CircuitLimit) } else { Ok(()) }
            }
            Some(CircuitLimit { replace_oldest: true, .. }) | None => Ok(()),
        }
    }

    /// Ends leases of other clients on the client's port until there is room for its own: of those
    /// that no static lease gives, the one whose client was heard longest ago goes first.
    pub(super) fn make_room_on_port(&mut self, exchange: &Exchange<'_>, out: &mut Outbox) {
        let Some(CircuitLimit { leases, replace_oldest: true }) =
            exchange.server.circuit_lease_limit
        else {
            return;
        };
        let mut others = self.others_on_port(exchange, |lease| lease.state == State::Bound);
        let excess = (others.len() + 1).saturating_sub(leases as usize);
        others.retain(|&id| {
            let address = self.book.get(id).address;
            exchange.config.leases.at(address).next().is_none()
        });
        others.sort_by_key(|&id| {
            let lease = self.book.get(id);
            (lease.heard, lease.since, lease.address)
        });
        for id in others.into_iter().take(excess) {
            self.end(exchange.now, id, Ended::Replaced, out);
        }
    }

    /// Gives up an offer of a source that crowds others out of a pool that is empty, or out of
    /// those that follow it; whether there was one.
    pub(super) fn make_room_among_offers(
        &mut self,
        exchange: &Exchange<'_>,
        first: PoolId,
    ) -> bool {
        let source = self.book.source(exchange.service.key, &exchange.traits());
        let (supply, book) = (&mut self.supply, &self.book);
        let crowding = |pool| supply.crowding(number(pool), source, book);
        let crowding = self.pools.chain(first).find_map(crowding);
        crowding.inspect(|&offer| self.give_up(offer)).is_some()
    }

    /// Leases of other clients of the same server behind the port that the request came through.
    fn others_on_port(
        &self,
        exchange: &Exchange<'_>,
        counts: impl Fn(&Lease) -> bool,
    ) -> Vec<LeaseId> {
        let traits = exchange.traits();
        let Some(port) = traits.port() else { return Vec::new() };
        let is_other = |id: &LeaseId| {
            let lease = self.book.get(*id);
            lease.server == exchange.service.key
                && counts(lease)
                && lease.traits().port() == Some(port)
                && !lease.is_of(&traits)
        };
        self.book.with_trait(&port).filter(is_other).collect()
    }
}
