//! `edit`: one property of a row in an editor of one's own, or on one line.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::process::Command as Program;

use leasehold_routeros::{Argument, Command};

use super::super::client::ClientError;
use super::terminal::{self, Quiet};
use super::{Console, ConsoleError};

impl Console {
    pub(super) fn edit(&mut self, command: &Command) -> Result<(), ConsoleError> {
        let refused = |why: &str| ConsoleError::Client(ClientError::Refused(why.into()));
        let Some(name) = command.argument("value-name") else {
            return Err(refused("missing value(s) of argument(s) value-name"));
        };
        if !io::stdin().is_terminal() {
            return Err(refused("edit needs a terminal: use set"));
        }
        let mut get = Command::new(&command.path, "get").with("value-name", name);
        get.targets = command.targets.clone();
        let before = self.ask(&get)?.said.unwrap_or_default();
        let Some(after) = self.edited(name, &before)? else { return Ok(()) };
        if after == before {
            return Ok(());
        }
        let mut set = Command::new(&command.path, "set");
        set.targets = command.targets.clone();
        set.arguments.push(Argument::set(name, after));
        self.carry_out(&self.options.added_to(set), false)
    }

    /// The text after the person has edited it; `None` if they left it alone.
    fn edited(&mut self, name: &str, before: &str) -> Result<Option<String>, ConsoleError> {
        let editor = ["VISUAL", "EDITOR"].into_iter().find_map(std::env::var_os);
        let Some(editor) = editor.filter(|editor| !editor.is_empty()) else {
            return Ok(terminal::question(&format!("{name}: "), before)?);
        };
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(before.as_bytes())?;
        // An editor with arguments is words for a shell. It finds the terminal as it was.
        let line = format!("{} \"$0\"", editor.to_string_lossy());
        self.quiet = None;
        let status = Program::new("sh").arg("-c").arg(line).arg(file.path()).status();
        self.quiet = Some(Quiet::begin());
        let after = fs::read_to_string(file.path())?;
        let after = after.strip_suffix('\n').filter(|_| !before.ends_with('\n')).unwrap_or(&after);
        Ok(status?.success().then(|| after.to_owned()))
    }
}
