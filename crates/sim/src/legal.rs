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
    /// It was sent to the server's own address: it may come from anywhere.
    pub unicast: bool,
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
    /// Option 80 is missing, or stands where it must not.
    RapidCommit,
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
            Self::RapidCommit => f.write_str("option 80 is missing or out of place"),
            Self::Destination => f.write_str("it is sent to the wrong place"),
        }
    }
}

/// Whether a reply can answer such a request at all.
pub(crate) fn answers(reply: &Message, request: &Message) -> bool {
    let is_rapid = |message: &Message| message.option(message::RAPID_COMMIT).is_some();
    match (request.kind(), reply.kind()) {
        (None, None)
        | (Some(Kind::Discover), Some(Kind::Offer))
        | (Some(Kind::Request), Some(Kind::Nak))
        | (Some(Kind::Inform), Some(Kind::Ack)) => true,
        (Some(Kind::Request), Some(Kind::Ack)) => !is_rapid(reply),
        (Some(Kind::Discover), Some(Kind::Ack)) => is_rapid(reply) && is_rapid(request),
        _ => false,
    }
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
    let kind = reply.kind();
    header(reply, request)?;
    addresses(reply, kind, request)?;
    match kind {
        Some(kind) => options(reply, kind, request)?,
        None => bootp_options(reply)?,
    }
    let most = request
        .option(message::MAXIMUM_SIZE)
        .and_then(|value| value.try_into().ok())
        .map_or(576, u16::from_be_bytes);
    if octets < 300 || octets + 28 > usize::from(most.max(576)) {
        return Err(Fault::Size);
    }
    destination(reply, kind, to, heard, links)
}

/// RFC 1534 § 2: nothing that only DHCP knows.
fn bootp_options(reply: &Message) -> Result<(), Fault> {
    let known = |(code, _): &&(u8, Vec<u8>)| (50..=59).contains(code) || *code == 61;
    match reply.options.iter().find(known) {
        Some((code, _)) => Err(Fault::Forbidden(*code)),
        None => Ok(()),
    }
}

fn check(holds: bool, fault: Fault) -> Result<(), Fault> {
    if holds { Ok(()) } else { Err(fault) }
}

fn header(reply: &Message, request: &Message) -> Result<(), Fault> {
    let same = (reply.htype, reply.hlen, reply.chaddr, reply.xid)
        == (request.htype, request.hlen, request.chaddr, request.xid);
    check(same && reply.op == 2 && reply.hops == 0 && reply.secs == 0, Fault::Header)
}

fn addresses(reply: &Message, kind: Option<Kind>, request: &Message) -> Result<(), Fault> {
    check(reply.giaddr == request.giaddr, Fault::Relay)?;
    // RFC 2131 § 4.3.2: through a relay, a NAK has the broadcast bit set whatever was asked.
    let flag = request.broadcast || (kind == Some(Kind::Nak) && !request.giaddr.is_unspecified());
    check(reply.broadcast == flag && reply.reserved == 0, Fault::Relay)?;
    let none = Ipv4Addr::UNSPECIFIED;
    let informs = request.kind() == Some(Kind::Inform);
    let ciaddr = match kind {
        Some(Kind::Ack) | None => reply.ciaddr == request.ciaddr || reply.ciaddr == none,
        _ => reply.ciaddr == none,
    };
    check(ciaddr, Fault::Ciaddr)?;
    let asked = request.address(message::REQUESTED_ADDRESS).unwrap_or(request.ciaddr);
    let is_address = link_of(reply.yiaddr).is_some();
    let without = reply.yiaddr == none && prefers_ipv6(reply, request);
    let yiaddr = match kind {
        Some(Kind::Offer) => is_address || without,
        Some(Kind::Ack) if informs => reply.yiaddr == none,
        Some(Kind::Ack) if request.kind() == Some(Kind::Request) => reply.yiaddr == asked,
        Some(Kind::Ack) | None => is_address,
        _ => reply.yiaddr == none,
    };
    check(yiaddr, Fault::Yiaddr)
}

/// RFC 8925 § 3.3: told only whom asks for it.
fn prefers_ipv6(reply: &Message, request: &Message) -> bool {
    let code = message::IPV6_ONLY_PREFERRED;
    let asks = request.option(message::PARAMETERS).is_some_and(|codes| codes.contains(&code));
    asks && reply.option(code).is_some()
}

fn options(reply: &Message, kind: Kind, request: &Message) -> Result<(), Fault> {
    let first = reply.options.first().map(|(code, _)| *code);
    check(first == Some(message::MESSAGE_TYPE), Fault::TypeNotFirst)?;
    let server = reply.address(message::SERVER_ID).ok_or(Fault::ServerId)?;
    let named =
        request.address(message::SERVER_ID).filter(|_| request.kind() != Some(Kind::Inform));
    check(named.is_none_or(|named| named == server), Fault::ServerId)?;
    check(reply.option(message::CLIENT_ID) == request.option(message::CLIENT_ID), Fault::ClientId)?;
    let rapid = kind == Kind::Ack && request.kind() == Some(Kind::Discover);
    check(reply.option(message::RAPID_COMMIT).is_some() == rapid, Fault::RapidCommit)?;
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
    kind: Option<Kind>,
    to: Destination,
    heard: &Heard,
    links: &[Reach],
) -> Result<(), Fault> {
    let request = &heard.message;
    let is_nak = kind == Some(Kind::Nak);
    let (target, mac) = match to {
        Destination::Link { target, mac, .. } => (target, Some(mac)),
        Destination::Routed { target, .. } => (target, None),
    };
    if !request.giaddr.is_unspecified() {
        return check(target == SocketAddrV4::new(request.giaddr, 67), Fault::Destination);
    }
    check(target.port() == 68, Fault::Destination)?;
    let everybody = target.ip().is_broadcast() && mac == Some(Mac::BROADCAST);
    if let Destination::Link { interface, .. } = to {
        let direct = link_on(interface)
            .is_some_and(|link| links.get(usize::from(link.0)) == Some(&Reach::Direct));
        // The letter of § 4.3.2 has a NAK without giaddr broadcast, also where nobody hears it:
        // the answer to a renewal that came around a relay.
        check(direct || (is_nak && everybody), Fault::Destination)?;
    }
    let own_mac = mac.is_none_or(|mac| mac == Mac(request.mac()));
    // INFORM without ciaddr is answered where it came from.
    let address = match request.kind() {
        Some(Kind::Inform) if request.ciaddr.is_unspecified() => *heard.source.ip(),
        _ => request.ciaddr,
    };
    let is_routed = matches!(to, Destination::Routed { .. })
        && links.get(usize::from(heard.link.0)) != Some(&Reach::Direct);
    let right = if is_nak && !is_routed {
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

#[cfg(test)]
mod tests {
    use super::*;

    const LINKS: [Reach; 1] = [Reach::Direct];
    const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 77);
    const SERVER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);

    fn request() -> Heard {
        let message = Message::request(Kind::Request, 9, [2, 0, 0, 0, 0, 3])
            .with_address(message::REQUESTED_ADDRESS, ADDRESS)
            .with_address(message::SERVER_ID, SERVER)
            .with(message::CLIENT_ID, &[1, 2, 3]);
        let source = SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 68);
        Heard { message, source, link: LinkId(0), unicast: false, rubbish: false }
    }

    fn ack() -> Message {
        let mut ack = Message::request(Kind::Ack, 9, [2, 0, 0, 0, 0, 3])
            .with_address(message::SERVER_ID, SERVER)
            .with(message::LEASE_TIME, &600_u32.to_be_bytes())
            .with(message::RENEWAL_TIME, &300_u32.to_be_bytes())
            .with(message::REBINDING_TIME, &525_u32.to_be_bytes())
            .with(message::CLIENT_ID, &[1, 2, 3]);
        (ack.op, ack.yiaddr) = (2, ADDRESS);
        ack
    }

    fn to_client(address: Ipv4Addr, mac: Mac) -> Destination {
        Destination::Link {
            interface: LinkId(0).interface(),
            mac,
            source: SERVER,
            target: SocketAddrV4::new(address, 68),
        }
    }

    fn judged(change: impl FnOnce(&mut Message)) -> Result<(), Fault> {
        let mut reply = ack();
        change(&mut reply);
        let to = to_client(ADDRESS, Mac([2, 0, 0, 0, 0, 3]));
        judge(&reply, 300, to, &request(), &LINKS)
    }

    #[test]
    fn a_good_ack_passes_and_each_change_is_its_own_fault() {
        assert_eq!(judged(|_| {}), Ok(()));
        assert_eq!(judged(|ack| ack.xid = 8), Err(Fault::Header));
        assert_eq!(judged(|ack| ack.op = 1), Err(Fault::Header));
        assert_eq!(judged(|ack| ack.chaddr[9] = 1), Err(Fault::Header));
        assert_eq!(judged(|ack| ack.broadcast = true), Err(Fault::Relay));
        assert_eq!(judged(|ack| ack.giaddr = SERVER), Err(Fault::Relay));
        assert_eq!(judged(|ack| ack.ciaddr = ADDRESS), Err(Fault::Ciaddr));
        assert_eq!(judged(|ack| ack.yiaddr = SERVER), Err(Fault::Yiaddr));
        assert_eq!(judged(|ack| ack.options.swap(0, 1)), Err(Fault::TypeNotFirst));
        assert_eq!(judged(|ack| ack.options[1].1[3] = 9), Err(Fault::ServerId));
        assert_eq!(judged(|ack| drop(ack.options.remove(2))), Err(Fault::LeaseTime));
        assert_eq!(judged(|ack| ack.options[3].1[2] = 9), Err(Fault::Timers));
        assert_eq!(judged(|ack| drop(ack.options.pop())), Err(Fault::ClientId));
        let agent = (message::RELAY_AGENT, vec![1]);
        assert_eq!(judged(|ack| ack.options.push(agent)), Err(Fault::RelayAgent));
        let hint = (message::REQUESTED_ADDRESS, vec![1]);
        assert_eq!(judged(|ack| ack.options.push(hint)), Err(Fault::Forbidden(50)));
    }

    #[test]
    fn where_a_reply_goes() {
        let own = Mac([2, 0, 0, 0, 0, 3]);
        let judged = |reply: &Message, to| judge(reply, 300, to, &request(), &LINKS);
        let everybody = to_client(Ipv4Addr::BROADCAST, Mac::BROADCAST);
        assert_eq!(judged(&ack(), everybody), Ok(()));
        let stranger = to_client(ADDRESS, Mac([2, 0, 0, 0, 0, 4]));
        assert_eq!(judged(&ack(), stranger), Err(Fault::Destination));
        let mut nak = ack();
        nak.options[0].1 = vec![6];
        nak.options.retain(|(code, _)| allowed(*code, Kind::Nak));
        nak.yiaddr = Ipv4Addr::UNSPECIFIED;
        assert_eq!(judged(&nak, everybody), Ok(()));
        assert_eq!(judged(&nak, to_client(ADDRESS, own)), Err(Fault::Destination));
    }
}
