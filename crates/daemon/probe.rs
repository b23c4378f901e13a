//! `leasehold probe`: what every DHCP server on an interface offers, and a whole small client.

use core::fmt;
use core::net::Ipv4Addr;
use std::io::Write;
use std::time::Duration;

use leasehold_dhcp::{Interface, Interfaces, Mac};
use serde_json::{Map, Value, json};

use crate::net::Watch;

mod arguments;
pub mod client;
pub mod message;
pub mod tap;

pub use arguments::Probe;
pub use client::{Client, Lease, ProbeError};
pub use message::Message;
pub use tap::Tap;

/// What to do on the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Ask for offers, take none.
    Offers,
    /// Take a lease.
    Lease(Option<Ipv4Addr>),
    /// Verify an address as after a reboot; it is renewed.
    Renew(Ipv4Addr),
    /// Verify an address and give it back.
    Release(Ipv4Addr),
    /// Show what passes until it is interrupted.
    Watch,
}

/// What `leasehold probe` is told on its command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// The interface; if there is only one that can be asked, it need not be named.
    pub interface: Option<String>,
    /// What to do.
    pub task: Task,
    /// Another Ethernet address than the interface's.
    pub mac: Option<Mac>,
    /// How long offers are waited for.
    pub wait: Duration,
    /// JSON instead of text.
    pub json: bool,
}

/// Why the probe failed.
#[derive(Debug)]
pub enum Failure {
    /// No interface of that name, or none at all.
    NoInterface(Option<String>, Vec<String>),
    /// It is down.
    Down(String),
    /// The kernel does not say.
    Watch(crate::net::watch::WatchError),
    /// The runtime.
    Io(std::io::Error),
    /// The exchange.
    Probe(ProbeError),
    /// Nobody offers anything.
    NoOffer(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoInterface(Some(name), known) => {
                write!(f, "there is no interface {name}; there are {}", known.join(", "))
            }
            Self::NoInterface(None, known) => {
                write!(f, "say which interface: --interface {}", known.join(", or "))
            }
            Self::Down(name) => {
                write!(f, "{name} is down or has no carrier: `ip link set {name} up`")
            }
            Self::Watch(error) => error.fmt(f),
            Self::Io(error) => error.fmt(f),
            Self::Probe(error) => error.fmt(f),
            Self::NoOffer(name) => write!(f, "no DHCP server answers on {name}"),
        }
    }
}

impl std::error::Error for Failure {}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<ProbeError> for Failure {
    fn from(error: ProbeError) -> Self {
        Self::Probe(error)
    }
}

/// Runs the task and writes what it finds to `out`.
pub fn run(options: &Options, out: &mut impl Write) -> Result<(), Failure> {
    let interfaces = interfaces()?;
    let interface = choose(&interfaces, options.interface.as_deref())?;
    if options.task == Task::Watch {
        return watch(interface, out);
    }
    let mut client = Client::open(interface, options.mac.unwrap_or(interface.mac))?;
    let told = match options.task {
        Task::Offers | Task::Watch => {
            let offers = client.discover(options.wait)?;
            if offers.is_empty() {
                return Err(Failure::NoOffer(interface.name.clone()));
            }
            offers.into_iter().map(|offer| offer.message).collect()
        }
        Task::Lease(wanted) => vec![client.lease(wanted)?.ack],
        Task::Renew(address) => vec![client.verify(address)?.ack],
        Task::Release(address) => {
            let lease = client.verify(address)?;
            client.release(&lease)?;
            Vec::new()
        }
    };
    for message in told {
        if options.json {
            writeln!(out, "{}", as_json(&message))?;
        } else {
            write!(out, "{}", Sheet(&message))?;
        }
    }
    Ok(())
}

/// The machine's interfaces now.
pub fn interfaces() -> Result<Interfaces, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let (_, interfaces) = Watch::start().await.map_err(Failure::Watch)?;
        Ok(interfaces)
    })
}

fn choose<'a>(interfaces: &'a Interfaces, name: Option<&str>) -> Result<&'a Interface, Failure> {
    let usable = || interfaces.iter().filter(|it| it.name != "lo" && !it.slave);
    let known = || usable().map(|it| it.name.clone()).collect();
    let chosen = match name {
        Some(name) => interfaces.named(name),
        None => Some(usable()).filter(|it| it.clone().count() == 1).and_then(|mut it| it.next()),
    };
    let chosen = chosen.ok_or_else(|| Failure::NoInterface(name.map(Into::into), known()))?;
    if chosen.running { Ok(chosen) } else { Err(Failure::Down(chosen.name.clone())) }
}

fn watch(interface: &Interface, out: &mut impl Write) -> Result<(), Failure> {
    let mut tap = Tap::open(interface.index)?;
    loop {
        if let Some(passed) = tap.next(Duration::from_secs(60))? {
            writeln!(out, "{} > {}", passed.source, passed.destination)?;
            write!(out, "{}", Sheet(&passed.message))?;
            out.flush()?;
        }
    }
}

/// A message in RouterOS's layout of packets in its log.
pub struct Sheet<'a>(pub &'a Message);

impl fmt::Display for Sheet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(message) = self;
        let from = message.address(message::code::SERVER).filter(|_| message.op == 2);
        match from {
            Some(server) => writeln!(f, "{} from {server}", message.name())?,
            None => writeln!(f, "{} from {}", message.name(), message.mac)?,
        }
        for (name, address) in [
            ("ciaddr", message.ciaddr),
            ("yiaddr", message.yiaddr),
            ("siaddr", message.siaddr),
            ("giaddr", message.giaddr),
        ] {
            if !address.is_unspecified() {
                writeln!(f, "     {name} = {address}")?;
            }
        }
        message.told().try_for_each(|(name, text)| writeln!(f, "     {name} = {text}"))
    }
}

fn as_json(message: &Message) -> Value {
    let options: Map<String, Value> =
        message.told().map(|(name, text)| (name, Value::String(text))).collect();
    json!({
        "type": message.name(),
        "server": message.address(message::code::SERVER).map(|server| server.to_string()),
        "address": message.yiaddr.to_string(),
        "prefix-length": message.prefix(),
        "lease-time": message.lease_time(),
        "options": options,
    })
}
