//! Scripts of the running server: imported as one change or none, exported into a file.

use std::fmt::Write;

use leasehold_routeros::syntax::script::{self, Imported};
use leasehold_routeros::{Command, Effects, Reply, Trap, Value};

use super::{Answered, Ask, Control, Keeper, Task};
use crate::access::Caller;
use crate::files::{Files, FilesError};
use crate::menus::FileName;
use crate::transfer;

/// A script and how to import it.
#[derive(Clone, Debug, Default)]
pub struct Script {
    /// The commands.
    pub text: String,
    /// What to leave out, and what interfaces are called here.
    pub options: script::Options,
    /// Everything is looked at, nothing is changed.
    pub dry_run: bool,
    /// Leases may be orphaned.
    pub confirmed: bool,
}

impl Script {
    /// What a command asks for: `/import` with the text of its script, or with a file of ours.
    ///
    /// # Errors
    ///
    /// There is no such file.
    pub(super) fn of(command: &Command, files: &Files) -> Result<Self, Trap> {
        let text = match (command.argument("script"), command.argument("file-name")) {
            (Some(text), _) => text.to_owned(),
            (None, Some(name)) => files.read(&named("file-name", name)?).map_err(refused)?,
            (None, None) => return Err(Trap::Missing(vec!["file-name"])),
        };
        let interfaces = pairs(command.argument("map-interface").unwrap_or_default());
        let options = script::Options { lenient: command.switch("lenient"), interfaces };
        let (dry_run, confirmed) = (command.switch("dry-run"), command.switch(".confirm"));
        Ok(Self { text, options, dry_run, confirmed })
    }
}

/// Names there and here: `ether1=ens18,ether2=ens19`.
pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(there, here)| (there.into(), here.into())).collect()
}

impl Control {
    /// Carries a script out as one change.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, each with its place; nothing is changed then.
    pub async fn import(&self, script: Script) -> Result<Answered, Trap> {
        let caller = self.caller.clone();
        let done = self.ask(|answer| Ask::Import(script, caller, answer)).await;
        done.unwrap_or_else(|| Err(super::ending()))
    }
}

impl Task {
    pub(super) fn import(&mut self, script: &Script, caller: &Caller) -> Result<Answered, Trap> {
        let mut draft = self.keeper.tree().clone();
        let source = self.keeper.source(&self.plane);
        let imported = script::import(&mut draft, &script.text, &script.options, &source);
        let mut imported = imported.map_err(|problems| {
            let said = problems.iter().map(|problem| {
                let place = problem.place;
                let mend = problem.mend.as_ref().map(|mend| format!("; {mend}"));
                let mend = mend.unwrap_or_default();
                format!(
                    "Script Error: {} (line {} column {}){mend}",
                    problem.rule, place.line, place.column
                )
            });
            Trap::Syntax(said.collect::<Vec<_>>().join("\n"))
        })?;
        caller.review(&imported.changes, self.keeper.tree(), &draft)?;
        let mut said = report(&imported);
        if script.dry_run {
            said.push_str("dry run: nothing was changed\n");
        } else {
            if !imported.changes.is_empty() {
                let adopted = self.keeper.adopt(draft, script.confirmed, &self.plane);
                adopted.map_err(|refused| Trap::Failure(refused.to_string()))?;
            }
            let (changes, orders) = (core::mem::take(&mut imported.changes), imported.orders);
            self.follow(Effects { changes, orders, warnings: Vec::new() })?;
            said.push_str("Script file loaded and executed successfully\n");
        }
        Ok(Answered { reply: Reply::Text(said), warnings: imported.warnings })
    }
}

/// What an import did and did not do, a line for each thing.
#[must_use]
pub fn report(imported: &Imported) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{} command(s)", imported.commands);
    for note in &imported.notes {
        let _ = writeln!(text, "note: {note}");
    }
    for warning in &imported.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    for problem in &imported.dropped {
        let _ = writeln!(text, "left out: {problem}");
    }
    for (menu, lines) in &imported.skipped {
        let _ = writeln!(text, "skipped: {menu}, {lines} lines: not a menu of this server");
    }
    text
}

/// An export begins with who wrote it, and when.
pub(super) fn headed(command: &Command, reply: Reply) -> Reply {
    match reply {
        Reply::Text(script) if command.verb == "export" => {
            Reply::Text(transfer::script_header() + &script)
        }
        reply => reply,
    }
}

impl Keeper {
    /// Writes an export to a file; `.rsc` is added to its name if it is not there.
    pub(super) fn write_script(&self, file: &str, script: &str) -> Result<Reply, Trap> {
        let name = if file.ends_with(".rsc") { file.into() } else { format!("{file}.rsc") };
        self.files().write(&named("file", &name)?, script).map_err(refused)?;
        Ok(Reply::Done)
    }
}

fn named(argument: &str, name: &str) -> Result<FileName, Trap> {
    FileName::parse(name).map_err(|fault| Trap::value(argument, fault))
}

fn refused(error: FilesError) -> Trap {
    Trap::Failure(error.to_string())
}
