//! Every planted bug is found, and within how many seeds.
//!
//! The bugs in the engine are there only with `--cfg leasehold_planted`: `make planted`.

use leasehold_sim::{Bug, Failure, Plan, STEPS_MAX, run, shrink};

/// A bug that takes more seeds than this counts as not found.
const SEEDS_MAX: u64 = 10_000;

fn is_compiled(bug: Bug) -> bool {
    bug.in_engine().is_none() || cfg!(leasehold_planted)
}

/// The first seed that shows a bug, to a judge who looks inside or to one who does not.
fn find(bug: Bug, inside: bool) -> Option<(u64, Failure)> {
    (0..SEEDS_MAX).find_map(|seed| {
        let plan = Plan::new(seed).with(bug);
        let plan = if inside { plan } else { plan.seen_from_outside() };
        run(&plan, STEPS_MAX, false).failure.map(|failure| (seed, failure))
    })
}

#[test]
fn every_planted_bug_is_found() {
    println!("| planted bug | seed | rule | seed, seen from outside | rule |");
    println!("| --- | --- | --- | --- | --- |");
    let mut missed = Vec::new();
    for bug in Bug::ALL.into_iter().filter(|bug| is_compiled(*bug)) {
        let found = [true, false].map(|inside| find(bug, inside));
        let [inside, outside] = found.map(|found| match found {
            Some((seed, failure)) => format!("{seed} | {}", failure.rule),
            None => {
                missed.push(bug);
                "none | none".to_owned()
            }
        });
        println!("| {bug} | {inside} | {outside} |");
    }
    assert_eq!(missed, [], "not found in {SEEDS_MAX} seeds");
}

/// What a reader gets is small, still fails, and fails in the same way.
#[test]
fn a_failing_plan_is_made_smaller() {
    let (seed, failure) = find(Bug::AckBeforeCommit, true).expect("it is found");
    let plan = Plan::new(seed).with(Bug::AckBeforeCommit);
    let (small, _) = shrink(&plan, &failure.rule, STEPS_MAX, 500);
    let again = run(&small, STEPS_MAX, true);
    assert_eq!(again.failure.map(|failure| failure.rule), Some(failure.rule));
    assert!(small.incidents.len() <= 2, "{small}");
    assert!(again.lines.len() < 100, "{} lines", again.lines.len());
}
