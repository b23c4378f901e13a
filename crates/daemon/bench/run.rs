//! One `leasehold bench` from its arguments to its report.

use std::fmt;
use std::fs;
use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::args::{Bench, Direct, Load, Null, Relayed, Scenario, Way};
use super::arrivals::Arrivals;
use super::carrier::Carrier;
use super::clients::CLIENTS_MAX;
use super::cpu::Usage;
use super::load::{INTERRUPTED, Run};
use super::null::{Log, NullServer};
use super::packet::{Messages, Profile};
use super::plot;
use super::progress::Progress;
use super::report::{self, Outcome, Phase, Report};
use super::stream::{Stream, Work};

/// Why a run could not be made.
#[derive(Debug)]
pub(super) enum Error {
    /// A socket, a file or a process could not be used.
    Io(&'static str, io::Error),
    /// None of the clients that were to be bound before the load got a lease.
    Unbound { clients: u32 },
    /// More clients than there are numbers.
    TooManyClients,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(what, error) => write!(f, "{what}: {error}"),
            Self::Unbound { clients } => {
                write!(f, "none of {clients} clients got a lease: does the server answer here?")
            }
            Self::TooManyClients => {
                write!(f, "--clients and --bound are more than {CLIENTS_MAX} together")
            }
        }
    }
}

/// Runs one load or null server: status 1 if the server broke a rule, 2 if nothing could be run.
#[must_use]
pub fn run(bench: &Bench) -> ExitCode {
    on_interrupt();
    let outcome = match &bench.way {
        Way::Relayed(relayed) => run_relayed(relayed),
        Way::Direct(direct) => run_direct(direct),
        Way::Null(null) => serve_null(null).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("leasehold bench: {error}");
            ExitCode::from(2)
        }
    }
}

fn run_relayed(relayed: &Relayed) -> Result<bool, Error> {
    let giaddr = *relayed.relay.ip();
    let messages = Messages::new(profile(&relayed.load, giaddr, false, relayed.option_82));
    let carrier = Carrier::relayed(relayed.relay, relayed.server)
        .map_err(|error| Error::Io("the relay's socket (--relay)", error))?;
    finish("relayed", &relayed.load, measure(&relayed.load, carrier, messages)?)
}

fn run_direct(direct: &Direct) -> Result<bool, Error> {
    let carrier = Carrier::direct(&direct.interface)
        .map_err(|error| Error::Io("the raw socket (--interface)", error))?;
    let profile = profile(&direct.load, Ipv4Addr::UNSPECIFIED, !direct.unicast, false);
    finish("direct", &direct.load, measure(&direct.load, carrier, Messages::new(profile))?)
}

fn profile(load: &Load, giaddr: Ipv4Addr, broadcast: bool, option_82: bool) -> Profile {
    let (client_id, host_name) = (!load.no_client_id, !load.no_host_name);
    Profile { giaddr, broadcast, client_id, host_name, option_82 }
}

/// What a run leaves for its report.
pub(super) struct Measured {
    run: Run,
    binding: Option<Phase>,
    load: Phase,
    bound: Option<Outcome>,
}

/// Binds the clients that have to be bound, then runs the load.
pub(super) fn measure(
    load: &Load,
    carrier: Carrier,
    messages: Messages,
) -> Result<Measured, Error> {
    let total = load.clients.checked_add(load.bound).filter(|&total| total <= CLIENTS_MAX);
    let total = total.ok_or(Error::TooManyClients)?;
    let progress = if load.quiet { Progress::silent() } else { Progress::new() };
    let mut run = Run::new(carrier, messages, load.seed, total, &load.retry)
        .spinning(load.spin)
        .showing(progress);
    let work = work(load.scenario);
    let bound_first = if matches!(work, Work::Renew | Work::Mixed) { total } else { load.bound };
    let binding = if bound_first > 0 { Some(bind(&mut run, bound_first, load)?) } else { None };
    let (now, random) = run.clock();
    let mut streams = vec![main_stream(load, work, now, random)];
    if let Some(rate) = load.bound_rate.filter(|_| load.bound > 0) {
        streams.push(Stream::new(Work::Renew, 0..load.bound, Arrivals::rate(now, rate, random)));
    }
    let phase = drive(&mut run, "load", &mut streams, load)?;
    let bound = streams.get(1).map(Outcome::of);
    Ok(Measured { run, binding, load: phase, bound })
}

/// Runs streams, and takes what they and the server's work behind them cost.
fn drive(
    run: &mut Run,
    label: &'static str,
    streams: &mut [Stream],
    load: &Load,
) -> Result<Phase, Error> {
    let usage = || Usage::read(&load.pid).map_err(|error| Error::Io("CPU times (--pid)", error));
    let before = usage()?;
    let (now, _) = run.clock();
    run.progress.begin(label, now);
    run.drive(streams).map_err(|error| Error::Io("the network", error))?;
    run.progress.end();
    thread::sleep(load.settle);
    Ok(Phase::new(streams, usage()?.since(&before), !load.pid.is_empty()))
}

fn work(scenario: Scenario) -> Work {
    match scenario {
        Scenario::Dora => Work::Dora,
        Scenario::Renew => Work::Renew,
        Scenario::Mixed => Work::Mixed,
        Scenario::Visit => Work::Visit,
        Scenario::Discover => Work::Discover,
    }
}

fn bind(run: &mut Run, count: u32, load: &Load) -> Result<Phase, Error> {
    let outstanding = u64::from(load.outstanding);
    let stream = Stream::new(Work::Dora, 0..count, Arrivals::Closed { outstanding });
    let phase = drive(run, "binding", &mut [stream.limited(u64::from(count))], load)?;
    if phase.outcome.done == 0 { Err(Error::Unbound { clients: count }) } else { Ok(phase) }
}

fn main_stream(load: &Load, work: Work, now: u64, random: &mut Rng) -> Stream {
    let clients = load.bound..load.bound + load.clients;
    let exchanges = load.exchanges.unwrap_or(u64::from(load.clients));
    let nanoseconds = |span: Duration| span.as_nanos() as u64;
    let arrivals = match (load.within, load.rate) {
        (Some(span), _) => Arrivals::within(now, nanoseconds(span), exchanges, random),
        (None, Some(rate)) => Arrivals::rate(now, rate, random),
        (None, None) => Arrivals::Closed { outstanding: u64::from(load.outstanding) },
    };
    let stream = Stream::new(work, clients, arrivals);
    match load.during {
        Some(span) => stream.ending(now + nanoseconds(span)),
        None => stream.limited(exchanges),
    }
}

/// Writes the report; tells whether the server kept the rules.
fn finish(way: &'static str, load: &Load, measured: Measured) -> Result<bool, Error> {
    let report = describe(way, load, measured);
    if load.json.as_deref() != Some(Path::new("-")) {
        print(&report.to_string())?;
    }
    if let Some(path) = &load.json {
        let text = serde_json::to_string_pretty(&report);
        let text = text.map_err(|error| Error::Io("the JSON", error.into()))? + "\n";
        match path == Path::new("-") {
            true => print(&text)?,
            false => fs::write(path, text).map_err(|error| Error::Io("--json", error))?,
        }
    }
    if let Some(path) = &load.svg {
        fs::write(path, plot::svg(&report)).map_err(|error| Error::Io("--svg", error))?;
    }
    Ok(report.faults.is_empty())
}

fn print(text: &str) -> Result<(), Error> {
    io::stdout().write_all(text.as_bytes()).map_err(|error| Error::Io("standard output", error))
}

pub(super) fn describe(way: &'static str, load: &Load, measured: Measured) -> Report {
    let arrivals = match (load.within, load.rate) {
        (Some(span), _) => format!("open loop, all within {} s", span.as_secs_f64()),
        (None, Some(rate)) => format!("open loop, {rate} a second"),
        (None, None) => format!("closed loop, {} outstanding", load.outstanding),
    };
    let scenario = match load.scenario {
        Scenario::Dora => "DORA",
        Scenario::Renew => "renewals",
        Scenario::Mixed => "mixed",
        Scenario::Visit => "visits",
        Scenario::Discover => "DISCOVER",
    };
    let Measured { run, binding, load: phase, bound } = measured;
    Report {
        version: env!("CARGO_PKG_VERSION"),
        way,
        scenario,
        arrivals,
        clients: load.clients,
        seed: load.seed,
        binding,
        load: phase,
        bound,
        answers_checked: run.matched,
        foreign_answers: run.foreign,
        faults: report::faults(&run.faults),
        answers_dropped: run.carrier.dropped(),
        interrupted: INTERRUPTED.load(Ordering::Relaxed),
    }
}

fn serve_null(null: &Null) -> Result<(), Error> {
    let log = null.log.as_deref().map(|path| Log::create(path, null.laid_out)).transpose();
    let log = log.map_err(|error| Error::Io("the log (--log)", error))?;
    let server = match (&null.listen, &null.interface) {
        (Some(listen), _) => NullServer::datagrams(*listen, log),
        (None, Some(interface)) => NullServer::frames(interface, null.identity, log),
        (None, None) => return Ok(()),
    };
    let mut server = server.map_err(|error| Error::Io("the server's socket", error))?;
    if let Ok(address) = server.address() {
        eprintln!("answering at {address}");
    }
    server.serve(&INTERRUPTED).map_err(|error| Error::Io("the network", error))
}

/// SIGINT and SIGTERM end the run in order: the report still comes.
fn on_interrupt() {
    extern "C" fn note(_: libc::c_int) {
        INTERRUPTED.store(true, Ordering::Relaxed);
    }
    for signal in [libc::SIGINT, libc::SIGTERM] {
        // SAFETY: the handler only stores to an atomic, which is safe in a signal handler.
        unsafe { libc::signal(signal, note as *const () as libc::sighandler_t) };
    }
}
