//! A client: who it is, where it is, and what it believes to hold.

mod machine;
mod mischief;
#[cfg(test)]
mod tests;

use core::fmt;
use core::net::Ipv4Addr;

pub use mischief::Mischief;
pub(crate) use mischief::Rumour;

use crate::clock::Moment;
use crate::force::Secret;
use crate::message::Message;
use crate::random::Random;
use crate::topology::LinkId;

/// A client's number in its run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u16);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.0)
    }
}

/// What a server can tell a client by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// `chaddr`.
    pub mac: [u8; 6],
    /// Option 61; empty if the client sends none.
    pub client_id: Vec<u8>,
}

/// What a client does differently from the letter of RFC 2131.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Habits {
    /// Sets the broadcast flag.
    pub broadcast: bool,
    /// Asks the link whether an address is in use before using it (RFC 2131 § 4.4.1).
    pub checks: bool,
    /// Keeps its lease in a file and starts with INIT-REBOOT.
    pub remembers: bool,
    /// Uses the remembered address when INIT-REBOOT is not answered (RFC 2131 § 3.2).
    pub trusts_memory: bool,
    /// Repeats option 54 when it renews, against RFC 2131 table 5, as some do.
    pub renews_with_server: bool,
    /// Asks for an ACK at once (RFC 4039).
    pub rapid: bool,
    /// Can do without IPv4 where it is told so (RFC 8925).
    pub ipv6_only: bool,
    /// Asks for so many seconds.
    pub lease_time: Option<u32>,
    /// Tells its FQDN (RFC 4702).
    pub fqdn: bool,
    /// Writes its names into `file` and `sname` (option 52).
    pub overloads: bool,
    /// Takes datagrams of 576 octets, and wants to know a lot.
    pub small: bool,
    /// Can be made to renew by who knows its nonce (RFC 6704).
    pub forcible: bool,
    /// Knows BOOTP alone, and has for ever what it is given.
    pub bootp: bool,
    /// Rude: goes on as if no NAK had come.
    pub ignores_nak: bool,
    /// Rude: goes on using an address whose lease has ended.
    pub keeps_expired: bool,
    /// Rude: asks for a random address in each DISCOVER.
    pub random_wish: bool,
    /// Rude: declines whatever it is given.
    pub declines_all: bool,
}

impl Habits {
    /// Whether the client does its part, so that it must be bound in the end.
    pub(crate) fn polite(self) -> bool {
        !(self.ignores_nak || self.keeps_expired || self.declines_all)
    }
}

/// What a client has been promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    pub address: Ipv4Addr,
    /// Option 54 of the ACK.
    pub server: Ipv4Addr,
    /// Where it was promised.
    pub link: LinkId,
    /// When it was asked for.
    pub granted: Moment,
    pub renews: Moment,
    pub rebinds: Moment,
    /// From the moment of the original request (RFC 2131 § 4.4.1), never from the ACK's arrival.
    pub until: Moment,
}

/// The states of RFC 2131 figure 5, off, and the moment between the ACK and the first use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum State {
    Off,
    Init,
    Selecting,
    Requesting {
        address: Ipv4Addr,
        server: Ipv4Addr,
    },
    Rebooting,
    Checking,
    Bound,
    Renewing,
    Rebinding,
    /// IPv6 is enough for a while (RFC 8925).
    WithoutIpv4,
}

/// One exchange that the client waits for an answer to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Exchange {
    pub xid: u32,
    /// When the first message with this meaning was sent: lease times count from here.
    pub began: Moment,
    pub tries: u32,
}

/// How a message leaves a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Toward {
    /// The link's broadcast address.
    Everybody,
    /// The server's address.
    Server(Ipv4Addr),
}

/// A message on its way out.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub toward: Toward,
    /// IP source: the client's address if it has one.
    pub source: Ipv4Addr,
    pub payload: Payload,
}

/// What a client can put into a datagram.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    Message(Message),
    Rubbish(Vec<u8>),
}

/// One client.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub id: ClientId,
    pub identity: Identity,
    pub habits: Habits,
    pub link: LinkId,
    pub state: State,
    /// When its next timer runs out.
    pub wakes: Option<Moment>,
    lease: Option<Lease>,
    exchange: Option<Exchange>,
    /// What it believes a FORCERENEW by.
    secret: Option<Secret>,
    /// An address that it would like to have again.
    hint: Option<Ipv4Addr>,
    /// An address that it uses without any right.
    squats: Option<Ipv4Addr>,
    random: Random,
}

impl Client {
    pub(crate) fn new(
        id: ClientId,
        identity: Identity,
        habits: Habits,
        link: LinkId,
        random: Random,
    ) -> Self {
        Self {
            id,
            identity,
            habits,
            link,
            state: State::Off,
            wakes: None,
            lease: None,
            exchange: None,
            secret: None,
            hint: None,
            squats: None,
            random,
        }
    }

    /// The lease that the client may use now, or could take up again from its memory.
    pub(crate) fn lease(&self, now: Moment) -> Option<Lease> {
        self.lease.filter(|lease| now < lease.until)
    }

    /// The exchange whose ACK would give the client an address.
    pub(crate) fn awaits_ack(&self) -> Option<Exchange> {
        match self.state {
            State::Requesting { .. } | State::Rebooting | State::Renewing | State::Rebinding => {
                self.exchange
            }
            State::Selecting if self.habits.rapid || self.habits.bootp => self.exchange,
            State::Off
            | State::Init
            | State::Selecting
            | State::Checking
            | State::Bound
            | State::WithoutIpv4 => None,
        }
    }

    /// Whether it would answer an ARP request for this address.
    pub(crate) fn answers_for(&self, address: Ipv4Addr) -> bool {
        self.squats == Some(address) || self.in_use() == Some(address)
    }

    /// The address that it works with.
    pub(crate) fn in_use(&self) -> Option<Ipv4Addr> {
        match self.state {
            State::Bound | State::Renewing | State::Rebinding => {
                self.lease.map(|lease| lease.address)
            }
            _ => None,
        }
    }

    /// Whether it is where a healthy network must bring it: bound, on the link it is on, or content
    /// without.
    pub(crate) fn settled(&self, now: Moment) -> bool {
        let without = matches!(self.state, State::WithoutIpv4 | State::Init | State::Selecting);
        if self.habits.ipv6_only && without {
            return true;
        }
        self.in_use().is_some() && self.lease(now).is_some_and(|lease| lease.link == self.link)
    }

    /// Takes an address without asking anybody, or gives it up.
    pub(crate) fn squat(&mut self, address: Option<Ipv4Addr>) {
        self.squats = address;
    }
}
