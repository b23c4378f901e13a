//! Every planted bug is found, and within how many seeds: `make planted`.
//!
//! A seed finds a bug only if it is clean without it. The table in `docs/simulator.md` names a seed
//! for each bug; one that finds it no more is looked for anew, and the table is written again.

#![cfg(leasehold_planted)]

use std::fs;
use std::path::Path;

use leasehold_sim::{Bug, Plan, STEPS_MAX, run, shrink};

/// A bug that takes more seeds than this counts as not found.
const SEEDS_MAX: u64 = 10_000;
/// From outside, no more than these are tried: some bugs show only to who looks inside.
const SEEDS_OUTSIDE: u64 = 500;

const HEAD: &str = "| planted bug | seeds tried | what shows it | from outside | what shows it |\n\
                    | --- | --: | --- | --: | --- |\n";

fn plan(seed: u64, inside: bool) -> Plan {
    let plan = Plan::new(seed);
    if inside { plan } else { plan.seen_from_outside() }
}

/// The rule that a seed sees broken by a bug, if it sees none broken without.
fn shows(bug: Bug, inside: bool, seed: u64) -> Option<String> {
    let failure = run(&plan(seed, inside).with(bug), STEPS_MAX, false).failure?;
    let without = run(&plan(seed, inside), STEPS_MAX, false);
    without.failure.is_none().then(|| failure.rule.to_string())
}

/// How many seeds it took, and the rule that the last of them saw broken.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    tried: u64,
    rule: String,
}

impl Found {
    fn still(&self, bug: Bug, inside: bool) -> bool {
        self.tried > 0 && shows(bug, inside, self.tried - 1).as_ref() == Some(&self.rule)
    }

    fn anew(bug: Bug, inside: bool) -> Option<Self> {
        let most = if inside { SEEDS_MAX } else { SEEDS_OUTSIDE };
        (0..most).find_map(|seed| {
            let rule = shows(bug, inside, seed)?;
            Some(Self { tried: seed + 1, rule })
        })
    }
}

/// What the table says of a bug: to a judge who looks inside, and to one who sees what clients see.
fn read(table: &str, bug: Bug) -> Option<[Option<Found>; 2]> {
    let row = table.lines().find(|row| row.starts_with(&format!("| {bug} |")))?;
    let cells: Vec<&str> = row.split('|').map(str::trim).collect();
    let found = |at: usize| {
        let tried = cells.get(at)?.replace(',', "").parse().ok()?;
        Some(Found { tried, rule: cells.get(at + 1)?.to_string() })
    };
    Some([found(2), found(4)])
}

#[test]
fn every_planted_bug_is_found() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/simulator.md");
    let page = fs::read_to_string(&path).expect("the page is there");
    let (before, old) = page.split_once(HEAD).expect("the page has the table");
    let mut table = String::new();
    let mut missed = Vec::new();
    for bug in Bug::ALL {
        let known = read(old, bug);
        let is_known = known.is_some();
        let known = known.unwrap_or_default();
        let mut cells = [String::new(), String::new()];
        for ((known, inside), cell) in known.into_iter().zip([true, false]).zip(&mut cells) {
            // What was looked for from outside in vain is not looked for again.
            let vain = is_known && known.is_none() && !inside;
            let still = known.filter(|known| known.still(bug, inside));
            let search = || if vain { None } else { Found::anew(bug, inside) };
            *cell = match still.or_else(search) {
                Some(Found { tried, rule }) => format!("{tried} | {rule}"),
                None => "none | ".to_owned(),
            };
            if inside && cell.starts_with("none") {
                missed.push(bug);
            }
        }
        let row = format!("| {bug} | {} |\n", cells.join(" | "));
        print!("{row}");
        table.push_str(&row);
    }
    assert_eq!(missed, [], "not found in {SEEDS_MAX} seeds");
    let new = format!("{before}{HEAD}{table}");
    if new != page {
        fs::write(&path, new).expect("the page can be written");
        println!("docs/simulator.md was written anew: commit it");
    }
}

/// What a reader gets is small, still fails, and fails in the same way.
#[test]
fn a_failing_plan_is_made_smaller() {
    let bug = Bug::AckBeforeCommit;
    let found = Found::anew(bug, true).expect("it is found");
    let plan = Plan::new(found.tried - 1).with(bug);
    let rule = run(&plan, STEPS_MAX, false).failure.expect("it fails").rule;
    let (small, _) = shrink(&plan, &rule, STEPS_MAX, 500);
    let again = run(&small, STEPS_MAX, true);
    assert_eq!(again.failure.map(|failure| failure.rule), Some(rule));
    assert!(small.incidents.len() <= 2, "{small}");
    assert!(again.lines.len() < 150, "{} lines", again.lines.len());
}
