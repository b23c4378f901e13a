//! The data plane: one thread that owns the engine, the sockets and the store's promises.
//!
//! It waits for whatever comes first, works through a turn, and waits again. In a turn: at most 256
//! packets and what the faces have ordered go into the engine; what may leave leaves; what is
//! promised waits until the store has synced. While it syncs, the next turn is decided; when too
//! many wait, packets wait in the kernel's queue.

use core::fmt;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use leasehold_dhcp::config::{Config, Relay};
use leasehold_dhcp::order::{Answer, Order, OrderId};
use leasehold_dhcp::{Engine, IfIndex, Input, Interfaces, Location, Outbox, Promises, Turn};
use leasehold_pool::{Plan, PlanError, Pools};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::clock;
use crate::journal::Journal;
use crate::net::routed::UdpError;
use crate::net::{Arrival, Sockets, sockets};
use crate::store::{self, Historian, OpenError, Opened, Outcome, Store, Trust};
use crate::supervisor::Keep;

pub mod latency;
mod servers;

/// What the worker is started with.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The state directory.
    pub state: PathBuf,
    /// How the store behaves.
    pub store: store::Settings,
    /// The UDP port that is served.
    pub port: u16,
    /// The first configuration.
    pub config: Arc<Config>,
    /// The interfaces as they are.
    pub interfaces: Arc<Interfaces>,
    /// Keys the engine's hashes.
    pub seed: u64,
    /// What clients' nonces follow from (RFC 6704).
    pub nonce_key: [u8; 32],
}

/// What the control task asks of the worker; answered between turns.
#[derive(Debug)]
pub enum Request {
    /// The machine's interfaces changed.
    Interfaces(Arc<Interfaces>),
    /// A new configuration; the answer comes when it is in force.
    Config(Arc<Config>, oneshot::Sender<Result<(), PlanError>>),
    /// A face's order.
    Order(Order, oneshot::Sender<Answer>),
    /// What has passed, and whether the store works.
    Health(oneshot::Sender<Health>),
    /// The end: what is promised is still made durable and sent.
    Stop,
}

/// How the data plane does.
#[derive(Clone, Copy, Debug)]
pub struct Health {
    /// Packets in and out.
    pub traffic: sockets::Traffic,
    /// Whether new promises can be made.
    pub store_works: bool,
    /// Turns that wait for the disk.
    pub pending: usize,
    /// How long turns have waited for it.
    pub commits: latency::Latency,
}

/// Why the worker could not start.
#[derive(Debug)]
pub enum StartError {
    /// The lease store.
    Store(OpenError),
    /// The sockets.
    Sockets(UdpError),
    /// The configuration's pools.
    Pools(PlanError),
    /// The thread or its runtime.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Sockets(error) => error.fmt(f),
            Self::Pools(error) => write!(f, "the pools cannot be made: {error}"),
            Self::Thread(error) => write!(f, "cannot start the worker: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// The worker, as the control task sees it.
#[derive(Debug)]
pub struct Worker {
    /// Where requests go.
    pub requests: mpsc::UnboundedSender<Request>,
    /// Asks the past.
    pub historian: Historian,
    /// What is in force.
    pub config: watch::Receiver<Arc<Config>>,
    /// Which leases have changed, a turn at a time; a slow listener misses some.
    pub leases: broadcast::Sender<Arc<[Location]>>,
    thread: JoinHandle<()>,
}

impl Worker {
    /// Starts the worker and waits until it hears its clients.
    pub async fn start(settings: Settings, keep: Keep) -> Result<Self, StartError> {
        let (requests, received) = mpsc::unbounded_channel();
        let (started, starting) = oneshot::channel();
        let thread = thread::Builder::new().name("worker".into());
        let spawned = thread.spawn(move || run(settings, keep, received, started));
        let thread = spawned.map_err(StartError::Thread)?;
        match starting.await {
            Ok(Ok((historian, config, leases))) => {
                Ok(Self { requests, historian, config, leases, thread })
            }
            Ok(Err(error)) => Err(error),
            Err(_) => Err(StartError::Thread(io::ErrorKind::Interrupted.into())),
        }
    }

    /// Whether it has ended by itself: that is a bug.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Ends it: promises are kept, the store is closed.
    pub fn stop(self) {
        // A worker that is gone needs no telling.
        let _ = self.requests.send(Request::Stop);
        let _ = self.thread.join();
    }
}

type Leases = broadcast::Sender<Arc<[Location]>>;
type Opening = Result<(Historian, watch::Receiver<Arc<Config>>, Leases), StartError>;
type Started = oneshot::Sender<Opening>;

fn run(
    settings: Settings,
    keep: Keep,
    requests: mpsc::UnboundedReceiver<Request>,
    started: Started,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(async {
            match Plane::open(settings, keep, requests) {
                Ok(plane) => {
                    let (config, leases) = (plane.in_force.subscribe(), plane.leases.clone());
                    let _ = started.send(Ok((plane.store.historian(), config, leases)));
                    // As a task: tokio interrupts its wait by a system call for what is none.
                    let ended = tokio::spawn(plane.work()).await;
                    if let Err(bug) = ended {
                        std::panic::resume_unwind(bug.into_panic());
                    }
                }
                Err(error) => drop(started.send(Err(error))),
            }
        }),
        Err(error) => drop(started.send(Err(StartError::Thread(error)))),
    }
}

/// Turns that a listener for changes of leases may be behind.
const CHANGES: usize = 1024;
/// Packets that one turn takes at most.
const DRAIN: usize = 256;
/// Turns that may wait for the disk before packets wait in the kernel.
const PENDING: usize = 32;
/// A disk that takes longer than this is as good as broken: nobody waits for its promises.
const STALL: Duration = Duration::from_secs(3);
/// The longest sleep: timers do not count a suspend, the deadline does.
const NAP: Duration = Duration::from_secs(5);

/// What the writer is to the worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StoreHealth {
    Works,
    /// It has said so; it will say when it works again.
    Failed,
    /// It says nothing; it works again once it has answered this turn.
    Stalled(u64),
}

/// What came first.
enum Woken {
    Request(Option<Request>),
    Outcome(Outcome),
    Packets(io::Result<()>),
    /// Something is due.
    Due,
}

struct Plane {
    state: PathBuf,
    engine: Engine,
    outbox: Outbox,
    config: Arc<Config>,
    in_force: watch::Sender<Arc<Config>>,
    leases: Leases,
    pools: Pools,
    interfaces: Arc<Interfaces>,
    sockets: Sockets,
    store: Store,
    outcomes: mpsc::UnboundedReceiver<Outcome>,
    requests: mpsc::UnboundedReceiver<Request>,
    pending: VecDeque<(Turn, Instant)>,
    health: StoreHealth,
    commits: latency::Latency,
    sent: u64,
    journal: Journal,
    asked: BTreeMap<OrderId, oneshot::Sender<Answer>>,
    next_order: u64,
    servers: servers::States,
    stopping: bool,
}

impl Plane {
    fn open(
        settings: Settings,
        keep: Keep,
        requests: mpsc::UnboundedReceiver<Request>,
    ) -> Result<Self, StartError> {
        if store::wants_repair(&settings.state) {
            repair(&settings.state)?;
        }
        let recalled = recall(&settings).or_else(|error| match error {
            StartError::Store(damage) if damage.is_damage() => {
                tracing::error!("{damage}");
                repair(&settings.state)?;
                recall(&settings)
            }
            other => Err(other),
        });
        let Recalled { opened, engine, pools } = recalled?;
        let sequence = opened.sequence();
        let (sender, outcomes) = mpsc::unbounded_channel();
        // A worker that has ended hears nothing.
        let store = opened.start(move |outcome| drop(sender.send(outcome)));
        let store = store.map_err(StartError::Thread)?;
        let sockets =
            Sockets::open(settings.port, settings.seed, keep).map_err(StartError::Sockets)?;
        let mut plane = Self {
            engine,
            outbox: Outbox::after(sequence),
            state: settings.state,
            in_force: watch::channel(Arc::clone(&settings.config)).0,
            config: settings.config,
            leases: broadcast::channel(CHANGES).0,
            pools,
            interfaces: Arc::default(),
            sockets,
            store,
            outcomes,
            requests,
            pending: VecDeque::new(),
            health: StoreHealth::Works,
            commits: latency::Latency::default(),
            sent: sequence,
            journal: Journal::default(),
            asked: BTreeMap::new(),
            next_order: 1,
            servers: servers::States::default(),
            stopping: false,
        };
        plane.adopt(settings.interfaces);
        plane.sockets.forget_rest();
        plane.finish();
        Ok(plane)
    }

    async fn work(mut self) {
        // What was begun is ended: promises, and offers that wait for a probe.
        while !(self.stopping && self.pending.is_empty() && !self.engine.is_probing()) {
            let nap = tokio::time::sleep(self.nap());
            let hears = !self.stopping && self.pending.len() < PENDING;
            let woken = tokio::select! {
                request = self.requests.recv(), if !self.stopping => Woken::Request(request),
                Some(outcome) = self.outcomes.recv() => Woken::Outcome(outcome),
                ready = self.sockets.ready(), if hears => Woken::Packets(ready),
                () = nap => Woken::Due,
            };
            self.answers();
            match woken {
                Woken::Request(Some(request)) => self.request(request),
                Woken::Request(None) => self.stopping = true,
                Woken::Outcome(outcome) => self.outcome(outcome),
                Woken::Packets(Ok(())) => self.hear(),
                Woken::Packets(Err(error)) => tracing::error!("waiting for packets: {error}"),
                Woken::Due => self.tick(),
            }
            self.finish();
        }
        let sockets::Traffic { received, broken, twice, late, sent, refused } =
            self.sockets.traffic;
        tracing::info!(received, broken, twice, late, sent, refused, "the worker ends");
        let offers = self.engine.offers(clock::now());
        if let Err(error) = store::offers::hand_over(&self.state, &offers) {
            tracing::warn!("the next process does not learn of {} offers: {error}", offers.len());
        }
    }

    /// How long nothing is due.
    fn nap(&self) -> Duration {
        let now = clock::now().boottime;
        let engine = self.engine.deadline().map_or(NAP, |deadline| now.until(deadline));
        let stall = self.pending.front().map_or(NAP, |(_, since)| {
            STALL.saturating_sub(since.elapsed()).max(Duration::from_millis(1))
        });
        engine.min(stall).min(NAP)
    }

    /// What is due may be a probe's end: an answer that has waited longer, for a slow disk or the
    /// processor, still counts.
    fn answers(&mut self) {
        let now = clock::now();
        let Self { engine, outbox, sockets, .. } = self;
        if engine.deadline().is_some_and(|deadline| deadline <= now.boottime) {
            sockets.answers(DRAIN, |answer| engine.handle(now, Input::Probe(answer), outbox));
        }
    }

    fn hear(&mut self) {
        let now = clock::now();
        let Self { engine, outbox, sockets, .. } = self;
        sockets.receive(DRAIN, |arrival| match arrival {
            Arrival::Datagram(datagram) => engine.handle(now, Input::Datagram(datagram), outbox),
            Arrival::Server(datagram) => engine.handle(now, Input::Server(datagram), outbox),
            Arrival::Probe(answer) => engine.handle(now, Input::Probe(answer), outbox),
            Arrival::Broken(IfIndex(interface), broken) => {
                let kind = broken.counter();
                tracing::debug!(target: "dhcp", kind, interface, "ignored a packet: {broken}");
            }
        });
    }

    fn tick(&mut self) {
        let stalled = self.pending.front().is_some_and(|(_, since)| since.elapsed() >= STALL);
        if stalled {
            tracing::error!("the disk has not answered for {} s", STALL.as_secs());
            self.health = StoreHealth::Stalled(self.sent);
            self.abandon();
        }
        self.handle(Input::Tick);
    }

    fn handle(&mut self, input: Input<'_>) {
        self.engine.handle(clock::now(), input, &mut self.outbox);
    }

    /// Ends the turn: what is promised goes to the store, which works while the rest is done; what
    /// may leave leaves.
    fn finish(&mut self) {
        let (prompt, turn) = self.outbox.seal();
        let refused = self.commit(turn);
        if !prompt.replies().is_empty() {
            self.sockets.send([prompt.replies()]);
        }
        self.outbox.recycle_prompt(prompt);
        for probe in self.outbox.probes() {
            self.sockets.probe(probe);
        }
        if let Some(turn) = refused {
            self.give_up(turn);
        }
        for event in self.outbox.events() {
            self.journal.write(&event);
        }
        let answers: Vec<_> = self.outbox.answers().collect();
        answers.into_iter().for_each(|(order, answer)| self.answer(order, answer));
    }

    /// Hands a turn to the store, if that works; else it comes back.
    fn commit(&mut self, mut turn: Turn) -> Option<Turn> {
        if turn.is_empty() {
            return None;
        }
        if self.health != StoreHealth::Works {
            return Some(turn);
        }
        if self.leases.receiver_count() > 0 {
            let changed = turn.records().iter().map(|record| record.location);
            // Whoever listened may be gone since.
            let _ = self.leases.send(changed.collect());
        }
        self.store.commit(&mut turn);
        self.sent = turn.sequence();
        self.pending.push_back((turn, Instant::now()));
        None
    }

    /// What the engine says to an abandoned turn is nothing that could be promised.
    fn give_up(&mut self, turn: Turn) {
        self.handle(Input::Abandoned(turn.abandon()));
        let (prompt, turn) = self.outbox.seal();
        self.sockets.send([prompt.replies()]);
        if !turn.is_empty() {
            tracing::error!("an abandoned turn led to promises: they are dropped");
        }
        drop(turn.abandon());
    }

    fn outcome(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Durable { through, proof } => {
                let ended = self.pending.partition_point(|(turn, _)| turn.sequence() <= through);
                let mut released = Vec::with_capacity(ended);
                for (turn, since) in self.pending.drain(..ended) {
                    self.commits.note(since.elapsed());
                    released.push(turn.release(&proof));
                }
                self.sockets.send(released.iter().map(Promises::replies));
                for mut promises in released {
                    let answers: Vec<_> = promises.answers().collect();
                    answers.into_iter().for_each(|(order, answer)| self.answer(order, answer));
                    self.outbox.recycle_promises(promises);
                }
                if matches!(self.health, StoreHealth::Stalled(last) if through >= last) {
                    self.recovered();
                }
            }
            Outcome::Failed { epoch, reason } => {
                tracing::error!("lease store: {reason}");
                self.health = StoreHealth::Failed;
                self.store.give_up(epoch);
                self.abandon();
            }
            Outcome::Recovered => self.recovered(),
        }
    }

    fn recovered(&mut self) {
        self.health = StoreHealth::Works;
        self.handle(Input::StoreRecovered);
    }

    /// Gives up all that waits, newest first: what was durable before the oldest is what remains.
    fn abandon(&mut self) {
        while let Some((turn, _)) = self.pending.pop_back() {
            self.handle(Input::Abandoned(turn.abandon()));
        }
    }

    fn request(&mut self, request: Request) {
        match request {
            Request::Interfaces(interfaces) => self.adopt(interfaces),
            Request::Config(config, done) => {
                let result = self.configure(config);
                let _ = done.send(result);
            }
            Request::Order(order, answer) => {
                let id = OrderId(self.next_order);
                self.next_order += 1;
                self.asked.insert(id, answer);
                self.handle(Input::Order(id, order));
            }
            Request::Health(answer) => {
                let store_works = self.health == StoreHealth::Works;
                let (traffic, pending) = (self.sockets.traffic, self.pending.len());
                let commits = self.commits;
                let _ = answer.send(Health { traffic, store_works, pending, commits });
            }
            Request::Stop => self.stopping = true,
        }
    }

    fn answer(&mut self, order: OrderId, answer: Answer) {
        if let Some(asker) = self.asked.remove(&order) {
            // An asker that has gone wants no answer.
            let _ = asker.send(answer);
        }
    }

    fn adopt(&mut self, interfaces: Arc<Interfaces>) {
        self.interfaces = Arc::clone(&interfaces);
        self.handle(Input::Interfaces(interfaces));
        // Our own addresses are kept out of the pools.
        if let Err(error) = self.configure(Arc::clone(&self.config)) {
            tracing::error!("pools with the new addresses: {error}");
        }
    }

    fn configure(&mut self, config: Arc<Config>) -> Result<(), PlanError> {
        let plan = config.plan(&self.interfaces, self.pools.plan());
        let pools = self.pools.reconfigure(&plan)?;
        self.pools = pools.clone();
        self.config = Arc::clone(&config);
        self.store.retain(Duration::from_secs(config.settings.history.into()));
        self.handle(Input::Config(Arc::clone(&config), pools));
        self.in_force.send_replace(config);
        self.listen();
        Ok(())
    }

    /// Opens and closes sockets as configuration and interfaces want it, and says so.
    fn listen(&mut self) {
        let direct = |relay| matches!(relay, Relay::None);
        let servers = self.config.servers.iter().filter(|server| direct(server.relay));
        let served = servers.clone().map(|server| &server.interface);
        for unheard in self.sockets.adopt(Arc::clone(&self.interfaces), served) {
            let sockets::Unheard { interface, error } = unheard;
            tracing::error!(%interface, "cannot hear the clients on {interface}: {error}");
        }
        let watched = self.config.alerts.iter().map(|alert| &alert.interface);
        for sockets::Unheard { interface, error } in self.sockets.watch(watched) {
            tracing::error!(%interface, "cannot watch {interface} for other servers: {error}");
        }
        self.servers.follow(servers, &self.interfaces);
    }
}

fn repair(state: &Path) -> Result<(), StartError> {
    let repaired = store::repair(state).map_err(StartError::Store)?;
    tracing::error!("the lease store was damaged and is repaired: {repaired}");
    Ok(())
}

/// An engine that knows what the store holds.
struct Recalled {
    opened: Opened,
    engine: Engine,
    pools: Pools,
}

fn recall(settings: &Settings) -> Result<Recalled, StartError> {
    let Settings { config, interfaces, .. } = settings;
    let plan = config.plan(interfaces, Plan::new());
    let pools = Pools::new(&plan).map_err(StartError::Pools)?;
    let now = clock::now();
    let opened = Opened::open(&settings.state, settings.store.clone(), now.wall);
    let mut opened = opened.map_err(StartError::Store)?;
    let start = opened.before(now);
    let mut engine = Engine::new(Arc::clone(config), pools.clone(), start, settings.seed);
    engine.set_nonce_key(settings.nonce_key);
    let mut records = 0u64;
    let loaded = opened.load(|record| {
        records += 1;
        engine.restore(record);
    });
    let trust = loaded.map_err(StartError::Store)?;
    if let (Trust::Suspect(why), Some(since)) = (trust, opened.suspect_since()) {
        if engine.distrust(now, since) {
            tracing::warn!("{why}: addresses are probed before they are offered");
        } else {
            opened.believe().map_err(StartError::Store)?;
        }
    }
    store::offers::take_over(&settings.state).into_iter().for_each(|it| engine.restore_offer(it));
    tracing::info!(records, turn = opened.sequence(), "lease store read");
    Ok(Recalled { opened, engine, pools })
}
