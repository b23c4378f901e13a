//! From what a command said to status and body.

use serde_json::{Value as Json, json};

use super::{Exchange, Refused, Then};
use crate::command::{Command, Reply};
use crate::record::Record;
use crate::syntax::json;
use crate::trap::Trap;

/// What a request is answered with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// JSON, or nothing at all.
    pub body: String,
}

impl Answer {
    fn json(status: u16, body: &Json) -> Self {
        Self { status, body: body.to_string() }
    }
}

impl Exchange {
    /// The command that has to be carried out after the first one, to show what it did.
    #[must_use]
    pub fn second(&self, reply: &Reply) -> Option<Command> {
        match (&self.then, &self.call, reply) {
            (Then::Changed(show), _, _) => Some(show.clone()),
            (Then::Made, super::Call::Command(add), Reply::Value(id)) => {
                Some(Command::new(add.path.clone(), "print").target(id.clone()))
            }
            _ => None,
        }
    }

    /// The answer to a command that was carried out: its reply, and the rows of its listing or of
    /// the [`Self::second`] command's.
    #[must_use]
    pub fn answer(&self, reply: &Reply, records: &[Record]) -> Answer {
        let proplist = self.proplist();
        let object = |record: &Record| json::object(record, &proplist);
        match (&self.then, reply) {
            (Then::One | Then::Made | Then::Changed(_), _) => match records.first() {
                Some(record) => Answer::json(self.status(), &object(record)),
                None => self.unseen(reply),
            },
            (Then::Added, Reply::Value(id)) => {
                Answer::json(200, &json!({ "message": "added", ".id": id }))
            }
            (Then::Removed, _) => Answer { status: 204, body: String::new() },
            (_, Reply::Rows(listing)) if listing.counts() => Self::counted(records.len()),
            (_, Reply::Value(text) | Reply::Text(text)) => {
                Answer::json(200, &json!({ "ret": text }))
            }
            (Then::Array | Then::Said | Then::Added, _) => {
                Answer::json(200, &Json::Array(records.iter().map(object).collect()))
            }
        }
    }

    /// Whether the answer is an array of the reply's rows: it can be written a row at a time.
    #[must_use]
    pub fn lists(&self, reply: &Reply) -> bool {
        let array = matches!(self.then, Then::Array | Then::Said | Then::Added);
        array && matches!(reply, Reply::Rows(listing) if !listing.counts())
    }

    /// One row of such an array.
    #[must_use]
    pub fn row(&self, record: &Record) -> String {
        json::object(record, &self.proplist()).to_string()
    }

    /// The answer to a command that counts rows.
    #[must_use]
    pub fn counted(count: usize) -> Answer {
        Answer::json(200, &json!({ "ret": count.to_string() }))
    }

    /// The answer to a script that was carried out, whatever became of it.
    #[must_use]
    pub fn printed(text: &str) -> Answer {
        Answer::json(200, &json!({ "ret": text }))
    }

    /// There is no such row; or there was when the command was carried out, and it is gone again.
    fn unseen(&self, reply: &Reply) -> Answer {
        match (&self.then, reply) {
            (Then::Made, Reply::Value(id)) => Answer::json(self.status(), &json!({ ".id": id })),
            (Then::Changed(_), _) => Answer::json(self.status(), &json!({})),
            _ => refused(&Refused { status: 404, detail: None }),
        }
    }

    fn status(&self) -> u16 {
        if self.then == Then::Made { 201 } else { 200 }
    }

    fn proplist(&self) -> Vec<String> {
        let super::Call::Command(command) = &self.call else { return Vec::new() };
        // What was made or changed is shown whole.
        if matches!(self.then, Then::Made | Then::Changed(_)) {
            return Vec::new();
        }
        let named = command.argument(".proplist").or_else(|| command.argument("proplist"));
        let names = named.map(|text| crate::value::elements(text).map(str::to_owned).collect());
        names.unwrap_or_default()
    }
}

/// The answer to a command that was refused.
#[must_use]
pub fn failure(exchange: &Exchange, trap: &Trap) -> Answer {
    let (status, detail) = match trap {
        Trap::NoSuchItem => (404, None),
        Trap::NotPermitted => (403, Some(trap.to_string())),
        Trap::NoSuchPrefix(word) => (400, Some(format!("no such command or directory ({word})"))),
        Trap::NoSuchCommand(word) if exchange.then == Then::Removed => {
            (406, Some(format!("no such command or directory ({word})")))
        }
        _ => (400, Some(trap.to_string())),
    };
    refused(&Refused { status, detail })
}

/// The answer to a request that no command could be made of.
#[must_use]
pub fn refused(refused: &Refused) -> Answer {
    let message = match refused.status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        406 => "Not Acceptable",
        413 => "Payload Too Large",
        415 => "Unsupported Media Type",
        501 => "Not Implemented",
        _ => "Internal Server Error",
    };
    let mut body = json!({ "error": refused.status, "message": message });
    if let Some(detail) = &refused.detail {
        body["detail"] = detail.clone().into();
    }
    Answer::json(refused.status, &body)
}
