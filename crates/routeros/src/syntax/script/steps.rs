//! From a script's text to commands with places; menus that we do not have are counted and skipped.

use std::collections::BTreeMap;

use crate::command::Command;
use crate::rule::Version;
use crate::syntax::console::{Cursor, Found, Grammar, Misread, Placed, Position, Rule};
use crate::syntax::place::{Lines, Place, Problem, nearest};
use crate::verb::VERBS;

/// One command of a script.
pub(super) struct Step {
    pub(super) command: Command,
    pub(super) place: Place,
    /// The place of the value of each argument; those that were filled in have the command's.
    pub(super) places: Vec<Place>,
}

/// A script that was read.
#[derive(Default)]
pub(super) struct Steps {
    pub(super) steps: Vec<Step>,
    /// Lines of menus that we do not have.
    pub(super) skipped: BTreeMap<String, usize>,
    pub(super) problems: Vec<Problem>,
    pub(super) notes: Vec<String>,
}

/// Where relative commands belong.
enum Context {
    Known(Position),
    Unknown(String),
}

pub(super) fn read(grammar: &Grammar, text: &str, version: Option<Version>) -> Steps {
    let lines = Lines::new(text);
    let mut reading = Reading { grammar, lines, version, steps: Steps::default() };
    let mut cursor = Cursor::new(text);
    let mut context = Context::Known(Position::default());
    while cursor.next_statement() {
        let begin = cursor.clone();
        if let Err(misread) = reading.statement(&mut cursor, &mut context) {
            reading.misread(&misread);
            cursor = begin;
            cursor.skip_statement();
        }
    }
    reading.steps
}

struct Reading<'a> {
    grammar: &'a Grammar,
    lines: Lines<'a>,
    version: Option<Version>,
    steps: Steps,
}

impl Reading<'_> {
    fn statement(&mut self, cursor: &mut Cursor<'_>, context: &mut Context) -> Result<(), Misread> {
        let begin = cursor.at();
        let absolute = cursor.peek() == Some('/');
        let position = match context {
            Context::Unknown(path) if !absolute => {
                *self.steps.skipped.entry(path.clone()).or_default() += 1;
                cursor.skip_statement();
                return Ok(());
            }
            Context::Unknown(_) => Position::default(),
            Context::Known(position) => position.clone(),
        };
        if let Some(word) = cursor.script_word() {
            return Err(Misread::new(begin, Rule::Script(word)));
        }
        let found = self.grammar.path(cursor, &position)?;
        match found {
            Found::Menu(position) => {
                cursor.end_of_statement()?;
                *context = Context::Known(position);
            }
            // `add` in a menu of ours that only shows: the router's own does more.
            Found::Unknown { word, before, .. } if self.only_shows(&before, &word) => {
                *self.steps.skipped.entry(before.path().into()).or_default() += 1;
                cursor.skip_statement();
            }
            Found::Unknown { word, offset, before, absolute: true }
                if self.is_wrong(&before, &word) =>
            {
                // What follows is about a menu that is nowhere.
                *context = Context::Unknown(format!("{}/{word}", before.path()));
                return Err(Misread::new(offset, Rule::BadCommand(word)));
            }
            Found::Unknown { word, before, absolute: true, .. } => {
                if let Some(path) = self.unknown(cursor, &before, &word) {
                    *context = Context::Unknown(path);
                }
            }
            Found::Unknown { word, offset, .. } => {
                return Err(Misread::new(offset, Rule::BadCommand(word)));
            }
            Found::Verb(position, verb) => {
                let placed = self.grammar.command(cursor, &position, verb)?;
                cursor.end_of_statement()?;
                self.push(placed, begin);
            }
        }
        Ok(())
    }

    /// Whether a command that is unknown at a place would be known in a menu that can be
    /// configured, and nothing can be configured there.
    fn only_shows(&self, place: &Position, word: &str) -> bool {
        let known = VERBS.iter().any(|verb| verb.word == word);
        let menu = self.grammar.menu(place.path());
        known && !place.path().is_empty() && menu.is_none_or(|menu| !menu.is_configured())
    }

    /// Whether a word that is unknown in a menu of ours is unknown to a router too.
    fn is_wrong(&self, place: &Position, word: &str) -> bool {
        let menu = self.grammar.menu(place.path()).filter(|menu| menu.is_configured());
        menu.is_some_and(|menu| !menu.elsewhere.contains(&word))
    }

    /// A menu that we do not have: its path reaches to the first command word. The path, if there
    /// is no command: what follows is about it then.
    fn unknown(
        &mut self,
        cursor: &mut Cursor<'_>,
        before: &Position,
        word: &str,
    ) -> Option<String> {
        let mut path = format!("{}/{word}", before.path());
        let mut command = false;
        loop {
            while cursor.eat("/") {}
            cursor.skip_blanks();
            let word = if cursor.at_end() { String::new() } else { cursor.plain("/=") };
            if word.is_empty() {
                break;
            }
            if cursor.peek() == Some('=') || VERBS.iter().any(|verb| verb.word == word) {
                command = true;
                break;
            }
            path = format!("{path}/{word}");
        }
        *self.steps.skipped.entry(path.clone()).or_default() += usize::from(command);
        cursor.skip_statement();
        (!command).then_some(path)
    }

    fn push(&mut self, placed: Placed, begin: usize) {
        let place = self.lines.place(begin);
        for (then, now) in &placed.renamed {
            self.steps.notes.push(format!("{place}: {then} is called {now} now"));
        }
        let places = placed.offsets.iter().map(|offset| self.lines.place(*offset)).collect();
        let mut step = Step { command: placed.command, place, places };
        if let Some(version) = self.version {
            self.fill_in(&mut step, version);
        }
        self.steps.steps.push(step);
    }

    /// What the version of the script left out because it was the default then.
    fn fill_in(&mut self, step: &mut Step, version: Version) {
        let menu = self.grammar.menu(&step.command.path).filter(|_| step.command.verb == "add");
        for property in menu.into_iter().flat_map(|menu| menu.properties) {
            let then = property.rule.preset_in(version);
            let said = step.command.arguments.iter().any(|given| given.name == property.name);
            let Some(then) =
                then.filter(|then| !said && Some(*then) != property.rule.preset_text())
            else {
                continue;
            };
            let (place, (major, minor), name) = (step.place, version, property.name);
            self.steps
                .notes
                .push(format!("{place}: {name}={then} was the default of version {major}.{minor}"));
            step.command = core::mem::take(&mut step.command).with(name, then);
            step.places.push(place);
        }
    }

    fn misread(&mut self, misread: &Misread) {
        let mend = match &misread.rule {
            Rule::UnknownParameter(name) => {
                let names = self.grammar.property_names();
                nearest(name, names).map(|near| format!("did you mean {near}?"))
            }
            Rule::Script(_) => Some("write out what it does, or leave it out".into()),
            _ => None,
        };
        let place = self.lines.place(misread.offset);
        self.steps.problems.push(Problem { place, rule: misread.rule.to_string(), mend });
    }
}
