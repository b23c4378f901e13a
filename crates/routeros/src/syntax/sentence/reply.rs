//! From replies to a client's sentences; and commands as sentences, for our own client.

use super::request::FOUND;
use super::words::write;
use crate::command::{Change, Command, Reply, Target};
use crate::query::{Relation, Step, Test};
use crate::record::Record;
use crate::trap::Trap;
use crate::value::Kind;

/// Appends `!re` with a row; `proplist` limits it to some properties, `.id` is always there.
pub fn record(buffer: &mut Vec<u8>, tag: Option<&str>, record: &Record, proplist: &[String]) {
    let words = words_of(record, proplist);
    sentence(buffer, "!re", tag, words.iter().map(String::as_str));
}

/// The words `=name=value` of a row.
#[must_use]
pub fn words_of(record: &Record, proplist: &[String]) -> Vec<String> {
    let mut words: Vec<String> = record.id().map(|id| format!("=.id={id}")).into_iter().collect();
    for (property, text) in record.properties() {
        if proplist.is_empty() || proplist.iter().any(|name| name == property.name) {
            let flag = property.value.kind == Kind::Flag && !property.value.list;
            words.push(match text.as_str() {
                "yes" if flag => format!("={}=true", property.name),
                "no" if flag => format!("={}=false", property.name),
                text => format!("={}={text}", property.name),
            });
        }
    }
    words
}

/// Appends `!re` with `.dead=yes`: a watched row is gone.
pub fn dead(buffer: &mut Vec<u8>, tag: Option<&str>, change: &Change) {
    let id = format!("=.id={}", change.id);
    sentence(buffer, "!re", tag, ["=.dead=yes", &id]);
}

/// Appends `!done`, with `=ret=` if there is something to return.
pub fn done(buffer: &mut Vec<u8>, tag: Option<&str>, ret: Option<&str>) {
    let ret = ret.map(|text| format!("=ret={text}"));
    sentence(buffer, "!done", tag, ret.as_deref());
}

/// Appends what a reply other than rows and changes says.
pub fn outcome(buffer: &mut Vec<u8>, tag: Option<&str>, reply: &Reply) {
    match reply {
        Reply::Value(text) | Reply::Text(text) => done(buffer, tag, Some(text)),
        Reply::Done | Reply::Rows(_) | Reply::Watch(_) | Reply::Activity(_) => {
            done(buffer, tag, None)
        }
    }
}

/// Appends `!trap` and the `!done` that has to follow it.
pub fn trap(buffer: &mut Vec<u8>, tag: Option<&str>, trap: &Trap) {
    let category = trap.category().map(|category| format!("=category={}", category as u8));
    let message = format!("=message={trap}");
    sentence(buffer, "!trap", tag, category.iter().chain([&message]).map(String::as_str));
    done(buffer, tag, None);
}

/// Appends `!fatal`; the connection is closed after it.
pub fn fatal(buffer: &mut Vec<u8>, text: &str) {
    write(buffer, ["!fatal", text]);
}

/// Appends a command: what our own client sends.
pub fn command(buffer: &mut Vec<u8>, tag: Option<&str>, command: &Command) {
    let mut words = Vec::new();
    let mut steps = command.query.steps();
    for target in &command.targets {
        match target {
            Target::Named(text) => words.push(format!("=.id={text}")),
            Target::Found(query) => {
                words.push(format!("={FOUND}="));
                steps = query.steps();
            }
        }
    }
    for argument in &command.arguments {
        words.push(match &argument.value {
            Some(text) => format!("={}={text}", argument.name),
            None => format!("=!{}=", argument.name),
        });
    }
    words.extend(steps.iter().map(query_text));
    let path = format!("{}/{}", command.path, command.verb);
    sentence(buffer, &path, tag, words.iter().map(String::as_str));
}

fn sentence<'a>(
    buffer: &mut Vec<u8>,
    first: &'a str,
    tag: Option<&str>,
    words: impl IntoIterator<Item = &'a str>,
) {
    let tag = tag.map(|tag| format!(".tag={tag}"));
    let words: Vec<&str> = words.into_iter().collect();
    write(buffer, [first].into_iter().chain(tag.as_deref()).chain(words));
}

fn query_text(step: &Step) -> String {
    match step {
        Step::Not => "?#!".into(),
        Step::And => "?#&".into(),
        Step::Or => "?#|".into(),
        Step::Copy(depth) => format!("?#{depth}."),
        Step::Keep(depth) => format!("?#{depth}"),
        Step::Test(Test::Has(name)) => format!("?{name}"),
        Step::Test(Test::Lacks(name)) => format!("?-{name}"),
        Step::Test(Test::Holds(name)) => format!("?+{name}"),
        Step::Test(Test::Matches(name, expression)) => format!("?~{name}={expression}"),
        Step::Test(Test::Within(name, range)) => format!("?@{name}={range}"),
        Step::Test(Test::Compare(name, relation, value)) => match relation {
            Relation::Equal => format!("?={name}={value}"),
            Relation::Less => format!("?<{name}={value}"),
            Relation::Greater => format!("?>{name}={value}"),
            Relation::Unequal => format!("?!{name}={value}"),
            Relation::AtMost => format!("?[{name}={value}"),
            Relation::AtLeast => format!("?]{name}={value}"),
        },
    }
}
