//! Nonces: what a client needs to believe a FORCERENEW (RFC 6704), and the messages that carry it.

use dhcproto::v4::MessageType;
use hmac::{Hmac, Mac as _};
use md5::Md5;

use super::exchange::Exchange;
use super::lease::Client;
use crate::wire::{Message, Request, Requested, code};

/// 128 bits that a client and its server share.
pub(super) type Nonce = [u8; 16];

/// Option 90's first octets: protocol 3, algorithm HMAC-MD5, replay detection by a counter.
const METHOD: [u8; 3] = [3, 1, 0];
/// What follows in option 90 is the nonce itself.
const VALUE: u8 = 1;
/// What follows is the HMAC of the message.
const DIGEST: u8 = 2;
/// The only algorithm that RFC 6704 knows.
const HMAC_MD5: u8 = 1;

/// Where nonces come from, and the counter that forbids to replay a message.
#[derive(Debug)]
pub(super) struct Nonces {
    key: [u8; 32],
    made: u64,
    replay: u64,
}

impl Nonces {
    /// A poor man's key, for tests: a server brings its own.
    pub(super) fn new(seed: u64) -> Self {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_be_bytes());
        Self { key, made: 0, replay: 0 }
    }

    /// From now on nonces follow from this secret.
    pub(super) fn set_key(&mut self, key: [u8; 32]) {
        self.key = key;
    }

    /// The next nonce.
    //= https://www.rfc-editor.org/rfc/rfc6704#section-3.1.3
    //# The Forcerenew nonce is 128 bits long, and it MUST be a cryptographically strong random or
    //# pseudo-random number that cannot easily be predicted.
    pub(super) fn next(&mut self) -> Nonce {
        self.made += 1;
        hmac_md5(&self.key, &[&self.made.to_be_bytes()])
    }

    /// A number above all before it, also after a restart: seconds, and a count within them.
    pub(super) fn replay(&mut self, seconds: u64) -> u64 {
        self.replay = (self.replay + 1).max(seconds << 32);
        self.replay
    }
}

/// What an ACK tells the client that its server will prove itself with.
//= https://www.rfc-editor.org/rfc/rfc6704#section-3.1.3
//# The nonce is embedded as a 128-bit value of the Authentication information where type is set to
//# 1 (Forcerenew nonce Value).
pub(super) fn told(nonce: &Nonce, replay: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(&METHOD);
    out.extend_from_slice(&replay.to_be_bytes());
    out.push(VALUE);
    out.extend_from_slice(nonce);
}

/// Option 90 of a FORCERENEW before it is signed.
pub(super) fn unsigned(replay: u64) -> [u8; 28] {
    let mut value = [0; 28];
    value[..3].copy_from_slice(&METHOD);
    value[3..11].copy_from_slice(&replay.to_be_bytes());
    value[11] = DIGEST;
    value
}

/// Signs a whole message whose last option is [`unsigned`].
//= https://www.rfc-editor.org/rfc/rfc6704#section-3.1.3
//# The server computes the HMAC-MD5 over the entire DHCP Forcerenew message, including the
//# Authentication option; the HMAC-MD5 field in the Authentication option is set to zero for the
//# HMAC-MD5 computation
pub(super) fn sign(nonce: &Nonce, message: &mut [u8]) {
    let digest = hmac_md5(nonce, &[message]);
    // Behind the last option there is END, and then nothing but padding.
    let end = message.iter().rposition(|&octet| octet == code::END);
    if let Some(field) = end.and_then(|end| message.get_mut(end - digest.len()..end)) {
        field.copy_from_slice(&digest);
    }
}

fn hmac_md5(key: &[u8], parts: &[&[u8]]) -> Nonce {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes a key of any length");
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

impl Request<'_> {
    /// Whether the client says that it takes FORCERENEW with a nonce.
    pub(super) fn is_nonce_capable(&self) -> bool {
        let algorithms = self.options.get(code::FORCERENEW_NONCE_CAPABLE);
        algorithms.is_some_and(|algorithms| algorithms.contains(&HMAC_MD5))
    }
}

impl Exchange<'_> {
    /// The OFFER to this client says that the server will want to authenticate itself.
    //= https://www.rfc-editor.org/rfc/rfc6704#section-3.1.1
    //# If the server supports Forcerenew nonce authentication and requires Forcerenew nonce
    //# authentication, it will insert the FORCERENEW_NONCE_CAPABLE option in the DHCPOFFER.
    //= https://www.rfc-editor.org/rfc/rfc6704#section-3.1.3
    //# The server SHOULD NOT include this option unless the client has indicated its capability in
    //# a DHCP Discovery message.
    pub(super) fn offers_nonce(&self, message: MessageType) -> Option<[u8; 1]> {
        let capable = self.server.use_reconfigure && self.request.is_nonce_capable();
        (capable && message == MessageType::Offer).then_some([HMAC_MD5])
    }

    /// What the lease that this request binds holds as its nonce: an old one, a new one or none.
    /// Who `was_deaf` to a FORCERENEW may never have heard the old one: its ACK was lost.
    pub(super) fn nonce(
        &self,
        known: Option<&Client>,
        was_deaf: bool,
        nonces: &mut Nonces,
    ) -> Shared {
        let old = known.and_then(Client::nonce);
        let goes_on = matches!(
            self.request.message,
            Message::Request(Requested::Renewing { .. } | Requested::Rebinding { .. })
        );
        match old {
            _ if !self.server.use_reconfigure => Shared::None,
            //= https://www.rfc-editor.org/rfc/rfc6704#section-3.1.3
            //# The server SHOULD NOT include the nonce in an ACK when responding to a renew unless
            //# a new nonce was generated.
            Some(old) if goes_on && !(was_deaf && self.request.is_nonce_capable()) => {
                Shared::Known(old)
            }
            //= https://www.rfc-editor.org/rfc/rfc6704#section-3.1.3
            //# The absence of the FORCERENEW_NONCE_CAPABLE (145) option indicates to the server
            //# that the Forcerenew Nonce Authentication protocol is not supported; thus, the server
            //# MUST NOT include a Forcerenew Nonce Protocol Authentication option in the DHCP ACK.
            _ if !self.request.is_nonce_capable() => Shared::None,
            //= https://www.rfc-editor.org/rfc/rfc6704#section-3.1.3
            //# If a capable server receives a DISCOVER or REQUEST (any type) that indicates the
            //# client is capable, and the server has no previous nonce recorded, it MUST generate a
            //# nonce and include it in the ACK.
            //= https://www.rfc-editor.org/rfc/rfc6704#section-3.1.3
            //# The new Server receiving the DHCP message MUST generate a new nonce.
            // Who begins anew may have forgotten the old one, or never have heard it.
            _ => Shared::New(nonces.next()),
        }
    }
}

/// What client and server share from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shared {
    /// Nothing: the client cannot be made to renew.
    None,
    /// What they shared before.
    Known(Nonce),
    /// This, and the ACK has to tell it.
    New(Nonce),
}

impl Shared {
    pub(super) fn nonce(self) -> Option<Nonce> {
        match self {
            Self::None => None,
            Self::Known(nonce) | Self::New(nonce) => Some(nonce),
        }
    }

    /// What the client does not know yet.
    pub(super) fn unknown(self) -> Option<Nonce> {
        if let Self::New(nonce) = self { Some(nonce) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202 § 2, test cases 1 and 2.
    #[test]
    fn the_hmac_is_the_standards() {
        let expected = [
            0x92, 0x94, 0x72, 0x7a, 0x36, 0x38, 0xbb, 0x1c, 0x13, 0xf4, 0x8e, 0xf8, 0x15, 0x8b,
            0xfc, 0x9d,
        ];
        assert_eq!(hmac_md5(&[0x0b; 16], &[b"Hi There"]), expected);
        assert_eq!(hmac_md5(b"Jefe", &[b"what do ya want ", b"for nothing?"])[..2], [0x75, 0x0c]);
    }

    #[test]
    fn the_counter_never_goes_back() {
        let mut nonces = Nonces::new(1);
        let first = nonces.replay(1_000);
        assert_eq!(first, 1_000 << 32);
        assert!(nonces.replay(1_000) > first && nonces.replay(10) > first);
        assert!(nonces.replay(1_001) > nonces.replay(1_000) - 2);
        assert_ne!(nonces.next(), nonces.next());
    }
}
