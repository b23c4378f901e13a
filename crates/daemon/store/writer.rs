//! The thread that makes turns durable: group commit, and coming back after a failure.
//!
//! Everything that has queued up is written and synced by one call, then reported durable; the
//! archive folds it later. A failure of either closes the store; commits of the failed epoch are
//! dropped until the worker has given up its turns, so that no later turn can become durable
//! without the earlier ones that it builds on.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use leasehold_dhcp::record::Records;
use leasehold_dhcp::{Durable, Wall};

use super::archive::{Archive, Asker, Backer};
use super::database::{Database, Fault, StoreId, fenced};
use super::fold::Generation;
use super::history::Query;
use super::load::load;
use super::marker::Lock;
use super::place::Standing;
use super::turns::{Found, Turns};
use super::{Outcome, Paths, Settings};

/// What the writer is asked to do, or told.
pub(super) enum Order {
    /// Make a turn durable: epoch, sequence number, records.
    Commit(u64, u64, Records),
    /// Answer a page of the history.
    History(Query, Asker),
    /// Copy the store as it is now, and say where.
    Backup(Backer),
    /// Keep ended tenures for this long.
    Retain(Duration),
    /// The archive has folded everything up to this turn, and holds so many octets now.
    Folded(u64, u64),
    /// The archive with this number has ended.
    Fault(u64, Fault),
    /// Fold, sync, end.
    Close,
}

type Commit = (u64, Records);

const GROUP_MAX: usize = 1024;
/// Octets of frames that are folded together at the latest, the least and the most: a sixteenth of
/// what lives in the archive, so that most blocks of it change once in a generation, and memory is
/// not taken that this saves nothing with.
const GENERATION_LEAST: u64 = 512 << 10;
const GENERATION_MOST: u64 = 4 << 20;
/// Turns are folded when no more have come for so long: what changes often is folded once.
const QUIET: Duration = Duration::from_secs(1);
/// Turns wait at most so long to be folded, be they ever so few.
const FOLD_EVERY: Duration = Duration::from_secs(30);
/// For each record of a commit the next one begins so much later than it might, at most `GATHER`
/// after it: under load, commits are fewer and larger, which saves most of their cost. A client by
/// itself does not wait.
const GATHER_EACH: Duration = Duration::from_micros(100);
const GATHER: Duration = Duration::from_micros(500);
const RETRY: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    pub orders: Receiver<Order>,
    /// For the archive to report to.
    pub report: Sender<Order>,
    pub notify: Box<dyn FnMut(Outcome) + Send>,
    pub paths: Paths,
    pub relock: Option<Lock>,
    pub settings: Settings,
    pub id: StoreId,
    pub open: Option<Open>,
    /// How many archives there have been.
    pub archives: u64,
    pub epoch: u64,
    /// The newest turn with records that is on disk.
    pub durable: u64,
    /// When the next commit may begin.
    pub next: Instant,
    pub retry: Instant,
}

/// An open store.
pub(super) struct Open {
    pub turns: Turns,
    pub archive: Archive,
    /// Frames that are on disk and not handed to the archive yet.
    pub fresh: Vec<u8>,
    /// Octets of them that are handed over at once.
    pub generation: u64,
    /// When the oldest and the newest of them came.
    pub since: Instant,
    pub last: Instant,
}

impl Open {
    /// Opens what stands beside the database: the log is there already, the archive begins.
    pub(super) fn start(
        database: Database,
        (turns, found): (Turns, Found),
        newest: Wall,
        (number, orders): (u64, Sender<Order>),
        (paths, settings): (&Paths, &Settings),
    ) -> std::io::Result<Self> {
        let (marker, settings) = (paths.marker(), settings.clone());
        let archive = Archive::start(database, marker, settings, newest, number, orders)?;
        if !found.frames.is_empty() {
            archive.fold(found.frames);
        }
        let fresh = Vec::new();
        let now = Instant::now();
        let generation = GENERATION_LEAST;
        Ok(Self { turns, archive, fresh, generation, since: now, last: now })
    }

    /// Hands over what is much, or has waited long enough.
    fn hand_over_if_due(&mut self) {
        let due = self.due().is_some_and(|due| Instant::now() >= due);
        if due || self.fresh.len() as u64 >= self.generation {
            self.hand_over();
        }
    }

    /// When what has gathered is to be folded, though it is little.
    fn due(&self) -> Option<Instant> {
        let due = (self.last + QUIET).min(self.since + FOLD_EVERY);
        (!self.fresh.is_empty()).then_some(due)
    }

    /// Hands what has gathered to the archive.
    fn hand_over(&mut self) {
        if !self.fresh.is_empty() {
            self.archive.fold(core::mem::take(&mut self.fresh));
        }
    }
}

impl Writer {
    /// Works until it is told to close or nobody is left to tell it.
    pub(super) fn run(mut self) {
        loop {
            let first = match self.orders.recv_timeout(self.patience()) {
                Ok(order) => Some(order),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            let (commits, rest) = self.gather(first);
            if !commits.is_empty()
                && let Err(fault) = self.commit(commits)
            {
                self.fail(&fault);
            }
            match rest {
                Some(Order::Close) => break,
                Some(Order::Fault(number, fault)) if number == self.archives => self.fail(&fault),
                Some(order) => self.obey(order),
                None => {}
            }
            self.tend();
        }
        if let Some(mut open) = self.open.take() {
            open.hand_over();
            open.archive.close();
        }
    }

    /// How long there is nothing to do.
    fn patience(&self) -> Duration {
        let due = self.open.as_ref().map_or(Some(self.retry), Open::due);
        due.map_or(IDLE, |due| due.saturating_duration_since(Instant::now()))
    }

    /// Takes the commits that have queued up, of the living epoch alone, and the first order
    /// behind them that is none.
    fn gather(&mut self, first: Option<Order>) -> (Vec<Commit>, Option<Order>) {
        if matches!(first, Some(Order::Commit(..))) {
            std::thread::sleep(self.next.saturating_duration_since(Instant::now()));
        }
        let mut commits = Vec::new();
        let mut next = first;
        while let Some(order) = next {
            let Order::Commit(epoch, sequence, records) = order else {
                return (commits, Some(order));
            };
            if epoch == self.epoch && self.open.is_some() {
                commits.push((sequence, records));
            }
            next = if commits.len() < GROUP_MAX { self.orders.try_recv().ok() } else { None };
        }
        (commits, None)
    }

    fn commit(&mut self, commits: Vec<Commit>) -> Result<(), Fault> {
        self.stay_in_place()?;
        let Some(open) = &mut self.open else { return Ok(()) };
        has_room(&self.paths.turns(), self.settings.reserve_bytes)?;
        let began = Instant::now();
        if open.fresh.is_empty() {
            open.since = began;
        }
        open.last = began;
        let records: usize = commits.iter().map(|(_, records)| records.len()).sum();
        self.next = began + GATHER.min(GATHER_EACH * records.saturating_sub(1).min(1000) as u32);
        let mut through = self.durable;
        let mut newest = self.durable;
        for (sequence, records) in commits {
            if !records.is_empty() {
                open.turns.append(sequence, self.durable, &records, &mut open.fresh)?;
                newest = sequence;
            }
            through = sequence;
        }
        open.turns.commit(&mut open.fresh)?;
        self.durable = newest;
        (self.notify)(Outcome::Durable { through, proof: Durable::after_sync(through) });
        Ok(())
    }

    /// What is written to a file that was removed is lost with the process: if the store's files
    /// are gone, they are written anew; if others stand in their place, it has failed.
    fn stay_in_place(&mut self) -> Result<(), Fault> {
        let Some(open) = &mut self.open else { return Ok(()) };
        match open.archive.place.standing() {
            Standing::There if open.turns.is_in_place() => return Ok(()),
            Standing::Other => return Err(Fault::Foreign),
            Standing::There | Standing::Gone => {}
        }
        tracing::error!("store: its files were removed: they are written anew");
        open.hand_over();
        open.archive.settle();
        (open.turns, _) = Turns::open(&self.paths.turns(), self.id, self.durable, &self.settings)?;
        self.relock = Lock::take(&self.paths.lock()).ok();
        Ok(())
    }

    /// Has turns folded in time; opens a store that failed.
    fn tend(&mut self) {
        match &mut self.open {
            Some(open) => open.hand_over_if_due(),
            None if Instant::now() >= self.retry => {
                self.retry = Instant::now() + RETRY;
                self.revive();
            }
            None => {}
        }
    }

    fn obey(&mut self, order: Order) {
        if let Order::Retain(retention) = order {
            self.settings.retention = retention;
        }
        let Some(open) = &mut self.open else {
            match order {
                Order::History(_, answer) => answer(Err(Fault::Ended)),
                Order::Backup(answer) => answer(Err(Fault::Ended)),
                _ => {}
            }
            return;
        };
        match order {
            Order::History(query, answer) => {
                open.hand_over();
                open.archive.history(query, answer);
            }
            Order::Backup(answer) => {
                open.hand_over();
                open.archive.backup(answer);
            }
            Order::Retain(retention) => open.archive.retain(retention),
            Order::Folded(through, live) => {
                open.turns.recycle(through);
                open.generation = (live / 16).clamp(GENERATION_LEAST, GENERATION_MOST);
            }
            Order::Fault(..) | Order::Commit(..) | Order::Close => {}
        }
    }

    fn fail(&mut self, fault: &Fault) {
        self.epoch += 1;
        self.retry = Instant::now() + RETRY;
        self.open = None;
        let reason = self.told(fault);
        (self.notify)(Outcome::Failed { epoch: self.epoch, reason });
    }

    /// A fault with the place where it is.
    fn told(&self, fault: &Fault) -> String {
        format!("{}: {fault}", self.paths.0.display())
    }

    fn revive(&mut self) {
        self.archives += 1;
        match self.reopen() {
            Ok(open) => {
                self.open = Some(open);
                (self.notify)(Outcome::Recovered);
            }
            Err(fault) => tracing::warn!("lease store: {}", self.told(&fault)),
        }
    }

    /// Opens what was open before and convinces itself that it works and has lost nothing.
    fn reopen(&self) -> Result<Open, Fault> {
        let missing = |error| Fault::Io("find the store", error);
        std::fs::metadata(self.paths.store().join("db")).map_err(missing)?;
        // Asked first: opening takes long, and is tried every second.
        has_room(&self.paths.store(), self.settings.reserve_bytes)?;
        let mut database = Database::open(&self.paths.store(), &self.settings)?;
        if database.id() != self.id {
            return Err(Fault::Foreign);
        }
        let (folded, _) = fenced(|| database.folded())?;
        let (turns, found) = Turns::open(&self.paths.turns(), self.id, folded, &self.settings)?;
        if found.newest < self.durable || found.damaged > 0 {
            return Err(Fault::Lost(found.newest, self.durable));
        }
        let loaded = load(&database, &Generation::of_frames(&found.frames), drop)?;
        database.sync()?;
        let reports = (self.archives, self.report.clone());
        let paths = (&self.paths, &self.settings);
        let open = Open::start(database, (turns, found), loaded.newest, reports, paths);
        open.map_err(|error| Fault::Io("start the archive's thread", error))
    }
}

/// Refuses while the file system has less room than the reserve: no file of the store must meet
/// a full disk in the middle of a write.
pub(super) fn has_room(directory: &Path, reserve: u64) -> Result<(), Fault> {
    let stat = rustix::fs::statvfs(directory);
    let stat = stat.map_err(|error| Fault::Io("ask for free room", error.into()))?;
    let free = stat.f_bavail.saturating_mul(stat.f_frsize);
    if free < reserve { Err(Fault::Full(free, reserve)) } else { Ok(()) }
}
