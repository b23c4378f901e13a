//! The one thread that touches sled: group commit, folding, and coming back after a failure.
//!
//! Everything that has queued up is written, then synced once, then reported durable. A failure
//! closes the database; commits of the failed epoch are dropped until the worker has given up its
//! turns, so that no later turn can become durable without the earlier ones that it builds on.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::time::{Duration, Instant};

use leasehold_dhcp::{Durable, Wall};

use super::database::{Database, Fault, StoreId, fenced, turn_key};
use super::fold::Folding;
use super::history::{self, Page, Query, Trim};
use super::marker::{Lock, Marker};
use super::{Outcome, Settings};

/// What the writer is asked to do.
pub(super) enum Order {
    /// Make a turn durable: epoch, sequence number, sealed chunks.
    Commit(u64, u64, Vec<Vec<u8>>),
    /// Answer a page of the history.
    History(Query, Box<dyn FnOnce(Result<Page, Fault>) + Send>),
    /// Keep ended tenures for this long.
    Retain(Duration),
    /// Fold, sync, end.
    Close,
}

/// A turn's sequence number and its sealed chunks.
type Commit = (u64, Vec<Vec<u8>>);

const GROUP_MAX: usize = 1024;
const FOLD_ROWS: usize = 64;
const IDLE: Duration = Duration::from_millis(500);
const RETRY: Duration = Duration::from_secs(1);
const CHORES: Duration = Duration::from_secs(5);
const MARKER_TURNS: u64 = 8192;

pub(super) struct Writer {
    pub orders: Receiver<Order>,
    pub notify: Box<dyn FnMut(Outcome) + Send>,
    pub path: PathBuf,
    pub marker: PathBuf,
    pub lock: PathBuf,
    pub relock: Option<Lock>,
    pub settings: Settings,
    pub database: Option<Database>,
    pub folding: Folding,
    pub id: StoreId,
    pub epoch: u64,
    pub durable: u64,
    pub marked: u64,
    pub newest: Wall,
    pub started: Instant,
    pub trim: Trim,
    pub trimmed: Instant,
    pub chores: Instant,
    pub retry: Instant,
}

impl Writer {
    /// Works until it is told to close or nobody is left to tell it.
    pub(super) fn run(mut self) {
        loop {
            let first = match self.wait() {
                Some(Order::Close) => break,
                first => first,
            };
            let (commits, rest) = self.gather(first);
            let group: usize = commits.iter().map(|(_, chunks)| chunks.len()).sum();
            if !commits.is_empty()
                && let Err(fault) = self.commit(commits)
            {
                self.fail(&fault);
            }
            if let Err(fault) = self.background(group) {
                self.fail(&fault);
            }
            match rest {
                Some(Order::History(query, answer)) => answer(self.history(&query)),
                Some(Order::Retain(retention)) => self.settings.retention = retention,
                Some(Order::Close) => break,
                Some(Order::Commit(..)) | None => {}
            }
        }
        self.close();
    }

    fn wait(&self) -> Option<Order> {
        let busy = self.database.is_some() && self.folding.is_due();
        if busy {
            return match self.orders.try_recv() {
                Ok(order) => Some(order),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Order::Close),
            };
        }
        match self.orders.recv_timeout(IDLE) {
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Order::Close),
        }
    }

    /// Takes the commits that have queued up, of the living epoch alone, and the first order
    /// behind them that is none.
    fn gather(&mut self, first: Option<Order>) -> (Vec<Commit>, Option<Order>) {
        let mut commits = Vec::new();
        let mut next = first;
        while let Some(order) = next {
            let Order::Commit(epoch, sequence, chunks) = order else {
                return (commits, Some(order));
            };
            if epoch == self.epoch && self.database.is_some() {
                commits.push((sequence, chunks));
            }
            next = if commits.len() < GROUP_MAX { self.orders.try_recv().ok() } else { None };
        }
        (commits, None)
    }

    fn commit(&mut self, commits: Vec<Commit>) -> Result<(), Fault> {
        self.stay_in_place()?;
        let Some(database) = &mut self.database else { return Ok(()) };
        let through = commits.last().map_or(self.durable, |(sequence, _)| *sequence);
        if commits.iter().any(|(_, chunks)| !chunks.is_empty()) {
            database.has_room()?;
            fenced(|| {
                for (sequence, chunks) in &commits {
                    for (part, chunk) in (0u16..).zip(chunks) {
                        database.turns.insert(turn_key(*sequence, part), chunk.as_slice())?;
                    }
                }
                Ok(())
            })?;
            database.sync()?;
        }
        for (sequence, chunks) in commits {
            if !chunks.is_empty() {
                self.durable = sequence;
            }
            self.folding.append(sequence, chunks);
        }
        (self.notify)(Outcome::Durable { through, proof: Durable::after_sync(through) });
        Ok(())
    }

    /// What is written to a file that was removed is lost with the process: if the store's files
    /// are gone, they are written anew; if others stand in their place, it has failed.
    fn stay_in_place(&mut self) -> Result<(), Fault> {
        let Some(database) = self.database.as_ref().filter(|it| !it.is_in_place()) else {
            return Ok(());
        };
        tracing::error!("store: its files were removed: they are written anew");
        let anew = database.write_anew(&self.settings)?;
        self.relock = Lock::take(&self.lock).ok();
        self.database = Some(anew);
        self.marked = 0;
        self.mark();
        Ok(())
    }

    /// Folds at least as fast as turns arrive; now and then, keeps house and folds what little
    /// there is.
    fn background(&mut self, group: usize) -> Result<(), Fault> {
        let now = Instant::now();
        let oldest = self.believed().0.saturating_sub(self.settings.retention.as_secs());
        let Some(database) = &mut self.database else {
            if now >= self.retry {
                self.retry = now + RETRY;
                self.revive();
            }
            return Ok(());
        };
        self.folding.step(database, FOLD_ROWS.max(group * 64))?;
        if now < self.chores && self.durable < self.marked + MARKER_TURNS {
            return Ok(());
        }
        self.chores = now + CHORES;
        self.stay_in_place()?;
        let Some(database) = &self.database else { return Ok(()) };
        if now >= self.trimmed && self.trim.step(database, Wall(oldest))? {
            self.trimmed = now + self.settings.trim_every;
        }
        self.mark();
        Ok(())
    }

    /// The time that retention is measured from. It is counted from the newest record, not read
    /// from the clock: a clock that has jumped ahead must not erase the history.
    fn believed(&self) -> Wall {
        Wall(self.newest.0.saturating_add(self.started.elapsed().as_secs()))
    }

    fn mark(&mut self) {
        if self.durable == self.marked {
            return;
        }
        let marker = Marker { id: self.id, sequence: self.durable };
        match marker.write(&self.marker) {
            Ok(()) => self.marked = self.durable,
            Err(error) => tracing::warn!("store: cannot write the marker: {error}"),
        }
    }

    fn history(&mut self, query: &Query) -> Result<Page, Fault> {
        let Some(database) = &mut self.database else {
            return Err(Fault::Io("read the history", std::io::ErrorKind::NotConnected.into()));
        };
        self.folding.finish(database).and_then(|()| history::page(database, query))
    }

    fn fail(&mut self, fault: &Fault) {
        self.epoch += 1;
        self.retry = Instant::now() + RETRY;
        let database = self.database.take();
        let dropped = fenced(|| {
            drop(database);
            Ok(())
        });
        if let Err(fault) = dropped {
            tracing::warn!("store: closing it failed as well: {fault}");
        }
        self.folding = Folding::default();
        (self.notify)(Outcome::Failed { epoch: self.epoch, reason: fault.to_string() });
    }

    fn revive(&mut self) {
        match self.reopen() {
            Ok((database, folding)) => {
                self.database = Some(database);
                self.folding = folding;
                (self.notify)(Outcome::Recovered);
            }
            Err(fault) => tracing::warn!("store: still failing: {fault}"),
        }
    }

    /// Opens what was open before and convinces itself that it works and has lost nothing.
    fn reopen(&self) -> Result<(Database, Folding), Fault> {
        let missing = |error| Fault::Io("find the store", error);
        std::fs::metadata(self.path.join("db")).map_err(missing)?;
        let mut database = Database::open(&self.path, &self.settings)?;
        if database.id() != self.id {
            return Err(Fault::Foreign);
        }
        let (newest, _) = fenced(|| database.newest())?;
        if newest < self.durable {
            return Err(Fault::Lost(newest, self.durable));
        }
        database.has_room()?;
        let (mut folding, _) = Folding::load(&database, drop)?;
        folding.step(&mut database, FOLD_ROWS)?;
        database.sync()?;
        Ok((database, folding))
    }

    fn close(&mut self) {
        if let Some(mut database) = self.database.take() {
            let closed = self.folding.finish(&mut database).and_then(|()| database.sync());
            let dropped = fenced(|| {
                drop(database);
                Ok(())
            });
            if let Err(fault) = closed.and(dropped) {
                tracing::warn!("store: closing: {fault}");
            }
        }
        self.mark();
    }
}
