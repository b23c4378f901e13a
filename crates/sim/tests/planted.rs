//! Every planted bug is found, and within how many seeds.

use leasehold_sim::{Bug, Failure, Plan, STEPS_MAX, run, shrink};

/// A bug that takes more seeds than this counts as not found.
const SEEDS_MAX: u64 = 10_000;

fn find(bug: Bug) -> (u64, Failure) {
    (0..SEEDS_MAX)
        .find_map(|seed| {
            let outcome = run(&Plan::new(seed).with(bug), STEPS_MAX, false);
            outcome.failure.map(|failure| (seed, failure))
        })
        .unwrap_or_else(|| panic!("{bug} is not found in {SEEDS_MAX} seeds"))
}

#[test]
fn every_planted_bug_is_found() {
    println!("| planted bug | seed | rule that it broke |\n| --- | --- | --- |");
    for bug in Bug::ALL {
        let (seed, failure) = find(bug);
        println!("| {bug} | {seed} | {} |", failure.rule);
    }
}

/// What a reader gets is small, still fails, and fails in the same way.
#[test]
fn a_failing_plan_is_made_smaller() {
    let (seed, failure) = find(Bug::AckBeforeCommit);
    let plan = Plan::new(seed).with(Bug::AckBeforeCommit);
    let (small, _) = shrink(&plan, &failure.rule, STEPS_MAX, 500);
    let again = run(&small, STEPS_MAX, true);
    assert_eq!(again.failure.map(|failure| failure.rule), Some(failure.rule));
    assert!(small.incidents.len() <= 2, "{small}");
    assert!(again.lines.len() < 100, "{} lines", again.lines.len());
}
