//! The console's language: menus, commands, arguments, `[find …]` and `where`.
//!
//! What is absent: variables, loops and the rest of the script language. Words may be shortened as
//! long as one meaning is left; both spellings of paths are read.

mod arguments;
mod complete;
mod cursor;
mod expression;
mod grammar;
mod scan;

use core::fmt;

use super::place::Place;
use super::print::{Form, Layout, print};
use crate::command::{Command, Reply};
use crate::menu::Menu;
use crate::record::Record;
use crate::trap::Trap;

pub(super) use arguments::Placed;
pub(super) use cursor::Cursor;
pub(super) use grammar::{Found, Position};

pub use complete::{Candidate, Completion, Wanted, complete, goes_on, words};
pub use expression::query;
pub use grammar::Grammar;
pub use scan::Class;

/// A line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Statement {
    /// A menu alone: commands that follow are about it.
    Menu(String),
    /// A command.
    Run(Command),
    /// `:put [command]`: what the command says is printed.
    Put(Command),
}

/// Why a text is no command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// Where, in octets from the beginning.
    pub offset: usize,
    /// The broken rule.
    pub rule: Rule,
}

/// The rules of the language that a text can break.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The word is neither a menu nor a command.
    BadCommand(String),
    /// The command has no such argument.
    UnknownParameter(String),
    /// Something that cannot follow here.
    ExpectedEnd,
    /// A string, bracket or expression that cannot be read.
    Syntax,
    /// The script language beyond commands: variables, blocks, `:if`.
    Script(String),
}

impl Misread {
    pub(crate) fn new(offset: usize, rule: Rule) -> Self {
        Self { offset, rule }
    }

    /// RouterOS's sentence, with the place in `text`.
    #[must_use]
    pub fn message(&self, text: &str) -> String {
        let Place { line, column } = Place::of(text, self.offset);
        let rule = match &self.rule {
            // The console does not know the name, so it expected none.
            Rule::UnknownParameter(_) => &Rule::ExpectedEnd,
            rule => rule,
        };
        format!("{rule} (line {line} column {column})")
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadCommand(word) => write!(f, "bad command name {word}"),
            Self::UnknownParameter(name) => write!(f, "unknown parameter {name}"),
            Self::ExpectedEnd => f.write_str("expected end of command"),
            Self::Syntax => f.write_str("syntax error"),
            Self::Script(word) => {
                write!(f, "{word} is script language, only commands can be read here")
            }
        }
    }
}

/// Reads all commands of a text. `context` is the menu that relative paths begin at.
///
/// # Errors
///
/// The first thing that cannot be read.
pub fn parse(grammar: &Grammar, context: &str, text: &str) -> Result<Vec<Statement>, Misread> {
    let mut cursor = Cursor::new(text);
    let mut position = Position::at(context);
    let mut statements = Vec::new();
    while cursor.next_statement() {
        let put = cursor.eat(":put");
        if put {
            cursor.skip_blanks();
            if !cursor.eat("[") {
                return Err(Misread::new(cursor.at(), Rule::Syntax));
            }
            cursor.skip_blanks();
        }
        let begin = cursor.at();
        if let Some(word) = cursor.script_word() {
            return Err(Misread::new(begin, Rule::Script(word)));
        }
        let statement = match grammar.path(&mut cursor, &position)? {
            Found::Menu(menu) => Statement::Menu(menu.path().into()),
            Found::Unknown { word, offset, .. } => {
                return Err(Misread::new(offset, Rule::BadCommand(word)));
            }
            Found::Verb(menu, verb) => {
                Statement::Run(grammar.command(&mut cursor, &menu, verb)?.command)
            }
        };
        let statement = match statement {
            Statement::Menu(path) if !put => {
                position = Position::at(&path);
                Statement::Menu(path)
            }
            Statement::Run(command) if put => {
                cursor.skip_blanks();
                if !cursor.eat("]") {
                    return Err(Misread::new(cursor.at(), Rule::Syntax));
                }
                Statement::Put(command)
            }
            Statement::Run(command) => Statement::Run(command),
            Statement::Menu(_) | Statement::Put(_) => {
                return Err(Misread::new(cursor.at(), Rule::Syntax));
            }
        };
        cursor.end_of_statement()?;
        statements.push(statement);
    }
    Ok(statements)
}

/// What the console prints for a command that was refused.
#[must_use]
pub fn failure(trap: &Trap) -> String {
    match trap {
        // The API's words for it name an attribute that the console does not have.
        Trap::MissingId => "expected item id".into(),
        trap => trap.to_string(),
    }
}

/// What the console prints for a command that was carried out: rows in the form that was asked
/// for, a count, a text. A new row's id is printed by `:put` alone.
#[must_use]
pub fn answer(
    statement: &Statement,
    reply: &Reply,
    records: &[Record],
    width: Option<usize>,
) -> String {
    let (command, put) = match statement {
        Statement::Menu(_) => return String::new(),
        Statement::Run(command) => (command, false),
        Statement::Put(command) => (command, true),
    };
    match reply {
        Reply::Done | Reply::Watch(_) => String::new(),
        Reply::Value(_) if command.verb == "add" && !put => String::new(),
        Reply::Value(text) => format!("{text}\n"),
        Reply::Text(text) => text.clone(),
        Reply::Rows(listing) if listing.counts() => format!("{}\n", records.len()),
        Reply::Activity(activity) => rows(command, put, activity.menu(), records, width),
        Reply::Rows(listing) => rows(command, put, listing.menu(), records, width),
    }
}

/// What the console prints for the rows that a command gives; `put` if `:put` is to print them.
#[must_use]
pub fn rows(
    command: &Command,
    put: bool,
    menu: &'static Menu,
    records: &[Record],
    width: Option<usize>,
) -> String {
    let one = command.verb == "get";
    let form = if put || one { Form::AsValue } else { Form::of(command, menu) };
    print(menu, records, form, &Layout::of(command, width))
}
