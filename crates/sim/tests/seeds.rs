//! A thousand seeds keep every rule, reach everything that they are for, and have one history.

use leasehold_sim::{Plan, Reached, STEPS_MAX, run};

/// Runs seeds; tells what they reached together.
fn keep_every_rule(seeds: core::ops::Range<u64>) -> Reached {
    let mut reached = Reached::default();
    for seed in seeds {
        let outcome = run(&Plan::new(seed), STEPS_MAX, false);
        if let Some(failure) = outcome.failure {
            panic!(
                "seed {seed} fails {failure}\n\
                 cargo run --release -p leasehold-sim -- --seed {seed}"
            );
        }
        assert!(outcome.steps < STEPS_MAX, "seed {seed} has no end");
        reached += outcome.reached;
    }
    reached
}

// Two tests, because two cores run them at once.

#[test]
fn the_first_seeds() {
    let reached = keep_every_rule(0..250);
    for (name, count) in reached.all() {
        assert!(count > 50, "only {count} {name} in 250 seeds");
    }
}

#[test]
fn the_next_seeds() {
    keep_every_rule(250..500);
}

#[test]
fn one_seed_has_one_history() {
    let mut hashes = Vec::new();
    for seed in 0..20 {
        let plan = Plan::new(seed);
        assert_eq!(plan, Plan::new(seed));
        let (one, two) = (run(&plan, STEPS_MAX, true), run(&plan, STEPS_MAX, true));
        assert_eq!(one.hash, two.hash, "seed {seed}");
        assert_eq!(one.lines, two.lines, "seed {seed}");
        assert_eq!(one.hash, run(&plan, STEPS_MAX, false).hash, "seed {seed}, kept or not");
        hashes.push(one.hash);
    }
    hashes.sort_unstable();
    hashes.dedup();
    assert_eq!(hashes.len(), 20, "every seed has a history of its own");
}

/// Three days with trouble all the while: nothing piles up, nothing runs out.
#[test]
fn seventy_two_hours() {
    let plan = Plan::lasting(3, 72);
    let outcome = run(&plan, 72 * STEPS_MAX, false);
    assert_eq!(outcome.failure, None);
    assert!(outcome.steps > 10_000, "{}", outcome.steps);
}
