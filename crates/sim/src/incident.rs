//! What befalls the simulated world: to clients, wires, the disk, the clock, the process, the site.

use core::fmt;

use crate::client::{ClientId, Mischief};
use crate::disk::Sickness;
use crate::network::Weather;
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
    /// A client is rude.
    Misbehave(ClientId, Mischief),
    /// The server's process is killed and started again.
    Kill {
        /// How long it is gone, milliseconds.
        down: u64,
        /// Killed in the middle of its next promises, after so many datagrams.
        promises: Option<u8>,
    },
    /// The server's machine loses power and comes back.
    CutPower {
        /// How long it is gone, milliseconds.
        down: u64,
        /// Whether the wall clock goes on meanwhile.
        battery: bool,
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
    /// Everything that was broken is mended, nobody is rude any more, and nothing else befalls.
    Calm,
}

impl fmt::Display for Incident {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PowerOn(client) => write!(f, "{client} is switched on"),
            Self::PowerOff(client) => write!(f, "{client} is switched off"),
            Self::Release(client) => write!(f, "{client} leaves"),
            Self::Carry(client, link) => write!(f, "{client} is carried to {link}"),
            Self::Misbehave(client, deed) => write!(f, "{client} is rude: {deed:?}"),
            Self::Kill { down, promises: None } => {
                write!(f, "the server is killed and gone for {down} ms")
            }
            Self::Kill { down, promises: Some(count) } => {
                write!(f, "the server will be killed after {count} promises, gone for {down} ms")
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
            Self::Calm => f.write_str("calm"),
        }
    }
}
