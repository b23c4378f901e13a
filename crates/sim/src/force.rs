//! FORCERENEW (RFC 3203, RFC 6704): what a client believes, and what a server may say.

use core::net::{Ipv4Addr, SocketAddrV4};
use std::collections::BTreeMap;

use hmac::{Hmac, Mac as _};
use leasehold_dhcp::{Destination, Mac};
use md5::Md5;

use crate::client::Identity;
use crate::legal::Fault;
use crate::message::{self, Kind, Message};
use crate::oracle::{Rule, Verdict, identity, same};

pub(crate) type Nonce = [u8; 16];

/// Option 90's first octets: protocol 3, algorithm HMAC-MD5, a counter against replays.
const METHOD: [u8; 3] = [3, 1, 0];
const VALUE: u8 = 1;
const DIGEST: u8 = 2;

/// Option 90: the counter, what follows, and 16 octets of it.
fn authentication(message: &Message) -> Option<(u64, u8, Nonce)> {
    let octets: &[u8; 28] = message.option(message::AUTHENTICATION)?.try_into().ok()?;
    let (method, rest) = octets.split_first_chunk::<3>()?;
    let (replay, rest) = rest.split_first_chunk::<8>()?;
    let (kind, rest) = rest.split_first()?;
    let value = rest.try_into().ok()?;
    (*method == METHOD).then_some((u64::from_be_bytes(*replay), *kind, value))
}

/// What a client shares with its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Secret {
    nonce: Nonce,
    replay: u64,
}

impl Secret {
    /// What an ACK tells.
    pub(crate) fn told(ack: &Message) -> Option<Self> {
        let (replay, kind, nonce) = authentication(ack)?;
        (kind == VALUE).then_some(Self { nonce, replay })
    }

    /// Whether a FORCERENEW is to be obeyed; none is obeyed twice.
    pub(crate) fn believes(&mut self, message: &Message) -> bool {
        let Some((replay, ..)) = authentication(message) else { return false };
        let holds = replay > self.replay && is_signed(message, &self.nonce);
        if holds {
            self.replay = replay;
        }
        holds
    }
}

/// RFC 6704 § 3.1.3: the HMAC of the whole message, with zeros in its own place.
fn is_signed(message: &Message, nonce: &Nonce) -> bool {
    let Some((_, DIGEST, digest)) = authentication(message) else { return false };
    let mut unsigned = message.clone();
    if let Some((_, value)) = unsigned.options.last_mut() {
        let end = value.len();
        value[end - digest.len()..].fill(0);
    }
    let Ok(mut mac) = Hmac::<Md5>::new_from_slice(nonce) else { return false };
    mac.update(&unsigned.encode());
    mac.verify_slice(&digest).is_ok()
}

/// What the judge knows of nonces.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    /// Whose each one is.
    owners: BTreeMap<Nonce, Identity>,
    /// The newest counter of the process.
    replay: Option<u64>,
}

impl Nonces {
    /// A process counts for itself: its clock may have been set back.
    pub(crate) fn started(&mut self) {
        self.replay = None;
    }

    /// The server has decided to share a nonce with somebody, and with nobody else.
    pub(crate) fn decided(&mut self, nonce: Nonce, with: Identity) -> Verdict {
        let owner = self.owners.entry(nonce).or_insert_with(|| with.clone());
        if same(owner, &with) {
            return Ok(());
        }
        Err((Rule::Unbelievable, format!("one nonce for {owner:?} and {with:?}")))
    }

    /// Judges what an ACK tells: no other nonce than its client's.
    pub(crate) fn told(&self, ack: &Message) -> Verdict {
        let Some(secret) = Secret::told(ack) else { return Ok(()) };
        match self.owners.get(&secret.nonce) {
            Some(owner) if same(owner, &identity(ack)) => Ok(()),
            _ => Err((Rule::Unbelievable, "an ACK with somebody else's nonce".to_owned())),
        }
    }

    /// Judges a FORCERENEW: one that its client can believe, sent to it alone.
    pub(crate) fn judge(&mut self, message: &Message, to: Destination) -> Verdict {
        let illegal = |fault| Err((Rule::Illegal(fault), Kind::ForceRenew.to_string()));
        let none = Ipv4Addr::UNSPECIFIED;
        if (message.op, message.yiaddr, message.giaddr) != (2, none, none) {
            return illegal(Fault::Header);
        }
        if message.address(message::SERVER_ID).is_none() {
            return illegal(Fault::ServerId);
        }
        let (target, mac) = match to {
            Destination::Link { target, mac, .. } => (target, Some(mac)),
            Destination::Routed { target, .. } => (target, None),
        };
        let is_own = mac.is_none_or(|mac| mac == Mac(message.mac()));
        if target != SocketAddrV4::new(message.ciaddr, 68) || !is_own {
            return illegal(Fault::Destination);
        }
        let Some((replay, ..)) = authentication(message) else {
            return Err((Rule::Unbelievable, "it is not signed".to_owned()));
        };
        if self.replay.replace(replay).is_some_and(|before| before >= replay) {
            return Err((Rule::Unbelievable, format!("its counter stays at {replay:x}")));
        }
        let who = identity(message);
        let mut own = self.owners.iter().filter(|(_, owner)| same(owner, &who));
        if own.any(|(nonce, _)| is_signed(message, nonce)) {
            return Ok(());
        }
        Err((Rule::Unbelievable, format!("it is not signed with a nonce of {who:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(nonce: &Nonce, replay: u64) -> Message {
        let value = [&METHOD[..], &replay.to_be_bytes(), &[DIGEST], &[0; 16]].concat();
        let mut message = Message::request(Kind::ForceRenew, 7, [2, 0, 0, 0, 0, 1])
            .with_address(message::SERVER_ID, Ipv4Addr::new(10, 0, 0, 1))
            .with(message::AUTHENTICATION, &value);
        (message.op, message.ciaddr) = (2, Ipv4Addr::new(10, 0, 0, 9));
        let mut mac = Hmac::<Md5>::new_from_slice(nonce).unwrap();
        mac.update(&message.encode());
        let digest = mac.finalize().into_bytes();
        message.options[2].1[12..].copy_from_slice(&digest);
        message
    }

    fn to(message: &Message) -> Destination {
        let target = SocketAddrV4::new(message.ciaddr, 68);
        Destination::Routed { source: Ipv4Addr::UNSPECIFIED, target }
    }

    #[test]
    fn a_client_believes_its_own_nonce_and_nothing_twice() {
        let mut secret = Secret { nonce: [7; 16], replay: 3 };
        assert!(!secret.believes(&signed(&[8; 16], 4)));
        assert!(!secret.believes(&signed(&[7; 16], 3)));
        assert!(secret.believes(&signed(&[7; 16], 4)));
        assert!(!secret.believes(&signed(&[7; 16], 4)));
        let mut bent = signed(&[7; 16], 5);
        bent.ciaddr = Ipv4Addr::new(10, 0, 0, 8);
        assert!(!secret.believes(&bent));
    }

    #[test]
    fn the_judge_knows_whose_a_nonce_is() {
        let one = Identity { mac: [2, 0, 0, 0, 0, 1], client_id: Vec::new() };
        let other = Identity { mac: [2, 0, 0, 0, 0, 2], client_id: Vec::new() };
        let mut nonces = Nonces::default();
        assert_eq!(nonces.decided([7; 16], one.clone()), Ok(()));
        assert_eq!(nonces.decided([7; 16], one), Ok(()));
        assert!(nonces.decided([7; 16], other.clone()).is_err());
        assert_eq!(nonces.decided([8; 16], other), Ok(()));
        let judged = |nonces: &mut Nonces, message: &Message| nonces.judge(message, to(message));
        assert_eq!(judged(&mut nonces, &signed(&[7; 16], 1)), Ok(()));
        assert!(judged(&mut nonces, &signed(&[7; 16], 1)).is_err(), "the counter stays");
        assert!(judged(&mut nonces, &signed(&[8; 16], 2)).is_err(), "another's");
        let elsewhere = Message { ciaddr: Ipv4Addr::new(10, 0, 0, 8), ..signed(&[7; 16], 3) };
        assert!(nonces.judge(&elsewhere, to(&signed(&[7; 16], 3))).is_err());
    }
}
