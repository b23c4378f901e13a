//! What befalls the simulated world: to clients, wires, the disk, the clock, the process, the site.

use core::fmt;

use crate::client::{ClientId, Mischief};
use crate::disk::Sickness;
use crate::network::Weather;
use crate::query::Query;
use crate::site::SiteChange;
use crate::topology::LinkId;

/// One thing that befalls the world at a planned moment.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Incident {
    /// A client is switched on.
    PowerOn(ClientId),
    /// A client is switched off, or its battery is empty.
    PowerOff(ClientId),
    /// A client gives its address back and goes.
    Release(ClientId),
    /// A client is carried to another link.
    Carry(ClientId, LinkId),
    /// A client asks for its parameters again (RFC 2131 § 3.4).
    Inform(ClientId),
    /// A client is rude.
    Misbehave(ClientId, Mischief),
    /// The server's process is killed and started again.
    Kill {
        /// How long it is gone, milliseconds.
        down: u64,
        /// At which point of a turn.
        at: CrashPoint,
    },
    /// The server's machine loses power and comes back.
    CutPower {
        /// How long it is gone, milliseconds.
        down: u64,
        /// Whether the wall clock goes on meanwhile.
        battery: bool,
    },
    /// The server is killed, and its store is gone when it is started again.
    LoseStore {
        /// How long it is gone, milliseconds.
        down: u64,
    },
    /// The server's machine is suspended for so many milliseconds.
    Suspend(u64),
    /// The disk fails.
    Sicken(Sickness),
    /// The disk works again.
    HealDisk,
    /// Somebody sets the wall clock: so many seconds away from the truth.
    SetClock(i64),
    /// A link loses the server.
    Cut(LinkId),
    /// The link has it again.
    Join(LinkId),
    /// The network becomes better or worse.
    Weather(Weather),
    /// The administrator changes the configuration.
    Reconfigure(SiteChange),
    /// The administrator takes a client's lease away; the client is not told.
    RemoveLease(ClientId),
    /// The administrator has a client asked to renew (RFC 3203).
    Force(ClientId),
    /// A relay asks who has an address, or what a client has (RFC 4388).
    Query(LinkId, Query),
    /// Everything that was broken is mended, nobody is rude any more, and nothing else befalls.
    Calm,
}

/// The point of a turn at which a process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CrashPoint {
    /// At once, in no turn.
    Now,
    /// The turn is decided; nothing has been said or written.
    BeforeWrite,
    /// The turn is on its way to the disk; nothing has been said.
    AfterWrite,
    /// After so many of the replies that do not wait for the disk.
    Answering(u8),
    /// The turn is on disk; nothing has been promised.
    AfterSync,
    /// After so many of the turn's promises.
    Promising(u8),
}

impl fmt::Display for CrashPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("at once"),
            Self::BeforeWrite => f.write_str("before a turn is written"),
            Self::AfterWrite => f.write_str("while a turn is written"),
            Self::Answering(count) => write!(f, "after {count} answers"),
            Self::AfterSync => f.write_str("after a turn is on disk"),
            Self::Promising(count) => write!(f, "after {count} promises"),
        }
    }
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerOn(client) => write!(f, "{client} is switched on"),
            Self::PowerOff(client) => write!(f, "{client} is switched off"),
            Self::Release(client) => write!(f, "{client} leaves"),
            Self::Carry(client, link) => write!(f, "{client} is carried to {link}"),
            Self::Inform(client) => write!(f, "{client} asks for its parameters"),
            Self::Misbehave(client, deed) => write!(f, "{client} is rude: {deed:?}"),
            Self::Kill { down, at } => {
                write!(f, "the server is killed {at}, and gone for {down} ms")
            }
            Self::LoseStore { down } => {
                write!(f, "the server is killed, gone for {down} ms, and its store is lost")
            }
            Self::CutPower { down, battery } => {
                let clock = if *battery { "with" } else { "without" };
                write!(f, "power cut for {down} ms {clock} a clock's battery")
            }
            Self::Suspend(millis) => write!(f, "the machine is suspended for {millis} ms"),
            Self::Sicken(sickness) => write!(f, "the disk fails: {sickness:?}"),
            Self::HealDisk => f.write_str("the disk works again"),
            Self::SetClock(error) => write!(f, "the wall clock is set to truth {error:+} s"),
            Self::Cut(link) => write!(f, "{link} is cut off"),
            Self::Join(link) => write!(f, "{link} is joined again"),
            Self::Weather(weather) => write!(f, "the network changes: {weather}"),
            Self::Reconfigure(change) => write!(f, "configuration: {change}"),
            Self::RemoveLease(client) => write!(f, "the lease of {client} is removed"),
            Self::Force(client) => write!(f, "{client} is to renew"),
            Self::Query(link, query) => write!(f, "the relay of {link} asks {query}"),
            Self::Calm => f.write_str("calm"),
        }
    }
}
