//! `leasehold check`: says in words everything that is wrong or suspicious, with the mend.

use core::fmt;
use core::net::Ipv4Addr;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use leasehold_dhcp::record::Change;
use leasehold_dhcp::{Interfaces, Mac};
use leasehold_routeros::Ids;
use serde_json::json;

use crate::configuration;
use crate::probe;
use crate::store;

mod link;
mod machine;
mod plan;

/// Say everything that is wrong or suspicious, and how to mend it.
///
/// Looks at the configuration, the interfaces and the machine; with --probe also at the links.
/// Changes nothing. Exit code 1 if there are errors.
#[derive(Args, Clone, Debug)]
pub struct Check {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = "/etc/leasehold/leasehold.toml")]
    config: PathBuf,
    /// Where the leases are, to know who may use an address.
    #[arg(long, value_name = "DIR", default_value = "/var/lib/leasehold")]
    state: PathBuf,
    /// Ask on the links: other DHCP servers, and hosts that use addresses of pools.
    #[arg(long)]
    probe: bool,
    /// One JSON object per finding.
    #[arg(long)]
    json: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Somebody is not served.
    Error,
    /// Probably not what is wanted.
    Warning,
    /// Worth knowing.
    Note,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        })
    }
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub text: String,
    /// How to mend it.
    pub mend: String,
}

impl Finding {
    fn new(text: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { text: text.into(), mend: mend.into() }
    }
}

/// All that was found, in order.
#[derive(Debug, Default)]
struct Findings {
    all: Vec<(Severity, Finding)>,
}

impl Findings {
    fn error(&mut self, finding: Finding) {
        self.all.push((Severity::Error, finding));
    }

    fn warning(&mut self, finding: Finding) {
        self.all.push((Severity::Warning, finding));
    }

    fn note(&mut self, finding: Finding) {
        self.all.push((Severity::Note, finding));
    }
}

/// Checks, and writes what is found.
pub fn run(options: &Check, out: &mut impl Write) -> io::Result<ExitCode> {
    let mut found = Findings::default();
    examine(options, &mut found);
    found.all.sort_by_key(|(severity, _)| *severity);
    for (severity, Finding { text, mend }) in &found.all {
        if options.json {
            let severity = severity.to_string();
            writeln!(out, "{}", json!({ "severity": severity, "text": text, "mend": mend }))?;
        } else {
            writeln!(out, "{severity}: {text}\n    {mend}")?;
        }
    }
    let count = |wanted| found.all.iter().filter(|(severity, _)| *severity == wanted).count();
    let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
    if !options.json {
        writeln!(out, "errors: {errors}, warnings: {warnings}")?;
    }
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn examine(options: &Check, found: &mut Findings) {
    let interfaces = probe::interfaces().unwrap_or_else(|error| {
        found.error(Finding::new(error.to_string(), "without it no interface can be looked at"));
        Interfaces::default()
    });
    match configuration::load(&options.config, &Ids::default()) {
        Err(error) => found.error(Finding::new(
            error.to_string(),
            "correct the file, or make one: `leasehold import FILE.rsc`",
        )),
        Ok(loaded) => {
            for problem in &loaded.problems {
                let text =
                    format!("{}:{}: {}", options.config.display(), problem.place, problem.rule);
                let mend = problem.mend.clone().unwrap_or_else(|| "correct the file".into());
                found.error(Finding::new(text, mend));
            }
            let compiled = configuration::compile(&loaded.tree);
            plan::examine(&loaded.tree, &compiled, &interfaces, found);
            if options.probe {
                let leases = leases(&options.state, found);
                link::examine(&compiled.config, &interfaces, &leases, found);
            }
        }
    }
    machine::examine(found);
}

/// Who may use which address, from the store of a server that does not run.
fn leases(state: &Path, found: &mut Findings) -> BTreeMap<Ipv4Addr, Mac> {
    let mut leases = BTreeMap::new();
    if !state.join("leases.sled/db").exists() {
        return leases;
    }
    let seen = store::peek(state, |record| {
        let address = record.location.address;
        match record.change {
            Change::Bound(binding) => {
                let mac = binding.chaddr.first_chunk().copied().map(Mac);
                leases.extend(mac.map(|mac| (address, mac)));
            }
            _ => drop(leases.remove(&address)),
        }
    });
    if let Err(error) = seen {
        let text =
            format!("leases are not known, so every host on a pool's address is told: {error}");
        found.note(Finding::new(text, "compare with the leases that the server shows"));
    }
    leases
}
