//! A line that is being typed: what its words are, and what can stand where it ends.

use core::ops::Range;

use super::arguments::meant;
use super::cursor::Cursor;
use super::grammar::{Grammar, Position, Word};
use crate::menu::{Menu, Property};
use crate::verb::{TARGETS, Verb};

/// What a word of a line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Leads into the menus.
    Menu,
    /// A command.
    Verb,
    /// The name of an argument, or a switch.
    Name,
    /// A value.
    Value,
    /// What follows `#`.
    Comment,
    /// Nothing that is known here.
    Unknown,
}

/// What can stand where a line ends.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A word that leads into the menus, or a command.
    Path(Position),
    /// An argument of a command; those that are there already, and how many had no name.
    Argument { verb: Verb, menu: Option<&'static Menu>, used: Vec<&'static str>, unnamed: usize },
    /// The value of the argument with this name.
    Value { verb: Verb, menu: Option<&'static Menu>, name: &'static str },
    /// The name of a property, in conditions or after `!`.
    Property { menu: Option<&'static Menu> },
    /// The value that a property is compared with.
    Compared { menu: Option<&'static Menu>, name: String },
    /// Nothing that is known.
    Nowhere,
}

/// A line as far as it was understood.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub(super) words: Vec<(Range<usize>, Class)>,
    pub(super) place: Place,
    /// Where the word begins that the line ends with.
    pub(super) start: usize,
    /// Strings and brackets that have no end yet.
    pub(super) open: bool,
}

/// Reads a line; `context` is the menu that relative paths begin at.
pub(super) fn scan(grammar: &Grammar, context: &str, text: &str) -> Scan {
    let scan = Scan { words: Vec::new(), place: Place::Nowhere, start: text.len(), open: false };
    let mut scanner = Scanner { grammar, cursor: Cursor::new(text), scan, text };
    let mut position = Position::at(context);
    scanner.statements(&mut position, false);
    scanner.scan
}

struct Scanner<'a> {
    grammar: &'a Grammar,
    cursor: Cursor<'a>,
    scan: Scan,
    text: &'a str,
}

impl Scanner<'_> {
    /// Statements up to the end of the text, or of the brackets around them.
    fn statements(&mut self, position: &mut Position, inner: bool) {
        self.place(Place::Path(position.clone()));
        loop {
            self.cursor.skip_blanks();
            let begin = self.cursor.at();
            match self.cursor.peek() {
                None => {
                    self.scan.open |= inner;
                    return;
                }
                Some(']') if inner => return,
                Some('\n' | ';') => {
                    self.cursor.skip_char();
                    self.place(Place::Path(position.clone()));
                }
                Some('#') => self.comment(),
                Some(_) => self.statement(position),
            }
            if self.cursor.at() == begin {
                self.unknown_char();
            }
        }
    }

    fn statement(&mut self, context: &mut Position) {
        let begin = self.cursor.at();
        if self.cursor.eat(":put") {
            self.word(begin, Class::Verb);
            self.cursor.skip_blanks();
            if self.cursor.peek() == Some('[') {
                self.brackets(context);
            }
            return;
        }
        let mut position = context.clone();
        if self.cursor.peek() == Some('/') {
            position = Position::default();
        }
        loop {
            while self.cursor.eat("/") {}
            self.cursor.skip_blanks();
            self.place(Place::Path(position.clone()));
            if self.cursor.at_end() {
                *context = position;
                return;
            }
            let begin = self.cursor.at();
            let word = self.cursor.plain("/=");
            if word.is_empty() {
                return self.unknown_char();
            }
            if word == ".." {
                position = position.outer();
                self.word(begin, Class::Menu);
                continue;
            }
            match self.grammar.word(&position, &word) {
                Some(Word::Menu(inner)) => {
                    self.word(begin, Class::Menu);
                    if self.cursor.peek().is_none() {
                        return;
                    }
                    position = position.inner(inner);
                }
                Some(Word::Verb(verb)) => {
                    self.word(begin, Class::Verb);
                    if self.cursor.peek().is_none() {
                        return;
                    }
                    return self.arguments(&position, verb);
                }
                None => {
                    self.word(begin, Class::Unknown);
                    if self.cursor.peek().is_some() {
                        self.rest_unknown();
                    }
                    return;
                }
            }
        }
    }

    fn arguments(&mut self, position: &Position, verb: Verb) {
        let activity = self.grammar.activity(position, verb.word);
        let menu = activity.or_else(|| self.grammar.menu(position.path()));
        let (mut used, mut unnamed) = (Vec::new(), 0);
        if verb.word == "find" {
            return self.conditions(menu);
        }
        loop {
            self.cursor.skip_blanks();
            self.scan.start = self.cursor.at();
            let place = Place::Argument { verb, menu, used: used.clone(), unnamed };
            self.scan.place = place;
            let begin = self.cursor.at();
            match self.cursor.peek() {
                None | Some('\n' | ';' | ']') => return,
                Some('[') => {
                    self.brackets(&mut position.clone());
                    unnamed += 1;
                }
                Some('"') => {
                    self.string();
                    unnamed += 1;
                }
                Some('!') => {
                    self.cursor.eat("!");
                    self.place(Place::Property { menu });
                    let name = self.cursor.plain("=");
                    self.named(begin, verb, menu, &name);
                }
                Some(_) => {
                    let word = self.cursor.plain("=");
                    if word.is_empty() {
                        return self.rest_unknown();
                    }
                    if word == "where" && verb.switches.contains(&"where") {
                        self.word(begin, Class::Name);
                        if self.cursor.peek().is_some() {
                            self.conditions(menu);
                        }
                        return;
                    }
                    if self.cursor.peek() == Some('=') {
                        let name = self.named(begin, verb, menu, &word);
                        self.cursor.eat("=");
                        self.value(verb, menu, name.unwrap_or(""));
                        used.extend(name);
                    } else {
                        let switch = self.grammar.argument(verb, menu, &word);
                        let switch = switch.filter(|name| verb.switches.contains(name));
                        let class = if switch.is_some() { Class::Name } else { Class::Value };
                        self.word(begin, class);
                        unnamed += usize::from(switch.is_none());
                        used.extend(switch);
                    }
                }
            }
            if self.cursor.peek().is_none() && self.cursor.at() > begin {
                return;
            }
        }
    }

    fn named(
        &mut self,
        begin: usize,
        verb: Verb,
        menu: Option<&'static Menu>,
        word: &str,
    ) -> Option<&'static str> {
        let name = self.grammar.argument(verb, menu, word);
        self.word(begin, if name.is_some() { Class::Name } else { Class::Unknown });
        name
    }

    fn value(&mut self, verb: Verb, menu: Option<&'static Menu>, name: &'static str) {
        self.place(match name {
            "" => Place::Nowhere,
            name => Place::Value { verb, menu, name },
        });
        let begin = self.cursor.at();
        match self.cursor.peek() {
            Some('"') => self.string(),
            Some('[') => {
                let path = menu.map_or("", |menu| menu.path);
                self.brackets(&mut Position::at(path));
            }
            _ => {
                self.cursor.plain("");
                self.word(begin, Class::Value);
            }
        }
    }

    /// What follows `where` and `find`: only its words are told apart here.
    fn conditions(&mut self, menu: Option<&'static Menu>) {
        let mut name = String::new();
        let mut compares = false;
        loop {
            self.cursor.skip_blanks();
            self.place(match compares {
                true => Place::Compared { menu, name: name.clone() },
                false => Place::Property { menu },
            });
            let begin = self.cursor.at();
            match self.cursor.peek() {
                None | Some('\n' | ';' | ']') => return,
                Some('"') => {
                    self.string();
                    compares = false;
                }
                Some(sign) if "=!<>~&|()".contains(sign) => {
                    self.cursor.skip_char();
                    compares = "=<>~".contains(sign);
                }
                Some(_) => {
                    let word = self.cursor.plain("=!<>~&|");
                    if word.is_empty() {
                        return self.rest_unknown();
                    }
                    let joins = matches!(word.as_str(), "and" | "or" | "in" | "where");
                    let known = menu.is_some_and(|menu| menu.property(&word).is_some());
                    self.word(
                        begin,
                        match (compares, joins, known || word == ".id") {
                            (true, _, _) => Class::Value,
                            (_, true, _) => Class::Verb,
                            (_, _, true) => Class::Name,
                            _ => Class::Unknown,
                        },
                    );
                    compares = word == "in";
                    if !joins {
                        name = word;
                    }
                }
            }
            if self.cursor.peek().is_none() && self.cursor.at() > begin {
                let sign = self.text.ends_with(['=', '<', '>', '~', '(', '!', '&', '|']);
                if sign {
                    continue;
                }
                return;
            }
        }
    }

    fn brackets(&mut self, position: &mut Position) {
        self.cursor.eat("[");
        self.statements(position, true);
        if self.cursor.eat("]") {
            self.place(Place::Nowhere);
        }
    }

    fn string(&mut self) {
        let begin = self.cursor.at();
        if self.cursor.value("").is_err() {
            self.cursor.skip_to_end();
            self.scan.open = true;
        }
        self.word(begin, Class::Value);
    }

    fn comment(&mut self) {
        let begin = self.cursor.at();
        self.cursor.skip_line();
        self.word(begin, Class::Comment);
        self.place(Place::Nowhere);
    }

    fn unknown_char(&mut self) {
        let begin = self.cursor.at();
        self.cursor.skip_char();
        self.word(begin, Class::Unknown);
        self.scan.place = Place::Nowhere;
    }

    fn rest_unknown(&mut self) {
        let begin = self.cursor.at();
        self.cursor.skip_statement();
        self.word(begin, Class::Unknown);
        self.scan.place = Place::Nowhere;
    }

    fn word(&mut self, begin: usize, class: Class) {
        if self.cursor.at() > begin {
            self.scan.words.push((begin..self.cursor.at(), class));
        }
    }

    fn place(&mut self, place: Place) {
        (self.scan.place, self.scan.start) = (place, self.cursor.at());
    }
}

impl Grammar {
    /// The full name of an argument of a command.
    fn argument(
        &self,
        verb: Verb,
        menu: Option<&'static Menu>,
        word: &str,
    ) -> Option<&'static str> {
        let mut names = argument_names(verb, menu);
        names.push(TARGETS);
        meant(word, &names)
    }
}

/// Every argument that a command takes by name.
pub(super) fn argument_names(verb: Verb, menu: Option<&'static Menu>) -> Vec<&'static str> {
    let properties = configured(menu.filter(|_| verb.properties)).map(|property| property.name);
    let views = menu.filter(|_| verb.word == "print").into_iter().flat_map(|menu| menu.views);
    let mut names: Vec<&'static str> = properties.collect();
    names.extend(verb.switches.iter().chain(verb.unnamed).copied());
    names.extend(views.map(|(name, _)| *name));
    names
}

/// The properties that can be set.
pub(super) fn configured(menu: Option<&'static Menu>) -> impl Iterator<Item = &'static Property> {
    let properties = menu.into_iter().flat_map(|menu| menu.properties);
    properties.filter(|property| property.rule.is_configured())
}
