//! Reading words, strings and the ends of statements, with joined lines seen as one.

use super::{Misread, Rule};
use crate::syntax::quote::{self, BadString};

/// A place in a text that moves forward.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Octets from the beginning.
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.at..).unwrap_or("")
    }

    pub(crate) fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Skips what comes next if it is `expected`.
    pub(crate) fn eat(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    /// Skips a line that is joined to the next one by `\`, and that one's leading blanks.
    fn eat_joint(&mut self) -> bool {
        let joint = self.eat("\\\n") || self.eat("\\\r\n");
        if joint {
            while self.eat(" ") || self.eat("\t") {}
        }
        joint
    }

    /// Skips blanks within a statement.
    pub(crate) fn skip_blanks(&mut self) {
        while self.eat(" ") || self.eat("\t") || self.eat("\r") || self.eat_joint() {}
    }

    /// Goes to the next statement, past empty lines and comments; false at the end.
    pub(crate) fn next_statement(&mut self) -> bool {
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return false,
                Some('\n' | ';' | '\u{feff}') => self.skip_char(),
                Some('#') => self.skip_line(),
                Some(_) => return true,
            }
        }
    }

    pub(super) fn skip_char(&mut self) {
        self.at += self.peek().map_or(0, char::len_utf8);
    }

    pub(super) fn skip_line(&mut self) {
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
    }

    pub(super) fn skip_to_end(&mut self) {
        self.at = self.text.len();
    }

    /// Whether a statement can end here.
    pub(crate) fn at_end(&self) -> bool {
        matches!(self.peek(), None | Some('\n' | ';' | ']'))
    }

    /// A statement has to end here.
    pub(crate) fn end_of_statement(&mut self) -> Result<(), Misread> {
        self.skip_blanks();
        match self.peek() {
            None | Some('\n' | ';') => Ok(()),
            Some(_) => Err(Misread::new(self.at, Rule::ExpectedEnd)),
        }
    }

    /// What begins here if it is no command but script language.
    pub(crate) fn script_word(&self) -> Option<String> {
        let word: String =
            self.rest().chars().take_while(|c| !c.is_whitespace() && *c != ';').collect();
        matches!(self.peek(), Some(':' | '{' | '}' | '$' | '(')).then_some(word)
    }

    /// Reads plain characters until a blank or one of `stops`. Empty if there are none.
    pub(crate) fn plain(&mut self, stops: &str) -> String {
        let mut word = String::new();
        loop {
            if self.eat_joint() {
                continue;
            }
            match self.peek() {
                Some(c) if c.is_whitespace() || ";\"[]{}()$\\".contains(c) || stops.contains(c) => {
                    return word;
                }
                Some(c) => {
                    word.push(c);
                    self.skip_char();
                }
                None => return word,
            }
        }
    }

    /// Reads a value: a string, or plain characters until a blank or one of `stops`.
    pub(crate) fn value(&mut self, stops: &str) -> Result<String, Misread> {
        if self.peek() != Some('"') {
            let begin = self.at;
            let value = self.plain(stops);
            return match self.peek() {
                Some('"' | '[' | '{' | '}' | '(' | '$' | '\\') => {
                    Err(Misread::new(self.at, Rule::Syntax))
                }
                Some(')') if !stops.contains(')') => Err(Misread::new(self.at, Rule::Syntax)),
                _ if value.is_empty() => Err(Misread::new(begin, Rule::Syntax)),
                _ => Ok(value),
            };
        }
        match quote::read(self.rest()) {
            Ok((value, length)) => {
                self.at += length;
                Ok(value)
            }
            Err(BadString::Open) => Err(Misread::new(self.at, Rule::Syntax)),
            Err(BadString::Escape(offset)) => Err(Misread::new(self.at + offset, Rule::Syntax)),
            Err(BadString::Variable(offset)) => {
                let rule = Rule::Script("a variable in a string".into());
                Err(Misread::new(self.at + offset, rule))
            }
        }
    }

    /// Skips a statement that is not to be understood: to its end outside of strings and brackets.
    pub(crate) fn skip_statement(&mut self) {
        let mut depth = 0_u32;
        loop {
            if self.eat_joint() {
                continue;
            }
            match self.peek() {
                None => return,
                Some('\n' | ';') if depth == 0 => return,
                Some('"') => {
                    self.at += string_length(self.rest());
                    continue;
                }
                Some('[' | '{' | '(') => depth += 1,
                Some(']' | '}' | ')') => depth = depth.saturating_sub(1),
                Some(_) => {}
            }
            self.skip_char();
        }
    }
}

/// The octets of a string that may hold anything.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, octet) in text.bytes().enumerate().skip(1) {
        match octet {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}
