//! `leasehold /ip pool print`: one RouterOS command, carried out by the running server.
//!
//! The line is read here, with the menus that this binary was built with; the server is sent the
//! same sentences that every client of the binary API sends.

use core::fmt;
use std::io::{self, IsTerminal, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use leasehold_routeros::syntax::console::{self, Grammar, Statement};
use leasehold_routeros::syntax::print::{self, Form, Layout};
use leasehold_routeros::syntax::sentence::{self, Limits};
use leasehold_routeros::{Cells, Command, Id, Kind, Menu, Record};

use crate::menus;

/// Where servers listen, in the order in which they are looked for.
const SOCKETS: [&str; 2] = ["/run/leasehold/leasehold.sock", "/var/lib/leasehold/leasehold.sock"];

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
    /// No server listens.
    NoServer(PathBuf, io::Error),
    /// The connection ended in the middle.
    Broken(String),
    /// The server refused; RouterOS's words.
    Refused(String),
}

impl fmt::Display for OneshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(rule) => f.write_str(rule),
            Self::NoServer(path, error) => write!(
                f,
                "cannot reach the server at {}: {error}; is it running, and are you root or in \
                 the group leasehold? (another place: --socket)",
                path.display()
            ),
            Self::Broken(how) => write!(f, "the server ended the connection: {how}"),
            Self::Refused(trap) => f.write_str(trap),
        }
    }
}

impl std::error::Error for OneshotError {}

/// Carries a line out and prints what it says.
pub fn run(words: &[String], options: &Options) -> Result<(), OneshotError> {
    let commands = commands(&line_of(words))?;
    let mut server = Server::connect(options)?;
    for (mut command, put) in commands {
        if options.confirm {
            command.arguments.push(leasehold_routeros::Argument::set(".confirm", "yes"));
        }
        if options.json && matches!(command.verb.as_str(), "print" | "getall") {
            command.arguments.push(leasehold_routeros::Argument::set("json", "yes"));
        }
        server.carry_out(&command, put)?;
    }
    Ok(())
}

/// Asks the server to read its file again.
pub fn reload(options: &Options) -> Result<(), OneshotError> {
    let mut command = Command::new("", "reload");
    if options.confirm {
        command = command.with(".confirm", "yes");
    }
    Server::connect(options)?.carry_out(&command, false)
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

/// The commands of a line, and whether what they say is printed (`:put`). A menu alone prints.
fn commands(line: &str) -> Result<Vec<(Command, bool)>, OneshotError> {
    let grammar = Grammar::new(menus::menus());
    let read = console::parse(&grammar, "", line).or_else(|misread| {
        // `lease history where …`: a menu that only shows needs no `print`.
        let printed = line.replacen(" where ", " print where ", 1);
        console::parse(&grammar, "", &printed).map_err(|_| misread)
    });
    let read = read.map_err(|misread| OneshotError::Line(misread.message(line)))?;
    let commands = read.into_iter().map(|statement| match statement {
        Statement::Menu(path) => (Command::new(path, "print"), false),
        Statement::Run(command) => (command, false),
        Statement::Put(command) => (command, true),
    });
    Ok(commands.collect())
}

/// A connection to the running server.
struct Server {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Server {
    fn connect(options: &Options) -> Result<Self, OneshotError> {
        let usual = || {
            let mut paths = SOCKETS.iter().map(PathBuf::from);
            paths.find(|path| path.exists()).unwrap_or_else(|| SOCKETS[0].into())
        };
        let path = options.socket.clone().unwrap_or_else(usual);
        let stream = UnixStream::connect(&path);
        let stream = stream.map_err(|error| OneshotError::NoServer(path, error))?;
        Ok(Self { stream, buffer: Vec::new() })
    }

    fn carry_out(&mut self, command: &Command, put: bool) -> Result<(), OneshotError> {
        let mut request = Vec::new();
        sentence::command(&mut request, None, command);
        self.stream.write_all(&request).map_err(broken)?;
        let menu = menus::menus().into_iter().find(|menu| menu.path == command.path);
        let mut records = Vec::new();
        let mut refused = None;
        loop {
            let words = self.sentence()?;
            let value = |name: &str| {
                let mut values = words.iter().filter_map(|word| word.strip_prefix('='));
                values.find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
            };
            match words.first().map(String::as_str) {
                Some("!re") => {
                    records.extend(menu.map(|menu| record(menu, records.len(), &words[1..])));
                }
                Some("!trap") => refused = value("message").map(str::to_owned),
                Some("!fatal") => {
                    return Err(OneshotError::Broken(words.get(1).cloned().unwrap_or_default()));
                }
                Some("!done") => {
                    if let Some(trap) = refused {
                        return Err(OneshotError::Refused(trap));
                    }
                    return show(command, menu, &records, value("ret"), put);
                }
                _ => {}
            }
        }
    }

    fn sentence(&mut self) -> Result<Vec<String>, OneshotError> {
        loop {
            let read = sentence::read(&self.buffer, Limits::USER);
            match read.map_err(|rule| OneshotError::Broken(rule.to_string()))? {
                Some((words, length)) => {
                    self.buffer.drain(..length);
                    return Ok(words);
                }
                None => {
                    let mut octets = [0; 1 << 16];
                    match self.stream.read(&mut octets).map_err(broken)? {
                        0 => return Err(OneshotError::Broken("it has gone".into())),
                        length => self.buffer.extend_from_slice(&octets[..length]),
                    }
                }
            }
        }
    }
}

fn broken(error: io::Error) -> OneshotError {
    OneshotError::Broken(error.to_string())
}

/// A row as it was before it became words.
fn record(menu: &'static Menu, number: usize, words: &[String]) -> Record {
    let (mut id, mut cells) = (Id(0), Cells::new());
    for word in words {
        let Some((name, value)) = word.strip_prefix('=').and_then(|rest| rest.split_once('='))
        else {
            continue;
        };
        if name == ".id" {
            id = value.parse().unwrap_or(id);
        }
        let Some(place) = menu.place(name) else { continue };
        let value = &menu.properties[place].value;
        let text = match word.split_once('=').and_then(|(_, rest)| rest.split_once('=')) {
            Some((_, "true")) if value.kind == Kind::Flag => "yes",
            Some((_, "false")) if value.kind == Kind::Flag => "no",
            Some((_, text)) => text,
            None => "",
        };
        cells.put(place, Some(text));
    }
    Record::new(menu, id, number, cells)
}

fn show(
    command: &Command,
    menu: Option<&'static Menu>,
    records: &[Record],
    said: Option<&str>,
    put: bool,
) -> Result<(), OneshotError> {
    let mut out = io::stdout().lock();
    let text = match (menu, said) {
        (_, Some(said)) if put || command.verb != "add" => {
            format!("{said}{}", if said.ends_with('\n') { "" } else { "\n" })
        }
        (Some(menu), None) if matches!(command.verb.as_str(), "print" | "getall" | "get") => {
            let as_value = put || command.verb == "get";
            let form = if as_value { Form::AsValue } else { Form::of(command, menu) };
            let width = io::stdout().is_terminal().then(width).flatten();
            print::print(menu, records, form, &Layout::of(command, width))
        }
        _ => String::new(),
    };
    // A pipe that was closed wants no more.
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
    Ok(())
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
