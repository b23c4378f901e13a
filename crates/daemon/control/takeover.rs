//! The lease table of another server, taken over by the running one.

use std::fmt::Write;

use leasehold_dhcp::live::{NoLease, foreign};
use leasehold_dhcp::menus::Lease;
use leasehold_dhcp::order::{Foreign, NotTaken, TakenOver};
use leasehold_dhcp::{Answer, Order};
use leasehold_routeros::syntax::print;
use leasehold_routeros::{Command, Reply, Row, Trap};

use super::script::pairs;
use super::{Answered, Ask, Control, Refused, Task};

/// A lease table as text, and what to do with it.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// `print detail` of a router, or its REST's answer.
    pub text: String,
    /// It is told what would be, nothing is changed.
    pub dry_run: bool,
    /// What servers are called there, and here.
    pub servers: Vec<(String, String)>,
}

/// Leases that are taken over in one turn: packets wait for it.
const AT_ONCE: usize = 256;

impl Table {
    /// What a command asks for: `/import` with the text of a lease table.
    #[must_use]
    pub fn of(command: &Command, text: String) -> Self {
        let servers = pairs(command.argument("map-server").unwrap_or_default());
        Self { text, dry_run: command.switch("dry-run"), servers }
    }

    /// The leases of the table, and the rows that are none.
    ///
    /// # Errors
    ///
    /// The text is no lease table.
    pub fn read(&self) -> Result<Rows, Trap> {
        let rows = print::read(Lease::menu(), &self.text);
        let rows = rows.map_err(|problem| Trap::Syntax(format!("lease table: {problem}")))?;
        if rows.is_empty() {
            let text = "no leases were found: `print detail` or REST's JSON is expected";
            return Err(Trap::Syntax(text.into()));
        }
        let mut read = Rows::default();
        for (number, row) in rows.iter().enumerate() {
            match foreign(row) {
                Ok(mut lease) => {
                    let here =
                        self.servers.iter().find(|(there, _)| **there == *lease.binding.server);
                    if let Some((_, here)) = here {
                        lease.binding.server = here.as_str().into();
                    }
                    read.leases.push(lease);
                }
                Err(NoLease::Static) => read.fixed += 1,
                Err(why) => read.none.push((number, why)),
            }
        }
        Ok(read)
    }
}

/// A lease table that was read.
#[derive(Debug, Default)]
pub struct Rows {
    /// The leases.
    pub leases: Vec<Foreign>,
    /// Static leases: they come with the configuration.
    pub fixed: usize,
    /// Rows that are no bound lease, by their number.
    pub none: Vec<(usize, NoLease)>,
}

impl Rows {
    /// What became of all rows, a line for each that was not taken over.
    #[must_use]
    pub fn report(&self, taken: &[Result<TakenOver, NotTaken>], dry_run: bool) -> String {
        let count = |what| taken.iter().filter(|taken| **taken == Ok(what)).count();
        let mut text = String::new();
        // Writing to a string cannot fail.
        for (lease, taken) in self.leases.iter().zip(taken) {
            if let Err(why) = taken {
                let client = lease.binding.chaddr.first_chunk().copied().map(leasehold_dhcp::Mac);
                let client = client.unwrap_or_default();
                let server = &lease.binding.server;
                let _ = writeln!(
                    text,
                    "not taken over: {} of {client} on {server}: {why}",
                    lease.address
                );
            }
        }
        for (number, why) in &self.none {
            let _ = writeln!(text, "not taken over: row {number}: {why}");
        }
        let _ = writeln!(
            text,
            "{} lease(s) taken over, {} prolonged, {} known already, {} static ones come with the \
             configuration",
            count(TakenOver::Bound),
            count(TakenOver::Prolonged),
            count(TakenOver::Known),
            self.fixed
        );
        if dry_run {
            text.push_str("dry run: nothing was changed\n");
        }
        text
    }
}

impl Control {
    /// Takes the leases of a table over; they are durable when this returns.
    ///
    /// # Errors
    ///
    /// It is no lease table, or the store fails. What was taken over before stays.
    pub async fn take_over(&self, table: Table) -> Result<Answered, Trap> {
        let taken = self.ask(|answer| Ask::TakeOver(table, answer)).await;
        taken.unwrap_or_else(|| Err(super::ending()))
    }
}

impl Task {
    pub(super) fn take_over(&mut self, table: &Table) -> Result<Answered, Trap> {
        let rows = table.read()?;
        let dry_run = table.dry_run;
        let mut taken = Vec::new();
        for leases in rows.leases.chunks(AT_ONCE) {
            match self.plane.order(Order::TakeOver { leases: leases.to_vec(), dry_run }) {
                Some(Answer::TakenOver(some)) => taken.extend(some),
                Some(_) => {
                    let text = format!(
                        "the lease store fails: {} of {} leases were looked at; import again",
                        taken.len(),
                        rows.leases.len()
                    );
                    return Err(Trap::Failure(text));
                }
                None => return Err(Trap::Failure(Refused::Ending.to_string())),
            }
        }
        let said = rows.report(&taken, dry_run);
        Ok(Answered { reply: Reply::Text(said), warnings: Vec::new() })
    }
}
