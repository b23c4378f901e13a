//! A script that is imported into the running server: one change, or none.

use std::fmt::Write;
use std::sync::Arc;

use leasehold_routeros::syntax::script::{self, Imported};
use leasehold_routeros::{Command, Reply, Trap};

use crate::access::Caller;

use super::{Answered, Ask, Control, Task};

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
    /// What a command asks for: `/import` with the text of its script.
    #[must_use]
    pub fn of(command: &Command, text: String) -> Self {
        let options = script::Options { lenient: command.switch("lenient"), ..Default::default() };
        let (dry_run, confirmed) = (command.switch("dry-run"), command.switch(".confirm"));
        Self { text, options, dry_run, confirmed }
    }
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
            for order in &imported.orders {
                self.keeper.errand(order, &self.plane)?;
            }
            for change in imported.changes.drain(..) {
                // Without listeners nobody wants to know.
                let _ = self.told.send(Arc::new(change));
            }
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
