//! Queries read, replies written: the messages of RFC 6926 and the two octets before each.

use core::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use super::{Binding, By, Query, Spaces, State};
use crate::client::Hardware;
use crate::time::Wall;
use crate::wire::{COOKIE, HEADER, Header, Index, Options, RelayAgent, Reply, code};

/// What a DHCPLEASEQUERYDONE says of a query that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The server had to stop.
    QueryTerminated = 2,
    /// It makes no sense.
    MalformedQuery = 3,
    /// It is not answered, or not to this requestor.
    NotAllowed = 4,
}

/// Why a query is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// As a number.
    pub status: Status,
    /// In words.
    pub reason: &'static str,
}

/// A question, and what its answers have to carry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) xid: u32,
    pub(super) wanted: Box<[u8]>,
    pub(super) query: Query,
}

/// What is told to somebody who does not say what it wants to know.
const WITHOUT_LIST: &[u8] = &[
    code::LEASE_TIME,
    code::CLIENT_ID,
    code::RELAY_AGENT,
    code::CLIENT_LAST_TRANSACTION_TIME,
    code::BASE_TIME,
    code::START_TIME_OF_STATE,
    code::DHCP_STATE,
];

/// Octets of the largest answer.
const LIMIT: usize = u16::MAX as usize;

/// Kinds of VPN-IDs: a name, all of them, the global one (RFC 6607, RFC 6926).
const VPN_NAMED: u8 = 0;
const VPN_ALL: u8 = 254;
const VPN_GLOBAL: u8 = 255;

/// Reads one message; the outer error is for what has no transaction to answer.
pub(super) fn read(payload: &[u8]) -> Option<(u32, Result<Asked, Refused>)> {
    let header = payload.first_chunk::<HEADER>()?;
    if header[0] != 1 || header[236..] != COOKIE || header[2] > 16 {
        return None;
    }
    let xid = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
    let mut index = Index::default();
    let options = index.walk(payload);
    let query = query(header, &options).map(|query| {
        let wanted = options.get(code::PARAMETER_REQUEST_LIST).filter(|list| !list.is_empty());
        Asked { xid, wanted: wanted.unwrap_or(WITHOUT_LIST).into(), query }
    });
    Some((xid, query))
}

fn malformed(reason: &'static str) -> Refused {
    Refused { status: Status::MalformedQuery, reason }
}

fn query(header: &[u8; HEADER], options: &Options<'_>) -> Result<Query, Refused> {
    let kind = options.array::<1>(code::MESSAGE_TYPE);
    if kind != Some([MessageType::BulkLeaseQuery.into()]) {
        return Err(malformed("only DHCPBULKLEASEQUERY is answered here"));
    }
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
    //# If the ciaddr, yiaddr, or siaddr is non-zero in a DHCPBULKLEASEQUERY request, the request
    //# must be terminated immediately by a DHCPLEASEQUERYDONE message with a status-code option
    //# status of MalformedQuery.
    if header[12..24] != [0; 12] {
        return Err(malformed("ciaddr, yiaddr and siaddr have to be zero"));
    }
    let time = |code| match (options.get(code), options.array::<4>(code)) {
        (None, _) => Ok(None),
        (_, Some(octets)) => Ok(Some(Wall(u32::from_be_bytes(octets).into()))),
        (Some(_), None) => Err(malformed("a time has four octets")),
    };
    let (from, until) = (time(code::QUERY_START_TIME)?, time(code::QUERY_END_TIME)?);
    if from.zip(until).is_some_and(|(from, until)| from > until) {
        return Err(malformed("query-start-time is after query-end-time"));
    }
    Ok(Query { by: by(header, options)?, spaces: spaces(options)?, from, until })
}

fn by(header: &[u8; HEADER], options: &Options<'_>) -> Result<By, Refused> {
    let hardware = Hardware::new(header[1], &header[28..28 + usize::from(header[2])]);
    let hardware = Some(hardware).filter(|it| it.octets().iter().any(|&octet| octet != 0));
    let agent = RelayAgent::new(options.get(code::RELAY_AGENT).unwrap_or_default());
    let mut all = [
        hardware.map(By::Hardware),
        options.get(code::CLIENT_ID).filter(|id| !id.is_empty()).map(|id| By::Client(id.into())),
        agent.remote_id().map(|id| By::RemoteId(id.into())),
        agent.relay_id().map(|id| By::RelayId(id.into())),
    ]
    .into_iter()
    .flatten();
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
    //# Any DHCPBULKLEASEQUERY that has more than one of the following primary query types specified
    //# MUST be terminated immediately by a DHCPLEASEQUERYDONE message with a status-code option
    //# status code of NotAllowed.
    match (all.next(), all.next()) {
        (None, _) => Ok(By::All),
        (Some(by), None) => Ok(by),
        (Some(_), Some(_)) => Err(Refused {
            status: Status::NotAllowed,
            reason: "one of chaddr, client-id, remote-id and relay-id, not two",
        }),
    }
}

fn spaces(options: &Options<'_>) -> Result<Spaces, Refused> {
    match options.get(code::VPN_ID) {
        None | Some(&[VPN_GLOBAL]) => Ok(Spaces::Global),
        Some(&[VPN_ALL]) => Ok(Spaces::All),
        Some(&[VPN_NAMED, ref name @ ..]) => match core::str::from_utf8(name) {
            Ok("main" | "") => Ok(Spaces::Global),
            Ok(name) => Ok(Spaces::Named(name.into())),
            Err(_) => Err(malformed("the name of a VPN is text")),
        },
        Some(_) => Err(malformed("a VPN-ID is a name, all or the global one")),
    }
}

/// The header of every reply; the caller fills in what is known of an address.
fn header(xid: u32) -> Header<'static> {
    Header {
        htype: 0,
        hlen: 0,
        //= https://www.rfc-editor.org/rfc/rfc6926#section-7.1
        //# All of the messages that come as a response to that message will contain the same xid as
        //# the request.
        xid,
        flags: 0,
        ciaddr: Ipv4Addr::UNSPECIFIED,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: Ipv4Addr::UNSPECIFIED,
        chaddr: [0; 16],
        file: &[],
        cookie: true,
    }
}

/// Writes one binding.
///
/// `server` is told with the first answer to a query only.
pub(super) fn write_binding(
    asked: &Asked,
    binding: &Binding,
    now: Wall,
    server: Option<Ipv4Addr>,
    reply: &mut Reply,
    out: &mut Vec<u8>,
) {
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.3
    //# If the dhcp-state option value is ACTIVE, then the message type is DHCPLEASEACTIVE;
    //# otherwise, the message type is DHCPLEASEUNASSIGNED.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-7.3
    //# The DHCPLEASEUNKNOWN message MUST NOT appear in a response to a Bulk Leasequery.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
    //# Otherwise, the server sends each binding's data in a DHCPLEASEACTIVE or DHCPLEASEUNASSIGNED
    //# message.
    let kind = match binding.state {
        State::Active => MessageType::LeaseActive,
        State::Available | State::Abandoned => MessageType::LeaseUnassigned,
    };
    begin(kind, server, reply);
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
    //# In all cases, if the information returned in a DHCPLEASEACTIVE or DHCPLEASEUNASSIGNED
    //# message is for a VPN other than the default (global) VPN, a VPN-ID option MUST appear in the
    //# packet.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-7.2
    //# any message returned from a DHCPBULKLEASEQUERY request containing information about an IP
    //# address for other than the default (global) VPN MUST contain a VPN-ID option in the message.
    if !binding.location.space.is_empty() {
        let vpn = [&[VPN_NAMED], binding.location.space.as_bytes()].concat();
        reply.option(code::VPN_ID, &vpn);
    }
    //= https://www.rfc-editor.org/rfc/rfc6926#section-5
    //# The associated-ip option MUST NOT appear in Bulk Leasequery replies.
    asked.wanted.iter().for_each(|&code| tell(code, binding, now, reply));
    let mut header = header(asked.xid);
    //= https://www.rfc-editor.org/rfc/rfc6926#section-7.3
    //# The IP address that is bound to a DHCPv4 client will appear in the ciaddr field of the
    //# DHCPLEASEACTIVE message.
    header.ciaddr = binding.location.address;
    let mut agent = None;
    if let Some(client) = &binding.client {
        let octets = client.hardware.octets();
        header.htype = client.hardware.htype();
        header.hlen = octets.len() as u8;
        header.chaddr[..octets.len()].copy_from_slice(octets);
        let wants_agent = asked.wanted.contains(&code::RELAY_AGENT);
        agent = Some(&*client.relay_agent).filter(|it| wants_agent && !it.is_empty());
    }
    framed(out, |out| reply.write(&header, agent, LIMIT, out));
}

/// Tells the option with this code, as far as there is something to tell.
fn tell(code: u8, binding: &Binding, now: Wall, reply: &mut Reply) {
    let ago = |time: Option<core::time::Duration>| {
        time.map(|time| u32::try_from(time.as_secs()).unwrap_or(u32::MAX))
    };
    let seconds = match code {
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.3
        //# If the base-time option code appears in the dhcp-parameter-request-list, the DHCPv4
        //# server MUST include a base-time option
        //= https://www.rfc-editor.org/rfc/rfc6926#section-6.2.3
        //# The base-time option is the current time the message was created to be sent by the
        //# DHCPv4 server to the requestor of the Bulk Leasequery. This MUST be an absolute time.
        code::BASE_TIME => Some(u32::try_from(now.0).unwrap_or(u32::MAX)),
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.3
        //# the DHCPv4 server MUST include a start-time-of-state option whose value represents the
        //# time at which the dhcp-state option's state became valid.
        //= https://www.rfc-editor.org/rfc/rfc6926#section-6.2.4
        //# This MUST NOT be an absolute time
        //= https://www.rfc-editor.org/rfc/rfc6926#section-6.2.4
        //# Instead, this MUST be the unsigned integer number of seconds from the time the IP
        //# address transitioned its current state to the time specified in the base-time option in
        //# the same message.
        code::START_TIME_OF_STATE => ago(binding.since),
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.3
        //# the DHCPv4 server MUST include the client-last-transaction-time option in any situation
        //# where the information is available.
        code::CLIENT_LAST_TRANSACTION_TIME => ago(binding.last_transaction),
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.3
        //# the DHCPv4 server MUST include a dhcp-lease-time option for any state that has a timeout
        //# value associated with it.
        code::LEASE_TIME => binding.lasts,
        _ => None,
    };
    if let Some(seconds) = seconds {
        reply.option(code, &seconds.to_be_bytes());
    }
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.3
    //# If the dhcp-state option code appears in the dhcp-parameter-request-list, the DHCPv4 server
    //# SHOULD include a dhcp-state option whose value corresponds most closely to the state held by
    //# the DHCPv4 server for the IP address associated with this reply.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-6.2.7
    //# The dhcp-state option SHOULD contain ACTIVE when it appears in a DHCPLEASEACTIVE message.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.3
    //# If the data-source option code appears in the dhcp-parameter-request-list, the DHCPv4
    //# server MUST include the data-source option in any situation where any of the bits would be
    //# non-zero.
    // None of its bits ever would: nothing here is another server's word.
    if code == code::DHCP_STATE {
        reply.option(code, &[binding.state as u8]);
    }
    let Some(client) = &binding.client else { return };
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.3
    //# If the option code for one of these options appears in the dhcp-parameter-request-list, it
    //# SHOULD result in returning the value of the option sent by the DHCPv4 client to the server
    //# if one exists.
    let said = match code {
        code::CLIENT_ID => &*client.client_id,
        code::HOST_NAME => client.host_name.as_bytes(),
        code::CLASS_ID => &*client.class_id,
        _ => &[],
    };
    if !said.is_empty() {
        reply.option(code, said);
    }
}

/// Writes the end of a query, and why it did not succeed.
//= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
//# Every Bulk Leasequery request MUST be terminated by sending a final DHCPLEASEQUERYDONE message
//# if such a message can be sent.
//= https://www.rfc-editor.org/rfc/rfc6926#section-7.3
//# The DHCPLEASEQUERYDONE message always ends a successful DHCPBULKLEASEQUERY request and any
//# unsuccessful DHCPBULKLEASEQUERY requests not terminated by a dropped connection.
pub(super) fn write_done(
    xid: u32,
    refused: Option<Refused>,
    server: Option<Ipv4Addr>,
    reply: &mut Reply,
    out: &mut Vec<u8>,
) {
    begin(MessageType::LeaseQueryDone, server, reply);
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
    //# The DHCPLEASEQUERYDONE message MUST have a status-code option status if the termination was
    //# other than successful, and SHOULD NOT contain a status-code option status if the termination
    //# was successful.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
    //# It SHOULD NOT include a status-code option with a Success status unless there is a useful
    //# string to include in the status-code option.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-6.2.2
    //# The status-code option SHOULD NOT appear in a message that is successful unless there is
    //# some text string that needs to be communicated to the requestor.
    if let Some(Refused { status, reason }) = refused {
        //= https://www.rfc-editor.org/rfc/rfc6926#section-6.2.2
        //# This text string MUST NOT contain a termination character (e.g., a null).
        //= https://www.rfc-editor.org/rfc/rfc6926#section-6.2.2
        //# Null characters MUST NOT appear in the Status Message string
        let value = [&[status as u8], reason.as_bytes()].concat();
        reply.option(code::STATUS_CODE, &value);
    }
    framed(out, |out| reply.write(&header(xid), None, LIMIT, out));
}

fn begin(kind: MessageType, server: Option<Ipv4Addr>, reply: &mut Reply) {
    reply.clear();
    reply.option(code::MESSAGE_TYPE, &[kind.into()]);
    //= https://www.rfc-editor.org/rfc/rfc6926#section-7.3
    //# The DHCPv4 server MUST send a server-identifier option (option 54) in the first response to
    //# any DHCPBULKLEASEQUERY message.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.3
    //# Thus, the DHCPv4 server MUST include the server-identifier option in the first message sent
    //# in response to a DHCPBULKLEASEQUERY.
    if let Some(server) = server {
        reply.option(code::SERVER_ID, &server.octets());
    }
}

//= https://www.rfc-editor.org/rfc/rfc6926#section-6.1
//# Two octets containing the message size in network byte order are prepended to each DHCPv4
//# message sent on a Bulk Leasequery TCP connection.
fn framed(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0, 0]);
    write(out);
    let length = out.len() - start - 2;
    // A reply is a header and a handful of options.
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    out[start..start + 2].copy_from_slice(&length.to_be_bytes());
}
