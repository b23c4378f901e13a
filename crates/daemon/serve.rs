//! `leasehold serve`: starts the worker, follows signals and interfaces, answers the supervisor.

use core::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use leasehold_dhcp::Interfaces;
use sd_notify::NotifyState;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use crate::access::Gate;
use crate::bulk;
use crate::configuration::ConfigurationError;
use crate::control::{Control, Keeper, Plane};
use crate::faces::socket::Socket;
use crate::log;
use crate::monitoring::Monitor;
use crate::net::Watch;
use crate::net::watch::WatchError;
use crate::services::{self, Means};
use crate::store;
use crate::supervisor::{Inherited, Keep, Supervisor};
use crate::worker::{self, Health, Request, Worker};

/// What `leasehold serve` is told on its command line.
#[derive(Clone, Debug)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// The state directory.
    pub state: PathBuf,
    /// Where commands are taken; none if it cannot be made.
    pub socket: PathBuf,
}

/// Why serving did not begin, or ended.
#[derive(Debug)]
pub enum ServeError {
    /// The configuration file.
    Configuration(ConfigurationError),
    /// The kernel's interfaces.
    Watch(WatchError),
    /// The worker did not start.
    Start(worker::StartError),
    /// The runtime or its signals.
    Runtime(std::io::Error),
    /// The worker ended by itself.
    Ended,
}

impl fmt::Display for ServeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Configuration(error) => error.fmt(f),
            Self::Watch(error) => error.fmt(f),
            Self::Start(error) => error.fmt(f),
            Self::Runtime(error) => write!(f, "cannot start: {error}"),
            Self::Ended => f.write_str("the worker has ended by itself, which is a bug"),
        }
    }
}

impl std::error::Error for ServeError {}

/// Serves until SIGTERM or SIGINT.
pub fn serve(options: &Options, inherited: Inherited) -> Result<(), ServeError> {
    let supervisor = Supervisor::of_environment();
    let keep = Keep::new(supervisor.clone(), inherited);
    let keeper = Keeper::load(&options.config, &options.state);
    let keeper = keeper.map_err(ServeError::Configuration)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(ServeError::Runtime)?;
    let (result, worker) = runtime.block_on(async {
        match Serving::start(options, keeper, supervisor.clone(), keep).await {
            Ok(mut serving) => (serving.run().await, Some(serving.worker)),
            Err(error) => (Err(error), None),
        }
    });
    supervisor.tell(&[NotifyState::Stopping]);
    if let Some(worker) = worker {
        worker.stop();
    }
    result
}

struct Serving {
    supervisor: Supervisor,
    worker: Worker,
    control: Control,
    watch: Option<Watch>,
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// How often the status line is renewed when no watchdog wants to hear more often.
const STATUS: Duration = Duration::from_secs(10);
/// How long a worker may take to answer before it counts as stuck.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between attempts to watch the interfaces again.
const RETRY: Duration = Duration::from_secs(1);

impl Serving {
    async fn start(
        options: &Options,
        mut keeper: Keeper,
        supervisor: Supervisor,
        keep: Keep,
    ) -> Result<Self, ServeError> {
        let signal = |kind| signal(kind).map_err(ServeError::Runtime);
        let (terminate, interrupt) =
            (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let hangup = signal(SignalKind::hangup())?;
        let (watch, interfaces) = Watch::start().await.map_err(ServeError::Watch)?;
        let interfaces = Arc::new(interfaces);
        keeper.set_interfaces(Arc::clone(&interfaces));
        let settings = worker::Settings {
            state: options.state.clone(),
            store: store::Settings::default(),
            port: 67,
            config: keeper.config(),
            interfaces,
            seed: u64::from_ne_bytes(secret()),
            nonce_key: secret(),
        };
        let worker = Worker::start(settings, keep).await.map_err(ServeError::Start)?;
        let (sessions, troubles) = (keeper.sessions(), keeper.troubles());
        drop(tokio::spawn(bulk::serve(worker.requests.clone(), worker.config.clone())));
        // The task ends by itself once nobody can ask it any more.
        let control = Control::start(keeper, Plane::new(&worker));
        let (control, _) = control.map_err(ServeError::Runtime)?;
        let gate = Gate::new(control.tree(), sessions, secret()).map_err(ServeError::Runtime)?;
        let gate = Arc::new(gate);
        let config = options.config.parent().unwrap_or(Path::new(".")).to_owned();
        let directories = vec![options.state.clone(), config];
        let means = Means { control: control.clone(), gate, directories, troubles };
        tokio::spawn(services::follow(means));
        tokio::spawn(log::follow(control.tree()));
        let monitor = Monitor::new(worker.requests.clone(), &options.state);
        tokio::spawn(monitor.work(control.tree()));
        match Socket::bind(&options.socket) {
            Ok(socket) => drop(tokio::spawn(socket.serve(control.clone()))),
            // Clients are served all the same.
            Err(error) => tracing::error!("no commands at {}: {error}", options.socket.display()),
        }
        Ok(Self { supervisor, worker, control, watch: Some(watch), terminate, interrupt, hangup })
    }

    async fn run(&mut self) -> Result<(), ServeError> {
        self.supervisor.tell(&[NotifyState::Ready, NotifyState::Status("serving")]);
        let watchdog = sd_notify::watchdog_enabled();
        let mut pulse = tokio::time::interval(watchdog.map_or(STATUS, |limit| limit / 3));
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Ok(()),
                _ = self.interrupt.recv() => return Ok(()),
                _ = self.hangup.recv() => {
                    drop(tokio::spawn(reload(self.control.clone(), self.supervisor.clone())));
                }
                interfaces = changed(&mut self.watch) => {
                    let interfaces = Arc::new(interfaces);
                    let _ = self.worker.requests.send(Request::Interfaces(Arc::clone(&interfaces)));
                    self.control.interfaces(interfaces);
                }
                _ = pulse.tick() => self.pulse().await?,
            }
        }
    }

    /// Tells the supervisor that the worker's loop turns. What the disk does is not its business.
    async fn pulse(&mut self) -> Result<(), ServeError> {
        if self.worker.has_ended() {
            return Err(ServeError::Ended);
        }
        let (answer, health) = oneshot::channel();
        let _ = self.worker.requests.send(Request::Health(answer));
        match tokio::time::timeout(PATIENCE, health).await {
            Ok(Ok(health)) => {
                let status = status(&health);
                self.supervisor.tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
            }
            Ok(Err(_)) => return Err(ServeError::Ended),
            Err(_) => tracing::error!("the worker has not answered for {} s", PATIENCE.as_secs()),
        }
        Ok(())
    }
}

/// The interfaces when they have changed; a watch that has ended is started again.
async fn changed(watch: &mut Option<Watch>) -> Interfaces {
    loop {
        if let Some(running) = watch {
            match running.changed().await {
                Ok(interfaces) => return interfaces,
                Err(error) => tracing::error!("{error}; trying again"),
            }
            *watch = None;
        }
        match Watch::start().await {
            Ok((started, interfaces)) => {
                *watch = Some(started);
                return interfaces;
            }
            Err(error) => tracing::error!("{error}; trying again"),
        }
        tokio::time::sleep(RETRY).await;
    }
}

fn status(health: &Health) -> String {
    let Health { traffic, store_works, .. } = health;
    let store = if *store_works { "store works" } else { "STORE FAILS: no new leases" };
    format!("{} datagrams in, {} out, {store}", traffic.received, traffic.sent)
}

/// Reads the configuration again, for SIGHUP.
async fn reload(control: Control, supervisor: Supervisor) {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => supervisor.tell(&[NotifyState::Reloading, now]),
        Err(_) => supervisor.tell(&[NotifyState::Reloading]),
    }
    match control.reload(false).await {
        Ok(()) => tracing::info!("configuration reloaded"),
        Err(refused) => {
            tracing::error!("configuration refused, nothing is changed:");
            refused.to_string().lines().for_each(|line| tracing::error!("{line}"));
        }
    }
    supervisor.tell(&[NotifyState::Ready]);
}

/// A secret of this process. Without the kernel's randomness there is the clock's.
fn secret<const N: usize>() -> [u8; N] {
    let mut octets = [0; N];
    let flags = rustix::rand::GetRandomFlags::empty();
    if !matches!(rustix::rand::getrandom(&mut octets, flags), Ok(read) if read == N) {
        let clock = crate::clock::now().boottime.0 ^ u64::from(std::process::id()) << 32;
        let poor = clock.to_ne_bytes().into_iter().cycle();
        octets.iter_mut().zip(poor).for_each(|(octet, poor)| *octet ^= poor);
    }
    octets
}
