//! The latest lines of the log, as `/log` shows them, and the rules of what is kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leasehold_routeros::{Change, Id, Live, LiveRow, Record, Row, Tree};
use tokio::sync::broadcast;

use crate::menus::{Log, LogLine, Logging, Topic};

/// Lines that are kept. Only the log's own thread adds to them, so nobody's packet waits for a
/// reader.
#[derive(Debug)]
pub struct Ring(Mutex<Lines>);

#[derive(Debug)]
struct Lines {
    kept: VecDeque<Line>,
    next: u64,
    /// What is kept: everything before the rules are known.
    rules: Option<Vec<Vec<Topic>>>,
    told: Option<broadcast::Sender<Arc<Change>>>,
}

/// One line.
#[derive(Clone, Debug)]
struct Line {
    id: Id,
    time: String,
    topics: String,
    message: String,
}

/// How many lines are kept.
const KEPT: usize = 4096;
/// A longer message is cut, octets.
const MESSAGE_MAX: usize = 1024;
/// What rules call how bad a line is.
const LEVELS: [&str; 5] = ["critical", "debug", "error", "info", "warning"];

impl Ring {
    /// One without lines that keeps what nobody has to ask for.
    pub(super) const fn new() -> Self {
        let lines = Lines { kept: VecDeque::new(), next: 1, rules: None, told: None };
        Self(Mutex::new(lines))
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        // Lines are whole, whoever panicked.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a line if a rule wants it.
    pub(super) fn keep(&self, time: &str, topics: &str, message: &str) {
        let mut lines = self.lines();
        if !lines.wants(topics) {
            return;
        }
        let mut end = message.len().min(MESSAGE_MAX);
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let message = message[..end].to_owned();
        let line = Line { id: Id(lines.next), time: time.into(), topics: topics.into(), message };
        lines.next += 1;
        if let Some(told) = lines.told.as_ref().filter(|told| told.receiver_count() > 0) {
            let LiveRow { id, cells } = line.row();
            let now = Record::new(Log::menu(), id, 0, cells);
            // Without listeners nobody wants to know.
            let _ = told.send(Arc::new(Change { id, now, dead: false }));
        }
        if lines.kept.len() >= KEPT {
            lines.kept.pop_front();
        }
        lines.kept.push_back(line);
    }

    /// Lines behind this one, at most so many.
    pub fn page(&self, after: Option<Id>, most: usize) -> Vec<LiveRow> {
        let lines = self.lines();
        let from = lines.kept.partition_point(|line| Some(line.id) <= after);
        lines.kept.range(from..).take(most).map(Line::row).collect()
    }

    /// From now on every line that is kept is a change that listeners of `/log` hear.
    pub fn tell(&self, told: broadcast::Sender<Arc<Change>>) {
        self.lines().told = Some(told);
    }

    /// Keeps what the rules of a tree say. The answer is whether they want debugging.
    pub(super) fn obey(&self, tree: &Tree) -> bool {
        let rules = tree.rows::<Logging>().into_iter().filter_map(|rule| rule.row.ok());
        let rules = rules.filter(|rule| !rule.disabled && &*rule.action == "memory");
        let rules: Vec<Vec<Topic>> = rules.map(|rule| rule.topics).collect();
        let debugs = rules.iter().any(|rule| wants(rule, "dhcp,debug"));
        self.lines().rules = Some(rules);
        debugs
    }
}

impl Lines {
    fn wants(&self, topics: &str) -> bool {
        self.rules.as_ref().is_none_or(|rules| rules.iter().any(|rule| wants(rule, topics)))
    }
}

/// Whether a rule wants a line. One that names no level wants all levels.
fn wants(rule: &[Topic], topics: &str) -> bool {
    let has = |word: &str| topics.split(',').any(|topic| topic == word);
    !rule.is_empty() && rule.iter().all(|topic| has(&topic.word) == topic.wanted)
}

/// How bad a line is, of all its topics.
pub(super) fn is_debug(topics: &str) -> bool {
    topics.split(',').find(|topic| LEVELS.contains(topic)) == Some("debug")
}

impl Line {
    fn row(&self) -> LiveRow {
        let Self { id, time, topics, message } = self;
        let line = LogLine {
            time: Some(time.clone()),
            topics: Some(topics.clone()),
            message: Some(message.clone()),
        };
        LiveRow { id: *id, cells: line.cells() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(ring: &Ring) -> Vec<String> {
        let place = Log::menu().place("message").unwrap();
        let rows = ring.page(None, usize::MAX);
        rows.iter().map(|row| row.cells.get(place).unwrap_or_default().to_owned()).collect()
    }

    #[test]
    fn so_many_lines_are_kept_and_pages_follow_each_other() {
        let ring = Ring::new();
        (0..KEPT + 10).for_each(|n| ring.keep("now", "dhcp,info", &n.to_string()));
        let first = ring.page(None, 100);
        assert_eq!((first.len(), first[0].id), (100, Id(11)));
        let next = ring.page(Some(first[99].id), usize::MAX);
        assert_eq!((next.len(), next[0].id), (KEPT - 100, Id(111)));
        ring.keep("now", "dhcp,info", &"ä".repeat(MESSAGE_MAX));
        assert_eq!(messages(&ring).last().map(String::len), Some(MESSAGE_MAX));
    }

    #[test]
    fn rules_say_what_is_kept() {
        let ring = Ring::new();
        let mut tree = crate::menus::tree();
        assert!(!ring.obey(&tree), "nothing is debugged unless somebody asks for it");
        ring.keep("", "dhcp,info", "a");
        ring.keep("", "dhcp,debug", "b");
        ring.keep("", "system,critical", "c");
        assert_eq!(messages(&ring), ["a"]);
        tree.add("/system/logging", &[("topics", "dhcp,debug,!packet")]).unwrap();
        assert!(ring.obey(&tree));
        ring.keep("", "dhcp,debug", "d");
        ring.keep("", "dhcp,debug,packet", "e");
        ring.keep("", "system,debug", "f");
        assert_eq!(messages(&ring), ["a", "d"]);
    }

    #[test]
    fn listeners_hear_what_is_kept() {
        let ring = Ring::new();
        let (sender, mut changes) = broadcast::channel(4);
        ring.tell(sender);
        ring.keep("2026-11-25 10:36:30", "dhcp,info", "dhcp1 assigned 10.0.0.9");
        let change = changes.try_recv().unwrap();
        assert_eq!(change.now.text("message").as_deref(), Some("dhcp1 assigned 10.0.0.9"));
        assert_eq!(change.now.menu().path, "/log");
    }
}
