//! Pages of bindings for bulk leasequery: every configured address once, so many at a time.

use core::iter::Peekable;
use core::net::Ipv4Addr;

use leasehold_pool::{AddressState, SpaceId};

use super::Engine;
use super::book::{LeaseId, NEVER};
use super::identity::Identity;
use super::lease::{Lease, State};
use super::lifecycle::{seconds_until, space_name};
use crate::bulk::{self, Binding, By, Client, Page, Query, Spaces};
use crate::record::Location;
use crate::time::{Boottime, Now};
use crate::wire::RelayAgent;

/// No page looks at more addresses, whatever is asked for: packets wait while one is made.
const EXAMINED_MAX: usize = 1000;

impl Engine {
    /// The bindings behind `after` that the query is about, among the next `limit` addresses.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
    //# When responding to a DHCPBULKLEASEQUERY message, the DHCPv4 server MUST NOT send more than
    //# one message for each applicable IP address, even if the state of some of those IP addresses
    //# changes during the processing of the message.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
    //# In this form of query, each configured IP address MUST be returned at most one time.
    pub(super) fn bindings(
        &self,
        now: Now,
        query: &Query,
        after: Option<&Location>,
        limit: usize,
    ) -> Page {
        let mut page = Page::default();
        let mut left = limit.clamp(1, EXAMINED_MAX);
        let begun = after.and_then(|after| self.space_named(&after.space));
        for space in self.spaces_asked(&query.spaces) {
            if begun.is_some_and(|begun| space < begun) {
                continue;
            }
            let behind = after.filter(|_| begun == Some(space)).map(|after| after.address);
            for address in self.asked_addresses(space, query, behind) {
                if left == 0 {
                    return page;
                }
                left -= 1;
                page.next = Some(self.location_of(space, address));
                page.bindings.extend(self.binding(now, space, address, query));
            }
        }
        page.next = None;
        page
    }

    /// The spaces that a query is about, in the order of their numbers.
    fn spaces_asked(&self, spaces: &Spaces) -> Vec<SpaceId> {
        let mut asked: Vec<SpaceId> = match spaces {
            Spaces::Global => vec![SpaceId::MAIN],
            Spaces::Named(name) => self.pools.space(name).into_iter().collect(),
            Spaces::All => {
                let pools = self.pools.pools().map(|pool| self.pools.space_of(pool));
                pools.chain([SpaceId::MAIN]).collect()
            }
        };
        asked.sort_unstable();
        asked.dedup();
        asked
    }

    /// The addresses of a space that a query may be about, in order, each once.
    fn asked_addresses(
        &self,
        space: SpaceId,
        query: &Query,
        after: Option<Ipv4Addr>,
    ) -> Box<dyn Iterator<Item = Ipv4Addr> + '_> {
        let is_behind = move |address: &Ipv4Addr| after.is_none_or(|after| *address > after);
        let of_trait = |identity: &Identity<'_>| {
            let leases = self.book.with_trait(identity).map(|id| self.book.get(id));
            let here = leases.filter(|lease| lease.space == space).map(|lease| lease.address);
            let mut found: Vec<Ipv4Addr> = here.filter(is_behind).collect();
            found.sort_unstable();
            found.dedup();
            Box::new(found.into_iter())
        };
        let leased = self.leased(space, after);
        match &query.by {
            //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
            //# Every IP address that has a current binding to a DHCPv4 client matching the chaddr,
            //# htype, and hlen in the DHCPBULKLEASEQUERY request MUST be returned in a
            //# DHCPLEASEACTIVE message.
            By::Hardware(hardware) => {
                let (htype, octets) = (hardware.htype(), hardware.octets());
                of_trait(&Identity::Hardware { htype, octets })
            }
            //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
            //# Every IP address that has a current binding to a DHCPv4 client matching the
            //# Client-identifier option in the DHCPBULKLEASEQUERY request MUST be returned in a
            //# DHCPLEASEACTIVE message.
            By::Client(id) => of_trait(&Identity::Client(id)),
            //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
            //# Every IP address that has a current binding to a DHCPv4 client matching the Remote
            //# ID sub-option of the relay-agent-information option in the DHCPBULKLEASEQUERY
            //# request MUST be returned in a DHCPLEASEACTIVE message.
            //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
            //# Every IP address that has a current binding to a DHCPv4 client matching the
            //# Relay-ID sub-option of the relay-agent-information option in the DHCPBULKLEASEQUERY
            //# request MUST be returned in a DHCPLEASEACTIVE message.
            By::RemoteId(_) | By::RelayId(_) => Box::new(leased),
            //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
            //# In the absence of qualifiers restricting the number of IP addresses returned, every
            //# configured IP address MUST be returned exactly once.
            //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
            //# In this case, every configured IP address that has a current binding to a DHCPv4
            //# client MUST be returned in a DHCPLEASEACTIVE message.
            //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
            //# In addition, every configured IP address that does not have a current binding to a
            //# DHCPv4 client MUST be returned in a DHCPLEASEUNASSIGNED message.
            By::All => {
                let fixed = self.config.leases.addresses_behind(after);
                let fixed = fixed.filter(move |at| self.pools.is_reserved(space, *at));
                let pools = self.pooled(space, after);
                Box::new(Merged(Merged(leased.peekable(), fixed.peekable()).peekable(), pools))
            }
        }
    }

    fn leased(
        &self,
        space: SpaceId,
        after: Option<Ipv4Addr>,
    ) -> impl Iterator<Item = Ipv4Addr> + '_ {
        // What is behind address zero: no lease has that.
        let place = (space, after.unwrap_or(Ipv4Addr::UNSPECIFIED));
        let leases = self.book.from(Some(place)).map(|id| self.book.get(id));
        leases.take_while(move |lease| lease.space == space).map(|lease| lease.address)
    }

    /// Addresses of pools that can be given out.
    fn pooled(
        &self,
        space: SpaceId,
        after: Option<Ipv4Addr>,
    ) -> Peekable<impl Iterator<Item = Ipv4Addr> + '_> {
        let here = self.pools.pools().filter(|pool| self.pools.space_of(*pool) == space);
        let ranges = here.flat_map(|pool| self.pools.ranges(pool));
        let mut ranges: Vec<(u32, u32)> =
            ranges.map(|range| (range.first.to_bits(), range.last.to_bits())).collect();
        ranges.sort_unstable();
        let mut next = after.map_or(0, |after| u64::from(after.to_bits()) + 1);
        let addresses = ranges.into_iter().flat_map(move |(first, last)| {
            // Ranges may overlap: what has been named is not named again.
            let start = next.max(first.into());
            next = next.max(u64::from(last) + 1);
            start..u64::from(last) + 1
        });
        let addresses = addresses.filter_map(|bits| u32::try_from(bits).ok().map(Ipv4Addr::from));
        let is_given =
            move |at: &Ipv4Addr| self.pools.state(space, *at) != AddressState::NotCovered;
        let given: Box<dyn Iterator<Item = Ipv4Addr> + '_> = Box::new(addresses.filter(is_given));
        given.peekable()
    }

    /// How an address stands, if the query is about that.
    fn binding(
        &self,
        now: Now,
        space: SpaceId,
        address: Ipv4Addr,
        query: &Query,
    ) -> Option<Binding> {
        let lease = self.book.at((space, address)).map(|id: LeaseId| self.book.get(id));
        let state = match lease {
            Some(lease) if lease.state == State::Bound && !lease.is_due(now.boottime) => {
                bulk::State::Active
            }
            Some(lease) if lease.state.is_quarantined() => bulk::State::Abandoned,
            _ => bulk::State::Available,
        };
        let active = lease.filter(|_| state == bulk::State::Active);
        if query.by != By::All && !active.is_some_and(|lease| is_of(lease, &query.by)) {
            return None;
        }
        let ago = |then: Boottime| then.until(now.boottime);
        // An offer, or a probe before it, is no change of the binding.
        let known = lease.filter(|it| !matches!(it.state, State::Testing | State::Offered));
        let since = known.map(|lease| ago(lease.since));
        let last_transaction = known.map(|lease| ago(lease.last_transaction()));
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
        //# A DHCPv4 server SHOULD consider an address binding to have changed during a specified
        //# time window if either the client-last-transaction-time or the start-time-of-state of the
        //# address binding changed during that time window.
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
        //# If a query-start-time option appears in the DHCPBULKLEASEQUERY request, only IP address
        //# bindings that have changed on or after the time specified in the query-start-time
        //# option should be returned.
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
        //# If a query-end-time option appears in the DHCPBULKLEASEQUERY request, only IP address
        //# bindings that have changed on or before the time specified in the query-end-time option
        //# should be returned.
        let within = |ago: core::time::Duration| {
            let at = now.wall.0.saturating_sub(ago.as_secs());
            query.from.is_none_or(|from| at >= from.0)
                && query.until.is_none_or(|until| at <= until.0)
        };
        let has_window = query.from.is_some() || query.until.is_some();
        if has_window && !since.into_iter().chain(last_transaction).any(within) {
            return None;
        }
        let ends = |lease: &&Lease| lease.deadline != NEVER || state == bulk::State::Active;
        Some(Binding {
            location: self.location_of(space, address),
            state,
            since,
            client: active.map(|lease| Box::new(client(lease))),
            lasts: lease
                .filter(|_| state != bulk::State::Available)
                .filter(ends)
                .map(|lease| seconds_until(now.boottime, lease.deadline)),
            last_transaction,
        })
    }

    fn location_of(&self, space: SpaceId, address: Ipv4Addr) -> Location {
        Location { space: space_name(&self.pools, space).into(), address }
    }

    fn space_named(&self, name: &str) -> Option<SpaceId> {
        if name.is_empty() { Some(SpaceId::MAIN) } else { self.pools.space(name) }
    }
}

fn is_of(lease: &Lease, by: &By) -> bool {
    let agent = || RelayAgent::new(lease.client.relay_agent());
    match by {
        By::All => true,
        By::Hardware(hardware) => lease.client.hardware() == *hardware,
        By::Client(id) => lease.client.client_id() == &**id,
        By::RemoteId(id) => agent().remote_id() == Some(id),
        By::RelayId(id) => agent().relay_id() == Some(id),
    }
}

fn client(lease: &Lease) -> Client {
    let client = &lease.client;
    Client {
        hardware: client.hardware(),
        client_id: client.client_id().into(),
        host_name: client.host_name().into(),
        class_id: client.class_id().into(),
        relay_agent: client.relay_agent().into(),
    }
}

/// Two ascending sequences as one, without what is in both.
struct Merged<A: Iterator, B: Iterator>(Peekable<A>, Peekable<B>);

impl<A, B> Iterator for Merged<A, B>
where
    A: Iterator<Item = Ipv4Addr>,
    B: Iterator<Item = Ipv4Addr>,
{
    type Item = Ipv4Addr;

    fn next(&mut self) -> Option<Ipv4Addr> {
        match (self.0.peek(), self.1.peek()) {
            (Some(one), Some(other)) if one == other => {
                self.1.next();
                self.0.next()
            }
            (Some(one), Some(other)) if other < one => self.1.next(),
            (None, _) => self.1.next(),
            _ => self.0.next(),
        }
    }
}
