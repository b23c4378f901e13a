//! What happened in a run: a hash that two runs of one seed share, and lines for a reader.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::net::Ipv4Addr;

use crate::client::{ClientId, State, Toward};
use crate::clock::Moment;
use crate::incident::Incident;
use crate::message::{self, Kind, Message};
use crate::run::Reached;

/// The parts of a message that a reader of a history wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Summary {
    kind: Option<Kind>,
    xid: u32,
    mac: [u8; 6],
    ciaddr: Ipv4Addr,
    yiaddr: Ipv4Addr,
    giaddr: Ipv4Addr,
    requested: Option<Ipv4Addr>,
    server: Option<Ipv4Addr>,
    seconds: Option<u32>,
}

impl From<&Message> for Summary {
    fn from(message: &Message) -> Self {
        Self {
            kind: message.kind(),
            xid: message.xid,
            mac: message.mac(),
            ciaddr: message.ciaddr,
            yiaddr: message.yiaddr,
            giaddr: message.giaddr,
            requested: message.address(message::REQUESTED_ADDRESS),
            server: message.address(message::SERVER_ID),
            seconds: message.seconds(message::LEASE_TIME),
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{kind}")?,
            None => f.write_str("something else")?,
        }
        write!(f, " xid={:08x} chaddr=", self.xid)?;
        for octet in self.mac {
            write!(f, "{octet:02x}")?;
        }
        let set = |address: Ipv4Addr| (!address.is_unspecified()).then_some(address);
        let parts = [
            ("ciaddr", set(self.ciaddr)),
            ("yiaddr", set(self.yiaddr)),
            ("giaddr", set(self.giaddr)),
            ("requested", self.requested),
            ("server", self.server),
        ];
        for (name, address) in parts {
            if let Some(address) = address {
                write!(f, " {name}={address}")?;
            }
        }
        match self.seconds {
            Some(seconds) => write!(f, " lease={seconds}s"),
            None => Ok(()),
        }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Sent {
        client: ClientId,
        toward: Toward,
        message: Summary,
    },
    SentRubbish {
        client: ClientId,
        octets: u16,
    },
    Arrived {
        message: Summary,
    },
    Answered {
        message: Summary,
        promised: bool,
    },
    Received {
        client: ClientId,
        message: Summary,
    },
    Became {
        client: ClientId,
        state: State,
        address: Option<Ipv4Addr>,
    },
    Probed {
        address: Ipv4Addr,
    },
    ProbeAnswered {
        address: Ipv4Addr,
        by: ClientId,
    },
    Turn {
        sequence: u64,
        records: u32,
    },
    Durable {
        sequence: u64,
    },
    CommitFailed {
        sequence: u64,
    },
    StoreRecovered,
    Configured,
    Started {
        records: u32,
        suspect: bool,
    },
    Incident(Incident),
    /// Detail for a reader alone; not part of the hash.
    Note(String),
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sent { client, toward: Toward::Everybody, message } => {
                write!(f, "{client} broadcasts {message}")
            }
            Self::Sent { client, toward: Toward::Server(server), message } => {
                write!(f, "{client} sends to {server}: {message}")
            }
            Self::SentRubbish { client, octets } => {
                write!(f, "{client} broadcasts {octets} octets of rubbish")
            }
            Self::Arrived { message } => write!(f, "server hears {message}"),
            Self::Answered { message, promised: true } => {
                write!(f, "server promises {message}")
            }
            Self::Answered { message, promised: false } => write!(f, "server says {message}"),
            Self::Received { client, message } => write!(f, "{client} receives {message}"),
            Self::Became { client, state, address } => {
                write!(f, "{client} is {state:?}")?;
                match address {
                    Some(address) => write!(f, " with {address}"),
                    None => Ok(()),
                }
            }
            Self::Probed { address } => write!(f, "server asks who has {address}"),
            Self::ProbeAnswered { address, by } => write!(f, "{by} answers for {address}"),
            Self::Turn { sequence, records } => {
                write!(f, "store gets turn {sequence} with {records} records")
            }
            Self::Durable { sequence } => write!(f, "turn {sequence} is durable"),
            Self::CommitFailed { sequence } => write!(f, "turn {sequence} could not be stored"),
            Self::StoreRecovered => f.write_str("store works again"),
            Self::Configured => f.write_str("server adopts the configuration"),
            Self::Started { records, suspect: false } => {
                write!(f, "server starts from {records} records")
            }
            Self::Started { suspect: true, .. } => f.write_str("server starts and has no store"),
            Self::Incident(incident) => write!(f, "--- {incident}"),
            Self::Note(text) => write!(f, "    {text}"),
        }
    }
}

/// The history of one run.
#[derive(Debug)]
pub(crate) struct History {
    hasher: Fnv,
    reached: Reached,
    lines: Option<Vec<(Moment, What)>>,
}

impl History {
    /// With `lines`, everything is kept for a reader; without, only the hash.
    pub(crate) fn new(lines: bool) -> Self {
        Self { hasher: Fnv::default(), reached: Reached::default(), lines: lines.then(Vec::new) }
    }

    pub(crate) fn add(&mut self, at: Moment, what: What) {
        at.hash(&mut self.hasher);
        what.hash(&mut self.hasher);
        self.count(&what);
        if let Some(lines) = &mut self.lines {
            lines.push((at, what));
        }
    }

    /// Detail that is made only if somebody will read it.
    pub(crate) fn note(&mut self, at: Moment, text: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            lines.push((at, What::Note(text())));
        }
    }

    fn count(&mut self, what: &What) {
        let reached = &mut self.reached;
        let counter = match what {
            What::Answered { message, promised } => match (message.kind, promised) {
                (Some(Kind::Offer), _) => &mut reached.offers,
                (Some(Kind::Ack), true) => &mut reached.promises,
                (Some(Kind::Ack), false) => &mut reached.prompt_acks,
                (Some(Kind::Nak), _) => &mut reached.naks,
                (Some(Kind::LeaseActive), _) => &mut reached.informed,
                (Some(Kind::ForceRenew), _) => &mut reached.forced,
                _ => return,
            },
            What::Sent { message, .. } => match message.kind {
                Some(Kind::Decline | Kind::Release) => &mut reached.farewells,
                _ => return,
            },
            What::Durable { .. } => &mut reached.commits,
            What::CommitFailed { .. } => &mut reached.failed_commits,
            What::Started { records: 1.., .. } => &mut reached.restarts,
            What::Configured => &mut reached.configurations,
            What::Probed { .. } => &mut reached.probes,
            _ => return,
        };
        *counter += 1;
    }

    pub(crate) fn reached(&self) -> Reached {
        self.reached
    }

    pub(crate) fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    pub(crate) fn into_lines(self) -> Vec<String> {
        let lines = self.lines.unwrap_or_default();
        lines.into_iter().map(|(at, what)| format!("{at:>10}  {what}")).collect()
    }
}

/// FNV-1a: the same number on every machine and in every build.
#[derive(Debug)]
struct Fnv(u64);

impl Default for Fnv {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }
}
