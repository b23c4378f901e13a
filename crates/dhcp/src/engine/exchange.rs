//! One request with everything that was found out about it before it is decided.

use core::net::Ipv4Addr;

use super::book::Place;
use super::identity::{Kind, Traits};
use super::service::Service;
use super::terms::Terms;
use crate::client::Hardware;
use crate::config::{Authoritative, Config, Network, Server};
use crate::input::Datagram;
use crate::time::Now;
use crate::wire::{Request, code};

/// A request, the server that answers it, and the terms of its client.
#[derive(Clone, Copy)]
pub(super) struct Exchange<'a> {
    pub(super) now: Now,
    pub(super) request: &'a Request<'a>,
    pub(super) datagram: &'a Datagram<'a>,
    pub(super) config: &'a Config,
    pub(super) server: &'a Server,
    pub(super) service: Service,
    pub(super) terms: Terms<'a>,
    /// Stands for `chaddr`, unless a static lease goes by the frame's source.
    pub(super) hardware: Hardware,
    pub(super) kind: Kind,
    /// Option 61 and option 82; empty if there is none.
    pub(super) client_id: &'a [u8],
    pub(super) relay_agent: &'a [u8],
    /// Of the client's identity on this server.
    pub(super) hash: u64,
    /// How many addresses were found in conflict since the client asked.
    pub(super) attempt: u8,
    /// The address of ours that the client calls the server by.
    pub(super) named: Option<Ipv4Addr>,
}

impl Exchange<'_> {
    /// What the client is told apart by.
    pub(super) fn traits(&self) -> Traits<'_> {
        Traits {
            told_by: self.kind,
            htype: self.hardware.htype(),
            chaddr: self.hardware.octets(),
            client_id: self.client_id,
            giaddr: self.request.giaddr,
            relay_agent: self.relay_agent,
        }
    }

    /// An address in the server's address space.
    pub(super) fn place(&self, address: Ipv4Addr) -> Place {
        (self.service.space, address)
    }

    /// The network whose parameters go with an address.
    pub(super) fn network(&self, address: Ipv4Addr) -> Option<&Network> {
        self.config.networks.containing(address)
    }

    /// Whether the server says NAK to clients that it does not know.
    pub(super) fn is_authoritative(&self) -> bool {
        match self.server.authoritative {
            Authoritative::No => false,
            Authoritative::Yes => true,
            Authoritative::After(secs) => self.request.secs >= secs,
        }
    }

    /// Seconds that the client gets: what it asks for within what it may have.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# IF the client has requested a specific lease in the DHCPDISCOVER
    //# message (regardless of whether the client has an assigned network
    //# address), the server may choose either to return the requested
    //# lease (if the lease is acceptable to local policy) or select
    //# another lease.
    pub(super) fn lease_time(&self) -> u32 {
        let most = self.terms.lease_time;
        let least = self.config.settings.lease_time_min.min(most);
        self.request.lease_time().map_or(most, |asked| asked.clamp(least, most))
    }

    /// Whether the client asks if it may give itself an address, and may not.
    pub(super) fn forbids_auto_configuration(&self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc2563#section-2
        //# The code for this option is 116, and its length is 1.
        let asks = self.request.options.array::<1>(code::AUTO_CONFIGURE).is_some();
        asks && !self.server.auto_configure
    }

    /// Whether the client, its server or its static lease want broadcasts.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
    //# A server or relay agent sending or relaying a DHCP message directly
    //# to a DHCP client (i.e., not to a relay agent specified in the
    //# 'giaddr' field) SHOULD examine the BROADCAST bit in the 'flags'
    //# field.
    pub(super) fn wants_broadcast(&self) -> bool {
        self.request.wants_broadcast()
            || self.server.always_broadcast
            || self.terms.fixed.is_some_and(|row| row.always_broadcast)
    }

    /// Whether the address belongs to something that is disabled or invalid.
    pub(super) fn is_withheld(&self, address: Ipv4Addr) -> bool {
        let space = self.config.space_of(self.server);
        let mut withheld = self.config.withheld.iter();
        withheld.any(|it| *it.space == *space && it.addresses.contains(&address))
    }
}
