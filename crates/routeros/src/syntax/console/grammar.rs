//! Which words are menus and commands where, also when they are shortened.

use std::collections::BTreeSet;

use super::cursor::Cursor;
use super::{Misread, Rule};
use crate::menu::{Former, Menu};
use crate::verb::{ROOT, VERBS, Verb};

/// The words of some menus.
#[derive(Clone)]
pub struct Grammar {
    menus: Vec<&'static Menu>,
    /// Whether paths and names of earlier versions are understood.
    former: bool,
}

/// A place among the menus.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position(String);

/// What a path leads to.
pub(crate) enum Found {
    /// A menu, or a part of the path of one, and no command.
    Menu(Position),
    /// A command.
    Verb(Position, Verb),
    /// A word that is neither.
    Unknown {
        /// The word.
        word: String,
        /// Where it stands.
        offset: usize,
        /// What was understood before it.
        before: Position,
        /// Whether the path began with `/`.
        absolute: bool,
    },
}

impl Position {
    /// The place of a path with slashes.
    pub(crate) fn at(path: &str) -> Self {
        Self(path.trim_end_matches('/').into())
    }

    /// The path with slashes; empty for the root.
    pub(crate) fn path(&self) -> &str {
        &self.0
    }

    pub(super) fn inner(&self, word: &str) -> Self {
        Self(format!("{}/{word}", self.0))
    }

    pub(super) fn outer(&self) -> Self {
        Self(self.0.rsplit_once('/').map_or("", |(outer, _)| outer).into())
    }
}

impl Grammar {
    /// The words of these menus.
    #[must_use]
    pub fn new(menus: impl IntoIterator<Item = &'static Menu>) -> Self {
        Self { menus: menus.into_iter().collect(), former: false }
    }

    /// Also the words of earlier versions.
    #[must_use]
    pub fn with_former(self) -> Self {
        Self { former: true, ..self }
    }

    /// The names of all properties that can be set.
    pub(crate) fn property_names(&self) -> impl Iterator<Item = &'static str> {
        let properties = self.menus.iter().flat_map(|menu| menu.properties);
        properties.filter(|property| property.rule.is_configured()).map(|property| property.name)
    }

    pub(crate) fn knows_former(&self) -> bool {
        self.former
    }

    /// The menu at a path.
    pub(crate) fn menu(&self, path: &str) -> Option<&'static Menu> {
        self.menus.iter().copied().find(|menu| menu.path == path)
    }

    /// The menu that had this path in an earlier version, and what was different.
    pub(crate) fn former(&self, path: &str) -> Option<(&'static Menu, &'static Former)> {
        let formers = self
            .menus
            .iter()
            .flat_map(|menu| menu.formerly.iter().map(move |former| (*menu, former)));
        formers.filter(|_| self.former).find(|(_, former)| former.path == path)
    }

    /// The words that may follow a path: menus, and commands of the menu itself.
    #[must_use]
    pub fn words(&self, path: &str) -> Vec<&'static str> {
        let position = Position::at(path);
        let mut words: BTreeSet<&'static str> = self.inner_words(&position);
        words.extend(self.verbs(&position).iter().map(|verb| verb.word));
        words.into_iter().collect()
    }

    /// Reads a path and a command word.
    pub(crate) fn path(
        &self,
        cursor: &mut Cursor<'_>,
        context: &Position,
    ) -> Result<Found, Misread> {
        let absolute = cursor.peek() == Some('/');
        let mut position = if absolute { Position::default() } else { context.clone() };
        loop {
            while cursor.eat("/") {}
            cursor.skip_blanks();
            if cursor.at_end() {
                return Ok(Found::Menu(position));
            }
            let offset = cursor.at();
            let word = cursor.plain("/=");
            if word.is_empty() {
                return Err(Misread::new(offset, Rule::Syntax));
            }
            if word == ".." {
                position = position.outer();
                continue;
            }
            match self.word(&position, &word) {
                Some(Word::Menu(inner)) => position = position.inner(inner),
                Some(Word::Verb(verb)) => return Ok(Found::Verb(position, verb)),
                None => {
                    return Ok(Found::Unknown { word, offset, before: position, absolute });
                }
            }
        }
    }

    /// What a word means at a place: itself, or the one word that begins with it.
    pub(super) fn word(&self, position: &Position, word: &str) -> Option<Word> {
        let menus = self.inner_words(position);
        let verbs = self.verbs(position);
        if let Some(inner) = menus.get(word) {
            return Some(Word::Menu(inner));
        }
        if let Some(verb) = verbs.iter().find(|verb| verb.word == word) {
            return Some(Word::Verb(*verb));
        }
        let inner = menus.iter().filter(|inner| inner.starts_with(word)).copied().map(Word::Menu);
        let verbs = verbs.into_iter().filter(|verb| verb.word.starts_with(word)).map(Word::Verb);
        let mut meant = inner.chain(verbs);
        match (meant.next(), meant.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        }
    }

    /// The words that lead further into the menus.
    pub(super) fn inner_words(&self, position: &Position) -> BTreeSet<&'static str> {
        let formers = self.menus.iter().flat_map(|menu| menu.formerly).map(|former| former.path);
        let command = |menu: &Menu| menu.activity().is_some_and(|(at, _)| at == position.path());
        let paths = self.menus.iter().filter(|menu| !command(menu)).map(|menu| menu.path);
        let paths = paths.chain(formers.filter(|_| self.former));
        let inner = |path: &'static str| {
            let rest = path.strip_prefix(position.path())?.strip_prefix('/')?;
            rest.split('/').next()
        };
        paths.filter_map(inner).collect()
    }

    pub(super) fn verbs(&self, position: &Position) -> Vec<Verb> {
        let begun = self
            .menus
            .iter()
            .filter(|menu| menu.activity().is_some_and(|(at, _)| at == position.path()));
        let activities = begun.filter_map(|menu| menu.as_verb());
        let former = self.former(position.path()).map(|(menu, _)| menu);
        let own: Vec<Verb> = match self.menu(position.path()).or(former) {
            _ if position.path().is_empty() => ROOT.to_vec(),
            Some(menu) => menu.verbs().collect(),
            // `export` works wherever menus are below.
            None => VERBS.iter().filter(|verb| verb.word == "export").copied().collect(),
        };
        own.into_iter().chain(activities).collect()
    }

    /// The activity that a command word begins at a place.
    pub(crate) fn activity(&self, position: &Position, word: &str) -> Option<&'static Menu> {
        let begun = Some((position.path(), word));
        self.menus.iter().copied().find(|menu| menu.activity() == begun)
    }
}

#[derive(Clone, Copy)]
pub(super) enum Word {
    Menu(&'static str),
    Verb(Verb),
}
