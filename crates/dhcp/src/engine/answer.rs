//! What a reply says: parameters by precedence and request list (RFC 2131 § 4.3.1, table 3).

use core::net::Ipv4Addr;

use dhcproto::v4::MessageType;
use ipnet::Ipv4Net;

use super::exchange::Exchange;
use super::nonce::{self, Nonce};
use crate::config::{Network, OptionEntry, OptionSet, Piece, Value};
use crate::link::Interfaces;
use crate::wire::{Enterprises, Message, RelayAgent, Reply, code, write_enterprise};

/// What a client is told that did not ask for anything.
pub(super) const WITHOUT_LIST: &[u8] = &[code::SUBNET_MASK, code::ROUTER, code::DNS];

/// The value of option 116 that says so (RFC 2563 § 2).
const DO_NOT_AUTO_CONFIGURE: u8 = 0;

/// Options that no configuration changes: the protocol's own.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//# Requested IP address MUST NOT MUST NOT MUST NOT
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//# Parameter request list MUST NOT MUST NOT MUST NOT
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
//# Maximum message size MUST NOT MUST NOT MUST NOT
//= https://www.rfc-editor.org/rfc/rfc6842#section-3
//# Client identifier (if not sent by client) MUST NOT MUST NOT MUST NOT
fn is_protocols(code: u8) -> bool {
    matches!(
        code,
        code::REQUESTED_ADDRESS
            | code::LEASE_TIME
            | code::OVERLOAD
            | code::MESSAGE_TYPE
            | code::SERVER_ID
            | code::PARAMETER_REQUEST_LIST
            | code::MAX_MESSAGE_SIZE
            | code::CLIENT_ID
            | code::RAPID_COMMIT
            | code::RELAY_AGENT
            | code::SUBNET_SELECTION
    )
}

/// A reply before it has bytes.
#[derive(Clone, Copy)]
pub(super) struct Answer<'a> {
    /// `None` for BOOTP.
    pub(super) message: Option<MessageType>,
    /// The address whose parameters are told.
    pub(super) address: Ipv4Addr,
    pub(super) server_id: Ipv4Addr,
    /// Seconds; `None` where no lease is granted.
    pub(super) lease_time: Option<u32>,
    /// What the client is told to believe a FORCERENEW by, and a number that grows.
    pub(super) nonce: Option<(Nonce, u64)>,
    /// Whether it gives no address.
    pub(super) is_empty: bool,
    /// The client's name, cleaned.
    pub(super) host_name: &'a str,
    /// The name for option 81, cleaned, as far as the client gave it.
    pub(super) fqdn: &'a str,
    /// Option 82 of the client, also where the request has none.
    pub(super) relay_agent: &'a [u8],
    pub(super) network: Option<&'a Network>,
    pub(super) interfaces: &'a Interfaces,
}

impl Answer<'_> {
    /// Gathers the options of an OFFER, an ACK or a BOOTREPLY.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
    //# Any configuration parameters in the DHCPACK message SHOULD NOT conflict with those in the
    //# earlier DHCPOFFER message to which the client is responding.
    //= https://www.rfc-editor.org/rfc/rfc2132#section-2
    //# Except for the options in section 9, all options may be used with either DHCP or BOOTP.
    pub(super) fn gather(&self, exchange: &Exchange<'_>, reply: &mut Reply) {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# The server MUST return to the client:
        reply.clear();
        self.protocol(exchange, reply);
        reply.require();
        let levels = self.levels(exchange);
        let list = exchange.request.parameter_request_list().unwrap_or(WITHOUT_LIST);
        //= https://www.rfc-editor.org/rfc/rfc2132#section-9.8
        //# The DHCP server is not required to return the options in the
        //# requested order, but MUST try to insert the requested options in the
        //# order requested by the client.
        //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
        //# The server MUST NOT include the IPv6-Only Preferred option in the DHCPOFFER or DHCPACK
        //# message if the option was not present in the Parameter Request List sent by the client.
        for &code in list {
            if !self.is_superseded(code, list, &levels) {
                self.parameter(code, exchange, &levels, reply);
            }
        }
        // Who sends it is told what became of it, asked for or not.
        if exchange.request.fqdn().is_some() {
            self.parameter(code::FQDN, exchange, &levels, reply);
        }
        for (at, level) in levels.iter().enumerate() {
            for entry in level.iter().flat_map(|level| level.iter()).filter(|entry| entry.force) {
                if !is_protocols(entry.code) {
                    reply.option_with(entry.code, |out| self.say(entry, at, exchange, out));
                }
            }
        }
    }

    /// Options that the protocol demands, whatever the client asks for.
    fn protocol(&self, exchange: &Exchange<'_>, reply: &mut Reply) {
        //= https://www.rfc-editor.org/rfc/rfc1534#section-2
        //# The server MUST formulate a BOOTP BOOTREPLY message rather than a DHCP DHCPOFFER message
        let Some(message) = self.message else { return };
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3
        //# the "DHCP message type" option - must be included in every DHCP message.
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# DHCP message type DHCPOFFER DHCPACK DHCPNAK
        reply.option(code::MESSAGE_TYPE, &[message.into()]);
        //= https://www.rfc-editor.org/rfc/rfc2132#section-9.7
        //# DHCP servers include this option in the DHCPOFFER in order to
        //# allow the client to distinguish between lease offers.
        //= https://www.rfc-editor.org/rfc/rfc2131#section-2
        //# A DHCP server always returns its own address in the 'server identifier' option.
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# Server identifier MUST MUST MUST
        reply.option(code::SERVER_ID, &self.server_id.octets());
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# IP address lease time MUST MUST (DHCPREQUEST) MUST NOT MUST NOT (DHCPINFORM)
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.3
        //# Throughout the protocol, times are to be represented in units of seconds.
        //= https://www.rfc-editor.org/rfc/rfc2132#section-9.2
        //# a DHCP server uses this option to specify the lease time it is willing to offer.
        //= https://www.rfc-editor.org/rfc/rfc2132#section-9.2
        //# The time is in units of seconds, and is specified as a 32-bit unsigned integer.
        if let Some(seconds) = self.lease_time {
            reply.option(code::LEASE_TIME, &seconds.to_be_bytes());
            self.timers(exchange, seconds, reply);
        }
        //= https://www.rfc-editor.org/rfc/rfc6842#section-3
        //# If the 'client identifier' option is present in a message received
        //# from a client, the server MUST return the 'client identifier' option,
        //# unaltered, in its response message.
        if let Some(id) = exchange.request.client_id() {
            reply.option(code::CLIENT_ID, id);
        }
        let is_rapid = matches!(exchange.request.message, Message::Discover { .. });
        //= https://www.rfc-editor.org/rfc/rfc4039#section-3
        //# A server MUST NOT include the Rapid Commit option in any other messages.
        if is_rapid && message == MessageType::Ack {
            //= https://www.rfc-editor.org/rfc/rfc4039#section-4
            //# A server MUST include this option in a DHCPACK message sent in a response to a
            //# DHCPDISCOVER message when completing the DHCPDISCOVER-DHCPACK message exchange.
            reply.option(code::RAPID_COMMIT, &[]);
        }
        self.authentication(exchange, message, reply);
        let echoed = |code| exchange.request.options.get(code);
        if let Some(uuid) = echoed(code::CLIENT_UUID) {
            //= https://www.rfc-editor.org/rfc/rfc4578#section-2.3
            //# This option MUST be present in all DHCP and PXE packets sent by PXE-compliant
            //# clients and servers.
            reply.option(code::CLIENT_UUID, uuid);
        }
        //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3.1
        //# To achieve this, the server needs to send a DHCPOFFER that contains a 'yiaddr' of
        //# 0.0.0.0, and the Auto-Configure flag set to "DoNotAutoConfigure".
        if self.is_empty && exchange.forbids_auto_configuration() {
            reply.option(code::AUTO_CONFIGURE, &[DO_NOT_AUTO_CONFIGURE]);
        }
        let selects = exchange.config.settings.subnet_selection;
        if let Some(subnet) = echoed(code::SUBNET_SELECTION).filter(|_| selects) {
            //= https://www.rfc-editor.org/rfc/rfc3011#section-2
            //# Servers configured to support this option MUST return an identical copy of the
            //# option to any client that sends it, regardless of whether or not the client requests
            //# the option in a parameter request list.
            reply.option(code::SUBNET_SELECTION, subnet);
        }
    }

    /// What a client needs to believe a FORCERENEW later on.
    fn authentication(&self, exchange: &Exchange<'_>, message: MessageType, reply: &mut Reply) {
        if let Some(algorithms) = exchange.offers_nonce(message) {
            reply.option(code::FORCERENEW_NONCE_CAPABLE, &algorithms);
        }
        //= https://www.rfc-editor.org/rfc/rfc6704#section-3.1.3
        //# The server records the Forcerenew nonce and transmits that nonce to the client in an
        //# Authentication option in the DHCP ACK message.
        if let Some((nonce, replay)) = &self.nonce {
            reply.option_with(code::AUTHENTICATION, |out| {
                nonce::told(nonce, *replay, out);
                true
            });
        }
    }

    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.5
    //# T1 MUST be earlier than T2, which, in turn, MUST be earlier than the time
    //# at which the client's lease will expire.
    fn timers(&self, exchange: &Exchange<'_>, seconds: u32, reply: &mut Reply) {
        if let Some((t1, t2)) = self.renewal_times(exchange, seconds) {
            reply.option(code::RENEWAL_TIME, &t1.to_be_bytes());
            reply.option(code::REBINDING_TIME, &t2.to_be_bytes());
        }
    }

    /// T1 and T2 of a lease that was given for `seconds`, if they make sense.
    pub(super) fn renewal_times(
        &self,
        exchange: &Exchange<'_>,
        seconds: u32,
    ) -> Option<(u32, u32)> {
        if seconds == u32::MAX {
            return None;
        }
        let levels = self.levels(exchange);
        let configured = |code| {
            let Value::Bytes(bytes) = &find(&levels, code)?.1.value else { return None };
            Some(u32::from_be_bytes(bytes.as_ref().try_into().ok()?))
        };
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.5
        //# T1 defaults to (0.5 * duration_of_lease). T2 defaults to (0.875 * duration_of_lease).
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.5
        //# The server SHOULD return T1 and T2, and their values SHOULD be adjusted from their
        //# original values to take account of the time remaining on the lease.
        let t1 = configured(code::RENEWAL_TIME).unwrap_or(seconds / 2);
        let t2 = configured(code::REBINDING_TIME);
        let t2 = t2.unwrap_or((u64::from(seconds) * 7 / 8) as u32);
        (t1 < t2 && t2 < seconds).then_some((t1, t2))
    }

    /// RFC 3442: a client that gets classless routes is told neither routers nor static routes.
    //= https://www.rfc-editor.org/rfc/rfc3442#section-dhcp-server-administrator-responsibilities
    //# When a DHCP client requests the Classless Static Routes option and also requests either or
    //# both of the Router option and the Static Routes option
    fn is_superseded(&self, code: u8, list: &[u8], levels: &Levels<'_>) -> bool {
        matches!(code, code::ROUTER | code::STATIC_ROUTE)
            && find(levels, code::CLASSLESS_ROUTE).is_some()
            && list.contains(&code::CLASSLESS_ROUTE)
    }

    pub(super) fn parameter(
        &self,
        code: u8,
        exchange: &Exchange<'_>,
        levels: &Levels<'_>,
        reply: &mut Reply,
    ) {
        if is_protocols(code) || matches!(code, code::RENEWAL_TIME | code::REBINDING_TIME) {
            return;
        }
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# IF the server has been explicitly configured with a default value for the parameter, the
        //# server MUST include that value in an appropriate option in the 'option' field, ELSE
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# The server MUST NOT return a value for that parameter,
        match find(levels, code) {
            Some((at, entry)) => {
                reply.option_with(code, |out| self.say(entry, at, exchange, out));
            }
            None => self.built_in(code, exchange, reply),
        }
    }

    /// Appends what a configured option says to this client; false if that is nothing.
    fn say(
        &self,
        entry: &OptionEntry,
        level: usize,
        exchange: &Exchange<'_>,
        out: &mut Vec<u8>,
    ) -> bool {
        let Value::Bytes(bytes) = &entry.value else {
            return self.render(&entry.value, level, out);
        };
        let start = out.len();
        let parts = Enterprises::new(bytes);
        if entry.code != code::VENDOR_IDENTIFYING || !parts.adds_up() {
            return self.render(&entry.value, level, out);
        }
        // RFC 3925: each enterprise's devices are told what is theirs.
        for (enterprise, data) in parts.filter(|part| exchange.request.is_of_enterprise(part.0)) {
            write_enterprise(enterprise, data, out);
        }
        out.len() > start
    }

    /// Appends a configured value; false if there is nothing to say.
    fn render(&self, value: &Value, level: usize, out: &mut Vec<u8>) -> bool {
        let pieces = match value {
            Value::Bytes(bytes) => {
                out.extend_from_slice(bytes);
                return true;
            }
            Value::Template(pieces) => pieces,
        };
        let start = out.len();
        for piece in pieces {
            match piece {
                Piece::Bytes(bytes) => out.extend_from_slice(bytes),
                Piece::HostName => out.extend_from_slice(self.host_name.as_bytes()),
                // On RouterOS an option of a lease knows no network.
                Piece::NetworkGateway if level == LEASE => {}
                Piece::NetworkGateway => {
                    let first = self.network.and_then(|network| network.gateways.first());
                    out.extend(first.iter().flat_map(|gateway| gateway.octets()));
                }
                Piece::RemoteId => {
                    let remote = RelayAgent::new(self.relay_agent).remote_id();
                    out.extend_from_slice(remote.unwrap_or_default());
                }
                Piece::Radius(_) => {}
            }
        }
        out.len() > start
    }

    /// Adds what the network's own properties say, if they say something.
    fn built_in(&self, code: u8, exchange: &Exchange<'_>, reply: &mut Reply) {
        let of_network = |addresses: fn(&Network) -> &[Ipv4Addr]| {
            self.network.map(addresses).unwrap_or_default()
        };
        let mut text = |text: &str| {
            if !text.is_empty() {
                reply.option(code, text.as_bytes());
            }
        };
        match code {
            code::SUBNET_MASK => {
                if let Some(prefix) = self.prefix(exchange) {
                    reply.option(code, &prefix.netmask().octets());
                }
            }
            code::BROADCAST => {
                // RFC 3021: two addresses have no broadcast of their own.
                if let Some(prefix) = self.prefix(exchange).filter(|it| it.prefix_len() < 31) {
                    reply.option(code, &prefix.broadcast().octets());
                }
            }
            code::ROUTER => reply.addresses(code, of_network(|it| &it.gateways)),
            code::DNS => reply.addresses(code, of_network(|it| &it.dns)),
            code::NTP => reply.addresses(code, of_network(|it| &it.ntp)),
            code::NETBIOS_NAME_SERVER => reply.addresses(code, of_network(|it| &it.wins)),
            code::CAPWAP => reply.addresses(code, of_network(|it| &it.caps_managers)),
            code::DOMAIN_NAME => text(self.domain(exchange)),
            code::FQDN => {
                if let Some(fqdn) = exchange.request.fqdn() {
                    reply.option_with(code, |out| {
                        fqdn.answer(self.fqdn, self.domain(exchange), out);
                        true
                    });
                }
            }
            //= https://www.rfc-editor.org/rfc/rfc2132#section-9.4
            //# This option is used to identify a TFTP server when the 'sname' field in the DHCP
            //# header has been used for DHCP options.
            code::TFTP_SERVER_NAME => {
                if let Some(server) = self.network.and_then(|it| it.next_server) {
                    text(&server.to_string());
                }
            }
            code::IPV6_ONLY_PREFERRED => {
                //= https://www.rfc-editor.org/rfc/rfc8925#section-3.1
                //# The server MUST set the length field to 4.
                //= https://www.rfc-editor.org/rfc/rfc8925#section-3.1
                //# If the server pool is explicitly configured with a V6ONLY_WAIT timer, the server
                //# MUST set the field to that configured value.
                //= https://www.rfc-editor.org/rfc/rfc8925#section-3.1
                //# Otherwise, the server MUST set it to zero.
                //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
                //# The server MUST NOT include the IPv6-Only Preferred option in the DHCPOFFER or
                //# DHCPACK message if the selected pool is not configured as IPv6-mostly.
                //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
                //# the server MUST copy the configured value to the IPv6-Only Preferred option
                //# value field.
                //= https://www.rfc-editor.org/rfc/rfc8925#section-3.3
                //# Otherwise, it MUST set the field to zero.
                if let Some(seconds) = exchange.server.ipv6_only_preferred {
                    reply.option(code, &seconds.to_be_bytes());
                }
            }
            //= https://www.rfc-editor.org/rfc/rfc2132#section-9.5
            //# This option is used to identify a bootfile when the 'file' field in the DHCP header
            //# has been used for DHCP options.
            code::BOOT_FILE_NAME => text(self.network_boot_file()),
            _ => {}
        }
    }

    fn network_boot_file(&self) -> &str {
        self.network.map_or("", |network| &network.boot_file_name)
    }

    /// The domain of the client's network; where that has none, its server's.
    fn domain<'b>(&'b self, exchange: &Exchange<'b>) -> &'b str {
        let domain = self.network.map_or("", |network| &network.domain);
        if domain.is_empty() { &exchange.server.domain_suffix } else { domain }
    }

    /// The client's address with the prefix that it is told.
    fn prefix(&self, exchange: &Exchange<'_>) -> Option<Ipv4Net> {
        if let Some(network) = self.network {
            return Ipv4Net::new(self.address, network.prefix_len()).ok();
        }
        let interface = self.interfaces.get(exchange.service.ingress)?;
        let prefix = interface.addresses.iter().find(|prefix| prefix.contains(&self.address))?;
        Ipv4Net::new(self.address, prefix.prefix_len()).ok()
    }

    /// The file to boot: the nearest option 67, else the network's.
    pub(super) fn boot_file(&self, exchange: &Exchange<'_>, out: &mut Vec<u8>) {
        out.clear();
        match find(&self.levels(exchange), code::BOOT_FILE_NAME) {
            Some((at, entry)) => {
                self.render(&entry.value, at, out);
            }
            None => out.extend_from_slice(self.network_boot_file().as_bytes()),
        }
        // What the field cannot hold goes into the option alone.
        if out.len() > 127 || out.contains(&0) {
            out.clear();
        }
    }

    /// Option sets, nearest first: the first that has a code says its value.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# The configuration parameters MUST be selected by applying the following rules in the order
    //# given below.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# Any parameters specific to this client (as identified by the contents of 'chaddr' or 'client
    //# identifier' in the DHCPDISCOVER or DHCPREQUEST message)
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# Any parameters specific to this client's class
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# Parameters with non-default values on the client's subnet.
    pub(super) fn levels<'b>(&'b self, exchange: &Exchange<'b>) -> Levels<'b> {
        let [fixed, matcher, server] = exchange.terms.options(exchange.server);
        let levels = [fixed, matcher, server, self.network.map(|network| &network.options)];
        levels.map(|level| level.filter(|options| !options.is_empty()))
    }
}

/// Static lease, matcher, server, network.
pub(super) type Levels<'a> = [Option<&'a OptionSet>; 4];

/// Which of the levels is the static lease's.
const LEASE: usize = 0;

fn find<'a>(levels: &Levels<'a>, code: u8) -> Option<(usize, &'a OptionEntry)> {
    let at = |(at, level): (usize, &Option<&'a OptionSet>)| Some((at, (*level)?.get(code)?));
    levels.iter().enumerate().find_map(at)
}
