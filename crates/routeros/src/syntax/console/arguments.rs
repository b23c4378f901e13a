//! The arguments of a command: `name=value`, `!name`, switches, and values without a name.

use super::cursor::Cursor;
use super::grammar::{Found, Grammar, Position};
use super::{Misread, Rule, expression};
use crate::command::{Argument, Command, Target};
use crate::menu::{Form, Former, Menu};
use crate::query::Query;
use crate::value::Kind;
use crate::verb::{TARGETS, Verb};

/// A command, and where its arguments stand.
pub(crate) struct Placed {
    pub(crate) command: Command,
    /// Octets from the beginning to the value of each argument.
    pub(crate) offsets: Vec<usize>,
    /// Old names that were replaced: as written, as they are now.
    pub(crate) renamed: Vec<(String, &'static str)>,
}

/// What a command of one menu can be followed by.
struct Reader<'g> {
    grammar: &'g Grammar,
    menu: Option<&'static Menu>,
    former: Option<&'static Former>,
    verb: Verb,
    placed: Placed,
    unnamed: usize,
}

impl Grammar {
    /// Reads what follows a command word.
    pub(crate) fn command(
        &self,
        cursor: &mut Cursor<'_>,
        position: &Position,
        verb: Verb,
    ) -> Result<Placed, Misread> {
        let former = self.former(position.path());
        let menu = self.menu(position.path()).or(former.map(|(menu, _)| menu));
        let path = menu.map_or(position.path(), |menu| menu.path);
        let menu = self.activity(position, verb.word).or(menu);
        let mut reader = Reader {
            grammar: self,
            menu,
            former: former.map(|(_, former)| former),
            verb,
            placed: Placed {
                command: Command::new(path, verb.word),
                offsets: Vec::new(),
                renamed: Vec::new(),
            },
            unnamed: 0,
        };
        reader.read(cursor)?;
        Ok(reader.placed)
    }
}

impl Reader<'_> {
    fn read(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Misread> {
        if self.verb.word == "find" {
            cursor.skip_blanks();
            self.placed.command.query = expression_after_where(cursor)?;
            return Ok(());
        }
        loop {
            cursor.skip_blanks();
            if cursor.at_end() {
                break;
            }
            self.argument(cursor)?;
        }
        let former = self.former.filter(|_| self.verb.word == "add");
        for (name, value) in former.map(|former| former.fixed).unwrap_or_default() {
            self.push(Argument::set(*name, *value), cursor.at());
        }
        Ok(())
    }

    fn argument(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Misread> {
        let begin = cursor.at();
        match cursor.peek() {
            Some('[') => {
                let query = self.subcommand(cursor)?;
                return self.unnamed_target(Target::Found(query), begin);
            }
            Some('"') => {
                let value = cursor.value("")?;
                return self.unnamed_value(value, begin);
            }
            Some('!') => {
                cursor.eat("!");
                let name = cursor.plain("=");
                let name = self.named(&name, begin)?;
                self.push(Argument::clear(name), begin);
                return Ok(());
            }
            _ => {}
        }
        let word = cursor.plain("=");
        if word.is_empty() {
            return Err(Misread::new(begin, Rule::Syntax));
        }
        if !cursor.eat("=") {
            return self.bare(cursor, word, begin);
        }
        let name = self.named(&word, begin)?;
        self.pair(cursor, name)
    }

    fn pair(&mut self, cursor: &mut Cursor<'_>, name: String) -> Result<(), Misread> {
        let names_rows = self.verb.unnamed.contains(&TARGETS) && name == TARGETS;
        let at = cursor.at();
        if cursor.peek() == Some('[') {
            let query = self.subcommand(cursor)?;
            if !names_rows {
                return Err(Misread::new(at, Rule::Script("a command as a value".into())));
            }
            self.placed.command.targets.push(Target::Found(query));
            return Ok(());
        }
        let mut ahead = cursor.clone();
        ahead.skip_blanks();
        let value = if ahead.at_end() {
            *cursor = ahead;
            String::new()
        } else if ahead.at() != cursor.at() && !joined(cursor, &ahead) {
            // `name= x`: the value is missing, and something follows.
            return Err(Misread::new(at, Rule::ExpectedEnd));
        } else {
            *cursor = ahead;
            cursor.value("")?
        };
        if names_rows {
            self.placed.command.targets.push(Target::Named(value));
        } else {
            self.push(Argument::set(name, value), at);
        }
        Ok(())
    }

    /// A word without `=`: a switch, the beginning of conditions, or a value without a name.
    fn bare(&mut self, cursor: &mut Cursor<'_>, word: String, begin: usize) -> Result<(), Misread> {
        if word == "where" && self.verb.switches.contains(&"where") {
            self.placed.command.query = expression::read(cursor)?;
            return Ok(());
        }
        let mut switches = [self.verb.switches, &self.views(), &self.flags()].concat();
        switches.retain(|name| *name != "where" && !self.verb.unnamed.contains(name));
        // Where a row has to be named, a short name is a name and no shortened switch.
        let names_row = self.verb.unnamed.get(self.unnamed) == Some(&TARGETS);
        match meant(&word, &switches).filter(|name| !names_row || *name == word) {
            Some(name) => {
                self.push(Argument::set(name, ""), begin);
                Ok(())
            }
            None => self.unnamed_value(word, begin),
        }
    }

    fn unnamed_value(&mut self, value: String, begin: usize) -> Result<(), Misread> {
        let Some(name) = self.verb.unnamed.get(self.unnamed).copied() else {
            return Err(Misread::new(begin, Rule::ExpectedEnd));
        };
        if name == TARGETS {
            return self.unnamed_target(Target::Named(value), begin);
        }
        self.unnamed += 1;
        self.push(Argument::set(name, value), begin);
        Ok(())
    }

    fn unnamed_target(&mut self, target: Target, begin: usize) -> Result<(), Misread> {
        if self.verb.unnamed.get(self.unnamed) != Some(&TARGETS) {
            return Err(Misread::new(begin, Rule::ExpectedEnd));
        }
        self.unnamed += 1;
        self.placed.command.targets.push(target);
        Ok(())
    }

    /// `[find …]`, also with the path of the same menu before it.
    fn subcommand(&mut self, cursor: &mut Cursor<'_>) -> Result<Query, Misread> {
        cursor.eat("[");
        cursor.skip_blanks();
        let begin = cursor.at();
        let here = Position::at(&self.placed.command.path);
        let query = match self.grammar.path(cursor, &here)? {
            Found::Verb(position, verb) if verb.word == "find" && position == here => {
                expression_after_where(cursor)?
            }
            _ => return Err(Misread::new(begin, Rule::Script("a command as a value".into()))),
        };
        cursor.skip_blanks();
        if cursor.eat("]") { Ok(query) } else { Err(Misread::new(cursor.at(), Rule::Syntax)) }
    }

    fn views(&self) -> Vec<&'static str> {
        let print = matches!(self.verb.word, "print" | "getall");
        let views = self.menu.filter(|_| print).into_iter().flat_map(|menu| menu.views);
        views.map(|(name, _)| *name).collect()
    }

    /// Arguments of an activity that are as good as switches.
    fn flags(&self) -> Vec<&'static str> {
        let activity = self.menu.filter(|menu| menu.form == Form::Activity);
        let properties = activity.into_iter().flat_map(|menu| menu.properties);
        let flags = properties.filter(|property| property.value.kind == Kind::Flag);
        flags.map(|property| property.name).collect()
    }

    /// The full name of an argument, from itself, a shorter form, or an earlier version's name.
    fn named(&mut self, word: &str, begin: usize) -> Result<String, Misread> {
        let renamed = self.former.and_then(|former| {
            former.renamed.iter().find(|(then, _)| *then == word).map(|(_, now)| *now)
        });
        if let Some(now) = renamed {
            return Ok(now.into());
        }
        let properties = self.menu.filter(|_| self.verb.properties);
        let properties = properties.into_iter().flat_map(|menu| menu.properties);
        let configured = properties.filter(|property| property.rule.is_configured());
        if word == ".id" && self.verb.unnamed.contains(&TARGETS) {
            return Ok(TARGETS.into());
        }
        if self.grammar.knows_former() {
            let mut formerly = configured.clone();
            if let Some(now) = formerly.find(|property| property.rule.formerly.contains(&word)) {
                self.placed.renamed.push((word.into(), now.name));
                return Ok(now.name.into());
            }
        }
        let mut names: Vec<&'static str> = configured.map(|property| property.name).collect();
        names.extend(self.verb.unnamed.iter().chain(self.verb.switches));
        names.extend(self.views());
        meant(word, &names)
            .map(str::to_owned)
            .ok_or_else(|| Misread::new(begin, Rule::UnknownParameter(word.into())))
    }

    fn push(&mut self, argument: Argument, offset: usize) {
        self.placed.command.arguments.push(argument);
        self.placed.offsets.push(offset);
    }
}

/// The word itself, or the only one that begins with it.
pub(super) fn meant(word: &str, words: &[&'static str]) -> Option<&'static str> {
    if let Some(exact) = words.iter().find(|candidate| **candidate == word) {
        return Some(exact);
    }
    let mut longer = words.iter().filter(|candidate| candidate.starts_with(word));
    match (longer.next(), longer.next()) {
        (Some(only), None) => Some(only),
        _ => None,
    }
}

/// Whether nothing but a joined line lies between two places.
fn joined(from: &Cursor<'_>, to: &Cursor<'_>) -> bool {
    let mut joint = from.clone();
    joint.eat("\\");
    joint.at() > from.at() && to.at() > joint.at()
}

fn expression_after_where(cursor: &mut Cursor<'_>) -> Result<Query, Misread> {
    cursor.skip_blanks();
    let mut ahead = cursor.clone();
    if ahead.eat("where") && (ahead.at_end() || ahead.peek().is_some_and(char::is_whitespace)) {
        *cursor = ahead;
    }
    expression::read(cursor)
}
