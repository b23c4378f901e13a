//! `leasehold /ip pool print`: one RouterOS command, carried out by the running server.
//!
//! The line is read here, with the menus that this binary was built with; the server is sent the
//! same sentences that every client of the binary API sends.

use core::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use leasehold_routeros::syntax::console::{self, Grammar, Misread, Statement};
use leasehold_routeros::{Argument, Command};

use super::client::{Client, ClientError, Said};
use super::telling::Telling;
use crate::menus;

/// What a command line says.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Where the server listens, if not at the usual places.
    pub socket: Option<PathBuf>,
    /// Leases may be orphaned.
    pub confirm: bool,
    /// Rows as JSON.
    pub json: bool,
}

/// Why a command was not carried out.
#[derive(Debug)]
pub enum OneshotError {
    /// The line is no command; RouterOS's sentence.
    Line(String),
    /// The server did not do it.
    Client(ClientError),
}

impl fmt::Display for OneshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(rule) => f.write_str(rule),
            Self::Client(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OneshotError {}

impl From<ClientError> for OneshotError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

/// Carries a line out and prints what it says.
pub fn run(words: &[String], options: &Options) -> Result<(), OneshotError> {
    let line = line_of(words);
    let grammar = Grammar::new(menus::menus());
    let read = read(&grammar, "", &line);
    let statements = read.map_err(|misread| OneshotError::Line(misread.message(&line)))?;
    let mut client = Client::connect(options.socket.as_deref())?;
    let width = io::stdout().is_terminal().then(width).flatten();
    for statement in statements {
        let (command, put) = match statement {
            // A menu alone prints.
            Statement::Menu(path) => (Command::new(path, "print"), false),
            Statement::Run(command) => (command, false),
            Statement::Put(command) => (command, true),
        };
        let command = options.added_to(command);
        if let Some(telling) = Telling::of(&command, width).filter(|_| !put) {
            tell(&mut client, &command, telling)?;
            continue;
        }
        let mut text = client.ask(&command)?.text(&command, put, width);
        if let Some((next, answer)) = client.sequel(&command)? {
            text += &answer.text(&next, false, width);
        }
        let mut out = io::stdout().lock();
        // A pipe that was closed wants no more.
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
    Ok(())
}

/// Prints what an activity tells until it ends, or nobody reads any more.
fn tell(client: &mut Client, command: &Command, mut telling: Telling) -> Result<(), ClientError> {
    let tag = client.send(command)?;
    let mut refused = None;
    loop {
        match client.next(tag)? {
            Said::Row(words) => {
                let mut out = io::stdout().lock();
                if out.write_all(telling.row(&words).as_bytes()).and_then(|()| out.flush()).is_err()
                {
                    return Ok(());
                }
            }
            Said::Refused(trap) => refused = Some(trap),
            Said::Done(_) => return refused.map_or(Ok(()), |why| Err(ClientError::Refused(why))),
        }
    }
}

/// Asks the server to read its file again.
pub fn reload(options: &Options) -> Result<(), OneshotError> {
    let command = options.added_to(Command::new("", "reload"));
    Client::connect(options.socket.as_deref())?.ask(&command)?;
    Ok(())
}

/// Has the server copy its store; the copy is in the state directory that is given back.
pub fn backup(options: &Options) -> Result<PathBuf, OneshotError> {
    let command = Command::new("", "backup");
    let answer = Client::connect(options.socket.as_deref())?.ask(&command)?;
    Ok(answer.text(&command, true, None).trim_end().into())
}

impl Options {
    /// A command with what the command line says of all commands.
    pub(super) fn added_to(&self, mut command: Command) -> Command {
        if self.confirm {
            command.arguments.push(Argument::set(".confirm", "yes"));
        }
        if self.json && matches!(command.verb.as_str(), "print" | "getall") {
            command.arguments.push(Argument::set("json", "yes"));
        }
        command
    }
}

/// The commands of a line. `lease history where …`: a menu that only shows needs no `print`.
pub(super) fn read(
    grammar: &Grammar,
    context: &str,
    line: &str,
) -> Result<Vec<Statement>, Misread> {
    console::parse(grammar, context, line).or_else(|misread| {
        let printed = line.replacen(" where ", " print where ", 1);
        console::parse(grammar, context, &printed).map_err(|_| misread)
    })
}

/// The shell's words as the console would have them. What was one word of the shell and looks like
/// `name=some text` had quotes that the shell has taken away; what follows `where`, and whole
/// commands in one word, are the console's language as they are.
fn line_of(words: &[String]) -> String {
    let mut expression = false;
    let spelt = words.iter().map(|word| {
        expression |= word == "where";
        let console = expression || word.starts_with(['/', ':', '[']);
        if console { word.clone() } else { word_of(word) }
    });
    spelt.collect::<Vec<_>>().join(" ")
}

fn word_of(word: &str) -> String {
    let quoted = |text: &str| {
        let inner: String = text
            .chars()
            .map(|c| match c {
                '"' | '\\' | '$' => format!("\\{c}"),
                '\n' => "\\n".into(),
                c => c.into(),
            })
            .collect();
        format!("\"{inner}\"")
    };
    match word.split_once('=') {
        Some((name, value)) if value.contains(|c: char| c.is_whitespace() || c == ';') => {
            format!("{name}={}", quoted(value))
        }
        Some((name, "")) if !name.is_empty() => format!("{name}=\"\""),
        _ => word.to_owned(),
    }
}

/// Columns of the terminal.
fn width() -> Option<usize> {
    rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &[&str]) -> String {
        line_of(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn quotes_that_the_shell_took_are_given_back() {
        assert_eq!(
            line(&["/ip", "pool", "set", "p", "comment=a b"]),
            "/ip pool set p comment=\"a b\""
        );
        assert_eq!(line(&["/ip/pool/set", "p", "comment="]), "/ip/pool/set p comment=\"\"");
        assert_eq!(
            line(&["/ip/pool/set", "p", "comment=a \"b\" $c"]),
            "/ip/pool/set p comment=\"a \\\"b\\\" \\$c\""
        );
    }

    #[test]
    fn what_is_the_console_s_language_stays() {
        let whole = "/ip pool set [find name=p] comment=\"a b\"";
        assert_eq!(line(&[whole]), whole);
        assert_eq!(
            line(&["/ip", "pool", "print", "where", "name=p and total>3"]),
            "/ip pool print where name=p and total>3"
        );
    }
}
