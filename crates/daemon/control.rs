//! The control task: one thread that owns the menu tree and the configuration file.
//!
//! Faces send commands and get replies; they never see the tree or a lease. Commands that wait
//! together are carried out together: one write of the file, one message to the worker.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use leasehold_dhcp::{Interfaces, Location};
use leasehold_routeros::{
    Activity, Change, Command, Effects, Listing, Outcome, Record, Reply, Trap, Tree,
};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use crate::access::Caller;
use crate::activities;
use crate::files::Files;
use crate::log;
use crate::store::Fault;

mod file;
mod guard;
mod keeper;
mod past;
mod plane;
mod safe;
mod script;
mod takeover;

pub(crate) use file::write_whole;
pub use file::{ConfigFile, FileError};
pub use keeper::{Keeper, Refused};
pub use plane::Plane;
pub use safe::{Hijack, SafeMode};
pub use script::{Script, report};
pub use takeover::{Rows, Table};

/// A command that was carried out.
#[derive(Debug)]
pub struct Answered {
    /// What it says.
    pub reply: Reply,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

/// One page of a listing, and the listing if it goes on.
pub type Page = (Vec<Record>, Option<Box<Listing>>);

/// What a face, the supervisor or the kernel want.
enum Ask {
    Run(Waiting),
    Page(Box<Listing>, oneshot::Sender<Page>),
    Reload(bool, oneshot::Sender<Result<(), Refused>>),
    Backup(oneshot::Sender<Result<PathBuf, Fault>>),
    Interfaces(Arc<Interfaces>),
    Import(Script, Caller, oneshot::Sender<Result<Answered, Trap>>),
    TakeOver(Table, oneshot::Sender<Result<Answered, Trap>>),
    Changed(Arc<[Location]>, oneshot::Sender<Vec<Change>>),
    SafeMode(safe::Wish, oneshot::Sender<Result<u64, Trap>>),
}

/// Commands that are carried out with one write of the file, at most.
const BATCH: usize = 256;
/// Changes that a slow listener may be behind before it misses some.
const CHANGES: usize = 4096;

/// The control task, as faces see it. A clone is another way to the same one.
#[derive(Clone, Debug)]
pub struct Control {
    asks: mpsc::UnboundedSender<Ask>,
    changes: broadcast::Sender<Arc<Change>>,
    tree: watch::Receiver<Tree>,
    caller: Caller,
    files: Files,
    leases: broadcast::Sender<Arc<[Location]>>,
}

impl Control {
    /// Starts the task. It ends when every way to it is gone.
    pub fn start(keeper: Keeper, plane: Plane) -> io::Result<(Self, JoinHandle<()>)> {
        let (asks, received) = mpsc::unbounded_channel();
        let (changes, _) = broadcast::channel(CHANGES);
        let (told, files) = (changes.clone(), keeper.files().clone());
        let leases = plane.leases.clone();
        log::recent().tell(changes.clone());
        let thread = thread::Builder::new().name("control".into());
        let tree = keeper.shown();
        let thread = thread.spawn(move || Task::new(keeper, plane, told, received).work())?;
        Ok((Self { asks, changes, tree, caller: Caller::local(), files, leases }, thread))
    }

    /// The same task, commanded by somebody else.
    #[must_use]
    pub fn commanded_by(&self, caller: Caller) -> Self {
        Self { caller, ..self.clone() }
    }

    /// Whether whoever commands may still look at rows.
    #[must_use]
    pub fn may_read(&self) -> bool {
        self.caller.may("read", &self.tree.borrow())
    }

    /// The rows as they are, and whenever they change.
    #[must_use]
    pub fn tree(&self) -> watch::Receiver<Tree> {
        self.tree.clone()
    }

    /// Carries a command out.
    ///
    /// # Errors
    ///
    /// The rule that was broken; nothing is changed then.
    pub async fn run(&self, mut command: Command) -> Result<Answered, Trap> {
        self.caller.check(&command, &self.tree.borrow())?;
        if command.path.is_empty() && command.verb == "reload" {
            let done = self.reload(keeper::take_confirmation(&mut command)).await;
            let done = done.map_err(|refused| Trap::Failure(refused.to_string()));
            return done.map(|()| Answered { reply: Reply::Done, warnings: Vec::new() });
        }
        if command.path.is_empty() && command.verb == "import" {
            if let Some(text) = command.argument("leases").map(str::to_owned) {
                return self.take_over(Table::of(&command, text)).await;
            }
            return self.import(Script::of(&command, &self.files)?).await;
        }
        // The copy stands on this machine, where nobody from elsewhere can fetch it.
        if command.path.is_empty() && command.verb == "backup" && self.caller.user().is_none() {
            let copied = self.ask(Ask::Backup).await.unwrap_or_else(|| Err(Fault::Ended));
            let copied = copied.map_err(|fault| Trap::Failure(fault.to_string()))?;
            let reply = Reply::Text(copied.display().to_string());
            return Ok(Answered { reply, warnings: Vec::new() });
        }
        let caller = self.caller.clone();
        let ran = self.ask(|answer| Ask::Run(Waiting { command, caller, answer })).await;
        ran.unwrap_or_else(|| Err(ending()))
    }

    /// Begins a command that goes on, within a tokio runtime: what a face does with a
    /// [`Reply::Activity`]. Its rows come as they are known, and at most one trap, as the last; it
    /// ends when the receiver is dropped, which is how a face cancels it.
    #[must_use]
    pub fn begin(&self, activity: Activity) -> mpsc::Receiver<Result<Record, Trap>> {
        activities::begin(activity, self.files.clone())
    }

    /// The next rows of a listing, and the listing if more follow.
    pub async fn page(&self, listing: Box<Listing>) -> Page {
        self.ask(|answer| Ask::Page(listing, answer)).await.unwrap_or_default()
    }

    /// Reads the file again and obeys it; `confirmed` even if leases would be orphaned.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it; nothing is changed then.
    pub async fn reload(&self, confirmed: bool) -> Result<(), Refused> {
        let done = self.ask(|answer| Ask::Reload(confirmed, answer)).await;
        done.unwrap_or(Err(Refused::Ending))
    }

    /// Tells the machine's interfaces as they are now.
    pub fn interfaces(&self, interfaces: Arc<Interfaces>) {
        // A task that has ended needs to know nothing.
        let _ = self.asks.send(Ask::Interfaces(interfaces));
    }

    /// Every change of a configured row from now on.
    #[must_use]
    pub fn changes(&self) -> broadcast::Receiver<Arc<Change>> {
        self.changes.subscribe()
    }

    /// Which leases change from now on: [`Control::changed`] says how.
    #[must_use]
    pub fn leases(&self) -> broadcast::Receiver<Arc<[Location]>> {
        self.leases.subscribe()
    }

    /// The rows of leases that have changed, as they are now.
    pub async fn changed(&self, leases: Arc<[Location]>) -> Vec<Change> {
        self.ask(|answer| Ask::Changed(leases, answer)).await.unwrap_or_default()
    }

    async fn ask<T>(&self, ask: impl FnOnce(oneshot::Sender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.asks.send(ask(answer)).ok()?;
        answered.await.ok()
    }
}

fn ending() -> Trap {
    Trap::Failure(Refused::Ending.to_string())
}

struct Task {
    keeper: Keeper,
    plane: Plane,
    told: broadcast::Sender<Arc<Change>>,
    asks: mpsc::UnboundedReceiver<Ask>,
    safe: Option<safe::Taken>,
    /// How often safe mode was taken.
    safe_modes: u64,
}

/// A command that waits to be run.
struct Waiting {
    command: Command,
    caller: Caller,
    answer: oneshot::Sender<Result<Answered, Trap>>,
}

/// A command of a batch, run on the batch's draft of the tree.
struct Ran {
    /// Where the document that it says is written to, instead.
    file: Option<String>,
    effects: Effects,
    reply: Reply,
    answer: oneshot::Sender<Result<Answered, Trap>>,
}

impl Task {
    fn new(
        keeper: Keeper,
        plane: Plane,
        told: broadcast::Sender<Arc<Change>>,
        asks: mpsc::UnboundedReceiver<Ask>,
    ) -> Self {
        Self { keeper, plane, told, asks, safe: None, safe_modes: 0 }
    }

    fn work(mut self) {
        let mut next = None;
        while let Some(ask) = next.take().or_else(|| self.asks.blocking_recv()) {
            match ask {
                Ask::Run(waiting) => next = self.batch(waiting),
                Ask::Page(listing, answer) => {
                    let _ = answer.send(self.page(listing));
                }
                Ask::Reload(confirmed, answer) => {
                    let _ = answer.send(self.keeper.reload(confirmed, &self.plane));
                }
                Ask::Backup(answer) => self.plane.past.backup(|copied| drop(answer.send(copied))),
                Ask::Interfaces(interfaces) => self.keeper.set_interfaces(interfaces),
                Ask::Import(script, caller, answer) => {
                    let _ = answer.send(self.import(&script, &caller));
                }
                Ask::TakeOver(table, answer) => drop(answer.send(self.take_over(&table))),
                Ask::Changed(leases, answer) => {
                    let changes = leases.iter().map(|lease| self.keeper.lease(lease, &self.plane));
                    let _ = answer.send(changes.collect());
                }
                Ask::SafeMode(wish, answer) => drop(answer.send(self.safe_mode(wish))),
            }
        }
    }

    /// Runs the commands that wait, one after another, and makes what they changed true at once.
    /// Gives back what came after them and is no command.
    fn batch(&mut self, first: Waiting) -> Option<Ask> {
        let mut waiting = vec![first];
        let mut next = None;
        while waiting.len() < BATCH && next.is_none() {
            match self.asks.try_recv() {
                Ok(Ask::Run(another)) => waiting.push(another),
                Ok(other) => next = Some(other),
                Err(_) => break,
            }
        }
        // Together if they can be; a refusal of some must not refuse the others.
        if let Some(refused) = self.together(waiting) {
            refused.into_iter().for_each(|one| drop(self.together(vec![one])));
        }
        next
    }

    /// Gives the commands back if the changes of several were refused.
    fn together(&mut self, commands: Vec<Waiting>) -> Option<Vec<Waiting>> {
        let alone = commands.len() == 1;
        let copies: Vec<(Command, Caller)> = match alone {
            true => Vec::new(),
            false => commands.iter().map(|one| (one.command.clone(), one.caller.clone())).collect(),
        };
        let mut draft = self.keeper.tree().clone();
        let mut ran = Vec::new();
        let mut confirmed = true;
        let mut changes = false;
        for (at, Waiting { mut command, caller, answer }) in commands.into_iter().enumerate() {
            confirmed &= keeper::take_confirmation(&mut command);
            match self.draft(&mut draft, &command, &caller) {
                Ok(outcome) => {
                    changes |= !outcome.effects.changes.is_empty();
                    let (effects, reply) =
                        (outcome.effects, script::headed(&command, outcome.reply));
                    let file = command.argument("file").filter(|_| command.verb == "export");
                    let file = file.map(str::to_owned);
                    ran.push((at, Ran { file, effects, reply, answer }));
                }
                Err(trap) => drop(answer.send(Err(trap))),
            }
        }
        if changes && let Err(refused) = self.keeper.adopt(draft, confirmed, &self.plane) {
            if !alone {
                let again = ran.into_iter().map(|(at, ran)| {
                    let (command, caller) = copies[at].clone();
                    Waiting { command, caller, answer: ran.answer }
                });
                return Some(again.collect());
            }
            let trap = Trap::Failure(refused.to_string());
            ran.into_iter().for_each(|(_, ran)| drop(ran.answer.send(Err(trap.clone()))));
            return None;
        }
        ran.into_iter().for_each(|(_, ran)| self.finish(ran));
        None
    }

    /// Runs one command on a draft that others have changed already, or leaves it as it was.
    fn draft(&self, draft: &mut Tree, command: &Command, caller: &Caller) -> Result<Outcome, Trap> {
        let mut next = draft.clone();
        let outcome = next.run(command, &self.keeper.source(&self.plane))?;
        caller.review(&outcome.effects.changes, draft, &next)?;
        *draft = next;
        Ok(outcome)
    }

    /// What a command means beside the tree, and its answer.
    fn finish(&mut self, ran: Ran) {
        let Ran { file, effects, reply, answer } = ran;
        let warnings = effects.warnings.clone();
        let done = self.follow(effects).and_then(|made| match (reply, file) {
            (Reply::Text(script), Some(file)) => self.keeper.write_script(&file, &script),
            (Reply::Done, _) => Ok(made.map_or(Reply::Done, Reply::Value)),
            (reply, _) => Ok(reply),
        });
        let _ = answer.send(done.map(|reply| Answered { reply, warnings }));
    }

    /// What a command did beside its reply: told, and done. The text is the id of a row that the
    /// machine made.
    fn follow(&mut self, effects: Effects) -> Result<Option<String>, Trap> {
        for warning in &effects.warnings {
            tracing::warn!("{warning}");
        }
        let errands = effects.orders.iter().map(|order| self.keeper.errand(order, &self.plane));
        let done = errands.collect::<Result<Vec<_>, Trap>>();
        for change in effects.changes {
            // Without listeners nobody wants to know.
            let _ = self.told.send(Arc::new(change));
        }
        done.map(|made| made.into_iter().flatten().next())
    }

    fn page(&mut self, mut listing: Box<Listing>) -> Page {
        use leasehold_routeros::Source;
        let Some(want) = listing.want() else { return Page::default() };
        let records = listing.feed(self.keeper.source(&self.plane).fetch(&want));
        let more = listing.want().is_some();
        (records, more.then_some(listing))
    }
}
