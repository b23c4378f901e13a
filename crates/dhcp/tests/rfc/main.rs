//! RFC clauses: each is quoted where the code obeys it, and tested, or excepted with a reason.
//!
//! `crates/dhcp/rfc/rfcNNNN.toml` holds what an RFC demands of a server, word for word. The code
//! quotes it (`//= URL#section-N`, then `//# words`), a test quotes it with `//= type=test`, or the
//! clause names conformance cases. `docs/rfc.md` is written from both; run the test to renew it.

mod cases;
mod source;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::{fs, io};

use serde::Deserialize;

use self::source::{is_of_case, is_orphan, item_name, report, root, rust_files, test_functions};

const URL: &str = "https://www.rfc-editor.org/rfc/rfc";

/// One file of `crates/dhcp/rfc`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rfc {
    number: u16,
    title: String,
    /// How much of the RFC's text the clauses were taken from.
    text: String,
    #[serde(default, rename = "clause")]
    clauses: Vec<Clause>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Clause {
    section: String,
    level: Level,
    quote: String,
    /// Conformance cases that test it: `SEL-01` is a test function whose name begins `sel_01`.
    #[serde(default)]
    cases: Vec<String>,
    /// Why it is not obeyed, or why it asks nothing of this server.
    exception: Option<String>,
    /// Not obeyed or not tested yet; allowed only while that is so.
    #[serde(default)]
    pending: bool,
    /// Where the words come from, if not from the RFC's text.
    source: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum Level {
    #[serde(rename = "MUST")]
    Must,
    #[serde(rename = "MUST NOT")]
    MustNot,
    #[serde(rename = "SHOULD")]
    Should,
    #[serde(rename = "SHOULD NOT")]
    ShouldNot,
    #[serde(rename = "MAY")]
    May,
    /// A rule for servers that the RFC states without a capitalised word.
    #[serde(rename = "RULE")]
    Rule,
}

impl Level {
    fn name(self) -> &'static str {
        match self {
            Self::Must => "MUST",
            Self::MustNot => "MUST NOT",
            Self::Should => "SHOULD",
            Self::ShouldNot => "SHOULD NOT",
            Self::May => "MAY",
            Self::Rule => "RULE",
        }
    }

    /// Words of RFC 2119, one of which a quote of this level holds.
    fn words(self) -> &'static [&'static str] {
        match self {
            Self::Must => &["MUST", "SHALL", "REQUIRED"],
            Self::MustNot => &["MUST NOT", "SHALL NOT", "MUST\nNOT"],
            Self::Should => &["SHOULD", "RECOMMENDED"],
            Self::ShouldNot => &["SHOULD NOT", "NOT RECOMMENDED"],
            Self::May => &["MAY", "OPTIONAL", "may"],
            Self::Rule => &[""],
        }
    }
}

/// A quote in the code.
struct Annotation {
    file: String,
    line: usize,
    /// The function or type that it stands in or above.
    item: String,
    rfc: u16,
    section: String,
    quote: String,
    test: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Met,
    Excepted,
    NotYet,
    /// A MAY that the code does not use.
    Unused,
}

/// All clauses, all quotes in the code, and the names of all test functions.
struct Survey {
    rfcs: Vec<Rfc>,
    annotations: Vec<Annotation>,
    tests: BTreeSet<String>,
}

#[test]
fn clause_files_are_well_formed() {
    let (survey, _) = survey();
    let faults: Vec<String> = survey.rfcs.iter().flat_map(clause_faults).collect();
    report("a clause is quoted once, at its level, with a reason if it is excepted", &faults);
}

#[test]
fn quotes_in_the_code_are_the_rfcs_words() {
    let (survey, mut faults) = survey();
    faults.extend(survey.annotations.iter().filter_map(|quoted| survey.fault(quoted)));
    report("a quote is found in the clauses of its section", &faults);
}

#[test]
fn obligations_are_quoted_and_tested_or_excepted() {
    let (survey, _) = survey();
    let mut faults = Vec::new();
    for rfc in &survey.rfcs {
        survey.take_back_pending(rfc);
        faults.extend(rfc.clauses.iter().filter_map(|clause| survey.gap(rfc, clause)));
    }
    let [met, excepted, not_yet] = survey.counts(&survey.rfcs);
    // Past the test harness's capture, so that the number of open clauses is always seen.
    let _ = writeln!(
        io::stderr(),
        "RFC clauses: {met} met, {excepted} excepted, {not_yet} not yet (docs/rfc.md)"
    );
    report("a MUST or SHOULD is quoted and tested, excepted, or openly pending", &faults);
}

#[test]
fn the_page_is_current() {
    let (survey, _) = survey();
    let path = root().join("docs/rfc.md");
    let page = survey.page();
    let old = fs::read_to_string(&path).unwrap_or_default();
    if old != page {
        fs::write(&path, page).expect("docs/rfc.md can be written");
        panic!("docs/rfc.md was out of date; it has been rewritten: commit it");
    }
}

#[test]
fn a_wrong_quote_is_reported_with_its_place() {
    let text = "fn f() {\n    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.3\n    \
        //# The server MUST mark the network\n    //# address as rather busy\n}\n";
    let (annotations, faults) = annotations("a.rs", text);
    assert!(faults.is_empty(), "{faults:?}");
    let (mut survey, _) = survey();
    let fault = survey.fault(&annotations[0]).expect("the words are not the RFC's");
    assert!(fault.starts_with("a.rs:2: RFC 2131 § 4.3.3 does not say"), "{fault}");
    assert_eq!(annotations[0].item, "f");
    survey.annotations = annotations;
    survey.annotations[0].quote = "The server MUST mark the network address".to_owned();
    assert_eq!(survey.fault(&survey.annotations[0]), None);
    survey.annotations[0].section = "4.3.4".to_owned();
    assert!(survey.fault(&survey.annotations[0]).is_some(), "the section is another one");
}

#[test]
fn an_annotation_without_words_is_reported() {
    let (_, faults) = annotations("a.rs", &format!("//= {URL}2131#section-2\nfn f() {{}}\n"));
    assert_eq!(faults, ["a.rs:1: no `//#` line follows"]);
    let (_, faults) = annotations("b.rs", "//= https://example.org/rfc2131\n//# words\n");
    assert_eq!(faults, ["b.rs:1: not a section of an RFC: https://example.org/rfc2131"]);
    let text = format!("//= {URL}2131#section-2\n//# words\n");
    let (_, faults) = annotations("crates/dhcp/tests/b.rs", &text);
    assert_eq!(faults, ["crates/dhcp/tests/b.rs:1: a quote in a test says `//= type=test`"]);
}

#[test]
fn a_clause_that_nobody_obeys_is_reported() {
    let clause = |more: &str| {
        let text = format!("section = '1'\nlevel = 'MUST'\nquote = 'a b MUST c'\n{more}");
        toml::from_str::<Clause>(&text).expect("a clause")
    };
    let rfc = |clause| Rfc {
        number: 9,
        title: String::new(),
        text: String::new(),
        clauses: vec![clause],
    };
    let mut survey = Survey { rfcs: Vec::new(), annotations: Vec::new(), tests: BTreeSet::new() };
    let gap = |survey: &Survey, more: &str| survey.gap(&rfc(clause("")), &clause(more));
    assert!(gap(&survey, "").is_some_and(|gap| gap.contains("neither quoted nor tested")));
    assert_eq!(gap(&survey, "pending = true"), None);
    assert_eq!(gap(&survey, "exception = 'because'"), None);
    let (quoted, _) =
        annotations("a.rs", &format!("//= {URL}9#section-1\n//# a b MUST\nfn f() {{}}\n"));
    survey.annotations = quoted;
    assert!(gap(&survey, "cases = ['SEL-01']").is_some_and(|gap| gap.contains("not tested")));
    survey.tests.insert("sel_01_right_server".to_owned());
    assert_eq!(gap(&survey, "cases = ['SEL-01']"), None);
    let late = gap(&survey, "cases = ['SEL-01']\npending = true");
    assert!(late.is_some_and(|gap| gap.contains("no longer pending")));
    assert!(is_of_case("dec_03_05_of_strangers", "DEC-05"));
    assert!(!is_of_case("dec_03_of_05", "DEC-05"));
}

/// White space folded, as quotes are compared.
fn folded(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The clause files and the code as they are, and what is wrong with the annotations' form.
fn survey() -> (Survey, Vec<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rfc");
    let mut rfcs: Vec<Rfc> = fs::read_dir(folder)
        .expect("crates/dhcp/rfc can be read")
        .map(|entry| entry.expect("its entries can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a clause file is UTF-8");
            toml::from_str(&text).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
        })
        .collect();
    rfcs.sort_by_key(|rfc| rfc.number);
    let mut survey = Survey { rfcs, annotations: Vec::new(), tests: BTreeSet::new() };
    let mut faults = Vec::new();
    for file in rust_files() {
        let text = fs::read_to_string(root().join(&file)).expect("a source file is UTF-8");
        if text.contains("#[test]") && is_orphan(&file) {
            faults.push(format!("{file}:1: no `mod` has this file: its tests never run"));
            continue;
        }
        survey.tests.extend(test_functions(&text));
        if file.starts_with("crates/dhcp/tests/rfc/") {
            continue;
        }
        let (found, wrong) = annotations(&file, &text);
        survey.annotations.extend(found);
        faults.extend(wrong);
    }
    (survey, faults)
}

/// The annotations of a file, and those whose form is wrong.
fn annotations(file: &str, text: &str) -> (Vec<Annotation>, Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    let (mut found, mut faults) = (Vec::new(), Vec::new());
    let mut at = 0;
    while at < lines.len() {
        let start = at;
        at += 1;
        let Some(target) = lines[start].trim_start().strip_prefix("//= ") else { continue };
        let (mut test, mut words) = (false, Vec::new());
        while let Some(line) = lines.get(at).map(|line| line.trim_start()) {
            match line.strip_prefix("//# ") {
                Some(more) => words.push(more),
                None if line == "//= type=test" && words.is_empty() => test = true,
                None => break,
            }
            at += 1;
        }
        let in_test = file.contains("/tests/") || file.starts_with("tests/");
        let place = format!("{file}:{}", start + 1);
        match target.strip_prefix(URL).and_then(|rest| rest.split_once("#section-")) {
            _ if words.is_empty() => faults.push(format!("{place}: no `//#` line follows")),
            _ if (in_test || file.ends_with("/tests.rs")) && !test => {
                faults.push(format!("{place}: a quote in a test says `//= type=test`"));
            }
            Some((rfc, section)) if rfc.parse::<u16>().is_ok() => found.push(Annotation {
                file: file.to_owned(),
                line: start + 1,
                item: item(&lines, start, at).unwrap_or_default().to_owned(),
                rfc: rfc.parse().unwrap_or_default(),
                section: section.to_owned(),
                quote: folded(&words.join(" ")),
                test,
            }),
            _ => faults.push(format!("{place}: not a section of an RFC: {target}")),
        }
    }
    (found, faults)
}

/// The item that the comment in lines `start..end` stands above, or else the one around it.
fn item<'a>(lines: &[&'a str], start: usize, end: usize) -> Option<&'a str> {
    let code =
        |line: &&&str| !(line.is_empty() || line.starts_with("//") || line.starts_with("#["));
    let below: Vec<&str> = lines[end..].iter().map(|line| line.trim_start()).collect();
    if let Some(name) = below.iter().find(code).and_then(|line| item_name(line)) {
        return Some(name);
    }
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let mut inside = indentation(lines[start]);
    for line in lines[..start].iter().rev().filter(|line| !line.trim().is_empty()) {
        if indentation(line) >= inside {
            continue;
        }
        let code = line.trim_start();
        if let Some(name) = item_name(code) {
            return Some(name);
        }
        // `) -> T {`, `{` and `where` belong to an item whose first line is not further left.
        let continues = code.starts_with([')', '}', '{']) || code.starts_with("where");
        inside = indentation(line) + usize::from(continues);
    }
    None
}

fn clause_faults(rfc: &Rfc) -> Vec<String> {
    let mut faults = Vec::new();
    for (at, clause) in rfc.clauses.iter().enumerate() {
        let quote = folded(&clause.quote);
        let mut fault = |what: &str| {
            faults.push(format!("rfc{} § {}: {what}: {quote}", rfc.number, clause.section));
        };
        if !clause.level.words().iter().any(|word| quote.contains(word)) {
            fault("the quote has no word of its level");
        }
        if clause.exception.as_ref().is_some_and(|reason| reason.split(' ').count() < 4) {
            fault("an exception needs a reason");
        }
        if clause.pending && (clause.exception.is_some() || clause.level == Level::May) {
            fault("an exception or a MAY is not pending");
        }
        let twice = |other: &Clause| {
            other.section == clause.section && folded(&other.quote).contains(&quote)
        };
        if rfc.clauses.iter().enumerate().any(|(other, it)| other != at && twice(it)) {
            fault("two clauses hold these words");
        }
    }
    faults
}

impl Survey {
    /// A quote holds all words of one clause, or some of them, and of no other.
    fn fault(&self, quoted: &Annotation) -> Option<String> {
        let of = |rfc: &Rfc| rfc.clauses.iter().filter(|it| quotes(quoted, rfc, it)).count();
        let what = match self.rfcs.iter().map(of).sum() {
            1 => return None,
            0 => "does not say (in our clauses)",
            _ => "says more than once",
        };
        let Annotation { file, line, rfc, section, quote, .. } = quoted;
        Some(format!("{file}:{line}: RFC {rfc} § {section} {what}: {quote}"))
    }

    fn quoted<'a>(
        &'a self,
        rfc: &'a Rfc,
        clause: &'a Clause,
    ) -> impl Iterator<Item = &'a Annotation> {
        self.annotations.iter().filter(move |quoted| quotes(quoted, rfc, clause))
    }

    /// The names of the test functions that stand for a clause's conformance cases.
    fn cases<'a>(&'a self, clause: &'a Clause) -> impl Iterator<Item = &'a str> {
        clause
            .cases
            .iter()
            .filter(|case| self.tests.iter().any(|test| is_of_case(test, case)))
            .map(String::as_str)
    }

    fn state(&self, rfc: &Rfc, clause: &Clause) -> State {
        let in_code = self.quoted(rfc, clause).any(|quoted| !quoted.test);
        let in_test = self.quoted(rfc, clause).any(|quoted| quoted.test);
        let tested = in_test || self.cases(clause).next().is_some();
        match clause.level {
            _ if clause.exception.is_some() => State::Excepted,
            _ if in_code && tested => State::Met,
            Level::May => State::Unused,
            _ => State::NotYet,
        }
    }

    /// What a clause lacks, or that it says it lacks something and does not.
    fn gap(&self, rfc: &Rfc, clause: &Clause) -> Option<String> {
        let quoted = self.quoted(rfc, clause).any(|quoted| !quoted.test);
        let what = match (self.state(rfc, clause), clause.pending) {
            (State::Met, true) => "no longer pending; that line has been removed: commit it",
            (State::NotYet, false) if quoted => "quoted, but not tested",
            (State::NotYet, false) => "neither quoted nor tested",
            _ => return None,
        };
        let Clause { section, quote, .. } = clause;
        Some(format!("rfc{}.toml § {section}: {what}: {}", rfc.number, folded(quote)))
    }

    /// Removes `pending` from the clauses in the file that are met by now.
    fn take_back_pending(&self, rfc: &Rfc) {
        let stale = |clause: &Clause| clause.pending && self.state(rfc, clause) == State::Met;
        if !rfc.clauses.iter().any(stale) {
            return;
        }
        let path = root().join(format!("crates/dhcp/rfc/rfc{}.toml", rfc.number));
        let text = fs::read_to_string(&path).expect("a clause file can be read");
        let mut parts = text.split("[[clause]]");
        let mut kept = parts.next().unwrap_or_default().to_owned();
        for (clause, part) in rfc.clauses.iter().zip(parts) {
            kept.push_str("[[clause]]");
            match stale(clause) {
                true => kept.push_str(&part.replace("\npending = true", "")),
                false => kept.push_str(part),
            }
        }
        fs::write(path, kept).expect("a clause file can be written");
    }

    fn counts(&self, rfcs: &[Rfc]) -> [usize; 3] {
        [State::Met, State::Excepted, State::NotYet].map(|state| {
            let count = |rfc: &Rfc| {
                rfc.clauses.iter().filter(|clause| self.state(rfc, clause) == state).count()
            };
            rfcs.iter().map(count).sum()
        })
    }

    /// `docs/rfc.md`.
    fn page(&self) -> String {
        let mut page = String::from(
            "# RFC clauses\n\n\
             Written by `cargo test -p leasehold-dhcp --test rfc` from `crates/dhcp/rfc/*.toml` \
             and from the quotes in the code; do not edit it.\n\n\
             What the RFCs demand of a DHCPv4 server, in their words, where the code obeys, and \
             what tests it. RULE is a rule that the RFC states without a capitalised word. A MAY \
             is listed where the code uses it or declines it.\n\n\
             | RFC | Title | Met | Excepted | Not yet | Text read |\n\
             | --- | --- | --: | --: | --: | --- |\n",
        );
        for rfc in &self.rfcs {
            let [met, excepted, not_yet] = self.counts(std::slice::from_ref(rfc));
            let Rfc { number, title, text, .. } = rfc;
            let row = format!("{title} | {met} | {excepted} | {not_yet} | {text}");
            let _ = writeln!(page, "| [{number}](#rfc-{number}) | {row} |");
        }
        let [met, excepted, not_yet] = self.counts(&self.rfcs);
        let _ = writeln!(page, "| | **all** | **{met}** | **{excepted}** | **{not_yet}** | |");
        for rfc in &self.rfcs {
            let number = rfc.number;
            let _ = write!(page, "\n## RFC {number}\n\n[{}]({URL}{number})\n\n", rfc.title);
            page.push_str(
                "| § | Level | Clause | Code | Test |\n| --- | --- | --- | --- | --- |\n",
            );
            for clause in &rfc.clauses {
                page.push_str(&self.row(rfc, clause));
            }
        }
        page
    }

    fn row(&self, rfc: &Rfc, clause: &Clause) -> String {
        let (mut code, mut tests) = (BTreeSet::new(), BTreeSet::new());
        for quoted in self.quoted(rfc, clause) {
            let Annotation { file, item, .. } = quoted;
            let name = file.rsplit_once("src/").map_or(file.as_str(), |(_, name)| name);
            let place = format!("[{name}](../{file}) `{item}`");
            if quoted.test {
                tests.insert(place)
            } else {
                code.insert(place)
            };
        }
        tests.extend(self.cases(clause).map(str::to_owned));
        let listed = |places: BTreeSet<String>| places.into_iter().collect::<Vec<_>>().join("<br>");
        let (mut code, mut tests) = (listed(code), listed(tests));
        match self.state(rfc, clause) {
            State::Met => {}
            State::Excepted => {
                code = format!("excepted: {}", clause.exception.as_deref().unwrap_or(""))
            }
            State::Unused if code.is_empty() => "not used".clone_into(&mut code),
            State::Unused => {}
            State::NotYet => {
                for column in [&mut code, &mut tests].into_iter().filter(|column| column.is_empty())
                {
                    "**not yet**".clone_into(column);
                }
            }
        }
        let section = &clause.section;
        let link = format!("[{section}]({URL}{}#section-{section})", rfc.number);
        let from = clause.source.as_ref().map(|source| format!(" ({source})")).unwrap_or_default();
        let quote = folded(&clause.quote).replace('|', "\\|");
        let level = clause.level.name();
        format!("| {link} | {level} | {quote}{from} | {code} | {tests} |\n")
    }
}

/// Whether a quote in the code is of this clause.
fn quotes(quoted: &Annotation, rfc: &Rfc, clause: &Clause) -> bool {
    quoted.rfc == rfc.number
        && quoted.section == clause.section
        && folded(&clause.quote).contains(&quoted.quote)
}
