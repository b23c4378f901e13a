//! On which terms a client is served: its static lease, the matcher that it fits, its server.

use core::net::Ipv4Addr;

use leasehold_pool::PoolId;

use super::service::{Service, Services};
use crate::client::Hardware;
use crate::config::{
    AddressPool, Config, FixedAddress, FixedLease, Matcher, OptionSet, Server, Shown,
};
use crate::link::Mac;
use crate::wire::{Enterprises, RelayAgent, Request, code};

/// What a client gets from a server, before any lease is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms<'c> {
    pub(super) fixed: Option<&'c FixedLease>,
    pub(super) matcher: Option<&'c Matcher>,
    /// Where a dynamic address comes from.
    pub(super) pool: Option<PoolId>,
    /// Seconds; `u32::MAX` is for ever.
    pub(super) lease_time: u32,
}

impl<'c> Terms<'c> {
    /// `stashed` is the option 82 of the client's lease: it counts where the request has none.
    pub(super) fn of(
        config: &'c Config,
        services: &Services,
        service: &Service,
        server: &'c Server,
        request: &Request<'_>,
        shown: &Shown<'_>,
        stashed: &[u8],
    ) -> Self {
        let fixed = config.leases.find(service.index, shown);
        // A static lease wins over the matchers.
        let matcher = match fixed {
            Some(_) => None,
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.2
            //# a DHCP server will have to consider the values of the vendor class options included
            //# in DHCPDISCOVER or DHCPREQUEST messages when determining the correct parameters for
            //# a particular client.
            //= https://www.rfc-editor.org/rfc/rfc2132#section-9.13
            //# Servers not equipped to interpret the class-specific information sent by a client
            //# MUST ignore it
            //= https://www.rfc-editor.org/rfc/rfc3004#section-4
            //# A server that is not equipped to interpret any given user class specified by a
            //# client MUST ignore it
            None => config.matchers.iter().find(|matcher| {
                matcher.server.is_none_or(|named| named == service.index)
                    && matcher.fits(request, stashed)
            }),
        };
        let pool = match (fixed.map(|row| row.address), matcher.and_then(|it| it.address_pool)) {
            (Some(FixedAddress::Pool(pool)), _) => services.pool_of(AddressPool::Pool(pool)),
            (None, Some(pool)) => services.pool_of(pool),
            _ => service.pool,
        };
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# IF the client has not requested a specific lease in the DHCPDISCOVER message and the
        //# client does not have an assigned network address, the server assigns a locally
        //# configured default lease time, ELSE
        let lease_time = (fixed.and_then(|row| row.lease_time))
            .or_else(|| matcher.and_then(|matcher| matcher.lease_time));
        Self { fixed, matcher, pool, lease_time: lease_time.unwrap_or(server.lease_time) }
    }

    /// The address of its static lease, if that names one.
    pub(super) fn fixed_address(&self) -> Option<Ipv4Addr> {
        match self.fixed?.address {
            FixedAddress::At(address) => Some(address),
            FixedAddress::Server | FixedAddress::Pool(_) => None,
        }
    }

    /// The option sets that apply before the network's, nearest first.
    pub(super) fn options(&self, server: &'c Server) -> [Option<&'c OptionSet>; 3] {
        [
            self.fixed.map(|row| &row.options),
            self.matcher.map(|matcher| &matcher.options),
            Some(&server.options),
        ]
    }

    /// Whether the client gets nothing.
    pub(super) fn is_blocked(&self) -> bool {
        self.fixed.is_some_and(|row| row.block_access)
    }
}

impl Matcher {
    /// Whether a request has the option as this matcher wants it. A user class counts as a whole
    /// and by each of its parts (RFC 3004), option 82 as a whole and by each sub-option, options
    /// 124 and 125 also by the number of an enterprise and by what is said for it (RFC 3925).
    fn fits(&self, request: &Request<'_>, stashed: &[u8]) -> bool {
        let value = match self.code {
            code::RELAY_AGENT => match request.relay_agent() {
                Some(agent) => Some(agent.octets()),
                None => Some(stashed).filter(|stashed| !stashed.is_empty()),
            },
            code => request.options.get(code),
        };
        //= https://www.rfc-editor.org/rfc/rfc2132#section-8.4
        //# Servers not equipped to interpret the vendor-specific information sent by a client MUST
        //# ignore it
        //= https://www.rfc-editor.org/rfc/rfc3925#section-3
        //# This option may be used wherever Vendor Class Identifier (option 60) may be used
        //= https://www.rfc-editor.org/rfc/rfc3925#section-4
        //# Servers not equipped to interpret the vendor-specific information sent by a client MUST
        //# ignore it.
        let Some(value) = value else { return false };
        if self.substring {
            return self.value.is_empty()
                || value.windows(self.value.len()).any(|part| *part == *self.value);
        }
        let is_part = |mut parts: Parts<'_>| parts.any(|part| *part == *self.value);
        //= https://www.rfc-editor.org/rfc/rfc3046#section-3.1
        //# The Circuit ID SHOULD be considered an opaque value, with policies based on exact string
        //# match only
        //= https://www.rfc-editor.org/rfc/rfc3046#section-3.2
        //# The option SHOULD be considered an opaque value, with policies based on exact string
        //# match only
        *value == *self.value
            || match self.code {
                code::USER_CLASS => is_part(Parts { rest: value, tagged: false }),
                code::RELAY_AGENT => is_part(Parts { rest: value, tagged: true }),
                code::VENDOR_CLASSES | code::VENDOR_IDENTIFYING => {
                    Enterprises::new(value).any(|(enterprise, data)| {
                        let tagged = self.code == code::VENDOR_IDENTIFYING;
                        enterprise.to_be_bytes()[..] == *self.value
                            || is_part(Parts { rest: data, tagged })
                    })
                }
                _ => false,
            }
    }
}

/// The parts of an option that is a list: each has a length, and a tag before it or none.
struct Parts<'a> {
    rest: &'a [u8],
    tagged: bool,
}

impl<'a> Iterator for Parts<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest.get(usize::from(self.tagged)..)?;
        let (length, rest) = rest.split_first()?;
        let (part, rest) = rest.split_at_checked(usize::from(*length))?;
        self.rest = rest;
        Some(part)
    }
}

/// What a client shows of itself, for static leases.
pub(super) fn shown<'a>(
    request: &Request<'a>,
    link_source: Option<Mac>,
    agent: Option<RelayAgent<'a>>,
) -> Shown<'a> {
    Shown {
        mac: request.hardware.mac(),
        src_mac: link_source,
        client_id: request.client_id(),
        circuit_id: agent.and_then(|agent| agent.circuit_id()),
        remote_id: agent.and_then(|agent| agent.remote_id()),
    }
}

/// What stands for the hardware address: the frame's source where a static lease says so.
pub(super) fn hardware(
    request: &Request<'_>,
    fixed: Option<&FixedLease>,
    source: Option<Mac>,
) -> Hardware {
    let source = source.filter(|_| fixed.is_some_and(|row| row.use_src_mac));
    source.map_or(request.hardware, Hardware::from)
}
