//! One lease: what it is doing, what it may do next, and who its client is.

use core::net::Ipv4Addr;

use leasehold_pool::{Claim, Quarantined, SpaceId};

use super::book::LeaseId;
use super::identity::{Kind, Traits};
use super::nonce::Nonce;
use super::supply::{PoolNumber, Source};
use crate::client::Hardware;
use crate::link::Mac;
use crate::record::Binding;
use crate::record::bytes::BindingRef;
use crate::time::Boottime;
use crate::wire::Request;

/// The longest option 60 and option 82 that are kept, octets.
const CLASS_ID_MAX: usize = 255;
const RELAY_AGENT_MAX: usize = 1024;

/// A server, by a number that stays its own over configurations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct ServerKey(pub(super) u32);

/// One address and the client it is for. At most 200 octets with names and indexes.
#[derive(Debug)]
pub(super) struct Lease {
    pub(super) space: SpaceId,
    pub(super) server: ServerKey,
    pub(super) address: Ipv4Addr,
    pub(super) state: State,
    /// By which trait its client is told apart.
    pub(super) kind: Kind,
    /// Offers since the client was last heard to take one.
    pub(super) offers: u8,
    /// The pool that its address came from, while that matters: offers and quarantines.
    pub(super) pool: PoolNumber,
    /// Of the offer.
    pub(super) serial: u32,
    /// Where its client was when the address was held for it: counted until that is over.
    pub(super) source: Source,
    /// Declined or in conflict, and being probed whether it still is.
    pub(super) checking: bool,
    pub(super) hold: Hold,
    /// When the state ends by itself.
    pub(super) deadline: Boottime,
    /// Since when it is in its state.
    pub(super) since: Boottime,
    /// When its client was heard last; zero if not since the restart.
    pub(super) heard: Boottime,
    /// The ended lease of another client that this one makes way for if it comes to nothing.
    pub(super) displaced: Option<LeaseId>,
    pub(super) client: Client,
}

/// What a lease is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Its address is probed before it is offered.
    Testing,
    /// Offered to its client.
    Offered,
    /// Its client's until the deadline.
    Bound,
    /// Over, and remembered for its client.
    Ended,
    /// Out of use: its client found somebody else on it.
    Declined,
    /// Out of use: a probe found somebody else on it.
    Conflict,
}

/// What happens to a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Offer,
    Bind,
    End,
    GiveUp,
    Decline,
    FindConflict,
    Pardon,
}

/// Where a step leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The lease goes on like this.
    State(State),
    /// The lease is forgotten.
    Gone,
    /// There is no such step: a bug of the caller.
    Never,
}

impl State {
    /// Every state, in the order of their numbers.
    pub(super) const ALL: [Self; 6] =
        [Self::Testing, Self::Offered, Self::Bound, Self::Ended, Self::Declined, Self::Conflict];

    /// All transitions there are. An offer that comes to nothing leaves nothing; a lease that was
    /// bound is remembered.
    pub(super) fn after(self, step: Step) -> Next {
        use Next::{Gone, Never};
        match (self, step) {
            (Self::Testing | Self::Offered, Step::Offer) => Next::State(Self::Offered),
            (Self::Testing | Self::Offered | Self::Bound, Step::Bind) => Next::State(Self::Bound),
            (Self::Bound, Step::Offer) => Next::State(Self::Bound),
            (Self::Bound, Step::End) => Next::State(Self::Ended),
            (Self::Testing | Self::Offered | Self::Ended, Step::GiveUp) => Gone,
            (Self::Offered | Self::Bound, Step::Decline) => Next::State(Self::Declined),
            (Self::Testing, Step::FindConflict) => Next::State(Self::Conflict),
            (Self::Declined | Self::Conflict, Step::Pardon) => Gone,
            _ => Never,
        }
    }

    /// The state after a step that does not end the lease.
    pub(super) fn next(self, step: Step) -> Self {
        match self.after(step) {
            Next::State(state) => state,
            Next::Gone | Next::Never => unreachable!("{self:?} does not go on after {step:?}"),
        }
    }

    /// Whether the lease is found by its client.
    pub(super) fn has_client(self) -> bool {
        matches!(self, Self::Testing | Self::Offered | Self::Bound | Self::Ended)
    }

    /// Whether the address is out of use.
    pub(super) fn is_quarantined(self) -> bool {
        matches!(self, Self::Declined | Self::Conflict)
    }
}

/// The right to the address.
#[derive(Debug, Default)]
pub(super) enum Hold {
    /// None: the lease has ended, or no pool and no reservation knows the address any more.
    #[default]
    None,
    Claimed(Claim),
    Quarantined(Quarantined),
}

impl Lease {
    /// The traits of its client as they were when it got the lease.
    pub(super) fn traits(&self) -> Traits<'_> {
        self.client.traits(self.kind)
    }

    /// Whether `traits` are those of its client.
    pub(super) fn is_of(&self, traits: &Traits<'_>) -> bool {
        self.state.has_client() && traits.is(&self.traits())
    }

    //= https://www.rfc-editor.org/rfc/rfc4388#section-6.7
    //# client-last-transaction-time of last client interaction: MUST store with binding.
    /// When its client last dealt with the server about it, as far as that is known.
    pub(super) fn last_transaction(&self) -> Boottime {
        self.heard.max(self.since)
    }

    /// Whether its time is over though nobody has said so yet.
    pub(super) fn is_due(&self, now: Boottime) -> bool {
        self.deadline <= now
    }
}

//= https://www.rfc-editor.org/rfc/rfc4388#section-5
//# Any DHCP server that supports the DHCPLEASEQUERY message SHOULD save the information from the
//# most recent Relay Agent Information option (option 82) [RFC3046] associated with every IP
//# address that it serves.
//= https://www.rfc-editor.org/rfc/rfc4388#section-5
//# A server that implements DHCPLEASEQUERY SHOULD also save the information on the most recent
//# Vendor class identifier, option 60, associated with each IP address
//= https://www.rfc-editor.org/rfc/rfc4388#section-6.7
//# MUST save the most recent Relay Agent Information option from the most recent DHCPREQUEST packet
//# for two reasons.
//= https://www.rfc-editor.org/rfc/rfc4388#section-6.7
//# relay-agent-info option from client packet: MUST store with binding.
//= https://www.rfc-editor.org/rfc/rfc4388#section-6.7
//# vendor-class-id: SHOULD store with binding.
/// A client as its lease remembers it, in one allocation.
///
/// `htype:1 hlen:1 client-id:1 host-name:1 class-id:1 relay:2`, the lengths; then `chaddr`,
/// option 61, the cleaned host name, option 60, if it was heard through a relay `giaddr` and
/// option 82, and what is left is the nonce that it shares with the server, if it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Client(Box<[u8]>);

const LENGTHS: usize = 7;

impl Client {
    /// Writes what a request says of its client; `known` is what was known of it. A request that
    /// goes around the relay does not make the relay forgotten.
    pub(super) fn write(
        request: &Request<'_>,
        traits: &Traits<'_>,
        host_name: &str,
        known: Option<&Self>,
        nonce: Option<Nonce>,
        out: &mut Vec<u8>,
    ) {
        let mut said = Said {
            htype: traits.htype,
            chaddr: traits.chaddr,
            client_id: traits.client_id,
            host_name,
            class_id: request.class_id(),
            giaddr: traits.giaddr,
            relay_agent: traits.relay_agent,
            nonce: nonce.as_ref().map_or(&[], |nonce| &nonce[..]),
        };
        if let Some(known) = known.filter(|_| !request.is_relayed()) {
            said.giaddr = known.giaddr();
            if said.relay_agent.is_empty() {
                said.relay_agent = known.relay_agent();
            }
        }
        said.write(out);
    }

    /// A client as [`Client::write`] wrote it.
    pub(super) fn read(written: &[u8]) -> Self {
        Self(written.into())
    }

    /// Whether this is what was written.
    pub(super) fn is(&self, written: &[u8]) -> bool {
        *self.0 == *written
    }

    /// What a record says of its client.
    pub(super) fn restore(binding: &Binding) -> Self {
        let said = Said {
            htype: binding.htype,
            chaddr: &binding.chaddr,
            client_id: &binding.client_id,
            host_name: &binding.host_name,
            class_id: &binding.class_id,
            giaddr: binding.giaddr,
            relay_agent: &binding.relay_agent,
            nonce: &binding.nonce,
        };
        let mut bytes = Vec::new();
        said.write(&mut bytes);
        Self(bytes.into())
    }

    /// Who answered for an address in conflict.
    pub(super) fn station(mac: Option<Mac>) -> Self {
        let chaddr = mac.as_ref().map_or(&[][..], |mac| &mac.0);
        let mut bytes = Vec::new();
        let said = Said {
            htype: Hardware::ETHERNET,
            chaddr,
            client_id: &[],
            host_name: "",
            class_id: &[],
            giaddr: Ipv4Addr::UNSPECIFIED,
            relay_agent: &[],
            nonce: &[],
        };
        said.write(&mut bytes);
        Self(bytes.into())
    }

    pub(super) fn hardware(&self) -> Hardware {
        Hardware::new(self.0[0], self.chaddr())
    }

    pub(super) fn htype(&self) -> u8 {
        self.0[0]
    }

    pub(super) fn chaddr(&self) -> &[u8] {
        self.part(0)
    }

    pub(super) fn client_id(&self) -> &[u8] {
        self.part(1)
    }

    pub(super) fn host_name(&self) -> &str {
        core::str::from_utf8(self.part(2)).unwrap_or_default()
    }

    pub(super) fn class_id(&self) -> &[u8] {
        self.part(3)
    }

    /// The relay that it was heard through; unspecified if there was none.
    pub(super) fn giaddr(&self) -> Ipv4Addr {
        let giaddr = self.part(4).first_chunk::<4>();
        giaddr.map_or(Ipv4Addr::UNSPECIFIED, |octets| Ipv4Addr::from(*octets))
    }

    pub(super) fn relay_agent(&self) -> &[u8] {
        self.part(4).get(4..).unwrap_or_default()
    }

    /// What it shares with the server, if it can be made to renew.
    pub(super) fn nonce(&self) -> Option<Nonce> {
        self.part(5).try_into().ok()
    }

    pub(super) fn traits(&self, told_by: Kind) -> Traits<'_> {
        Traits {
            told_by,
            htype: self.htype(),
            chaddr: self.chaddr(),
            client_id: self.client_id(),
            giaddr: self.giaddr(),
            relay_agent: self.relay_agent(),
        }
    }

    pub(super) fn binding<'a>(&'a self, server: &'a str, lease_time: u32) -> BindingRef<'a> {
        BindingRef {
            lease_time,
            server,
            htype: self.htype(),
            chaddr: self.chaddr(),
            client_id: self.client_id(),
            host_name: self.host_name(),
            class_id: self.class_id(),
            giaddr: self.giaddr(),
            relay_agent: self.relay_agent(),
            nonce: self.part(5),
        }
    }

    fn part(&self, number: usize) -> &[u8] {
        let lengths = &self.0[1..LENGTHS];
        let relay = usize::from(u16::from_be_bytes([lengths[4], lengths[5]]));
        let short = lengths[..number.min(4)].iter().map(|&length| usize::from(length));
        let start = short.sum::<usize>() + if number > 4 { relay } else { 0 };
        let length = match number {
            4 => relay,
            5 => self.0.len() - LENGTHS - start,
            _ => usize::from(lengths[number]),
        };
        &self.0[LENGTHS + start..LENGTHS + start + length]
    }
}

/// The parts of a [`Client`].
struct Said<'a> {
    htype: u8,
    chaddr: &'a [u8],
    client_id: &'a [u8],
    host_name: &'a str,
    class_id: &'a [u8],
    giaddr: Ipv4Addr,
    relay_agent: &'a [u8],
    nonce: &'a [u8],
}

impl Said<'_> {
    fn write(&self, out: &mut Vec<u8>) {
        let chaddr = &self.chaddr[..self.chaddr.len().min(16)];
        let client_id = &self.client_id[..self.client_id.len().min(255)];
        let host_name = &self.host_name.as_bytes()[..self.host_name.len().min(255)];
        let class_id = &self.class_id[..self.class_id.len().min(CLASS_ID_MAX)];
        // A part of option 82 would be another option 82.
        let keep = self.relay_agent.len() <= RELAY_AGENT_MAX;
        let relay_agent = if keep { self.relay_agent } else { &[] };
        out.clear();
        let short = [chaddr, client_id, host_name, class_id];
        out.push(self.htype);
        out.extend(short.iter().map(|part| part.len() as u8));
        let giaddr = self.giaddr.octets();
        let is_relayed = !self.giaddr.is_unspecified() || !relay_agent.is_empty();
        let relay = if is_relayed { [&giaddr[..], relay_agent] } else { [&[][..]; 2] };
        out.extend_from_slice(&((relay[0].len() + relay[1].len()) as u16).to_be_bytes());
        short.iter().chain(&relay).for_each(|part| out.extend_from_slice(part));
        out.extend_from_slice(self.nonce);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding() -> Binding {
        Binding {
            lease_time: 600,
            server: "s".into(),
            client_id: [7; 255].into(),
            htype: 1,
            chaddr: [2, 0, 0, 0, 0, 1].into(),
            host_name: "laptop".into(),
            class_id: b"MSFT 5.0"[..].into(),
            giaddr: Ipv4Addr::new(10, 0, 0, 1),
            relay_agent: [1, 1, 7].into(),
            nonce: [9; 16].into(),
        }
    }

    #[test]
    fn a_client_is_what_its_record_says() {
        let client = Client::restore(&binding());
        let back = client.binding("s", 600);
        let expected = binding();
        assert_eq!(back.chaddr, &*expected.chaddr);
        assert_eq!(back.client_id, &*expected.client_id);
        assert_eq!((back.host_name, back.class_id), ("laptop", &b"MSFT 5.0"[..]));
        assert_eq!((back.giaddr, back.relay_agent), (expected.giaddr, &[1, 1, 7][..]));
        assert_eq!((client.nonce(), back.nonce), (Some([9; 16]), &[9; 16][..]));
        let plain = Client::restore(&Binding { relay_agent: Box::default(), ..binding() });
        assert_eq!((plain.giaddr(), plain.relay_agent()), (expected.giaddr, &[][..]));
        assert_eq!(plain.nonce(), client.nonce());
        let nobody = Client::restore(&Binding::default());
        assert_eq!((nobody.chaddr(), nobody.relay_agent()), (&[][..], &[][..]));
        assert_eq!(nobody.nonce(), None);
    }

    #[test]
    fn every_state_can_come_to_an_end() {
        let steps = [Step::End, Step::GiveUp, Step::Pardon];
        for state in State::ALL {
            assert!(steps.iter().any(|&step| state.after(step) != Next::Never), "{state:?}");
        }
    }

    #[test]
    fn only_what_was_never_promised_is_given_up() {
        assert_eq!(State::Bound.after(Step::GiveUp), Next::Never);
        assert_eq!(State::Bound.after(Step::FindConflict), Next::Never);
        assert_eq!(State::Ended.after(Step::Decline), Next::Never);
        assert_eq!(State::Declined.after(Step::Bind), Next::Never);
    }
}
