//! What a person at a terminal needs while typing: completions, help, and the colours of words.

use core::ops::Range;

use super::grammar::{Grammar, Position, Word};
use super::scan::{self, Class, Place};
use crate::help;
use crate::menu::{Menu, Property};
use crate::syntax::quote;
use crate::value::Kind;
use crate::verb::{FLAGS, TARGETS, Verb};

/// What could stand where a line ends.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Where the word begins that would be replaced, in octets.
    pub start: usize,
    /// What the tables know, in the order in which it is offered.
    pub candidates: Vec<Candidate>,
    /// What only the running server knows; [`Completion::answer`] takes it.
    pub wanted: Option<Wanted>,
    /// What the word is about: the doc of a property whose value is being typed.
    pub about: Option<String>,
    word: String,
    quoted: bool,
}

/// One word that could stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The word.
    pub word: String,
    /// One line about it.
    pub doc: String,
    /// What it is.
    pub class: Class,
    /// Whether a blank follows it.
    pub ends: bool,
}

/// Names that the tables do not hold.
#[derive(Clone, Copy, Debug)]
pub enum Wanted {
    /// Those of the rows of a menu.
    Rows(&'static Menu),
    /// Those of the machine's interfaces.
    Interfaces,
}

/// What could stand at the end of `line`; `context` is the menu that relative paths begin at.
#[must_use]
pub fn complete(grammar: &Grammar, context: &str, line: &str) -> Completion {
    let scan = scan::scan(grammar, context, line);
    let mut word = line.get(scan.start..).unwrap_or_default();
    let quoted = word.starts_with('"');
    let mut start = scan.start;
    if quoted {
        (word, start) = (&word[1..], start + 1);
    }
    if let Place::Value { menu, name, .. } = &scan.place
        && (property(*menu, name).is_some_and(|property| property.value.list) || names_list(name))
        && let Some(comma) = word.rfind([',', ';'])
    {
        start += comma + 1;
        word = &word[comma + 1..];
    }
    let word = word.to_owned();
    let candidates = Vec::new();
    let mut completion = Completion { start, candidates, wanted: None, about: None, word, quoted };
    completion.fill(grammar, scan.place);
    let Completion { candidates, word, .. } = &mut completion;
    candidates.retain(|candidate| candidate.word.starts_with(word.as_str()));
    completion
}

/// The words of a line and what they are.
#[must_use]
pub fn words(grammar: &Grammar, context: &str, line: &str) -> Vec<(Range<usize>, Class)> {
    scan::scan(grammar, context, line).words
}

/// Whether a line goes on: a string or bracket is open, or it ends with `\`.
#[must_use]
pub fn goes_on(grammar: &Grammar, context: &str, line: &str) -> bool {
    line.ends_with('\\') || scan::scan(grammar, context, line).open
}

/// Arguments whose values are lists of names.
fn names_list(name: &str) -> bool {
    matches!(name, "proplist" | TARGETS)
}

fn property(menu: Option<&'static Menu>, name: &str) -> Option<&'static Property> {
    menu?.property(name)
}

impl Completion {
    /// Takes the names that were wanted.
    pub fn answer(&mut self, names: impl IntoIterator<Item = String>) {
        for name in names {
            let word = match self.quoted {
                true => {
                    let quoted = quote::always(&name);
                    quoted[1..quoted.len() - 1].to_owned()
                }
                false => quote::when_needed(&name),
            };
            if word.trim_start_matches('"').starts_with(&self.word) {
                self.push(word, String::new(), Class::Value, true);
            }
        }
        self.wanted = None;
    }

    fn push(&mut self, word: impl Into<String>, doc: impl Into<String>, class: Class, ends: bool) {
        let candidate = Candidate { word: word.into(), doc: doc.into(), class, ends };
        if !self.candidates.iter().any(|known| known.word == candidate.word) {
            self.candidates.push(candidate);
        }
    }

    fn fill(&mut self, grammar: &Grammar, place: Place) {
        match place {
            Place::Path(position) => self.path(grammar, &position),
            Place::Argument { verb, menu, used, unnamed } => {
                self.argument(verb, menu, &used, unnamed);
            }
            Place::Value { verb, menu, name } => self.value(verb, menu, name),
            Place::Property { menu } => self.properties(menu, false),
            Place::Compared { menu, name } => {
                if let Some(property) = property(menu, &name) {
                    self.values(property);
                }
            }
            Place::Nowhere => {}
        }
    }

    fn path(&mut self, grammar: &Grammar, position: &Position) {
        for word in grammar.inner_words(position) {
            let doc = grammar.menu(position.inner(word).path()).map_or("", |menu| menu.about);
            self.push(word, doc.trim(), Class::Menu, true);
        }
        for verb in grammar.verbs(position) {
            self.push(verb.word, verb.doc, Class::Verb, true);
        }
        // What is typed in full stands for itself, also where longer words begin with it.
        if let Some(Word::Verb(verb)) = grammar.word(position, &self.word)
            && verb.word != self.word
        {
            self.about = Some(format!("{}: {}", verb.word, verb.doc));
        }
    }

    fn argument(
        &mut self,
        verb: Verb,
        menu: Option<&'static Menu>,
        used: &[&'static str],
        unnamed: usize,
    ) {
        match verb.unnamed.get(unnamed).copied() {
            Some(TARGETS) => {
                self.about = Some("rows: a number after print, a name, an id, or [find …]".into());
                self.wanted = menu.filter(|menu| menu.name_place().is_some()).map(Wanted::Rows);
            }
            Some("value-name") => self.properties(menu, false),
            _ => {}
        }
        let free = |name: &&str| !used.contains(name);
        for property in scan::configured(menu.filter(|_| verb.properties)) {
            if free(&property.name) {
                let doc = property.doc.trim();
                self.push(format!("{}=", property.name), doc, Class::Name, false);
            }
        }
        for name in verb.switches.iter().filter(|name| free(name)) {
            let flag = FLAGS.contains(name);
            let word = if flag { (*name).to_owned() } else { format!("{name}=") };
            self.push(word, "", Class::Name, flag);
        }
        let views = menu.filter(|_| verb.word == "print").into_iter().flat_map(|menu| menu.views);
        for (name, property) in views {
            let doc = format!("only rows that have {property}");
            self.push(*name, doc, Class::Name, true);
        }
    }

    fn value(&mut self, verb: Verb, menu: Option<&'static Menu>, name: &str) {
        match name {
            TARGETS | "from" | "copy-from" | "place-before" | "destination" => {
                self.wanted = menu.filter(|menu| menu.name_place().is_some()).map(Wanted::Rows);
            }
            "proplist" | "value-name" => self.properties(menu, true),
            name => {
                if let Some(property) = property(menu.filter(|_| verb.properties), name) {
                    self.values(property);
                }
            }
        }
    }

    fn properties(&mut self, menu: Option<&'static Menu>, ends: bool) {
        for property in menu.into_iter().flat_map(|menu| menu.properties) {
            self.push(property.name, property.doc.trim(), Class::Name, ends);
        }
    }

    fn values(&mut self, property: &'static Property) {
        let (doc, line) = (property.doc.trim(), help::line(property));
        self.about = Some(format!("{}: {doc}\n  {line}", property.name));
        let value = &property.value;
        for word in value.words {
            self.push(*word, "", Class::Value, !value.list);
        }
        if let Some(target) = value.target {
            self.wanted = Some(Wanted::Rows(target()));
        } else if value.kind == Kind::Interface {
            self.wanted = Some(Wanted::Interfaces);
        }
    }

    /// Whether a string is being typed.
    #[must_use]
    pub fn in_string(&self) -> bool {
        self.quoted
    }

    /// What `?` shows: what the word is about, and what could stand there.
    #[must_use]
    pub fn help(&self) -> String {
        let mut text = self.about.as_ref().map(|about| format!("{about}\n")).unwrap_or_default();
        let width = self.candidates.iter().map(|one| one.word.chars().count()).max().unwrap_or(0);
        for Candidate { word, doc, .. } in &self.candidates {
            text.push_str(format!("  {word:width$}  {doc}").trim_end());
            text.push('\n');
        }
        if text.is_empty() { "nothing can be completed here\n".into() } else { text }
    }
}
