//! The arguments of `leasehold bench`.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::clients::CLIENTS_MAX;

/// Put load on a DHCPv4 server, and check every answer.
///
/// Each client keeps RFC 2131's rules: the same xid in an exchange, retransmission after 4, 8, 16
/// and 32 s (each one second more or less). The exit status is 1 if the server broke a rule, for
/// example gave one address to two clients; losses are counted but are no fault.
#[derive(Args, Debug)]
pub struct Bench {
    #[command(subcommand)]
    pub(super) way: Way,
}

#[derive(Subcommand, Debug)]
pub(super) enum Way {
    /// Clients behind a relay: UDP datagrams with giaddr, from one socket.
    Relayed(Relayed),
    /// Clients on a link: raw Ethernet frames on an interface, broadcast.
    Direct(Direct),
    /// A server that knows nothing and answers at once: the floor that no server can beat.
    Null(Null),
}

#[derive(Args, Debug)]
pub(super) struct Relayed {
    #[command(flatten)]
    pub(super) load: Load,
    /// The server, as ADDRESS or ADDRESS:PORT.
    #[arg(long, value_parser = server_address)]
    pub(super) server: SocketAddrV4,
    /// The relay's own address, which stands in giaddr and where the answers come: ADDRESS or
    /// ADDRESS:PORT.
    #[arg(long, value_parser = server_address)]
    pub(super) relay: SocketAddrV4,
    /// The relay adds option 82: a circuit-id for each client, one remote-id for all.
    #[arg(long)]
    pub(super) option_82: bool,
}

#[derive(Args, Debug)]
pub(super) struct Direct {
    #[command(flatten)]
    pub(super) load: Load,
    /// The interface that leads to the server.
    #[arg(long)]
    pub(super) interface: String,
    /// Clear the broadcast flag: the server answers to the client's Ethernet address.
    #[arg(long)]
    pub(super) unicast: bool,
}

/// What the clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Scenario {
    /// DISCOVER, OFFER, REQUEST, ACK: a client that wants an address.
    Dora,
    /// All clients are bound first (not measured), then each renews in turn.
    Renew,
    /// All clients are bound first; then 80 % renewals, 10 % reboots (INIT-REBOOT), 10 % releases,
    /// and a released client that comes again goes through the four messages.
    Mixed,
    /// Guests: DISCOVER, OFFER, REQUEST, ACK, and a RELEASE at once behind the ACK.
    Visit,
    /// DISCOVER and OFFER alone: nobody takes what is offered. No retransmission.
    Discover,
}

#[derive(Args, Debug)]
pub(super) struct Load {
    /// What the clients do.
    #[arg(value_enum)]
    pub(super) scenario: Scenario,
    /// How many clients there are.
    #[arg(long, default_value_t = 10_000, value_parser = count)]
    pub(super) clients: u32,
    /// How many exchanges to do; the clients take turns. Default: one for each client.
    #[arg(long, conflicts_with = "during")]
    pub(super) exchanges: Option<u64>,
    /// How long to start exchanges, for example `30s`.
    #[arg(long, value_parser = duration)]
    pub(super) during: Option<Duration>,
    /// Closed loop: so many exchanges are under way, and the next starts when one ends.
    #[arg(long, default_value_t = 64, value_parser = count)]
    #[arg(conflicts_with_all = ["within", "rate"])]
    pub(super) outstanding: u32,
    /// Open loop: the exchanges start at random moments within this time, whatever the server does.
    #[arg(long, value_parser = duration, conflicts_with_all = ["rate", "during"])]
    pub(super) within: Option<Duration>,
    /// Open loop: exchanges per second, at random moments.
    #[arg(long, value_parser = rate)]
    pub(super) rate: Option<f64>,
    /// Clients besides, bound first, that renew while the load runs.
    #[arg(long, default_value_t = 0, requires = "bound_rate")]
    pub(super) bound: u32,
    /// Renewals per second of the clients of `--bound`.
    #[arg(long, value_parser = rate, requires = "bound")]
    pub(super) bound_rate: Option<f64>,
    /// How long each transmission waits for its answer; after the last one the client is given up.
    #[arg(long, value_delimiter = ',', value_parser = duration, default_value = "4s,8s,16s,32s")]
    pub(super) retry: Vec<Duration>,
    /// Everything random follows from it, the clients' addresses too: another seed, other clients.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Leave out option 61.
    #[arg(long)]
    pub(super) no_client_id: bool,
    /// Leave out option 12.
    #[arg(long)]
    pub(super) no_host_name: bool,
    /// Poll instead of sleeping: takes a whole core and measures single exchanges more exactly.
    #[arg(long)]
    pub(super) spin: bool,
    /// The server's process: its CPU time per exchange is reported. May be given several times.
    #[arg(long)]
    pub(super) pid: Vec<u32>,
    /// How long to wait at the end before the CPU time is read, for the server's background work.
    #[arg(long, value_parser = duration, default_value = "0s")]
    pub(super) settle: Duration,
    /// Write the results as JSON; `-` is standard output.
    #[arg(long)]
    pub(super) json: Option<PathBuf>,
    /// Write a plot as SVG: throughput over time, and latency over percentile.
    #[arg(long)]
    pub(super) svg: Option<PathBuf>,
    /// No progress line.
    #[arg(long)]
    pub(super) quiet: bool,
}

#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("where").required(true).args(["listen", "interface"]))]
pub(super) struct Null {
    /// Answer datagrams that come to this ADDRESS or ADDRESS:PORT.
    #[arg(long, value_parser = server_address)]
    pub(super) listen: Option<SocketAddrV4>,
    /// Answer raw frames on this interface.
    #[arg(long)]
    pub(super) interface: Option<String>,
    /// What stands in option 54 when frames are answered.
    #[arg(long, default_value = "10.255.255.254")]
    pub(super) identity: Ipv4Addr,
    /// Append a record of 64 octets for each ACK to this file, which is made anew, and sync it once
    /// a batch before the batch is answered.
    #[arg(long)]
    pub(super) log: Option<PathBuf>,
    /// Lay 64 MiB of the file out before, so that a sync writes data alone.
    #[arg(long, requires = "log")]
    pub(super) laid_out: bool,
}

/// A number of clients.
fn count(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|number| (1..=CLIENTS_MAX).contains(number));
    number.ok_or_else(|| format!("{text:?} is not a number from 1 to {CLIENTS_MAX}"))
}

/// So many a second.
fn rate(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|&number: &f64| number.is_finite() && number > 0.0);
    number.ok_or_else(|| format!("{text:?} is not a positive number"))
}

/// `10s`, `500ms`, `2m`, or plain seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let scale = match &text[digits.len()..] {
        "" | "s" => 1.0,
        "ms" => 1e-3,
        "m" => 60.0,
        unit => return Err(format!("unit {unit} is not known: write ms, s or m")),
    };
    let number: f64 = digits.parse().map_err(|_| format!("{digits:?} is not a number"))?;
    Duration::try_from_secs_f64(number * scale).map_err(|error| error.to_string())
}

/// An address with DHCP's server port unless it brings its own.
fn server_address(text: &str) -> Result<SocketAddrV4, String> {
    let parsed = if text.contains(':') {
        text.parse().ok()
    } else {
        text.parse().ok().map(|address| SocketAddrV4::new(address, super::packet::SERVER_PORT))
    };
    parsed.ok_or_else(|| format!("{text:?} is not ADDRESS or ADDRESS:PORT"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert!(duration("2h").is_err());
        assert!(duration("-1s").is_err());
        assert!(duration("").is_err());
    }

    #[test]
    fn counts_and_rates_are_positive() {
        assert_eq!(count("16777216"), Ok(CLIENTS_MAX));
        assert!(count("0").is_err() && count("16777217").is_err());
        assert_eq!(rate("0.5"), Ok(0.5));
        assert!(rate("0").is_err() && rate("inf").is_err() && rate("NaN").is_err());
    }

    #[test]
    fn a_server_has_dhcps_port_unless_told_otherwise() {
        let plain = server_address("192.0.2.1").expect("an address");
        assert_eq!(plain.port(), 67);
        assert_eq!(server_address("127.0.0.1:6767").map(|a| a.port()), Ok(6767));
        assert!(server_address("::1").is_err());
        assert!(server_address("192.0.2.1:").is_err());
    }
}
