//! Datagrams, read by the parser and by a plain reading of the RFCs beside it: no option is lost,
//! none is invented. What is written from them is read back the same, as far as there is room.

use std::net::Ipv4Addr;

use leasehold_dhcp::wire::{COOKIE, HEADER, Header, Parser, Reply, code};

/// The shortest message (RFC 1542 § 2.1).
const MESSAGE: usize = 300;

/// One datagram.
pub fn run(bytes: &[u8]) {
    let mut parser = Parser::default();
    let Ok(request) = parser.parse(bytes, Ipv4Addr::BROADCAST) else { return };
    let expected = read(bytes);
    for code in 1..code::END {
        let value = expected.iter().find(|(known, _)| *known == code).map(|(_, value)| &value[..]);
        assert_eq!(request.options.get(code), value, "option {code}");
    }
    let order: Vec<u8> = request.options.codes().collect();
    assert_eq!(order, expected.iter().map(|(code, _)| *code).collect::<Vec<_>>());
    let agent = request.relay_agent();
    if let Some(agent) = agent {
        assert!((0..=255).filter_map(|code| agent.get(code)).all(|it| it.len() <= 255));
    }

    let mut reply = Reply::default();
    let copied = |code: &u8| !matches!(*code, code::OVERLOAD | code::RELAY_AGENT);
    for (code, value) in expected.iter().filter(|(code, _)| copied(code)) {
        reply.option(*code, value);
    }
    let header = Header {
        htype: bytes[1],
        hlen: bytes[2],
        xid: request.xid,
        flags: request.flags,
        ciaddr: request.ciaddr,
        yiaddr: Ipv4Addr::UNSPECIFIED,
        siaddr: Ipv4Addr::UNSPECIFIED,
        giaddr: request.giaddr,
        chaddr: request.chaddr,
        file: if request.secs & 1 == 0 { &[] } else { b"boot" },
        cookie: request.has_cookie,
    };
    let agent = agent.map(|agent| agent.octets());
    let limit = usize::from(request.message_size()).min(1500) - 28;
    let mut written = vec![0xa5; 3];
    reply.write(&header, agent, limit, &mut written);
    let written = &written[3..];
    // Option 82, the overload and the end are there in any case.
    let least = HEADER + agent.map_or(0, octets) + 4;
    assert!(written.len() <= limit.max(least).max(MESSAGE), "{} octets", written.len());
    let back = read(written);
    for (code, value) in back.iter().filter(|(code, _)| copied(code)) {
        let sent = expected.iter().find(|(known, _)| known == code).map(|(_, value)| value);
        assert_eq!(Some(value), sent, "option {code} came back as another");
    }
    let echoed = back.iter().find(|(code, _)| *code == code::RELAY_AGENT);
    assert_eq!(echoed.map(|(_, value)| &value[..]), agent.filter(|_| header.cookie));
    let needed: usize = expected.iter().map(|(_, value)| octets(value)).sum();
    if HEADER + needed < limit {
        let sent = expected.iter().filter(|(code, _)| copied(code)).count();
        assert_eq!(back.iter().filter(|(code, _)| copied(code)).count(), sent, "one is left out");
    }
}

/// What an option takes on the wire.
fn octets(value: &[u8]) -> usize {
    value.len() + 2 * value.len().div_ceil(255).max(1)
}

/// Every option of a datagram in the order in which it first appears, its pieces joined.
fn read(datagram: &[u8]) -> Vec<(u8, Vec<u8>)> {
    if datagram[236..HEADER] != COOKIE {
        return Vec::new();
    }
    let mut pieces = area(&datagram[HEADER..]);
    let mut overload = pieces.iter().filter(|(code, _)| *code == code::OVERLOAD);
    let overload = match (overload.next(), overload.next()) {
        (Some(&(_, &[overload @ 1..=3])), None) => overload,
        _ => 0,
    };
    for (bit, field) in [(1, 108..236), (2, 44..108)] {
        if overload & bit != 0 {
            pieces.extend(area(&datagram[field]));
        }
    }
    let mut joined: Vec<(u8, Vec<u8>)> = Vec::new();
    for (code, piece) in pieces {
        match joined.iter_mut().find(|(known, _)| *known == code) {
            Some((_, value)) => value.extend_from_slice(piece),
            None => joined.push((code, piece.to_vec())),
        }
    }
    joined
}

fn area(mut rest: &[u8]) -> Vec<(u8, &[u8])> {
    let mut pieces = Vec::new();
    loop {
        match *rest {
            [code::PAD, ref behind @ ..] => rest = behind,
            [code::END, ..] | [] | [_] => return pieces,
            [code, length, ref behind @ ..] => {
                let Some((piece, behind)) = behind.split_at_checked(length.into()) else {
                    return pieces;
                };
                pieces.push((code, piece));
                rest = behind;
            }
        }
    }
}
