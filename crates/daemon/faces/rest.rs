//! One REST request: its command or script carried out, its rows a page at a time.

use leasehold_routeros::syntax::console::{self, Grammar, Statement};
use leasehold_routeros::syntax::rest::{self, Answer, Call, Exchange, Method, Refused};
use leasehold_routeros::{Activity, Command, Listing, Record, Reply, Trap};

use crate::control::Control;

/// A request of somebody who has proved who they are.
pub(super) struct Visit {
    pub(super) control: Control,
}

/// What is answered.
pub(super) enum Said {
    /// All at once.
    Whole(Answer),
    /// Rows, as the reader takes them.
    Rows(Box<Rows>),
}

/// An array of rows under way.
pub(super) struct Rows {
    control: Control,
    exchange: Exchange,
    listing: Box<Listing>,
    /// What was not taken yet.
    text: String,
    count: usize,
}

/// Rows that a script may print at once: a table has to be in memory as a whole.
const PRINTED_MAX: usize = 1 << 16;

impl Visit {
    pub(super) async fn carry_out(
        &self,
        method: Method,
        path: &str,
        query: &str,
        body: &[u8],
    ) -> Result<Said, Refused> {
        let exchange = rest::request(&self.control.tree().borrow(), method, path, query, body)?;
        match &exchange.call {
            Call::Script(script) => Ok(Said::Whole(Exchange::printed(&self.script(script).await))),
            Call::Command(command) => {
                let command = command.clone();
                match self.command(command, exchange.clone()).await {
                    Ok(said) => Ok(said),
                    Err(trap) => Ok(Said::Whole(rest::failure(&exchange, &trap))),
                }
            }
        }
    }

    async fn command(&self, command: Command, exchange: Exchange) -> Result<Said, Trap> {
        let reply = self.control.run(command).await?.reply;
        if exchange.lists(&reply)
            && let Reply::Rows(listing) = reply
        {
            return Ok(self.rows(listing, exchange).await);
        }
        let second = match exchange.second(&reply) {
            // What was changed is changed: whether it can be shown is another question.
            Some(show) => self.control.run(show).await.ok().map(|answered| answered.reply),
            None => None,
        };
        let (reply, listing) = match (reply, second) {
            (reply, Some(Reply::Rows(listing))) => (reply, Some(listing)),
            (Reply::Rows(listing), _) if listing.counts() => {
                return Ok(Said::Whole(Exchange::counted(self.count(listing).await)));
            }
            (Reply::Rows(listing), _) => (Reply::Done, Some(listing)),
            // RouterOS accepts it and says nothing until the request has taken too long.
            (Reply::Watch(_), _) => core::future::pending().await,
            (Reply::Activity(activity), _) => {
                let records = self.told(*activity).await?;
                return Ok(Said::Whole(exchange.answer(&Reply::Done, &records)));
            }
            (reply, _) => (reply, None),
        };
        let records = match listing {
            Some(listing) => self.control.page(listing).await.0,
            None => Vec::new(),
        };
        Ok(Said::Whole(exchange.answer(&reply, &records)))
    }

    /// A short list is answered as a whole, with its length.
    async fn rows(&self, listing: Box<Listing>, exchange: Exchange) -> Said {
        let (control, text) = (self.control.clone(), "[".to_owned());
        let rows = Rows { control, exchange, listing, text, count: 0 };
        match rows.page().await {
            (body, None) => Said::Whole(Answer { status: 200, body }),
            (text, Some(rows)) => Said::Rows(Box::new(Rows { text, ..rows })),
        }
    }

    async fn count(&self, listing: Box<Listing>) -> usize {
        let (mut count, mut next) = (0, Some(listing));
        while let Some(listing) = next {
            let (records, more) = self.control.page(listing).await;
            count += records.len();
            next = more;
        }
        count
    }

    /// What a script prints, up to its first failure.
    async fn script(&self, script: &str) -> String {
        let grammar = Grammar::new(self.control.tree().borrow().menus());
        let statements = match console::parse(&grammar, "", script) {
            Ok(statements) => statements,
            Err(misread) => return misread.message(script),
        };
        let mut printed = String::new();
        for statement in statements {
            let (Statement::Run(command) | Statement::Put(command)) = &statement else { continue };
            match self.statement(&statement, command.clone()).await {
                Ok(text) => printed.push_str(&text),
                Err(trap) => {
                    printed.push_str(&console::failure(&trap));
                    break;
                }
            }
        }
        printed
    }

    async fn statement(&self, statement: &Statement, command: Command) -> Result<String, Trap> {
        match self.control.run(command.clone()).await?.reply {
            Reply::Watch(_) => core::future::pending().await,
            Reply::Rows(listing) if listing.counts() => {
                Ok(format!("{}\n", self.count(listing).await))
            }
            Reply::Rows(listing) => {
                let menu = listing.menu();
                let records = self.records(listing).await?;
                let put = matches!(statement, Statement::Put(_));
                Ok(console::rows(&command, put, menu, &records, None))
            }
            Reply::Activity(activity) => {
                let records = self.told((*activity).clone()).await?;
                Ok(console::answer(statement, &Reply::Activity(activity), &records, None))
            }
            reply => Ok(console::answer(statement, &reply, &[], None)),
        }
    }

    /// All that an activity tells, once it has ended: who wants to wait says for how long.
    async fn told(&self, activity: Activity) -> Result<Vec<Record>, Trap> {
        let (mut records, mut told) = (Vec::new(), self.control.begin(activity));
        while let Some(row) = told.recv().await {
            records.push(row?);
            if records.len() >= PRINTED_MAX {
                break;
            }
        }
        Ok(records)
    }

    async fn records(&self, listing: Box<Listing>) -> Result<Vec<Record>, Trap> {
        let (mut records, mut next) = (Vec::new(), Some(listing));
        while let Some(listing) = next {
            let (page, more) = self.control.page(listing).await;
            records.extend(page);
            next = more;
            if records.len() > PRINTED_MAX {
                let rule = format!("more than {PRINTED_MAX} rows: print fewer with where");
                return Err(Trap::Failure(rule));
            }
        }
        Ok(records)
    }
}

impl Rows {
    /// The array's next part, and the array if it goes on.
    pub(super) async fn page(mut self) -> (String, Option<Self>) {
        let (records, more) = self.control.page(self.listing).await;
        let mut text = core::mem::take(&mut self.text);
        for record in &records {
            if self.count > 0 {
                text.push(',');
            }
            self.count += 1;
            text.push_str(&self.exchange.row(record));
        }
        match more {
            Some(listing) => (text, Some(Self { listing, ..self })),
            None => (text + "]", None),
        }
    }
}
