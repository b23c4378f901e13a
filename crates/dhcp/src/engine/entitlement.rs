//! Which address a client may have: its static one, or one of its pools that nobody else has.

use core::net::Ipv4Addr;

use leasehold_pool::AddressState;

use super::Engine;
use super::book::LeaseId;
use super::exchange::Exchange;
use super::lease::Client;
use super::terms;
use crate::config::FixedLease;
use crate::wire::RelayAgent;

impl Engine {
    /// The client's static lease with its address, if it names one that fits the client's link.
    /// A row for all servers does not follow its client into another network.
    pub(super) fn fixed<'c>(&self, exchange: &Exchange<'c>) -> Option<(&'c FixedLease, Ipv4Addr)> {
        let row = exchange.terms.fixed?;
        let address = exchange.terms.fixed_address()?;
        (row.server.is_some() || self.is_on_network(exchange, address)).then_some((row, address))
    }

    /// Whether the client may be given the address, or keep it.
    pub(super) fn may_have(&self, exchange: &Exchange<'_>, address: Ipv4Addr) -> bool {
        match self.fixed(exchange) {
            Some((_, fixed)) if fixed == address => true,
            Some((row, fixed)) if self.is_obtainable(exchange, row, fixed) => false,
            _ => self.is_given_from_pool(exchange, address),
        }
    }

    /// Whether a static lease's address is free, or held by a client of the same row.
    pub(super) fn is_obtainable(
        &self,
        exchange: &Exchange<'_>,
        row: &FixedLease,
        address: Ipv4Addr,
    ) -> bool {
        let place = exchange.place(address);
        let holder = self.book.at(place).filter(|&id| {
            let lease = self.book.get(id);
            !lease.is_due(exchange.now.boottime)
        });
        match self.pools.state(place.0, address) {
            AddressState::Vacant => true,
            AddressState::Claimed => holder.is_none_or(|holder| self.obeys(holder, row)),
            _ => false,
        }
    }

    /// Whether the address is in a pool that the client's addresses come from, and not reserved.
    pub(super) fn is_given_from_pool(&self, exchange: &Exchange<'_>, address: Ipv4Addr) -> bool {
        let Some(pool) = exchange.terms.pool else { return false };
        self.pools.chain(pool).any(|pool| self.pools.contains(pool, address))
            && !self.pools.is_reserved(exchange.service.space, address)
    }

    /// Whether a static lease gives the address to another client of this server. A row that
    /// names the client at another server of the address space is not another's.
    pub(super) fn is_anothers(&self, exchange: &Exchange<'_>, address: Ipv4Addr) -> bool {
        let own = exchange.terms.fixed.map(|row| row.key);
        let request = exchange.request;
        let shown = terms::shown(request, exchange.datagram.link_source, request.relay_agent());
        exchange.config.leases.at(address).any(|row| {
            let here = match row.server {
                None => true,
                Some(named) if named == exchange.service.index => true,
                Some(named) => exchange.config.server(named).is_some_and(|other| {
                    exchange.config.space_of(other) == exchange.config.space_of(exchange.server)
                }),
            };
            here && Some(row.key) != own && !row.fits(&shown)
        })
    }

    /// Whether the lease's client is one that the static lease names.
    pub(super) fn obeys(&self, id: LeaseId, row: &FixedLease) -> bool {
        Self::fits(&self.book.get(id).client, row)
    }

    /// Whether a client is one that the static lease names.
    pub(super) fn fits(client: &Client, row: &FixedLease) -> bool {
        let hardware = client.hardware();
        let agent = RelayAgent::new(client.relay_agent());
        row.fits(&crate::config::Shown {
            mac: hardware.mac(),
            // What stands for the hardware address may have been the frame's source.
            src_mac: hardware.mac(),
            client_id: Some(client.client_id()).filter(|id| !id.is_empty()),
            circuit_id: agent.circuit_id(),
            remote_id: agent.remote_id(),
        })
    }

    /// Whether the address belongs to the network that the client is on, as far as is known.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
    //# Determining whether a client in the INIT-REBOOT state is on the
    //# correct network is done by examining the contents of 'giaddr', the
    //# 'requested IP address' option, and a database lookup.
    pub(super) fn is_on_network(&self, exchange: &Exchange<'_>, address: Ipv4Addr) -> bool {
        let chained = exchange.service.pool.is_some_and(|pool| {
            self.pools.chain(pool).any(|pool| self.pools.contains(pool, address))
        });
        let linked = match exchange.service.link {
            Some(link) => {
                exchange.network(link).is_none_or(|network| network.address.contains(&address))
            }
            None => self.site(exchange.config).is_on_link(exchange.service.ingress, address),
        };
        chained || linked
    }

    /// Whether the datagram says that the client is who it was when it got the lease.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-3.1
    //# The combination of 'client identifier' or 'chaddr' and assigned network address constitute a
    //# unique identifier for the client's lease
    pub(super) fn is_holder(&self, exchange: &Exchange<'_>, id: LeaseId) -> bool {
        self.book.get(id).is_of(&exchange.traits())
    }

    /// The option 82 that a lease's client showed when it came through its relay.
    pub(super) fn stashed(
        &self,
        traits: &super::identity::Traits<'_>,
        place: super::book::Place,
    ) -> &[u8] {
        let lease = self.book.at(place).map(|id| self.book.get(id));
        let own = lease.filter(|lease| lease.is_of(traits));
        own.map_or(&[], |lease| lease.client.relay_agent())
    }
}
