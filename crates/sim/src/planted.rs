//! Bugs on purpose. A simulator is worth what it finds, so it has to find these.
//!
//! Most are planted at the seams, in the simulator's own worker, disk and clock: places where the
//! daemon could be wrong, or where what the engine says or hears can be bent as if it were. The
//! last ones are in the engine, behind a switch that only `--cfg leasehold_planted` compiles.

use core::fmt;

use leasehold_dhcp::planted::Planted;
use leasehold_dhcp::record::{Change, Records};
use leasehold_dhcp::{Boottime, Now, Record};

use crate::client::Client;
use crate::clock::Moment;
use crate::message::{self, Kind, Message};
use crate::world::Arrival;

/// A planted bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bug {
    /// The worker sends its promises before the disk has them.
    AckBeforeCommit,
    /// The worker takes a failed commit for a good one.
    AckDespiteFailure,
    /// The worker does not tell the engine that a commit failed.
    FailureNotTold,
    /// The store forgets that leases were given back.
    ReleaseNotRecorded,
    /// The store drops the last record of a turn of several.
    LastRecordLost,
    /// The store replays the newest turn first.
    ReplayBackwards,
    /// The store replays the fold and forgets the turns after it.
    NewestNotReplayed,
    /// A restart takes a lease for its neighbour's.
    WrongOwnerAfterRestart,
    /// The engine is given a boottime that runs too fast.
    EarlyExpiry,
    /// The engine is given a boottime made of the wall clock.
    WallClockForTimers,
    /// The engine is told that a DECLINE came from the address's owner.
    StrangersDecline,
    /// The engine is told that a RELEASE came from the address's owner.
    StrangersRelease,
    /// A NAK ends the lease of the client that it is for, though it may be lost.
    NakEndsLease,
    /// A new configuration removes the leases that its ranges do not hold.
    ShrinkRemoves,
    /// The engine is not told that its store is a new one.
    LossNotTold,
    /// A second start is not told that leases may be missing still.
    LossForgotten,
    /// Nobody hears the answers to probes.
    ProbeUnheard,
    /// Who asks for a lease is told that nobody has it.
    QueryDenied,
    /// A FORCERENEW is sent as if its nonce were another.
    ForceForged,
    /// In the engine: a restart does not take its leases' addresses out of the pools.
    RestoreTakesNothing,
    /// In the engine: an offer is honoured though the address is another's by now.
    StaleOffer,
    /// In the engine: a shorter renewal ends before what was promised before.
    RenewalShortens,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::AckBeforeCommit,
        Self::AckDespiteFailure,
        Self::FailureNotTold,
        Self::ReleaseNotRecorded,
        Self::LastRecordLost,
        Self::ReplayBackwards,
        Self::NewestNotReplayed,
        Self::WrongOwnerAfterRestart,
        Self::EarlyExpiry,
        Self::WallClockForTimers,
        Self::StrangersDecline,
        Self::StrangersRelease,
        Self::NakEndsLease,
        Self::ShrinkRemoves,
        Self::LossNotTold,
        Self::LossForgotten,
        Self::ProbeUnheard,
        Self::QueryDenied,
        Self::ForceForged,
        Self::RestoreTakesNothing,
        Self::StaleOffer,
        Self::RenewalShortens,
    ];

    /// The engine's own bug, where it is one of those that `--cfg leasehold_planted` compiles.
    #[must_use]
    pub fn in_engine(self) -> Option<Planted> {
        match self {
            Self::RestoreTakesNothing => Some(Planted::RestoreTakesNothing),
            Self::StaleOffer => Some(Planted::StaleOffer),
            Self::RenewalShortens => Some(Planted::RenewalShortens),
            _ => None,
        }
    }
}

impl fmt::Display for Bug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AckBeforeCommit => "ACK before commit",
            Self::AckDespiteFailure => "ACK despite a failed commit",
            Self::FailureNotTold => "failed commit not told",
            Self::ReleaseNotRecorded => "release not recorded",
            Self::LastRecordLost => "last record of a turn lost",
            Self::ReplayBackwards => "replay backwards",
            Self::NewestNotReplayed => "newer turns not replayed",
            Self::WrongOwnerAfterRestart => "wrong owner after a restart",
            Self::EarlyExpiry => "early expiry",
            Self::WallClockForTimers => "wall clock for timers",
            Self::StrangersDecline => "DECLINE from a stranger accepted",
            Self::StrangersRelease => "RELEASE from a stranger accepted",
            Self::NakEndsLease => "NAK ends the lease",
            Self::ShrinkRemoves => "two owners after a shrink",
            Self::LossNotTold => "lost store not told",
            Self::LossForgotten => "lost store forgotten by a restart",
            Self::ProbeUnheard => "answered probe not heard",
            Self::QueryDenied => "live lease denied",
            Self::ForceForged => "FORCERENEW with a wrong nonce",
            Self::RestoreTakesNothing => "restore not taking the address",
            Self::StaleOffer => "stale offer honoured",
            Self::RenewalShortens => "renewal shortens the promise",
        })
    }
}

/// Tells the engine of this thread which bug it has.
pub(crate) fn plant(bug: Option<Bug>) {
    #[cfg(leasehold_planted)]
    leasehold_dhcp::planted::plant(bug.and_then(Bug::in_engine));
    #[cfg(not(leasehold_planted))]
    let _ = bug;
}

/// The clocks as the process reads them.
pub(crate) fn clocks(bug: Option<Bug>, now: Now, at: Moment) -> Now {
    match bug {
        Some(Bug::EarlyExpiry) => {
            Now { boottime: Boottime(now.boottime.0 + at.0 / 2), wall: now.wall }
        }
        Some(Bug::WallClockForTimers) => {
            Now { boottime: Boottime(now.wall.0 * 1_000), wall: now.wall }
        }
        _ => now,
    }
}

/// The records as the disk takes them.
pub(crate) fn records(bug: Option<Bug>, records: Records) -> Records {
    let mut all: Vec<Record> = records.iter().collect();
    match bug {
        Some(Bug::ReleaseNotRecorded) => all.retain(|record| record.change != Change::Released),
        Some(Bug::LastRecordLost) if all.len() > 1 => drop(all.pop()),
        _ => return records,
    }
    let mut kept = Records::default();
    all.iter().for_each(|record| kept.push(record));
    kept
}

/// The records as a restart finds them.
pub(crate) fn replay(bug: Option<Bug>, mut records: Vec<Record>) -> Vec<Record> {
    match bug {
        Some(Bug::ReplayBackwards) => records.reverse(),
        Some(Bug::WrongOwnerAfterRestart) => {
            let mut bound = records.iter_mut().filter_map(|record| match &mut record.change {
                Change::Bound(binding) => Some(binding),
                _ => None,
            });
            if let (Some(one), Some(other)) = (bound.next(), bound.next()) {
                core::mem::swap(&mut one.chaddr, &mut other.chaddr);
                core::mem::swap(&mut one.client_id, &mut other.client_id);
            }
        }
        _ => {}
    }
    records
}

/// A reply as it leaves.
pub(crate) fn answer(bug: Option<Bug>, mut reply: Message) -> Message {
    if bug == Some(Bug::QueryDenied) && reply.kind() == Some(Kind::LeaseActive) {
        reply.options = vec![(message::MESSAGE_TYPE, vec![Kind::LeaseUnassigned.code()])];
        reply.chaddr = [0; 16];
    }
    if bug == Some(Bug::ForceForged) && reply.kind() == Some(Kind::ForceRenew) {
        let digest = reply.options.last_mut().and_then(|(_, value)| value.last_mut());
        digest.into_iter().for_each(|octet| *octet ^= 1);
    }
    reply
}

/// A stranger's message about somebody's address, put into the owner's name.
pub(crate) fn rename(bug: Option<Bug>, arrival: &mut Arrival, clients: &[Client], now: Moment) {
    let message = &arrival.heard.message;
    let address = match (bug, message.kind()) {
        (Some(Bug::StrangersDecline), Some(Kind::Decline)) => {
            message.address(message::REQUESTED_ADDRESS)
        }
        (Some(Bug::StrangersRelease), Some(Kind::Release)) => Some(message.ciaddr),
        _ => None,
    };
    let holds = |client: &&Client| client.lease(now).map(|lease| lease.address) == address;
    let Some(owner) = address.and_then(|_| clients.iter().find(holds)) else { return };
    let mut forged = message.clone();
    forged.chaddr[..6].copy_from_slice(&owner.identity.mac);
    forged.options.retain(|(code, _)| *code != message::CLIENT_ID);
    if !owner.identity.client_id.is_empty() {
        forged = forged.with(message::CLIENT_ID, &owner.identity.client_id);
    }
    arrival.payload = forged.encode();
}
