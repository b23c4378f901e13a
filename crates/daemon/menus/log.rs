//! `/log` and `/system/logging`: the latest lines, and which lines are kept.

use leasehold_routeros::menu::{Form, Unique};
use leasehold_routeros::value::Name;
use leasehold_routeros::{Fault, Value, menu};

/// A topic of lines, or `!` and one that they must not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Whether lines must have it.
    pub wanted: bool,
    /// The word.
    pub word: String,
}

impl Value for Topic {
    const EXAMPLE: &'static str = "dhcp";

    fn describe() -> String {
        "topic, or `!` and a topic".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let (wanted, word) = text.strip_prefix('!').map_or((true, text), |word| (false, word));
        let legal = |c: char| c.is_ascii_alphanumeric() || c == '-';
        match !word.is_empty() && word.len() <= 32 && word.chars().all(legal) {
            true => Ok(Self { wanted, word: word.into() }),
            false => Err(Fault::NoMatch),
        }
    }

    fn print(&self) -> String {
        format!("{}{}", if self.wanted { "" } else { "!" }, self.word)
    }
}

menu! {
    /// The latest lines of the log.
    pub struct Log in "/log" {
    }
    /// One line.
    live struct LogLine {
        /// When, UTC.
        time: String = live(),
        /// What about, and how bad.
        topics: String = live(),
        /// What happened.
        message: String = live(),
    }
    form: Form::View,
    key: &["time"],
    columns: &["time", "topics", "message"],
    noun: "line",
}

menu! {
    /// Which lines `/log` keeps. The host's journal is told everything of level `info` and above.
    pub struct Logging in "/system/logging" {
        /// Topics that a line must have, all of them; with `!` such as it must not have.
        topics: Vec<Topic> = preset("info").always().exported(),
        /// `memory` is `/log`. Everything else is the host's journal's, which forwards and stores.
        action: Name = preset("memory").always(),
        /// Text in front of each line of this rule.
        prefix: String = preset("").always().not_obeyed(),
        /// Whether the rule is switched off.
        disabled: bool = preset("no").always().flag('X'),
    }
    /// Nothing is known beside the configuration.
    live struct LoggingState {
        /// Whether it cannot be obeyed.
        invalid: bool = live_or("no").flag('I'),
    }
    key: &["topics", "action"],
    columns: &["topics", "action", "prefix"],
    unique: &[Unique {
        by: &["topics", "action"],
        within: None,
        enabled_only: false,
        failure: "such logging rule already exists",
    }],
    builtin: &[
        &[("topics", "info")],
        &[("topics", "error")],
        &[("topics", "warning")],
        &[("topics", "critical"), ("action", "echo")],
    ],
    elsewhere: &["action"],
    sequel: Some(<Log as leasehold_routeros::Row>::menu),
    noun: "logging rule",
}
