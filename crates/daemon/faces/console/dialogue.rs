//! `setup`: its questions on the terminal, its script sent as one change.

use leasehold_routeros::Command;

use super::terminal;
use super::{Console, ConsoleError};
use crate::setup::{Setup, Site, Step};

impl Console {
    /// Asks until all is answered; Ctrl-C and the end of the input change nothing.
    pub(super) fn dialogue(&mut self) -> Result<(), ConsoleError> {
        let rows = |path: &str| {
            let answer = self.ask(&Command::new(path, "print"))?;
            Ok::<_, ConsoleError>(answer.records)
        };
        let mut setup = Setup::new(Site::read(rows)?);
        loop {
            match setup.step() {
                Step::Ask { title, field, default } => {
                    println!("{title}\n");
                    let Some(answer) = terminal::question(&format!("{field}: "), &default)? else {
                        println!("nothing was changed");
                        return Ok(());
                    };
                    if let Err(rule) = setup.answer(&answer) {
                        println!("{rule}");
                    }
                }
                Step::Done(script) => {
                    let import = Command::new("", "import").with("script", &script);
                    self.ask(&self.options.added_to(import))?;
                    print!("{script}");
                    return Ok(());
                }
            }
        }
    }
}
