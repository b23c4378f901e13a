//! DHCPLEASEQUERY: who has an address, asked by a relay that is allowed to (RFC 4388).

use core::net::{Ipv4Addr, SocketAddrV4};
use std::sync::Arc;

use dhcproto::v4::MessageType;
use leasehold_pool::SpaceId;

use super::Engine;
use super::answer::{Answer, WITHOUT_LIST};
use super::book::{LeaseId, NEVER, Place};
use super::exchange::Exchange;
use super::identity::{Identity, Traits};
use super::lease::{Lease, State};
use super::lifecycle::seconds_until;
use super::reply::header;
use super::service::Service;
use super::terms::Terms;
use crate::client::Hardware;
use crate::config::{Config, Shown};
use crate::event::Silence;
use crate::input::Datagram;
use crate::link::Interface;
use crate::outbox::{Destination, Outbox};
use crate::time::{Boottime, Now};
use crate::wire::{Header, IP_AND_UDP, RelayAgent, Reply, Request, SERVER_PORT, code};

/// Octets of the largest answer: relays are reached over Ethernet at least.
const LIMIT: usize = 1500 - IP_AND_UDP;

/// Addresses that one answer names at most, so that it stays one datagram.
const ASSOCIATED_MAX: usize = 252;

/// What is told of a lease to somebody who does not say what it wants to know.
const WITHOUT_QUERY_LIST: &[u8] = &[
    code::LEASE_TIME,
    code::RENEWAL_TIME,
    code::REBINDING_TIME,
    code::CLIENT_ID,
    code::RELAY_AGENT,
    code::CLIENT_LAST_TRANSACTION_TIME,
];

/// What is asked about: exactly one thing.
#[derive(Clone, Copy)]
enum Query<'a> {
    Address(Ipv4Addr),
    Hardware(Hardware),
    Client(&'a [u8]),
}

/// A query with what came with it.
struct Asked<'a> {
    now: Now,
    config: &'a Config,
    request: &'a Request<'a>,
    datagram: &'a Datagram<'a>,
}

/// What is known about it.
enum Finding {
    /// The lease, and all addresses of its client if it has more than one.
    Active(LeaseId, Vec<Ipv4Addr>),
    /// The address is ours to give, and nobody has it.
    Unassigned(Ipv4Addr),
    Unknown,
}

impl<'a> Query<'a> {
    //= https://www.rfc-editor.org/rfc/rfc4388#section-6.3
    //# The DHCPLEASEQUERY message MUST have exactly one of the following: a non-zero ciaddr, a
    //# non-zero htype/hlen/chaddr, or a Client-identifier option.
    fn read(request: &Request<'a>) -> Option<Self> {
        let address = Some(request.ciaddr).filter(|address| !address.is_unspecified());
        let has_hardware = request.hardware.octets().iter().any(|&octet| octet != 0);
        let hardware = Some(request.hardware).filter(|_| has_hardware);
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.3
        //# A server that implements the DHCPLEASEQUERY message MUST implement all three query
        //# regimes: query by IP address, query by MAC address, and query by Client-identifier.
        match (address, hardware, request.client_id()) {
            (Some(address), None, None) => Some(Self::Address(address)),
            (None, Some(hardware), None) => Some(Self::Hardware(hardware)),
            (None, None, Some(id)) => Some(Self::Client(id)),
            _ => None,
        }
    }

    fn identity(&'a self) -> Option<Identity<'a>> {
        match self {
            Self::Address(_) => None,
            Self::Hardware(hardware) => {
                Some(Identity::Hardware { htype: hardware.htype(), octets: hardware.octets() })
            }
            Self::Client(id) => Some(Identity::Client(id)),
        }
    }

    fn is_about(&self, lease: &Lease) -> bool {
        match *self {
            Self::Address(address) => lease.address == address,
            Self::Hardware(hardware) => lease.client.hardware() == hardware,
            Self::Client(id) => lease.client.client_id() == id,
        }
    }
}

impl Engine {
    /// Answers a leasequery. Nothing is kept of it, so that a flood of them costs no memory.
    //= https://www.rfc-editor.org/rfc/rfc4388#section-7
    //# DHCP servers supporting the DHCPLEASEQUERY message SHOULD ensure that they cannot be
    //# successfully attacked by being flooded with large quantities of DHCPLEASEQUERY messages in a
    //# short time.
    pub(super) fn leasequery(
        &mut self,
        now: Now,
        config: &Arc<Config>,
        request: &Request<'_>,
        datagram: &Datagram<'_>,
        out: &mut Outbox,
    ) {
        let allowed = &config.settings.leasequery;
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.3
        //# If the "giaddr" field is zero, then the DHCP server MUST NOT reply to the DHCPLEASEQUERY
        //# message.
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.3
        //# A DHCPLEASEQUERY message MUST have a non-zero giaddr.
        if !request.is_relayed() {
            return self.silent(None, request, Silence::QueryWithoutRelay, out);
        }
        //= https://www.rfc-editor.org/rfc/rfc4388#section-7
        //# In some environments, it may be appropriate to configure a DHCP server with the IP
        //# addresses of the relay agents for which it may respond to DHCPLEASEQUERY messages
        if !allowed.iter().any(|prefix| prefix.contains(&request.giaddr)) {
            return self.silent(None, request, Silence::QueryDenied, out);
        }
        let Some(query) = Query::read(request) else {
            return self.silent(None, request, Silence::QueryShape, out);
        };
        let finding = self.find_queried(now.boottime, &query);
        let mut reply = core::mem::take(&mut self.scratch.reply);
        let asked = Asked { now, config, request, datagram };
        let header = self.write_finding(&asked, &finding, &mut reply);
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.3
        //# The server expects a giaddr in the DHCPLEASEQUERY message, and unicasts the
        //# DHCPLEASEUNASSIGNED, DHCPLEASEACTIVE, or DHCPLEASEUNKNOWN message to the giaddr.
        let own = Some(datagram.destination).filter(|address| self.services.is_own(*address));
        let source = own.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let target = SocketAddrV4::new(request.giaddr, SERVER_PORT);
        let stashed = match finding {
            Finding::Active(id, _) => self.book.get(id).client.relay_agent(),
            _ => &[],
        };
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
        //# If the Relay Agent Information (option 82) is specified in the Parameter Request List,
        //# then the information contained in the most recent Relay Agent Information option
        //# received from the relay agent associated with this IP address MUST be included in the
        //# DHCPLEASEACTIVE message.
        let wants_agent = wanted(request).contains(&code::RELAY_AGENT) && !stashed.is_empty();
        let agent = wants_agent.then_some(stashed);
        let to = Destination::Routed { source, target };
        out.reply(to, |bytes| reply.write(&header, agent, LIMIT, bytes));
        self.scratch.reply = reply;
    }

    /// What is known. The giaddr has no part in it.
    //= https://www.rfc-editor.org/rfc/rfc4388#section-6.3
    //# The DHCP server that receives a DHCPLEASEQUERY message MUST base its response on the
    //# particular data item used in the query.
    //= https://www.rfc-editor.org/rfc/rfc4388#section-6.3
    //# It MUST NOT be used to restrict the processing of the query in any way, and MUST NOT be used
    //# locate a subnet to which the ciaddr (if any) must belong.
    //= https://www.rfc-editor.org/rfc/rfc4388#section-6.2
    //# The DHCPLEASEQUERY message is one of those cases where the giaddr MUST NOT be used as such a
    //# "key".
    fn find_queried(&self, now: Boottime, query: &Query<'_>) -> Finding {
        let is_active = |id: &LeaseId| {
            let lease = self.book.get(*id);
            lease.state == State::Bound && !lease.is_due(now) && query.is_about(lease)
        };
        if let Query::Address(address) = *query {
            let spaces = || core::iter::once(SpaceId::MAIN).chain(self.services.spaces());
            let at = |space| self.book.at((space, address));
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4
            //# The server MUST respond with a DHCPLEASEACTIVE message when the IP address returned
            //# in the "ciaddr" field is currently leased.
            if let Some(id) = spaces().filter_map(at).find(is_active) {
                return Finding::Active(id, Vec::new());
            }
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4
            //# The server MUST respond with a DHCPLEASEUNASSIGNED message if this server has
            //# information about the IP address, but there is no active lease for the IP address.
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.1
            //# If the IP address is not managed by the DHCP server, then a DHCPLEASEUNKNOWN message
            //# must be returned.
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4
            //# The DHCPLEASEUNASSIGNED message is only returned for a query by IP address, and
            //# indicates that the server manages this IP address, but there is no currently active
            //# lease on this IP address.
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4
            //# The DHCPLEASEUNKNOWN message indicates that the server does not manage the IP
            //# address or the client specified in the DHCPLEASEQUERY message does not currently
            //# have a lease on an IP address.
            return match spaces().any(|space| self.is_managed((space, address))) {
                true => Finding::Unassigned(address),
                false => Finding::Unknown,
            };
        }
        let Some(identity) = query.identity() else { return Finding::Unknown };
        let ids: Vec<LeaseId> = self.book.with_trait(&identity).filter(is_active).collect();
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.1
        //# In the case where more than one IP address has been accessed by the client specified by
        //# the MAC address or Client-identifier option, then the DHCP server MUST return the IP
        //# address returned to the client in the most recent transaction with the client
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.1
        //# If there is only a single IP address that fulfills this criteria, then it MUST be placed
        //# in the "ciaddr" field of the DHCPLEASEACTIVE message.
        //= https://www.rfc-editor.org/rfc/rfc4388#section-5
        //# it SHOULD be the IP address with the latest client-last-transaction-time associated with
        //# the client described by the MAC address or Client-identifier option.
        let newest = ids.iter().max_by_key(|id| self.book.get(**id).last_transaction());
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.1
        //# If, after all of the above processing, no value is set in the "ciaddr" field of the
        //# DHCPLEASEUNASSIGNED or DHCPLEASEACTIVE message, then a DHCPLEASEUNKNOWN message MUST be
        //# returned instead.
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.1
        //# the IP address placed in the "ciaddr" field of a DHCPLEASEACTIVE message MUST be that of
        //# an IP address for which the client that most recently used the IP address matches the
        //# Client-identifier or MAC address specified in the DHCPLEASEQUERY message.
        let Some(&newest) = newest else { return Finding::Unknown };
        let mut all: Vec<_> = ids.iter().map(|id| self.book.get(*id).address).collect();
        all.sort_unstable();
        all.truncate(if all.len() > 1 { ASSOCIATED_MAX } else { 0 });
        Finding::Active(newest, all)
    }

    /// Whether the address is one that this server gives, or gave.
    //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
    //# The IP address in the "ciaddr" field of the DHCPLEASEUNASSIGNED or DHCPLEASEACTIVE message
    //# MUST be one for which this server is responsible
    fn is_managed(&self, (space, address): Place) -> bool {
        let pools = &self.pools;
        self.book.at((space, address)).is_some()
            || self.config.leases.at(address).next().is_some()
            || pools.pools().any(|it| pools.space_of(it) == space && pools.contains(it, address))
    }

    /// Gathers the options of an answer; its header.
    fn write_finding(
        &self,
        asked: &Asked<'_>,
        finding: &Finding,
        reply: &mut Reply,
    ) -> Header<'static> {
        reply.clear();
        //= https://www.rfc-editor.org/rfc/rfc4388#section-5
        //# The DHCP servers that implement this protocol always send a response to the
        //# DHCPLEASEQUERY message: either a DHCPLEASEUNASSIGNED, DHCPLEASEACTIVE, or
        //# DHCPLEASEUNKNOWN.
        let kind = match finding {
            Finding::Active(..) => MessageType::LeaseActive,
            Finding::Unassigned(_) => MessageType::LeaseUnassigned,
            Finding::Unknown => MessageType::LeaseUnknown,
        };
        reply.option(code::MESSAGE_TYPE, &[kind.into()]);
        let mut header = header(asked.request);
        match finding {
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4
            //# When responding with a DHCPLEASEUNKNOWN, the DHCP server MUST NOT include other DHCP
            //# options in the response.
            Finding::Unknown => header.ciaddr = asked.request.ciaddr,
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
            //# No other options are returned for the DHCPLEASEUNASSIGNED message.
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.1
            //# that IP address MUST be set in the "ciaddr" field of a DHCPLEASEUNASSIGNED message.
            Finding::Unassigned(address) => header.ciaddr = *address,
            Finding::Active(id, all) => {
                let lease = self.book.get(*id);
                //= https://www.rfc-editor.org/rfc/rfc4388#section-5
                //# The DHCPLEASEUNASSIGNED or DHCPLEASEACTIVE message reply must always contain the
                //# IP address in the "ciaddr" field.
                header.ciaddr = lease.address;
                //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
                //# The MAC address of the DHCPLEASEACTIVE message MUST be set to the values that
                //# identify the client associated with the IP address
                //= https://www.rfc-editor.org/rfc/rfc4388#section-5
                //# The DHCPLEASEACTIVE message SHOULD contain the physical address of the IP
                //# address lease owner in the "htype", "hlen", and "chaddr" fields.
                header.htype = lease.client.htype();
                let chaddr = lease.client.chaddr();
                header.hlen = chaddr.len() as u8;
                header.chaddr[..chaddr.len()].copy_from_slice(chaddr);
                self.tell_lease(asked, *id, all, reply);
            }
        }
        header
    }

    fn tell_lease(&self, asked: &Asked<'_>, id: LeaseId, all: &[Ipv4Addr], reply: &mut Reply) {
        let Asked { now, config, request, datagram } = *asked;
        let lease = self.book.get(id);
        let primary = self.interfaces.get(datagram.interface).and_then(Interface::primary);
        let own = Some(datagram.destination).filter(|address| self.services.is_own(*address));
        let server_id = own.or(primary).unwrap_or(Ipv4Addr::UNSPECIFIED);
        reply.option(code::SERVER_ID, &server_id.octets());
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
        //# the list of all of the IP addresses MUST be returned in the associated-ip option,
        //# whether or not that option was requested as part of the Parameter Request List option.
        if !all.is_empty() {
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.1
            //# The minimum length for this option is 4 octets, and the length MUST always be a
            //# multiple of 4.
            reply.option_with(code::ASSOCIATED_IP, |out| {
                out.extend(all.iter().flat_map(Ipv4Addr::octets));
                true
            });
        }
        reply.require();
        let Some(exchange) = self.as_if_asked(asked, id, server_id) else {
            let list = wanted(request);
            return list.iter().for_each(|&code| self.tell_own(now, lease, code, None, reply));
        };
        let answer = Answer {
            message: Some(MessageType::LeaseActive),
            address: lease.address,
            is_empty: false,
            server_id,
            lease_time: None,
            nonce: None,
            host_name: lease.client.host_name(),
            fqdn: "",
            relay_agent: lease.client.relay_agent(),
            network: config.networks.containing(lease.address),
            interfaces: &self.interfaces,
        };
        let granted = self.granted(lease);
        let times = granted.and_then(|seconds| answer.renewal_times(&exchange, seconds));
        let levels = answer.levels(&exchange);
        let told = &config.settings.leasequery_options;
        let basic = if request.parameter_request_list().is_none() { WITHOUT_LIST } else { &[] };
        for &code in wanted(request).iter().chain(basic) {
            self.tell_own(now, lease, code, times, reply);
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
            //# Any option not on this list SHOULD NOT be returned to a client, even if requested by
            //# that client.
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
            //# The DHCPLEASEACTIVE message SHOULD include the values of all other options not
            //# specifically discussed above that were requested in the Parameter Request List of
            //# the DHCPLEASEQUERY message and that are acceptable to return
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.2
            //# In the absence of a Parameter Request List option, the server SHOULD return the same
            //# options it would return for a DHCPREQUEST message
            if told.contains(&code) {
                answer.parameter(code, &exchange, &levels, reply);
            }
        }
    }

    /// The options that say how a lease stands, each if it is the one with this code.
    fn tell_own(
        &self,
        now: Now,
        lease: &Lease,
        code: u8,
        times: Option<(u32, u32)>,
        reply: &mut Reply,
    ) {
        let heard = lease.last_transaction();
        let since = now.boottime.0.saturating_sub(heard.0) / 1000;
        let since = u32::try_from(since).unwrap_or(u32::MAX);
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
        //# the DHCP server SHOULD return these options (when requested) with the remaining time
        //# until renewal or rebinding, respectively.
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
        //# If these times are already in the past, or if there is not currently a valid lease for
        //# this IP address, the DHCP server MUST NOT return these options.
        let left = |time: u32| time.checked_sub(since).filter(|&left| left > 0);
        let seconds = match code {
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
            //# then the DHCP server MUST return this option in the DHCPLEASEACTIVE message with its
            //# value equal to the time remaining until lease expiration.
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
            //# If there is no valid lease for the IP address, then the server MUST NOT return the
            //# IP Address Lease Time option (option 51).
            // Its last second is one: no lease lasts for none.
            code::LEASE_TIME => Some(seconds_until(now.boottime, lease.deadline).max(1)),
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
            //# A request for the Renewal (T1) Time Value option or the Rebinding (T2) Time Value
            //# option in the Parameter Request List of the DHCPLEASEQUERY message MUST be handled
            //# like the IP Address Lease Time option is handled.
            code::RENEWAL_TIME => times.and_then(|(t1, _)| left(t1)),
            code::REBINDING_TIME => times.and_then(|(_, t2)| left(t2)),
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.1
            //# Instead, this MUST be an integer number of seconds in the past from the time the
            //# DHCPLEASEACTIVE message is sent that the client last dealt with this server about
            //# this IP address.
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.1
            //# This MUST NOT be an absolute time.
            //= https://www.rfc-editor.org/rfc/rfc4388#section-6.1
            //# This MUST NOT be an absolute number of seconds since Jan. 1, 1970.
            code::CLIENT_LAST_TRANSACTION_TIME => Some(since),
            _ => None,
        };
        if let Some(seconds) = seconds {
            reply.option(code, &seconds.to_be_bytes());
        }
        //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
        //# then the Client-identifier (if any) of the client associated with the IP address in the
        //# "ciaddr" field SHOULD be returned in the DHCPLEASEACTIVE message.
        let said = match code {
            code::CLIENT_ID => lease.client.client_id(),
            code::CLASS_ID if self.config.settings.leasequery_options.contains(&code) => {
                lease.client.class_id()
            }
            _ => &[],
        };
        if !said.is_empty() {
            reply.option(code, said);
        }
    }

    /// Seconds that the lease was given for when its client was heard last; `None` is for ever.
    fn granted(&self, lease: &Lease) -> Option<u32> {
        let given = lease.last_transaction().until(lease.deadline).as_secs();
        if lease.deadline == NEVER { None } else { u32::try_from(given).ok() }
    }

    /// The exchange in which the lease's client would be told its parameters now.
    //= https://www.rfc-editor.org/rfc/rfc4388#section-6.4.2
    //# When responding to a DHCPLEASEQUERY message, the DHCP server MUST use the saved Relay Agent
    //# Information option just like it did when responding to the DHCP client
    fn as_if_asked<'a>(
        &self,
        asked: &Asked<'a>,
        id: LeaseId,
        server_id: Ipv4Addr,
    ) -> Option<Exchange<'a>> {
        let Asked { now, config, request, datagram } = *asked;
        let lease = self.book.get(id);
        let index = self.services.with_key(lease.server)?;
        let server = config.server(index)?;
        let client = &lease.client;
        let service = Service {
            index,
            key: lease.server,
            space: lease.space,
            pool: None,
            link: None,
            ingress: datagram.interface,
            server_id,
        };
        let agent = RelayAgent::new(client.relay_agent());
        let Traits { client_id, relay_agent, .. } = Traits::of(request);
        let shown = Shown {
            mac: client.hardware().mac(),
            src_mac: None,
            client_id: Some(client.client_id()).filter(|id| !id.is_empty()),
            circuit_id: agent.circuit_id(),
            remote_id: agent.remote_id(),
        };
        let stashed = client.relay_agent();
        let terms = Terms::of(config, &self.services, &service, server, request, &shown, stashed);
        Some(Exchange {
            now,
            request,
            datagram,
            config,
            server,
            service,
            terms,
            hardware: client.hardware(),
            kind: lease.kind,
            client_id,
            relay_agent,
            hash: 0,
            attempt: 0,
            named: None,
        })
    }
}

/// The codes that an answer tells, as far as there is something to tell.
fn wanted<'a>(request: &Request<'a>) -> &'a [u8] {
    request.parameter_request_list().unwrap_or(WITHOUT_QUERY_LIST)
}
