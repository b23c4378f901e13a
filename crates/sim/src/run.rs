//! Running a plan: the outcome, its history, and panics of the shipped code as a broken rule.

use core::cell::{Cell, RefCell};
use core::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::oracle::{Failure, Rule};
use crate::plan::Plan;
use crate::planted;
use crate::world::World;

/// More steps than any plan of a seed takes.
pub const STEPS_MAX: u64 = 2_000_000;

/// What a run came to.
#[derive(Debug)]
pub struct Outcome {
    /// The same for two runs of one plan.
    pub hash: u64,
    /// How many things happened.
    pub steps: u64,
    /// The first rule that was broken.
    pub failure: Option<Failure>,
    /// What a run reached, to see that it is not idle.
    pub reached: Reached,
    /// The history, if it was asked for.
    pub lines: Vec<String>,
}

/// How often things happened that a simulation must reach to be worth anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// OFFERs that left the server.
    pub offers: u64,
    /// ACKs that waited for the disk.
    pub promises: u64,
    /// ACKs that did not have to: within what is durable, or to INFORM.
    pub prompt_acks: u64,
    /// NAKs.
    pub naks: u64,
    /// Turns that became durable.
    pub commits: u64,
    /// Commits that failed.
    pub failed_commits: u64,
    /// Starts of the process on a store with records.
    pub restarts: u64,
    /// Configurations that were adopted.
    pub configurations: u64,
    /// Probes.
    pub probes: u64,
    /// DECLINEs and RELEASEs that clients sent.
    pub farewells: u64,
    /// Relays that were told of a lease.
    pub informed: u64,
    /// FORCERENEWs.
    pub forced: u64,
}

impl Reached {
    /// All of them with their names.
    #[must_use]
    pub fn all(self) -> [(&'static str, u64); 12] {
        [
            ("offers", self.offers),
            ("promises", self.promises),
            ("prompt ACKs", self.prompt_acks),
            ("NAKs", self.naks),
            ("commits", self.commits),
            ("failed commits", self.failed_commits),
            ("restarts", self.restarts),
            ("configurations", self.configurations),
            ("probes", self.probes),
            ("farewells", self.farewells),
            ("relays informed", self.informed),
            ("FORCERENEWs", self.forced),
        ]
    }
}

impl core::ops::AddAssign for Reached {
    fn add_assign(&mut self, other: Self) {
        self.offers += other.offers;
        self.promises += other.promises;
        self.prompt_acks += other.prompt_acks;
        self.naks += other.naks;
        self.commits += other.commits;
        self.failed_commits += other.failed_commits;
        self.restarts += other.restarts;
        self.configurations += other.configurations;
        self.probes += other.probes;
        self.farewells += other.farewells;
        self.informed += other.informed;
        self.forced += other.forced;
    }
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (name, count)) in self.all().into_iter().enumerate() {
            let comma = if at == 0 { "" } else { ", " };
            write!(f, "{comma}{count} {name}")?;
        }
        Ok(())
    }
}

/// Runs a plan for at most `steps` steps; keeps the history if `lines`.
#[must_use]
pub fn run(plan: &Plan, steps: u64, lines: bool) -> Outcome {
    planted::plant(plan.planted);
    let mut world = World::new(plan, lines);
    let panicked = catch(|| world.run(steps));
    if let Some(message) = panicked {
        world.fail((Rule::Panic, message));
    }
    Outcome {
        hash: world.history.hash(),
        steps: world.steps,
        failure: world.failure,
        reached: world.history.reached(),
        lines: world.history.into_lines(),
    }
}

thread_local! {
    static CATCHING: Cell<bool> = const { Cell::new(false) };
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `act`; a panic comes back as its message with file and line, and is printed nowhere.
fn catch(act: impl FnOnce()) -> Option<String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            if CATCHING.get() {
                CAUGHT.replace(Some(panic.to_string()));
            } else {
                usual(panic);
            }
        }));
    });
    CATCHING.set(true);
    let result = panic::catch_unwind(AssertUnwindSafe(act));
    CATCHING.set(false);
    let message = CAUGHT.take();
    result.err().map(|_| message.unwrap_or_default())
}
