//! The answers: read as they stand on the wire, and every rule that one can break by itself.

use std::net::Ipv4Addr;

use super::packet::{ACK, COOKIE, HEADER, NAK, OFFER};

/// A rule that an answer, or the server as a whole, broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Malformed,
    UnknownTransaction,
    OtherClient,
    OtherRelay,
    UnexpectedType,
    NoServer,
    OtherServer,
    NoAddress,
    OtherAddress,
    NoLeaseTime,
    AgentNotEchoed,
    TwoOwners,
}

impl Fault {
    pub(super) const ALL: [Self; 12] = [
        Self::Malformed,
        Self::UnknownTransaction,
        Self::OtherClient,
        Self::OtherRelay,
        Self::UnexpectedType,
        Self::NoServer,
        Self::OtherServer,
        Self::NoAddress,
        Self::OtherAddress,
        Self::NoLeaseTime,
        Self::AgentNotEchoed,
        Self::TwoOwners,
    ];

    /// The broken rule in words.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Malformed => "an answer is a well-formed BOOTREPLY with option 53",
            Self::UnknownTransaction => "an answer's xid is that of a request",
            Self::OtherClient => "an answer's chaddr is that of its request",
            Self::OtherRelay => "an answer's giaddr is that of its request",
            Self::UnexpectedType => "a server sends OFFER, ACK and NAK to these requests",
            Self::NoServer => "an answer has option 54",
            Self::OtherServer => "the ACK comes from the server that was chosen",
            Self::NoAddress => "OFFER and ACK have an address in yiaddr",
            Self::OtherAddress => "the ACK has the address that was requested",
            Self::NoLeaseTime => "OFFER and ACK have option 51",
            Self::AgentNotEchoed => "option 82 comes back as the relay sent it (RFC 3046 § 2.2)",
            Self::TwoOwners => "no address has two owners",
        }
    }
}

/// The message types that answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Offer,
    Ack,
    Nak,
}

/// What the generator looks at in an answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reply<'a> {
    pub(super) answer: Answer,
    pub(super) xid: u32,
    pub(super) address: Ipv4Addr,
    pub(super) giaddr: Ipv4Addr,
    pub(super) mac: [u8; 6],
    pub(super) server: Ipv4Addr,
    /// Seconds; zero in a NAK.
    pub(super) lease_time: u32,
    /// Option 82's content.
    pub(super) agent: Option<&'a [u8]>,
}

impl<'a> Reply<'a> {
    /// Reads an answer, and refuses one that breaks a rule by itself.
    pub(super) fn parse(message: &'a [u8]) -> Result<Self, Fault> {
        let (header, options) = message.split_at_checked(HEADER).ok_or(Fault::Malformed)?;
        if header[..3] != [2, 1, 6] || header[HEADER - 4..] != COOKIE {
            return Err(Fault::Malformed);
        }
        let options = Options::parse(options)?;
        let answer = match options.message {
            Some(OFFER) => Answer::Offer,
            Some(ACK) => Answer::Ack,
            Some(NAK) => Answer::Nak,
            Some(_) => return Err(Fault::UnexpectedType),
            None => return Err(Fault::Malformed),
        };
        let mut mac = [0; 6];
        mac.copy_from_slice(&header[28..34]);
        let reply = Self {
            answer,
            xid: u32::from_be_bytes(quad(&header[4..8])),
            address: quad(&header[16..20]).into(),
            giaddr: quad(&header[24..28]).into(),
            mac,
            server: options.server.ok_or(Fault::NoServer)?,
            lease_time: options.lease_time.unwrap_or(0),
            agent: options.agent,
        };
        if answer != Answer::Nak {
            if reply.address.is_unspecified() {
                return Err(Fault::NoAddress);
            }
            if reply.lease_time == 0 {
                return Err(Fault::NoLeaseTime);
            }
        }
        Ok(reply)
    }
}

#[derive(Default)]
struct Options<'a> {
    message: Option<u8>,
    server: Option<Ipv4Addr>,
    lease_time: Option<u32>,
    agent: Option<&'a [u8]>,
}

impl<'a> Options<'a> {
    fn parse(mut rest: &'a [u8]) -> Result<Self, Fault> {
        let mut found = Self::default();
        loop {
            match rest {
                [0, tail @ ..] => rest = tail,
                [255, ..] => return Ok(found),
                [code, length, tail @ ..] => {
                    let content = tail.split_at_checked(usize::from(*length));
                    let (content, tail) = content.ok_or(Fault::Malformed)?;
                    found.keep(*code, content)?;
                    rest = tail;
                }
                _ => return Err(Fault::Malformed),
            }
        }
    }

    fn keep(&mut self, code: u8, content: &'a [u8]) -> Result<(), Fault> {
        let four = || <[u8; 4]>::try_from(content).map_err(|_| Fault::Malformed);
        match code {
            53 => self.message = Some(*content.first().ok_or(Fault::Malformed)?),
            54 => self.server = Some(four()?.into()),
            51 => self.lease_time = Some(u32::from_be_bytes(four()?)),
            82 => self.agent = Some(content),
            _ => {}
        }
        Ok(())
    }
}

/// Four octets of a slice that has four.
fn quad(bytes: &[u8]) -> [u8; 4] {
    [bytes[0], bytes[1], bytes[2], bytes[3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ack(options: &[u8]) -> Vec<u8> {
        let mut message = vec![0; HEADER];
        message[..3].copy_from_slice(&[2, 1, 6]);
        message[4..8].copy_from_slice(&[1, 2, 3, 4]);
        message[16..20].copy_from_slice(&[10, 0, 0, 9]);
        message[28..34].copy_from_slice(&[2, 0, 0, 0, 0, 1]);
        message[HEADER - 4..].copy_from_slice(&COOKIE);
        message.extend_from_slice(options);
        message
    }

    const GOOD: [u8; 19] = [53, 1, 5, 0, 54, 4, 10, 0, 0, 1, 51, 4, 0, 0, 2, 88, 82, 0, 255];

    #[test]
    fn an_ack_is_read() {
        let message = ack(&GOOD);
        let reply = Reply::parse(&message).expect("a good ACK");
        assert_eq!(reply.answer, Answer::Ack);
        assert_eq!(reply.xid, 0x0102_0304);
        assert_eq!(reply.address, Ipv4Addr::new(10, 0, 0, 9));
        assert_eq!(reply.server, Ipv4Addr::new(10, 0, 0, 1));
        assert_eq!(reply.lease_time, 600);
        assert_eq!(reply.mac, [2, 0, 0, 0, 0, 1]);
        assert_eq!(reply.agent, Some(&[][..]));
    }

    #[test]
    fn each_rule_is_seen_broken() {
        let fault = |options: &[u8]| Reply::parse(&ack(options)).map(|_| ()).unwrap_err();
        assert_eq!(fault(&[53, 1, 5, 255]), Fault::NoServer);
        assert_eq!(fault(&[53, 1, 5, 54, 4, 10, 0, 0, 1, 255]), Fault::NoLeaseTime);
        assert_eq!(fault(&[53, 1, 1, 255]), Fault::UnexpectedType);
        assert_eq!(fault(&[54, 4, 10, 0, 0, 1, 255]), Fault::Malformed);
        assert_eq!(fault(&[53, 9, 5]), Fault::Malformed);
        assert_eq!(fault(&[]), Fault::Malformed);
        let mut empty = ack(&GOOD);
        empty[16..20].fill(0);
        assert_eq!(Reply::parse(&empty).map(|_| ()).unwrap_err(), Fault::NoAddress);
        let mut request = ack(&GOOD);
        request[0] = 1;
        assert_eq!(Reply::parse(&request).map(|_| ()).unwrap_err(), Fault::Malformed);
    }

    #[test]
    fn faults_stand_in_their_order() {
        for (index, fault) in Fault::ALL.into_iter().enumerate() {
            assert_eq!(fault as usize, index);
        }
    }
}
