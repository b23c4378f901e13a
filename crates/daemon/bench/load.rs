//! The generator's loop: answers, timers, arrivals, then one batch of messages.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::carrier::{Arrived, Carrier};
use super::clients::{Client, Clients, Names, Stage};
use super::packet::{Fields, Kind, Messages};
use super::progress::Progress;
use super::reply::{Answer, Fault, Reply};
use super::stream::{Start, Stream, Work};
use super::tally::Faults;
use super::wheel::{TICK, Wheel};

/// A client that is refused so often in one exchange is given up.
const NAKS_MAX: u8 = 5;
/// RFC 2131 § 4.1: the delay is "randomized by the value of a uniform random number chosen from
/// the range -1 to +1" seconds; shorter delays get a quarter of themselves.
const JITTER_MAX: u64 = 1_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// Set by the signal handler: the run ends with what it has.
pub(super) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A run's clients on their way to the server.
pub(super) struct Run {
    pub(super) carrier: Carrier,
    messages: Messages,
    names: Names,
    clients: Clients,
    wheel: Wheel,
    retry: Vec<u64>,
    random: Rng,
    began: Instant,
    now: u64,
    spin: bool,
    pub(super) progress: Progress,
    pub(super) faults: Faults,
    /// Answers that other hosts' clients got.
    pub(super) foreign: u64,
    /// Answers that kept every rule.
    pub(super) matched: u64,
}

impl Run {
    pub(super) fn new(
        carrier: Carrier,
        messages: Messages,
        seed: u64,
        clients: u32,
        retry: &[Duration],
    ) -> Self {
        let retry = retry.iter().map(|delay| delay.as_nanos() as u64).collect();
        Self {
            carrier,
            messages,
            names: Names::new(seed),
            clients: Clients::new(clients),
            wheel: Wheel::new(clients),
            retry,
            random: Rng::with_seed(seed),
            began: Instant::now(),
            now: 0,
            spin: false,
            progress: Progress::silent(),
            faults: Faults::default(),
            foreign: 0,
            matched: 0,
        }
    }

    /// Polls the socket instead of sleeping.
    pub(super) fn spinning(self, spin: bool) -> Self {
        Self { spin, ..self }
    }

    pub(super) fn showing(self, progress: Progress) -> Self {
        Self { progress, ..self }
    }

    /// The clock, nanoseconds since the run began, and the source of all that is random.
    pub(super) fn clock(&mut self) -> (u64, &mut Rng) {
        self.now = self.began.elapsed().as_nanos() as u64;
        (self.now, &mut self.random)
    }

    /// Runs the streams until the first one has started and ended all its exchanges; the others
    /// start nothing from then on, and end theirs.
    pub(super) fn drive(&mut self, streams: &mut [Stream]) -> io::Result<()> {
        let mut inbox = Carrier::inbox();
        loop {
            let received = self.carrier.receive(&mut inbox)?;
            self.clock();
            for index in 0..received {
                self.arrived(streams, inbox.bytes(index))?;
            }
            while let Some(number) = self.wheel.expired(self.now) {
                self.timeout(streams, number)?;
            }
            let mut started = false;
            for index in 0..streams.len() {
                started |= self.start_due(streams, index)?;
            }
            self.carrier.flush()?;
            self.progress.show(self.now, &streams[0].tally);
            if self.is_over(streams) {
                return Ok(());
            }
            if received == 0 && !started && !self.spin {
                self.carrier.wait(self.idle_time(streams))?;
            }
        }
    }

    fn is_over(&self, streams: &mut [Stream]) -> bool {
        let [first, others @ ..] = streams else { return true };
        let interrupted = INTERRUPTED.load(Ordering::Relaxed);
        if interrupted || (first.is_exhausted(self.now) && first.under_way == 0) {
            for other in others.iter_mut() {
                other.until = Some(other.until.map_or(self.now, |until| until.min(self.now)));
            }
            return interrupted || others.iter().all(|other| other.under_way == 0);
        }
        false
    }

    fn idle_time(&self, streams: &[Stream]) -> Duration {
        let limit = if self.wheel.is_idle() { 10 * TICK } else { TICK };
        let next = streams.iter().filter(|stream| !stream.is_exhausted(self.now));
        let next = next.filter_map(|stream| stream.arrivals.next()).min();
        let wait = next.map_or(limit, |next| next.saturating_sub(self.now).min(limit));
        Duration::from_nanos(wait)
    }

    fn start_due(&mut self, streams: &mut [Stream], index: usize) -> io::Result<bool> {
        let stream = &mut streams[index];
        let mut started = false;
        while let Some((number, start, due)) =
            stream.next(&self.clients, self.now, &mut self.random)
        {
            started = true;
            stream.tally.start(due, self.now);
            let client = self.clients.at(number);
            (client.due, client.naks) = (due, 0);
            client.exchange = client.exchange.wrapping_add(1);
            if start == Start::Release {
                self.release(number)?;
                stream.tally.finish(due, self.now);
                continue;
            }
            stream.under_way += 1;
            let stage = match start {
                Start::Discover => Stage::Selecting,
                Start::Reboot => Stage::Rebooting,
                Start::Renew | Start::Release => Stage::Renewing,
            };
            client.wanted = client.leased;
            self.enter(number, stage)?;
        }
        Ok(started)
    }

    /// Nobody answers, so the address is free from now on.
    fn release(&mut self, number: u32) -> io::Result<()> {
        self.transmit(number, Kind::Release)?;
        let client = self.clients.at(number);
        (client.stage, client.leased) = (Stage::Off, Ipv4Addr::UNSPECIFIED);
        Ok(())
    }

    /// Sends the first message of a stage.
    fn enter(&mut self, number: u32, stage: Stage) -> io::Result<()> {
        let now = self.now;
        let client = self.clients.at(number);
        (client.stage, client.attempt, client.sent) = (stage, 0, now);
        self.transmit_again(number)
    }

    /// Sends the stage's message and arms the timer for its answer.
    fn transmit_again(&mut self, number: u32) -> io::Result<()> {
        let client = self.clients.at(number);
        let kind = match client.stage {
            Stage::Selecting => Kind::Discover,
            Stage::Requesting => Kind::Select,
            Stage::Rebooting => Kind::Reboot,
            Stage::Renewing => Kind::Renew,
            Stage::Off | Stage::Bound => return Ok(()),
        };
        let delay = self.retry.get(usize::from(client.attempt)).copied().unwrap_or(SECOND);
        let jitter = JITTER_MAX.min(delay / 4);
        let delay = delay - jitter + self.random.u64(..=2 * jitter);
        self.wheel.arm(number, self.now + delay);
        self.transmit(number, kind)
    }

    fn transmit(&mut self, number: u32, kind: Kind) -> io::Result<()> {
        let Client { exchange, wanted, leased, server, due, .. } = *self.clients.at(number);
        let released = kind == Kind::Release;
        let fields = Fields {
            xid: self.names.xid(number, exchange),
            secs: u16::try_from((self.now - due) / SECOND).unwrap_or(u16::MAX),
            mac: self.names.mac(number),
            number,
            address: if released { leased } else { wanted },
            server,
        };
        self.carrier.send(&self.messages, kind, &fields)
    }

    /// No answer in time: once more, or never again.
    fn timeout(&mut self, streams: &mut [Stream], number: u32) -> io::Result<()> {
        let stream = stream_of(streams, number);
        let client = self.clients.at(number);
        client.attempt += 1;
        let last = stream.work == Work::Discover || usize::from(client.attempt) >= self.retry.len();
        if last {
            self.give_up(stream, number);
            return Ok(());
        }
        stream.tally.retries += 1;
        self.transmit_again(number)
    }

    fn give_up(&mut self, stream: &mut Stream, number: u32) {
        let client = self.clients.at(number);
        let bound = client.leased != Ipv4Addr::UNSPECIFIED;
        client.stage = if bound { Stage::Bound } else { Stage::Off };
        self.wheel.disarm(number);
        stream.under_way -= 1;
        stream.tally.given_up += 1;
    }

    fn arrived(&mut self, streams: &mut [Stream], bytes: &[u8]) -> io::Result<()> {
        match self.carrier.open(bytes) {
            Arrived::Message(message) => self.answered(streams, message),
            Arrived::ArpRequest { asker, target } => match self.clients.owner(target, self.now) {
                Some(owner) => self.carrier.answer_arp((self.names.mac(owner), target), asker),
                None => Ok(()),
            },
            Arrived::Other => Ok(()),
        }
    }

    fn answered(&mut self, streams: &mut [Stream], message: &[u8]) -> io::Result<()> {
        match self.vet(streams, message) {
            Ok((reply, number, exchange)) => {
                let stream = stream_of(streams, number);
                let client = self.clients.at(number);
                if exchange != client.exchange || !client.stage.waits() {
                    stream.tally.late += 1;
                    return Ok(());
                }
                self.take(stream, number, &reply)
            }
            Err(_) if self.carrier.hears_others() && !self.is_for_us(message) => {
                self.foreign += 1;
                Ok(())
            }
            Err(fault) => {
                self.faults.note(fault, || describe(message));
                Ok(())
            }
        }
    }

    /// Whether chaddr is one that this run's seed makes.
    fn is_for_us(&self, message: &[u8]) -> bool {
        message.get(28..34).is_some_and(|mac| mac[..3] == self.names.mac(0)[..3])
    }

    /// Whose answer it is, by client and exchange, if it keeps the rules that need no more.
    fn vet<'a>(
        &self,
        streams: &[Stream],
        message: &'a [u8],
    ) -> Result<(Reply<'a>, u32, u8), Fault> {
        let reply = Reply::parse(message)?;
        let (number, exchange) = self.names.of_xid(reply.xid);
        if !streams.iter().any(|stream| stream.has(number)) {
            return Err(Fault::UnknownTransaction);
        }
        if reply.mac != self.names.mac(number) {
            return Err(Fault::OtherClient);
        }
        if reply.giaddr != self.messages.profile().giaddr {
            return Err(Fault::OtherRelay);
        }
        if !self.messages.agent_matches(number, reply.agent) {
            return Err(Fault::AgentNotEchoed);
        }
        Ok((reply, number, exchange))
    }

    /// An answer that the client waits for, or one that it must not get.
    fn take(&mut self, stream: &mut Stream, number: u32, reply: &Reply<'_>) -> io::Result<()> {
        let now = self.now;
        let client = self.clients.at(number);
        let fault = match (client.stage, reply.answer) {
            (Stage::Selecting, Answer::Offer) => {
                self.matched += 1;
                return self.offered(stream, number, reply);
            }
            (Stage::Requesting, Answer::Offer) => {
                stream.tally.late += 1;
                return Ok(());
            }
            (Stage::Requesting | Stage::Renewing | Stage::Rebooting, Answer::Nak) => {
                self.matched += 1;
                return self.refused(stream, number);
            }
            (Stage::Requesting | Stage::Renewing | Stage::Rebooting, Answer::Ack) => {
                if reply.address != client.wanted {
                    Some(Fault::OtherAddress)
                } else if client.stage == Stage::Requesting && reply.server != client.server {
                    Some(Fault::OtherServer)
                } else {
                    None
                }
            }
            _ => Some(Fault::UnexpectedType),
        };
        if let Some(fault) = fault {
            self.faults.note(fault, || told(client, reply));
            return Ok(());
        }
        self.matched += 1;
        stream.tally.ack.saturating_record(now - client.sent);
        let due = client.due;
        client.server = reply.server;
        if let Err(other) = self.clients.bind(number, reply.address, now, reply.lease_time) {
            let address = reply.address;
            let case = || format!("{address} belongs to client {other}, now to {number} too");
            self.faults.note(Fault::TwoOwners, case);
        }
        self.end(stream, number, due);
        if stream.work == Work::Visit {
            self.release(number)?;
        }
        Ok(())
    }

    fn offered(&mut self, stream: &mut Stream, number: u32, reply: &Reply<'_>) -> io::Result<()> {
        let now = self.now;
        let client = self.clients.at(number);
        stream.tally.offer.saturating_record(now - client.sent);
        (client.wanted, client.server) = (reply.address, reply.server);
        if stream.work == Work::Discover {
            let due = client.due;
            client.stage = Stage::Off;
            self.end(stream, number, due);
            return Ok(());
        }
        self.enter(number, Stage::Requesting)
    }

    /// RFC 2131 § 3.1: on a NAK "the client restarts the configuration process".
    fn refused(&mut self, stream: &mut Stream, number: u32) -> io::Result<()> {
        stream.tally.naks += 1;
        let client = self.clients.at(number);
        client.leased = Ipv4Addr::UNSPECIFIED;
        client.naks += 1;
        if client.naks >= NAKS_MAX {
            self.give_up(stream, number);
            return Ok(());
        }
        client.exchange = client.exchange.wrapping_add(1);
        self.enter(number, Stage::Selecting)
    }

    fn end(&mut self, stream: &mut Stream, number: u32, due: u64) {
        self.wheel.disarm(number);
        stream.under_way -= 1;
        stream.tally.finish(due, self.now);
    }
}

/// Each client belongs to one stream of the run.
fn stream_of(streams: &mut [Stream], number: u32) -> &mut Stream {
    let own = streams.iter_mut().find(|stream| stream.has(number));
    own.expect("only clients of a stream are started")
}

fn told(client: &Client, reply: &Reply<'_>) -> String {
    format!(
        "{:?} from {} with {} to a client in {:?} that wants {} from {}",
        reply.answer, reply.server, reply.address, client.stage, client.wanted, client.server
    )
}

/// The first octets of a message that broke a rule.
fn describe(message: &[u8]) -> String {
    let hex = |range: std::ops::Range<usize>| {
        let octets = message.get(range).unwrap_or_default();
        octets.iter().map(|octet| format!("{octet:02x}")).collect::<String>()
    };
    format!(
        "{} octets, xid {}, yiaddr {}, chaddr {}, options {}",
        message.len(),
        hex(4..8),
        hex(16..20),
        hex(28..34),
        hex(240..message.len().min(300))
    )
}
