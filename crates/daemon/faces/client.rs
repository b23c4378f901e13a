//! Our own client of the unix socket: commands as sentences, the answers as records.

use core::fmt;
use core::time::Duration;
use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use leasehold_routeros::syntax::print::{self, Form, Layout};
use leasehold_routeros::syntax::sentence::{self, Limits};
use leasehold_routeros::{Cells, Command, Id, Kind, Menu, Record};

use crate::menus;

/// Where servers listen, in the order in which they are looked for.
const SOCKETS: [&str; 2] = ["/run/leasehold/leasehold.sock", "/var/lib/leasehold/leasehold.sock"];

/// Why a command was not carried out.
#[derive(Debug)]
pub enum ClientError {
    /// No server listens.
    NoServer(PathBuf, io::Error),
    /// The connection ended in the middle.
    Broken(String),
    /// The server refused; RouterOS's words.
    Refused(String),
}

impl fmt::Display for ClientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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

impl std::error::Error for ClientError {}

impl From<io::Error> for ClientError {
    fn from(error: io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

/// A connection to the running server.
#[derive(Debug)]
pub struct Client {
    stream: UnixStream,
    buffer: Vec<u8>,
    /// The tag of the last command.
    tag: u64,
    /// What arrived for other commands than the one that is listened to.
    kept: VecDeque<Vec<String>>,
}

/// Sentences that are kept for other commands; the oldest are forgotten first.
const KEPT: usize = 10_000;

/// Rows of a sequel that are shown.
const LATEST: usize = 20;

/// What the server says to a command, one sentence at a time.
#[derive(Debug)]
pub enum Said {
    /// A row, in words `=name=value`.
    Row(Vec<String>),
    /// The command is over; what it returns.
    Done(Option<String>),
    /// It was refused; `Done` follows.
    Refused(String),
}

/// All that the server said to a command.
#[derive(Debug, Default)]
pub struct Answer {
    /// Rows, numbered as they came.
    pub records: Vec<Record>,
    /// What the command returns.
    pub said: Option<String>,
}

impl Client {
    /// Connects to the server at this place, or at the usual ones.
    ///
    /// # Errors
    ///
    /// Nobody listens there.
    pub fn connect(socket: Option<&Path>) -> Result<Self, ClientError> {
        let usual = || {
            let mut paths = SOCKETS.iter().map(PathBuf::from);
            paths.find(|path| path.exists()).unwrap_or_else(|| SOCKETS[0].into())
        };
        let path = socket.map_or_else(usual, Path::to_owned);
        let stream = UnixStream::connect(&path);
        let stream = stream.map_err(|error| ClientError::NoServer(path, error))?;
        Ok(Self { stream, buffer: Vec::new(), tag: 0, kept: VecDeque::new() })
    }

    /// Carries a command out and waits for all that it says.
    ///
    /// # Errors
    ///
    /// The server refuses, or is gone.
    pub fn ask(&mut self, command: &Command) -> Result<Answer, ClientError> {
        let tag = self.send(command)?;
        let mut answer = Answer::default();
        let mut refused = None;
        let menu = menu_of(command);
        loop {
            match self.next(tag)? {
                Said::Row(words) => answer.take(menu, &words),
                Said::Refused(trap) => refused = Some(trap),
                Said::Done(said) => {
                    answer.said = said;
                    return refused.map_or(Ok(answer), |trap| Err(ClientError::Refused(trap)));
                }
            }
        }
    }

    /// What the console shows below a listing with conditions: the latest rows of the menu that
    /// goes on where this one ends, where they meet the same conditions.
    ///
    /// # Errors
    ///
    /// As [`Self::ask`].
    pub fn sequel(&mut self, command: &Command) -> Result<Option<(Command, Answer)>, ClientError> {
        let sequel = menu_of(command).and_then(|menu| menu.sequel);
        let shown = command.verb == "print" && !command.query.steps().is_empty();
        let table = menu_of(command).map(|menu| Form::of(command, menu)) == Some(Form::Table);
        let Some(sequel) = sequel.filter(|_| shown && table) else { return Ok(None) };
        let next = Command { path: sequel().path.into(), ..command.clone() };
        let mut answer = self.ask(&next)?;
        let old = answer.records.len().saturating_sub(LATEST);
        answer.records.drain(..old);
        Ok(Some((next, answer)))
    }

    /// Sends a command; what is said to it has the tag.
    ///
    /// # Errors
    ///
    /// The server is gone.
    pub fn send(&mut self, command: &Command) -> Result<u64, ClientError> {
        self.tag += 1;
        let mut request = Vec::new();
        sentence::command(&mut request, Some(&self.tag.to_string()), command);
        self.stream.write_all(&request)?;
        Ok(self.tag)
    }

    /// Ends the command with this tag early; its `Done` still comes.
    ///
    /// # Errors
    ///
    /// The server is gone.
    pub fn cancel(&mut self, tag: u64) -> Result<(), ClientError> {
        let command = Command::new("", "cancel").with("tag", tag.to_string());
        self.send(&command).map(drop)
    }

    /// The next thing that is said to the command with this tag.
    ///
    /// # Errors
    ///
    /// The server is gone, or has nothing to say for too long.
    pub fn next(&mut self, tag: u64) -> Result<Said, ClientError> {
        loop {
            if let Some(said) = self.arrived(tag)? {
                return Ok(said);
            }
            self.read()?;
        }
    }

    /// What has arrived for the command with this tag.
    ///
    /// # Errors
    ///
    /// The server ends the connection.
    pub fn arrived(&mut self, tag: u64) -> Result<Option<Said>, ClientError> {
        let tag = format!(".tag={tag}");
        let kept = self.kept.iter().position(|words| words.contains(&tag));
        if let Some(words) = kept.and_then(|at| self.kept.remove(at)) {
            return Ok(said(words));
        }
        loop {
            let read = sentence::read(&self.buffer, Limits::USER);
            let read = read.map_err(|rule| ClientError::Broken(rule.to_string()))?;
            let Some((words, length)) = read else { return Ok(None) };
            self.buffer.drain(..length);
            match words.first().map(String::as_str) {
                Some("!fatal") => {
                    return Err(ClientError::Broken(words.get(1).cloned().unwrap_or_default()));
                }
                Some("!re" | "!trap" | "!done") if words.contains(&tag) => return Ok(said(words)),
                Some("!re" | "!trap" | "!done") => {
                    if self.kept.len() >= KEPT {
                        self.kept.pop_front();
                    }
                    self.kept.push_back(words);
                }
                _ => {}
            }
        }
    }

    /// Waits for more octets.
    ///
    /// # Errors
    ///
    /// The server is gone.
    pub fn read(&mut self) -> Result<(), ClientError> {
        let mut octets = [0; 1 << 16];
        match self.stream.read(&mut octets)? {
            0 => Err(ClientError::Broken("it has gone".into())),
            length => {
                self.buffer.extend_from_slice(&octets[..length]);
                Ok(())
            }
        }
    }

    /// From now on a silent server is given up after this time.
    pub fn set_patience(&mut self, patience: Option<Duration>) {
        // A connection that is gone says so when it is read.
        let _ = self.stream.set_read_timeout(patience);
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn said(words: Vec<String>) -> Option<Said> {
    let value = |name: &str| {
        let mut values = words.iter().filter_map(|word| word.strip_prefix('='));
        let value = values.find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        value.map(str::to_owned)
    };
    match words.first()?.as_str() {
        "!re" => Some(Said::Row(words)),
        "!trap" => Some(Said::Refused(value("message").unwrap_or_default())),
        "!done" => Some(Said::Done(value("ret"))),
        _ => None,
    }
}

/// The menu that a command is about: of an activity its own.
#[must_use]
pub fn menu_of(command: &Command) -> Option<&'static Menu> {
    let begun = Some((command.path.as_str(), command.verb.as_str()));
    let menus = menus::menus();
    let activity = menus.iter().find(|menu| menu.activity() == begun);
    activity.or_else(|| menus.iter().find(|menu| menu.path == command.path)).copied()
}

impl Answer {
    /// Takes a row as it was before it became words.
    pub fn take(&mut self, menu: Option<&'static Menu>, words: &[String]) {
        self.records.extend(menu.map(|menu| record(menu, self.records.len(), words)));
    }

    /// As the console shows it.
    #[must_use]
    pub fn text(&self, command: &Command, put: bool, width: Option<usize>) -> String {
        let menu = menu_of(command);
        match (menu, self.said.as_deref()) {
            (_, Some(said)) if put || command.verb != "add" => {
                format!("{said}{}", if said.ends_with('\n') { "" } else { "\n" })
            }
            (Some(menu), None)
                if menu.activity().is_some()
                    || matches!(command.verb.as_str(), "print" | "getall" | "get") =>
            {
                let as_value = put || command.verb == "get";
                let form = if as_value { Form::AsValue } else { Form::of(command, menu) };
                print::print(menu, &self.records, form, &Layout::of(command, width))
            }
            _ => String::new(),
        }
    }
}

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
        let flag = menu.properties[place].value.kind == Kind::Flag;
        let text = match value {
            "true" if flag => "yes",
            "false" if flag => "no",
            text => text,
        };
        cells.put(place, Some(text));
    }
    Record::new(menu, id, number, cells)
}
