//! `leasehold console`: the router's own terminal, over the unix socket.
//!
//! Lines are read here, with the menus that this binary was built with; the server is sent the
//! same sentences that every client of the binary API sends.

mod dialogue;
mod edit;
mod follow;
mod line;
mod terminal;

use core::fmt;
use core::time::Duration;
use std::collections::BTreeMap;
use std::io::{self, IsTerminal};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leasehold_routeros::menu::Effect;
use leasehold_routeros::syntax::console::{self as language, Class};
use leasehold_routeros::syntax::console::{Completion, Grammar, Statement, Wanted};
use leasehold_routeros::{Command, Id, Target, Trap};
use reedline::{EditCommand, Reedline, Signal};

use self::line::{Front, Shared};
use self::terminal::Quiet;
use super::client::{Answer, Client, ClientError, Said, menu_of};
use super::oneshot::{self, Options};
use super::telling::Telling;
use crate::menus;

/// Why the console ended badly.
#[derive(Debug)]
pub enum ConsoleError {
    /// No server, at the very beginning.
    Client(ClientError),
    /// The terminal is gone.
    Terminal(io::Error),
    /// Lines that were read from a file or pipe, and refused.
    Refused(usize),
}

impl fmt::Display for ConsoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(error) => error.fmt(f),
            Self::Terminal(error) => write!(f, "the terminal: {error}"),
            Self::Refused(lines) => write!(f, "{lines} line(s) were refused"),
        }
    }
}

impl std::error::Error for ConsoleError {}

impl From<ClientError> for ConsoleError {
    fn from(error: ClientError) -> Self {
        Self::Client(error)
    }
}

impl From<io::Error> for ConsoleError {
    fn from(error: io::Error) -> Self {
        Self::Terminal(error)
    }
}

/// How long the line editor waits for names that it wants to offer.
const PATIENCE: Duration = Duration::from_secs(1);

/// As shells have it: 128 and the number of SIGHUP.
const HUNG_UP: i32 = 129;

/// Reads lines until the end of the input, or `/quit`.
///
/// # Errors
///
/// There is no server, or lines that came from no terminal were refused.
pub fn run(options: &Options) -> Result<(), ConsoleError> {
    let mut desk = Desk {
        grammar: Grammar::new(menus::menus()),
        context: String::new(),
        socket: options.socket.clone(),
        client: None,
    };
    desk.client()?;
    let interrupted = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGINT, Arc::clone(&interrupted))?;
    // A terminal that is gone ends the session, also where whoever started it ignores that:
    // safe mode depends on it.
    let always = Arc::new(AtomicBool::new(true));
    signal_hook::flag::register_conditional_shutdown(signal_hook::consts::SIGHUP, HUNG_UP, always)?;
    let mut console = Console {
        shared: Shared::new(desk),
        options: options.clone(),
        shown: BTreeMap::new(),
        safe: false,
        interrupted,
        quiet: None,
    };
    if io::stdin().is_terminal() { console.interactive() } else { console.script() }
}

/// What the line editor looks at, too: where we are, and the server.
struct Desk {
    grammar: Grammar,
    context: String,
    socket: Option<PathBuf>,
    client: Option<Client>,
}

impl Desk {
    /// The connection; made again if it was lost.
    fn client(&mut self) -> Result<&mut Client, ClientError> {
        let client = match self.client.take() {
            Some(client) => client,
            None => Client::connect(self.socket.as_deref())?,
        };
        Ok(self.client.insert(client))
    }

    fn ask(&mut self, command: &Command) -> Result<Answer, ClientError> {
        let asked = self.client()?.ask(command);
        if matches!(asked, Err(ClientError::Broken(_))) {
            self.client = None;
        }
        asked
    }

    fn complete(&mut self, line: &str) -> Completion {
        let mut completion = language::complete(&self.grammar, &self.context, line);
        if let Some(wanted) = completion.wanted {
            completion.answer(self.names(wanted));
        }
        completion
    }

    /// The names of rows or interfaces; none if the server does not tell them in time.
    fn names(&mut self, wanted: Wanted) -> Vec<String> {
        let path = match wanted {
            Wanted::Rows(menu) => menu.path,
            Wanted::Interfaces => "/interface",
        };
        let Ok(client) = self.client() else { return Vec::new() };
        client.set_patience(Some(PATIENCE));
        let asked = client.ask(&Command::new(path, "print").with(".proplist", "name"));
        client.set_patience(None);
        let records = asked.unwrap_or_default().records;
        records.iter().filter_map(|record| record.text("name")).collect()
    }

    fn words(&self, line: &str) -> Vec<(core::ops::Range<usize>, Class)> {
        language::words(&self.grammar, &self.context, line)
    }

    fn goes_on(&self, line: &str) -> bool {
        language::goes_on(&self.grammar, &self.context, line)
    }
}

struct Console {
    shared: Shared,
    options: Options,
    /// The ids of the rows that were printed last, by menu: what numbers mean.
    shown: BTreeMap<String, Vec<Id>>,
    safe: bool,
    interrupted: Arc<AtomicBool>,
    /// On a terminal, while the console has it.
    quiet: Option<Quiet>,
}

/// What follows a line.
#[derive(PartialEq, Eq)]
enum After {
    Next,
    Refused,
    Quit,
}

impl Console {
    fn interactive(&mut self) -> Result<(), ConsoleError> {
        self.quiet = Some(Quiet::begin());
        let mut editor = line::editor(&self.shared);
        loop {
            let front = Front(self.front());
            let quits = match editor.read_line(&front).map_err(io::Error::other)? {
                Signal::Success(line) => self.line(&line)? == After::Quit,
                Signal::HostCommand(word) => {
                    match word.as_str() {
                        line::HELP => self.help(&mut editor),
                        _ => self.switch_safe_mode()?,
                    }
                    false
                }
                Signal::CtrlD => true,
                _ => false,
            };
            if quits {
                break;
            }
        }
        if self.safe {
            println!("Safe Mode: changes are undone");
        }
        Ok(())
    }

    /// Lines of a file or a pipe; those behind a refused one are carried out as well.
    fn script(&mut self) -> Result<(), ConsoleError> {
        let mut refused = 0;
        let mut whole = String::new();
        while let Some(line) = terminal::line()? {
            whole.push_str(&line);
            if self.shared.desk().goes_on(&whole) {
                whole.push('\n');
                continue;
            }
            match self.line(&core::mem::take(&mut whole))? {
                After::Next => {}
                After::Refused => refused += 1,
                After::Quit => break,
            }
        }
        if refused > 0 { Err(ConsoleError::Refused(refused)) } else { Ok(()) }
    }

    fn front(&mut self) -> String {
        let identity = Command::new("/system/identity", "get").with("value-name", "name");
        let mut desk = self.shared.desk();
        let identity = desk.ask(&identity).ok().and_then(|answer| answer.said);
        if desk.client.is_none() {
            self.safe = false;
        }
        let identity = identity.unwrap_or_else(|| "not connected".into());
        let user = std::env::var("USER").unwrap_or_else(|_| "root".into());
        let safe = if self.safe { "<SAFE> " } else { "" };
        format!("[{user}@{identity}] {safe}{}> ", desk.context)
    }

    /// Carries a line out. What is wrong with it is printed, and the next line can be read.
    fn line(&mut self, line: &str) -> Result<After, ConsoleError> {
        let read = {
            let desk = self.shared.desk();
            oneshot::read(&desk.grammar, &desk.context, line)
        };
        let statements = match read {
            Ok(statements) => statements,
            Err(misread) => {
                println!("{}", misread.message(line));
                return Ok(After::Refused);
            }
        };
        for statement in statements {
            let done = match statement {
                Statement::Menu(path) => {
                    self.shared.desk().context = path;
                    continue;
                }
                Statement::Run(command) if command.path.is_empty() && command.verb == "quit" => {
                    return Ok(After::Quit);
                }
                Statement::Run(command) => self.command(command, false),
                Statement::Put(command) => self.command(command, true),
            };
            match done {
                Ok(()) => {}
                Err(ConsoleError::Client(error)) => {
                    println!("{error}");
                    return Ok(After::Refused);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(After::Next)
    }

    fn command(&mut self, mut command: Command, put: bool) -> Result<(), ConsoleError> {
        let numbered = self.shown.get(&command.path);
        if let Some(shown) = numbered {
            for target in &mut command.targets {
                number(target, shown)?;
            }
        }
        let command = self.options.added_to(command);
        let special = menu_of(&command).into_iter().flat_map(|menu| menu.specials);
        let special = special.into_iter().find(|special| special.verb == command.verb);
        match command.verb.as_str() {
            _ if special.is_some_and(|special| special.effect == Effect::Dialogue) => {
                self.dialogue()
            }
            "edit" => self.edit(&command),
            "print" if command.switch("follow") || command.switch("follow-only") => {
                self.follow(&command)
            }
            _ => self.carry_out(&command, put),
        }
    }

    fn carry_out(&mut self, command: &Command, put: bool) -> Result<(), ConsoleError> {
        let size = terminal::size();
        let columns = size.map(|(_, columns)| columns);
        let telling = Telling::of(command, columns).filter(|_| !put);
        let answer = self.listen(command, telling)?;
        if command.verb == "print" {
            let ids = answer.records.iter().filter_map(leasehold_routeros::Record::id).collect();
            self.shown.insert(command.path.clone(), ids);
        }
        let mut text = answer.text(command, put, columns);
        if let Some((next, answer)) = self.shared.desk().client()?.sequel(command)? {
            text += &answer.text(&next, false, columns);
        }
        let pages = command.verb == "print" && !command.switch("without-paging");
        let pages = pages && io::stdin().is_terminal();
        terminal::show(&text, size.map(|(rows, _)| rows).filter(|_| pages))?;
        Ok(())
    }

    /// What the server says to a command; Ctrl-C ends it early.
    fn ask(&self, command: &Command) -> Result<Answer, ClientError> {
        self.listen(command, None)
    }

    /// As [`Self::ask`]; what is told as it comes is printed, and not in the answer.
    fn listen(&self, command: &Command, telling: Option<Telling>) -> Result<Answer, ClientError> {
        let mut desk = self.shared.desk();
        let asked = self.heard(desk.client()?, command, telling);
        if matches!(asked, Err(ClientError::Broken(_))) {
            desk.client = None;
        }
        asked
    }

    fn heard(
        &self,
        client: &mut Client,
        command: &Command,
        mut telling: Option<Telling>,
    ) -> Result<Answer, ClientError> {
        self.interrupted.store(false, Ordering::Relaxed);
        let menu = menu_of(command);
        let tag = client.send(command)?;
        let mut answer = Answer::default();
        let mut refused = None;
        loop {
            match client.arrived(tag)? {
                Some(Said::Row(words)) => match &mut telling {
                    Some(telling) => print!("{}", telling.row(&words)),
                    None => answer.take(menu, &words),
                },
                // It was watched for as long as somebody wanted to.
                Some(Said::Refused(trap)) if telling.is_some() && trap == "interrupted" => {}
                Some(Said::Refused(trap)) => refused = Some(trap),
                Some(Said::Done(said)) => {
                    answer.said = said;
                    return refused.map_or(Ok(answer), |trap| Err(ClientError::Refused(trap)));
                }
                None if terminal::readable(client.as_fd())? => client.read()?,
                None if self.interrupted.swap(false, Ordering::Relaxed) => client.cancel(tag)?,
                None => {}
            }
        }
    }

    fn help(&mut self, editor: &mut Reedline) {
        let line = editor.current_buffer_contents();
        let before = line.get(..editor.current_insertion_point()).unwrap_or(line).to_owned();
        let completion = self.shared.desk().complete(&before);
        if completion.in_string() {
            // Within a string it is a question mark.
            return editor.run_edit_commands(&[EditCommand::InsertChar('?')]);
        }
        println!("\n{}", completion.help().trim_end());
    }

    fn switch_safe_mode(&mut self) -> Result<(), ConsoleError> {
        println!();
        let asked = match self.safe {
            true => self.ask(&Command::new("/safe-mode", "release")),
            false => self.take_safe_mode(),
        };
        match asked {
            Ok(_) => {
                self.safe = !self.safe;
                println!("[Safe Mode {}]", if self.safe { "taken" } else { "released" });
            }
            Err(error) => {
                self.safe = false;
                println!("{error}");
            }
        }
        Ok(())
    }

    /// RouterOS's question where another session has it.
    fn take_safe_mode(&self) -> Result<Answer, ClientError> {
        let take = Command::new("/safe-mode", "take");
        match self.ask(&take) {
            Err(ClientError::Refused(_)) => {
                let hijack =
                    "Hijacking Safe Mode from someone - unroll/release/don't take it [u/r/d]: ";
                let answer = terminal::question(hijack, "")?.unwrap_or_default();
                match answer.trim() {
                    "u" => self.ask(&take.with("hijack", "unroll")),
                    "r" => self.ask(&take.with("hijack", "release")),
                    _ => Err(ClientError::Refused("Safe Mode was not taken".into())),
                }
            }
            other => other,
        }
    }
}

/// Numbers mean the rows that were printed last; names and ids mean themselves.
fn number(target: &mut Target, shown: &[Id]) -> Result<(), ClientError> {
    let Target::Named(text) = target else { return Ok(()) };
    let numbers: Option<Vec<usize>> = text.split(',').map(|part| part.parse().ok()).collect();
    let Some(numbers) = numbers else { return Ok(()) };
    let ids = numbers.into_iter().map(|number| shown.get(number).map(Id::to_string));
    let ids: Option<Vec<String>> = ids.collect();
    let ids = ids.ok_or_else(|| ClientError::Refused(Trap::NoSuchItem.to_string()))?;
    *text = ids.join(",");
    Ok(())
}
