//! `print follow`: the rows there are, then every change of them until a key ends it.

use std::io::{self, IsTerminal};
use std::os::fd::AsFd;

use leasehold_routeros::syntax::print::{self, Form, Layout};
use leasehold_routeros::{Command, Menu, Record};

use super::super::client::{Answer, Client, ClientError, Said, menu_of};
use super::terminal::{self, INTERRUPT, Keys, Woken};
use super::{Console, ConsoleError};

impl Console {
    pub(super) fn follow(&mut self, command: &Command) -> Result<(), ConsoleError> {
        let Some(menu) = menu_of(command) else { return self.carry_out(command, false) };
        let mut listen = Command::new(&command.path, "listen");
        listen.query = command.query.clone();
        // Before the rows, so that no change between is missed.
        let tag = self.shared.desk().client()?.send(&listen)?;
        if !command.switch("follow-only") {
            let mut rows = command.clone();
            rows.arguments.retain(|argument| argument.name != "follow");
            self.carry_out(&rows.with("without-paging", ""), false)?;
        }
        if io::stdin().is_terminal() {
            println!("-- [Q quit]");
        }
        let mut desk = self.shared.desk();
        let followed = changes(desk.client()?, tag, command, menu);
        if matches!(followed, Err(ClientError::Broken(_))) {
            desk.client = None;
        }
        Ok(followed?)
    }
}

fn changes(
    client: &mut Client,
    tag: u64,
    command: &Command,
    menu: &'static Menu,
) -> Result<(), ClientError> {
    let keys = Keys::take();
    loop {
        match client.arrived(tag)? {
            Some(Said::Row(words)) if words.iter().any(|word| word == "=.dead=yes") => {
                let id = words.iter().find_map(|word| word.strip_prefix("=.id="));
                println!("{} removed", id.unwrap_or_default());
            }
            Some(Said::Row(words)) => {
                let mut answer = Answer::default();
                answer.take(Some(menu), &words);
                answer.records.iter().for_each(|record| changed(command, menu, record));
            }
            Some(Said::Refused(trap)) if trap != "interrupted" => println!("{trap}"),
            Some(Said::Refused(_)) => {}
            Some(Said::Done(_)) => return Ok(()),
            None => match keys.or(client.as_fd())? {
                Woken::Stream => client.read()?,
                Woken::Key(b'q' | b'Q' | INTERRUPT) => client.cancel(tag)?,
                Woken::Key(_) => {}
            },
        }
    }
}

/// One row, in the form that was asked for; of a table only what stands under its titles.
fn changed(command: &Command, menu: &'static Menu, record: &Record) {
    let form = Form::of(command, menu);
    let width = terminal::size().map(|(_, columns)| columns);
    let text = print::print(menu, core::slice::from_ref(record), form, &Layout::of(command, width));
    let titles = match form {
        Form::Table => text.lines().position(|line| line.starts_with("Columns:")).map(|at| at + 2),
        Form::Detail => Some(usize::from(text.starts_with("Flags:"))),
        _ => None,
    };
    for line in text.lines().skip(titles.unwrap_or(0)).filter(|line| !line.is_empty()) {
        println!("{line}");
    }
}
