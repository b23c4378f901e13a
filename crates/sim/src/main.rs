//! The simulator's command: one seed, a range of seeds, or all cores for some minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use clap::Parser;
use leasehold_sim::{Outcome, Plan, Reached, STEPS_MAX, run, shrink};

/// Runs the shipped engine in a simulated world. The same seed gives the same history.
#[derive(Parser)]
#[command(name = "leasehold-sim", version)]
#[command(group = clap::ArgGroup::new("what").required(true))]
struct Arguments {
    /// Runs this seed.
    #[arg(long, group = "what")]
    seed: Option<u64>,
    /// Runs the seeds FROM..TO on all cores.
    #[arg(long, group = "what", value_name = "FROM..TO", value_parser = seeds)]
    seeds: Option<(u64, u64)>,
    /// Runs seeds on all cores for so many minutes, from a seed that the clock chooses.
    #[arg(long, group = "what", value_name = "MINUTES")]
    swarm: Option<u64>,
    /// Lets each run last so many hours of simulated time, with trouble all the while.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    hours: Option<u64>,
    /// Stops a run after so many steps; zero for no limit but one that no run reaches.
    #[arg(long, default_value_t = 0)]
    steps: u64,
    /// Prints the whole history, also of a run without a failure.
    #[arg(long)]
    verbose: bool,
    /// Goes on after a failure: counts the broken rules, and the first seed of each.
    #[arg(long)]
    survey: bool,
    /// Runs a failing plan at most so often to make it smaller.
    #[arg(long, default_value_t = 3_000)]
    shrink: u32,
}

impl Arguments {
    fn plan(&self, seed: u64) -> Plan {
        self.hours.map_or_else(|| Plan::new(seed), |hours| Plan::lasting(seed, hours))
    }

    fn steps(&self) -> u64 {
        match self.steps {
            0 => STEPS_MAX * self.hours.unwrap_or(1),
            steps => steps,
        }
    }
}

fn seeds(text: &str) -> Result<(u64, u64), String> {
    let (from, to) = text.split_once("..").ok_or("two seeds with .. between them")?;
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is not a seed"));
    match (number(from)?, number(to)?) {
        (from, to) if from < to => Ok((from, to)),
        _ => Err("the second seed is not above the first".to_owned()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let failed = if let Some(seed) = arguments.seed {
        run_one(seed, &arguments)
    } else if let Some((from, to)) = arguments.seeds {
        run_many(from, to, None, &arguments)
    } else {
        let minutes = arguments.swarm.unwrap_or_default();
        run_many(chosen_by_the_clock(), u64::MAX, Some(minutes), &arguments)
    };
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run_one(seed: u64, arguments: &Arguments) -> bool {
    let plan = arguments.plan(seed);
    let outcome = run(&plan, arguments.steps(), arguments.verbose);
    outcome.lines.iter().for_each(|line| println!("{line}"));
    println!("seed {seed}: {} steps, history {:016x}", outcome.steps, outcome.hash);
    println!("{}", outcome.reached);
    explain(&plan, &outcome, arguments)
}

/// Prints what failed, made smaller. Tells whether anything did.
fn explain(plan: &Plan, outcome: &Outcome, arguments: &Arguments) -> bool {
    let Some(failure) = &outcome.failure else { return false };
    println!("seed {} fails {failure}", plan.seed);
    let (small, runs) = shrink(plan, &failure.rule, arguments.steps(), arguments.shrink);
    let last = run(&small, arguments.steps(), true);
    println!("made smaller in {runs} runs:\n{small}");
    last.lines.iter().for_each(|line| println!("{line}"));
    if let Some(failure) = last.failure {
        println!("{failure}");
    }
    true
}

/// What one core has done of many seeds.
#[derive(Default)]
struct Done {
    seeds: u64,
    steps: u64,
    reached: Reached,
    /// The seeds that broke each rule.
    broken: BTreeMap<String, BTreeSet<u64>>,
}

impl Done {
    fn add(&mut self, seed: u64, outcome: &Outcome) {
        self.seeds += 1;
        self.steps += outcome.steps;
        self.reached += outcome.reached;
        if let Some(failure) = &outcome.failure {
            self.broken.entry(failure.rule.to_string()).or_default().insert(seed);
        }
    }

    fn join(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.reached += other.reached;
        for (rule, seeds) in other.broken {
            self.broken.entry(rule).or_default().extend(seeds);
        }
    }
}

/// Runs seeds on all cores until the first failure, the last seed or the end of the time.
fn run_many(from: u64, to: u64, minutes: Option<u64>, arguments: &Arguments) -> bool {
    let clock = Clock::start();
    let limit = minutes.map(|minutes| Duration::from_secs(minutes * 60));
    let next = AtomicU64::new(from);
    let stop = AtomicBool::new(false);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let work = || {
        let mut done = Done::default();
        while !stop.load(Ordering::Relaxed) && limit.is_none_or(|limit| clock.elapsed() < limit) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= to {
                break;
            }
            let outcome = run_checked(seed, arguments, limit.is_some());
            done.add(seed, &outcome);
            if outcome.failure.is_some() && !arguments.survey {
                stop.store(true, Ordering::Relaxed);
            }
        }
        done
    };
    let mut all = Done::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).for_each(|it| all.join(it));
    });
    let seconds = clock.elapsed().as_secs_f64();
    let Done { seeds, steps, reached, broken } = all;
    println!("{seeds} seeds from {from}, {steps} steps in {seconds:.1} s on {cores} cores");
    println!("{reached}");
    for (rule, seeds) in &broken {
        let first: Vec<String> = seeds.iter().take(8).map(u64::to_string).collect();
        println!("{:>6} seeds ({}): {rule}", seeds.len(), first.join(" "));
    }
    let Some(seed) = broken.into_values().filter_map(|mut seeds| seeds.pop_first()).min() else {
        return false;
    };
    arguments.survey || run_one(seed, arguments)
}

/// Runs a seed; in a swarm, now and then twice, to see that it is one history.
fn run_checked(seed: u64, arguments: &Arguments, swarm: bool) -> Outcome {
    let plan = arguments.plan(seed);
    let outcome = run(&plan, arguments.steps(), false);
    if swarm && seed.is_multiple_of(64) {
        let again = run(&plan, arguments.steps(), false);
        assert_eq!(outcome.hash, again.hash, "seed {seed} has two histories");
    }
    outcome
}

/// The only clock of this crate: it tells how long a swarm has run, and no run ever sees it.
struct Clock(
    #[expect(clippy::disallowed_types, reason = "limits a swarm's time")] std::time::Instant,
);

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        clippy::disallowed_types,
        reason = "limits a swarm's time"
    )]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}

#[expect(clippy::disallowed_methods, clippy::disallowed_types, reason = "a swarm's first seed")]
fn chosen_by_the_clock() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() * 1_000_000)
}
