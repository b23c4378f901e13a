//! Conformance cases: each has a test that is named after it, or an exception with its reason.
//!
//! `crates/dhcp/cases/cases.toml` lists the cases, `exceptions.toml` beside it says why one has no
//! test of its name. `docs/conformance.md` is written from both; run the test to renew it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use serde::Deserialize;

use crate::source::{is_of_case, report, root, rust_files, test_functions};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cases {
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    id: String,
    sent: String,
    comes: String,
}

/// Why a case has no test of its name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Exception {
    reason: String,
    /// Test functions of other names that show it all the same.
    #[serde(default)]
    tests: Vec<String>,
    /// What else shows it: a benchmark, a command.
    #[serde(default)]
    shown: String,
}

struct Survey {
    cases: Vec<Case>,
    exceptions: BTreeMap<String, Exception>,
    /// Test functions and their files.
    tests: BTreeSet<(String, String)>,
}

fn survey() -> Survey {
    let read = |name: &str| {
        let path = root().join("crates/dhcp/cases").join(name);
        fs::read_to_string(path).expect("a file of cases is UTF-8")
    };
    let Cases { cases } = toml::from_str(&read("cases.toml")).expect("cases.toml is well-formed");
    let exceptions = toml::from_str(&read("exceptions.toml"));
    let mut tests = BTreeSet::new();
    for file in rust_files().into_iter().filter(|file| !file.contains("/tests/rfc/")) {
        let text = fs::read_to_string(root().join(&file)).expect("a source file is UTF-8");
        tests.extend(test_functions(&text).map(|name| (name, file.clone())));
    }
    Survey { cases, exceptions: exceptions.expect("exceptions.toml is well-formed"), tests }
}

impl Survey {
    fn of<'a>(&'a self, case: &'a str) -> impl Iterator<Item = &'a (String, String)> {
        self.tests.iter().filter(move |(test, _)| is_of_case(test, case))
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut seen = BTreeSet::new();
        for Case { id, .. } in &self.cases {
            if !seen.insert(id) {
                faults.push(format!("{id} is listed twice"));
            }
            match (self.of(id).next(), self.exceptions.get(id)) {
                (Some(_), Some(_)) => faults.push(format!("{id} has a test, and an exception")),
                (None, None) => faults.push(format!("{id} has no test and no exception")),
                _ => {}
            }
        }
        for (id, exception) in &self.exceptions {
            if !seen.contains(id) {
                faults.push(format!("{id} is excepted, and no case"));
            }
            if exception.reason.split(' ').count() < 4 {
                faults.push(format!("the exception of {id} needs a reason"));
            }
            let is_there = |name: &&String| self.tests.iter().any(|(test, _)| test == *name);
            for missing in exception.tests.iter().filter(|name| !is_there(name)) {
                faults.push(format!("the exception of {id} names {missing}, which is no test"));
            }
        }
        faults
    }

    /// `docs/conformance.md`.
    fn page(&self) -> String {
        let mut page = String::from(
            "# Conformance cases\n\n\
             Written by `cargo test -p leasehold-dhcp --test rfc` from `crates/dhcp/cases/*.toml` \
             and from the names of the tests; do not edit it.\n\n\
             What is sent, what has to come back, and where the tests of its name are: those of \
             `HDR-01` begin with `hdr_01`. SILENT is no answer at all, and the server goes \
             on.\n\n",
        );
        let excepted = self.exceptions.len();
        let tested = self.cases.len() - excepted;
        let _ = writeln!(page, "{tested} cases have tests of their name, {excepted} do not.\n");
        page.push_str("| Case | Sent | Comes back | Tests |\n| --- | --- | --- | --- |\n");
        for Case { id, sent, comes } in &self.cases {
            // Files rather than functions: the page shall not change with each new test.
            let files: BTreeSet<&String> = self.of(id).map(|(_, file)| file).collect();
            let name = |file: &str| file.trim_start_matches("crates/").replace("/tests/", "/");
            let mut tests: Vec<String> =
                files.iter().map(|file| format!("[{}](../{file})", name(file))).collect();
            if let Some(exception) = self.exceptions.get(id) {
                tests.push(format!("excepted: {}", exception.reason));
                tests.extend(exception.tests.iter().map(|test| format!("`{test}`")));
                tests.extend(Some(&exception.shown).filter(|shown| !shown.is_empty()).cloned());
            }
            let (sent, comes) = (sent.replace('|', "\\|"), comes.replace('|', "\\|"));
            let _ = writeln!(page, "| {id} | {sent} | {comes} | {} |", tests.join("<br>"));
        }
        page
    }
}

#[test]
fn every_case_is_tested_or_excepted() {
    report("a case has a test of its name, or an exception with a reason", &survey().faults());
}

#[test]
fn the_page_of_cases_is_current() {
    let path = root().join("docs/conformance.md");
    let page = survey().page();
    if fs::read_to_string(&path).unwrap_or_default() != page {
        fs::write(&path, page).expect("docs/conformance.md can be written");
        panic!("docs/conformance.md was out of date; it has been rewritten: commit it");
    }
}

#[test]
fn a_case_without_a_test_is_reported() {
    let mut survey = survey();
    survey.tests.retain(|(test, _)| !is_of_case(test, "SEL-01"));
    assert_eq!(survey.faults(), ["SEL-01 has no test and no exception"]);
    let reason = "it is shown elsewhere altogether".to_owned();
    let excepted = Exception { reason, tests: vec!["no_such".into()], shown: String::new() };
    survey.exceptions.insert("SEL-01".into(), excepted);
    assert_eq!(survey.faults(), ["the exception of SEL-01 names no_such, which is no test"]);
}
