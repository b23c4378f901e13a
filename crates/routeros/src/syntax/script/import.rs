//! From a script to a changed tree, as one change.

use std::collections::BTreeMap;

use super::steps::{self, Step};
use super::version;
use crate::command::{Argument, Change, Order};
use crate::id::Id;
use crate::listing::Source;
use crate::syntax::console::Grammar;
use crate::syntax::place::{Place, Problem};
use crate::trap::Trap;
use crate::tree::{Manner, Tree, Wrong};
use crate::value::Kind;

/// How to import.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// What cannot be done is left out and told, instead of refusing everything.
    pub lenient: bool,
    /// Interfaces of the router, and what they are called here.
    pub interfaces: Vec<(String, String)>,
}

/// What an import did.
#[derive(Debug, Default)]
pub struct Imported {
    /// Commands that were carried out.
    pub commands: usize,
    /// Menus that do not exist here, with the number of lines that were skipped.
    pub skipped: Vec<(String, usize)>,
    /// What was left out, if that was allowed.
    pub dropped: Vec<Problem>,
    /// What was understood otherwise than it is written: names and defaults of earlier versions.
    pub notes: Vec<String>,
    /// What the caller should know.
    pub warnings: Vec<String>,
    /// Rows that changed.
    pub changes: Vec<Change>,
    /// What the running server has to do.
    pub orders: Vec<Order>,
}

/// Carries a script out as one change.
///
/// # Errors
///
/// Everything that is wrong with the script; nothing is changed then.
pub fn import(
    tree: &mut Tree,
    text: &str,
    options: &Options,
    source: &dyn Source,
) -> Result<Imported, Vec<Problem>> {
    let grammar = Grammar::new(tree.menus()).with_former();
    let read = steps::read(&grammar, text, version(text));
    let mut importing = Importing {
        tree: tree.clone(),
        options,
        source,
        done: Imported { notes: read.notes, ..Imported::default() },
        problems: read.problems,
        places: BTreeMap::new(),
    };
    let ours = importing.tree.referred();
    for step in read.steps {
        importing.step(step);
    }
    importing.tree.settle_foreign_ids(&ours);
    importing.link();
    let Importing { tree: imported, mut done, mut problems, .. } = importing;
    problems.sort_by_key(|problem| problem.place);
    if !problems.is_empty() && !options.lenient {
        return Err(problems);
    }
    *tree = imported;
    done.dropped = problems;
    done.skipped = read.skipped.into_iter().collect();
    Ok(done)
}

struct Importing<'a> {
    tree: Tree,
    options: &'a Options,
    source: &'a dyn Source,
    done: Imported,
    problems: Vec<Problem>,
    /// Where the script said what a property of a row is.
    places: BTreeMap<(&'static str, Id, String), Place>,
}

impl Importing<'_> {
    fn step(&mut self, mut step: Step) {
        self.map_interfaces(&mut step);
        // A refused `add` leaves nothing behind; anything else may.
        let before = (step.command.verb != "add").then(|| self.tree.clone());
        match self.tree.carry_out(&step.command, self.source, Manner::Imported) {
            Ok(outcome) => {
                self.remember(&step, &outcome.effects.changes);
                self.done.commands += 1;
                self.done.changes.extend(outcome.effects.changes);
                self.done.orders.extend(outcome.effects.orders);
                self.done.warnings.extend(outcome.effects.warnings);
            }
            Err(trap) => {
                if let Some(before) = before {
                    self.tree = before;
                }
                let place = place_of(&step, &trap);
                self.problems.push(Problem { place, rule: trap.to_string(), mend: None });
            }
        }
    }

    fn map_interfaces(&self, step: &mut Step) {
        let Some(menu) = self.tree.menu(&step.command.path) else { return };
        for Argument { name, value } in &mut step.command.arguments {
            let is_interface =
                menu.property(name).is_some_and(|known| known.value.kind == Kind::Interface);
            let mapped = self
                .options
                .interfaces
                .iter()
                .find(|(theirs, _)| is_interface && value.as_deref() == Some(theirs.as_str()));
            if let Some((_, ours)) = mapped {
                *value = Some(ours.clone());
            }
        }
    }

    fn remember(&mut self, step: &Step, changes: &[Change]) {
        let Some(menu) = self.tree.menu(&step.command.path) else { return };
        for change in changes.iter().filter(|change| change.now.menu().path == menu.path) {
            for (argument, place) in step.command.arguments.iter().zip(&step.places) {
                let refers = menu.property(&argument.name);
                if refers.is_some_and(|property| property.value.target.is_some()) {
                    let key = (menu.path, change.id, argument.name.clone());
                    self.places.insert(key, *place);
                }
            }
        }
    }

    /// Every name has to mean a row now.
    fn link(&mut self) {
        for (table, id, place, target, name) in self.tree.unlinked() {
            let Some(menu) = self.tree.menus().nth(table) else { continue };
            let property = menu.properties[place].name;
            let place = self.places.get(&(menu.path, id, property.into())).copied();
            let wrong = Wrong::Dangling { property, name: name.clone(), target };
            self.problems.push(Problem {
                place: place.unwrap_or_default(),
                rule: wrong.to_string(),
                mend: Some("make it in the script, or leave the name out".into()),
            });
            self.tree.dangle(target, &name);
        }
    }
}

/// The place of the argument that a trap is about, else that of its command.
fn place_of(step: &Step, trap: &Trap) -> Place {
    let name = match trap {
        Trap::Value { property: name, .. } | Trap::UnknownParameter(name) => name,
        _ => return step.place,
    };
    let at = step.command.arguments.iter().position(|argument| argument.name == *name);
    at.and_then(|at| step.places.get(at)).copied().unwrap_or(step.place)
}
