//! What a reply must look like, judged against the request that it answers (RFC 2131 table 3).

use core::fmt;
use core::net::{Ipv4Addr, SocketAddrV4};

use leasehold_dhcp::{Destination, Mac};

use crate::message::{self, Kind, Message};
use crate::topology::{LinkId, Reach, link_of, link_on};

/// A request as the server heard it.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    pub message: Message,
    /// IP and UDP source.
    pub source: SocketAddrV4,
    /// The link on which it was sent.
    pub link: LinkId,
    /// It is no message, or not on purpose: what a server makes of it is its own affair.
    pub rubbish: bool,
}

/// Why a reply is not one to this request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// `op`, `htype`, `hlen`, `hops`, `secs` or `chaddr` is not what table 3 says.
    Header,
    /// `giaddr` or the broadcast flag is not the request's.
    Relay,
    /// `ciaddr` is not what table 3 says.
    Ciaddr,
    /// `yiaddr` is not what table 3 says.
    Yiaddr,
    /// Option 53 is not the first.
    TypeNotFirst,
    /// Option 54 is missing, or is not the one that the request named.
    ServerId,
    /// The lease time is missing, zero, or stands where it must not.
    LeaseTime,
    /// Options 58 and 59 do not precede the lease's end in this order.
    Timers,
    /// Option 61 is not the request's (RFC 6842).
    ClientId,
    /// Option 82 is not the request's, or not the last.
    RelayAgent,
    /// An option that this kind of reply must not have.
    Forbidden(u8),
    /// The datagram is shorter than 300 octets or longer than the client takes.
    Size,
    /// It is sent to somebody else, or in another way, than § 4.1 says.
    Destination,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("a header field is not the request's"),
            Self::Relay => f.write_str("giaddr or the flags are not the request's"),
            Self::Ciaddr => f.write_str("ciaddr is not what table 3 says"),
            Self::Yiaddr => f.write_str("yiaddr is not what table 3 says"),
            Self::TypeNotFirst => f.write_str("option 53 is not the first"),
            Self::ServerId => f.write_str("option 54 is missing or not the one asked for"),
            Self::LeaseTime => f.write_str("option 51 is missing, zero or out of place"),
            Self::Timers => f.write_str("options 58 < 59 < 51 does not hold"),
            Self::ClientId => f.write_str("option 61 is not the request's"),
            Self::RelayAgent => f.write_str("option 82 is not the request's, or not the last"),
            Self::Forbidden(code) => write!(f, "option {code} must not be there"),
            Self::Size => f.write_str("the size is out of bounds"),
            Self::Destination => f.write_str("it is sent to the wrong place"),
        }
    }
}

/// Whether `kind` can answer such a request at all.
pub(crate) fn answers(kind: Kind, request: &Message) -> bool {
    matches!(
        (request.kind(), kind),
        (Some(Kind::Discover), Kind::Offer)
            | (Some(Kind::Request), Kind::Ack | Kind::Nak)
            | (Some(Kind::Inform), Kind::Ack)
    )
}

/// Judges one reply.
pub(crate) fn judge(
    reply: &Message,
    octets: usize,
    to: Destination,
    heard: &Heard,
    links: &[Reach],
) -> Result<(), Fault> {
    let request = &heard.message;
    let kind = reply.kind().ok_or(Fault::TypeNotFirst)?;
    header(reply, request)?;
    addresses(reply, kind, request)?;
    options(reply, kind, request)?;
    let most = request
        .option(message::MAXIMUM_SIZE)
        .and_then(|value| value.try_into().ok())
        .map_or(576, u16::from_be_bytes);
    if octets < 300 || octets + 28 > usize::from(most.max(576)) {
        return Err(Fault::Size);
    }
    destination(reply, kind, to, heard, links)
}

fn check(holds: bool, fault: Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(fault) }
}

fn header(reply: &Message, request: &Message) -> Result<(), Fault> {
    let same = (reply.htype, reply.hlen, reply.chaddr, reply.xid)
        == (request.htype, request.hlen, request.chaddr, request.xid);
    check(same && reply.op == 2 && reply.hops == 0 && reply.secs == 0, Fault::Header)
}

fn addresses(reply: &Message, kind: Kind, request: &Message) -> Result<(), Fault> {
    check(reply.giaddr == request.giaddr, Fault::Relay)?;
    // RFC 2131 § 4.3.2: through a relay, a NAK has the broadcast bit set whatever was asked.
    let flag = request.broadcast || (kind == Kind::Nak && !request.giaddr.is_unspecified());
    check(reply.broadcast == flag, Fault::Relay)?;
    let none = Ipv4Addr::UNSPECIFIED;
    let informs = request.kind() == Some(Kind::Inform);
    let ciaddr = match kind {
        Kind::Ack => reply.ciaddr == request.ciaddr || reply.ciaddr == none,
        _ => reply.ciaddr == none,
    };
    check(ciaddr, Fault::Ciaddr)?;
    let asked = request.address(message::REQUESTED_ADDRESS).unwrap_or(request.ciaddr);
    let yiaddr = match kind {
        Kind::Offer => link_of(reply.yiaddr).is_some(),
        Kind::Ack if informs => reply.yiaddr == none,
        Kind::Ack => reply.yiaddr == asked,
        _ => reply.yiaddr == none,
    };
    check(yiaddr, Fault::Yiaddr)
}

fn options(reply: &Message, kind: Kind, request: &Message) -> Result<(), Fault> {
    let first = reply.options.first().map(|(code, _)| *code);
    check(first == Some(message::MESSAGE_TYPE), Fault::TypeNotFirst)?;
    let server = reply.address(message::SERVER_ID).ok_or(Fault::ServerId)?;
    let named = request.address(message::SERVER_ID).filter(|_| request.kind() != Some(Kind::Inform));
    check(named.is_none_or(|named| named == server), Fault::ServerId)?;
    check(reply.option(message::CLIENT_ID) == request.option(message::CLIENT_ID), Fault::ClientId)?;
    let agent = reply.option(message::RELAY_AGENT);
    check(agent == request.option(message::RELAY_AGENT), Fault::RelayAgent)?;
    let last = reply.options.last().map(|(code, _)| *code);
    check(agent.is_none() || last == Some(message::RELAY_AGENT), Fault::RelayAgent)?;
    for (code, _) in &reply.options {
        check(allowed(*code, kind), Fault::Forbidden(*code))?;
    }
    lease_times(reply, kind, request)
}

fn allowed(code: u8, kind: Kind) -> bool {
    let nak = [
        message::MESSAGE_TYPE,
        message::SERVER_ID,
        message::MESSAGE,
        message::CLIENT_ID,
        message::RELAY_AGENT,
    ];
    match kind {
        Kind::Nak => nak.contains(&code),
        _ => ![message::REQUESTED_ADDRESS, message::PARAMETERS, message::MAXIMUM_SIZE]
            .contains(&code),
    }
}

fn lease_times(reply: &Message, kind: Kind, request: &Message) -> Result<(), Fault> {
    let lease = reply.seconds(message::LEASE_TIME);
    let granting = kind != Kind::Nak && request.kind() != Some(Kind::Inform);
    check(lease.is_some_and(|seconds| seconds > 0) == granting, Fault::LeaseTime)?;
    let timers =
        (reply.seconds(message::RENEWAL_TIME), reply.seconds(message::REBINDING_TIME), lease);
    match timers {
        // A lease of a second or two leaves no room between whole seconds.
        (Some(first), Some(second), Some(end)) => {
            check(first <= second && second <= end, Fault::Timers)?;
            check(end < 4 || (first < second && second < end), Fault::Timers)
        }
        (first, second, None) => check(first.is_none() && second.is_none(), Fault::Timers),
        _ => Ok(()),
    }
}

/// RFC 2131 § 4.1 on where a reply goes.
fn destination(
    reply: &Message,
    kind: Kind,
    to: Destination,
    heard: &Heard,
    links: &[Reach],
) -> Result<(), Fault> {
    let request = &heard.message;
    let (target, mac) = match to {
        Destination::Link { target, mac, .. } => (target, Some(mac)),
        Destination::Routed { target, .. } => (target, None),
    };
    if !request.giaddr.is_unspecified() {
        return check(target == SocketAddrV4::new(request.giaddr, 67), Fault::Destination);
    }
    check(target.port() == 68, Fault::Destination)?;
    if let Destination::Link { interface, .. } = to {
        let direct = link_on(interface)
            .is_some_and(|link| links.get(usize::from(link.0)) == Some(&Reach::Direct));
        check(direct, Fault::Destination)?;
    }
    let everybody = target.ip().is_broadcast() && mac == Some(Mac::BROADCAST);
    let own_mac = mac.is_none_or(|mac| mac == Mac(request.mac()));
    // INFORM without ciaddr is answered where it came from.
    let address = match request.kind() {
        Some(Kind::Inform) if request.ciaddr.is_unspecified() => *heard.source.ip(),
        _ => request.ciaddr,
    };
    let right = if kind == Kind::Nak {
        everybody
    } else if !address.is_unspecified() {
        *target.ip() == address && own_mac
    } else if request.broadcast {
        everybody
    } else {
        everybody || (*target.ip() == reply.yiaddr && mac == Some(Mac(request.mac())))
    };
    check(right, Fault::Destination)
}
