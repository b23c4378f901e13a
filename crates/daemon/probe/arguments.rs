//! The command line of `leasehold probe`.

use core::net::Ipv4Addr;
use std::time::Duration;

use clap::Args;
use leasehold_dhcp::Mac;

use super::{Options, Task};

/// Show what every DHCP server on an interface offers, or be a small client.
///
/// Needs root or CAP_NET_RAW. Never changes the interface's addresses. Exit code 1 if nobody
/// answers.
#[derive(Clone, Debug, Args)]
pub struct Probe {
    /// Which interface; needed if there are several.
    #[arg(long, short, value_name = "IF")]
    interface: Option<String>,
    /// Take a lease, this address if it is named.
    #[arg(long, value_name = "ADDRESS", num_args = 0..=1, group = "task")]
    lease: Option<Option<Ipv4Addr>>,
    /// Have a lease confirmed and lengthened, as a client does that has rebooted.
    #[arg(long, value_name = "ADDRESS", group = "task")]
    renew: Option<Ipv4Addr>,
    /// Give a lease back.
    #[arg(long, value_name = "ADDRESS", group = "task")]
    release: Option<Ipv4Addr>,
    /// Show all DHCP that passes, until interrupted.
    #[arg(long, group = "task")]
    watch: bool,
    /// Be this Ethernet address instead of the interface's own.
    #[arg(long, value_name = "MAC", value_parser = mac)]
    mac: Option<Mac>,
    /// How long to wait for offers.
    #[arg(long, value_name = "SECONDS", default_value_t = 4)]
    wait: u64,
    /// One JSON object per message.
    #[arg(long)]
    json: bool,
}

impl Probe {
    /// What they ask for.
    #[must_use]
    pub fn options(self) -> Options {
        let task = match self {
            Self { lease: Some(wanted), .. } => Task::Lease(wanted),
            Self { renew: Some(address), .. } => Task::Renew(address),
            Self { release: Some(address), .. } => Task::Release(address),
            Self { watch: true, .. } => Task::Watch,
            _ => Task::Offers,
        };
        let Self { interface, mac, json, .. } = self;
        Options { interface, task, mac, wait: Duration::from_secs(self.wait), json }
    }
}

fn mac(text: &str) -> Result<Mac, String> {
    let octets = text.split([':', '-', '.']).map(|part| u8::from_str_radix(part, 16));
    let octets = octets.collect::<Result<Vec<_>, _>>().ok().and_then(|all| all.try_into().ok());
    octets.map(Mac).ok_or_else(|| "six octets in hexadecimal, AA:BB:CC:DD:EE:FF".into())
}
