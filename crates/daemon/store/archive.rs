//! The thread that owns sled: it folds turns into rows, answers the past, and keeps house.
//!
//! Nobody waits for it: what it has not folded yet is in the turns' log. When it falls far behind,
//! commits wait for it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use leasehold_dhcp::Wall;

use super::backup;
use super::compact::Compaction;
use super::database::{Database, Fault, StoreId, fenced};
use super::fold::Generation;
use super::history::{self, Page, Query, Trim};
use super::marker::Marker;
use super::place::{Place, Standing};
use super::writer::Order;
use super::{Settings, clock};

/// Who asked for a page of the history.
pub(super) type Asker = Box<dyn FnOnce(Result<Page, Fault>) + Send>;

/// Who asked for a copy of the store.
pub(super) type Backer = Box<dyn FnOnce(Result<PathBuf, Fault>) + Send>;

enum Task {
    /// Fold these frames.
    Fold(Vec<u8>),
    History(Query, Asker),
    Backup(Backer),
    Retain(Duration),
    /// Say so when everything before this is done and the files are in place.
    Settle(Sender<()>),
}

/// The thread, as the writer sees it.
#[derive(Debug)]
pub(super) struct Archive {
    tasks: Option<SyncSender<Task>>,
    abandoned: Arc<AtomicBool>,
    /// Where sled's log file is.
    pub place: Place,
    thread: Option<JoinHandle<()>>,
}

/// Generations that may wait to be folded before commits wait.
const BACKLOG: usize = 16;
const CHORES: Duration = Duration::from_secs(5);
/// Files that are so many times as large as what lives in them are compacted. Freshly written ones
/// are two to three times as large.
const COMPACT_RATIO: u64 = 4;
/// Weighs less than the threads that clients wait for.
const NICE: i32 = 5;

impl Archive {
    /// Starts the thread; it reports to the writer under this number.
    pub(super) fn start(
        database: Database,
        marker: PathBuf,
        settings: Settings,
        newest: Wall,
        number: u64,
        orders: Sender<Order>,
    ) -> std::io::Result<Self> {
        let (tasks, received) = sync_channel(BACKLOG);
        let abandoned = Arc::new(AtomicBool::new(false));
        let place = database.place().clone();
        let now = Instant::now();
        let archivist = Archivist {
            tasks: received,
            abandoned: Arc::clone(&abandoned),
            id: database.id(),
            marker,
            settings,
            marked: 0,
            folded: 0,
            newest: if newest == Wall(0) { clock() } else { newest },
            started: now,
            trim: Trim::default(),
            trimmed: now,
            chores: now + CHORES,
            compacted: 0,
        };
        let thread = thread::Builder::new().name("archive".into());
        let thread = thread.spawn(move || archivist.run(database, number, &orders))?;
        Ok(Self { tasks: Some(tasks), abandoned, place, thread: Some(thread) })
    }

    /// Hands frames of durable turns over; waits while too many wait.
    pub(super) fn fold(&self, frames: Vec<u8>) {
        self.task(Task::Fold(frames));
    }

    pub(super) fn history(&self, query: Query, answer: Asker) {
        self.task(Task::History(query, answer));
    }

    pub(super) fn backup(&self, answer: Backer) {
        self.task(Task::Backup(answer));
    }

    pub(super) fn retain(&self, retention: Duration) {
        self.task(Task::Retain(retention));
    }

    /// Waits until everything that was handed over is folded into files that are in place.
    pub(super) fn settle(&self) {
        let (done, settled) = std::sync::mpsc::channel();
        self.task(Task::Settle(done));
        // A thread that has ended reports why.
        let _ = settled.recv();
    }

    /// Folds everything, and ends.
    pub(super) fn close(mut self) {
        self.join();
    }

    fn task(&self, task: Task) {
        if let Some(tasks) = &self.tasks {
            // A thread that has ended has reported its fault; the log keeps the turns.
            let _ = tasks.send(task);
        }
    }

    fn join(&mut self) {
        self.tasks = None;
        if let Some(thread) = self.thread.take() {
            // One that panicked has nothing left to close.
            let _ = thread.join();
        }
    }
}

/// What is not folded stays in the log.
impl Drop for Archive {
    fn drop(&mut self) {
        self.abandoned.store(true, Ordering::Relaxed);
        self.join();
    }
}

struct Archivist {
    tasks: Receiver<Task>,
    abandoned: Arc<AtomicBool>,
    id: StoreId,
    marker: PathBuf,
    settings: Settings,
    marked: u64,
    folded: u64,
    newest: Wall,
    started: Instant,
    trim: Trim,
    trimmed: Instant,
    chores: Instant,
    /// Octets of the files after the last compaction.
    compacted: u64,
}

impl Archivist {
    fn run(mut self, database: Database, number: u64, orders: &Sender<Order>) {
        let nice = rustix::process::setpriority_process(None, NICE);
        if let Err(error) = nice {
            tracing::debug!("store: the archive's thread keeps its priority: {error}");
        }
        if let Err(fault) = fenced(|| self.work(database, orders)) {
            // A writer that has ended is past all faults.
            let _ = orders.send(Order::Fault(number, fault));
        }
    }

    fn work(&mut self, mut database: Database, orders: &Sender<Order>) -> Result<(), Fault> {
        let mut compaction = None;
        loop {
            let patience = self.chores.saturating_duration_since(Instant::now());
            let patience = if compaction.is_some() { Duration::ZERO } else { patience };
            let task = self.tasks.recv_timeout(patience);
            if self.abandoned.load(Ordering::Relaxed) {
                return Ok(());
            }
            match task {
                Ok(Task::Fold(frames)) => {
                    self.fold(&mut database, &frames)?;
                    let _ = orders.send(Order::Folded(self.folded, database.live()));
                }
                Ok(Task::History(query, answer)) => answer(history::page(&database, &query)),
                Ok(Task::Backup(answer)) => answer(backup::copy(&mut database)),
                Ok(Task::Retain(retention)) => self.settings.retention = retention,
                Ok(Task::Settle(done)) => {
                    self.stay_in_place(&mut database)?;
                    let _ = done.send(());
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.close(&mut database),
            }
            if Instant::now() >= self.chores {
                self.keep_house(&mut database)?;
                if compaction.is_none() && self.wants_compaction(&database)? {
                    compaction = Some(Compaction::begin(&database, &self.settings)?);
                }
            }
            (database, compaction) = self.compact(database, compaction)?;
        }
    }

    fn fold(&mut self, database: &mut Database, frames: &[u8]) -> Result<(), Fault> {
        self.stay_in_place(database)?;
        database.has_room()?;
        let generation = Generation::of_frames(frames);
        let (through, newest) = (generation.through(), generation.newest());
        generation.fold(database)?;
        database.sync()?;
        self.folded = through;
        self.newest = self.newest.max(newest);
        Ok(())
    }

    /// What is written to a file that was removed is lost with the process: if sled's files are
    /// gone, they are written anew; if others stand in their place, the store has failed.
    fn stay_in_place(&mut self, database: &mut Database) -> Result<(), Fault> {
        match database.place().standing() {
            Standing::There => return Ok(()),
            Standing::Other => return Err(Fault::Foreign),
            Standing::Gone => {}
        }
        tracing::error!("store: its files were removed: they are written anew");
        database.write_anew(&self.settings)?;
        self.marked = 0;
        self.mark();
        Ok(())
    }

    fn keep_house(&mut self, database: &mut Database) -> Result<(), Fault> {
        self.chores = Instant::now() + CHORES;
        self.stay_in_place(database)?;
        let oldest = self.believed().0.saturating_sub(self.settings.retention.as_secs());
        if self.chores >= self.trimmed && self.trim.step(database, Wall(oldest))? {
            self.trimmed = self.chores + self.settings.trim_every;
        }
        self.mark();
        Ok(())
    }

    /// Whether most of the files is dead, and more than after the last compaction.
    fn wants_compaction(&self, database: &Database) -> Result<bool, Fault> {
        let (files, live) = database.size()?;
        let grown = files > self.compacted + self.compacted / 2;
        Ok(grown && files > self.settings.compact_above.max(live * COMPACT_RATIO))
    }

    fn compact(
        &mut self,
        database: Database,
        compaction: Option<Compaction>,
    ) -> Result<(Database, Option<Compaction>), Fault> {
        // Without notes of what changes it would lose something: the files were written anew.
        let compaction = compaction.filter(|_| database.notes_changes());
        let Some(mut compaction) = compaction else { return Ok((database, None)) };
        if !compaction.step(&database)? {
            return Ok((database, Some(compaction)));
        }
        let (before, _) = database.size()?;
        let database = compaction.finish(database, &self.settings)?;
        (self.compacted, _) = database.size()?;
        let (before, after) = (before >> 20, self.compacted >> 20);
        tracing::info!("store: compacted from {before} to {after} MiB");
        Ok((database, None))
    }

    /// The time that retention is measured from. It is counted from the newest record, not read
    /// from the clock: a clock that has jumped ahead must not erase the history.
    fn believed(&self) -> Wall {
        Wall(self.newest.0.saturating_add(self.started.elapsed().as_secs()))
    }

    fn mark(&mut self) {
        if self.folded == self.marked {
            return;
        }
        // Whether leases may be missing is for a start to judge.
        let suspect = Marker::read(&self.marker).and_then(|before| before.suspect);
        let marker = Marker { id: self.id, sequence: self.folded, suspect };
        match marker.write(&self.marker) {
            Ok(()) => self.marked = self.folded,
            Err(error) => tracing::warn!("store: cannot write the marker: {error}"),
        }
    }

    fn close(&mut self, database: &mut Database) -> Result<(), Fault> {
        self.stay_in_place(database)?;
        database.sync()?;
        self.mark();
        Ok(())
    }
}
