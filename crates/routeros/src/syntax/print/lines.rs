//! Details, terse lines and value lists.

use super::{Layout, flags, letters};
use crate::menu::{Menu, Property};
use crate::record::Record;
use crate::syntax::quote;
use crate::value::Kind;

/// Paragraphs of `name=value`, broken between properties.
pub(super) fn detail(menu: &'static Menu, records: &[Record], layout: &Layout) -> String {
    if records.is_empty() {
        return String::new();
    }
    let words: Vec<String> =
        flags(menu).map(|(letter, word, _)| format!("{letter} - {word}")).collect();
    let mut text = String::new();
    if !words.is_empty() {
        text.push_str(&format!("Flags: {}\n", words.join(", ")));
    }
    let lettered = records.iter().map(|record| letters(record).len()).max().unwrap_or(0);
    let lettered = if words.is_empty() { 0 } else { lettered.max(1) };
    for record in records {
        let letters = letters(record);
        let lead = match lettered {
            0 => format!("{:>2} ", record.number()),
            _ => format!("{:>2} {letters:lettered$} ", record.number()),
        };
        text.push_str(&paragraph(&lead, record, layout));
        text.push('\n');
    }
    text
}

fn paragraph(lead: &str, record: &Record, layout: &Layout) -> String {
    let indent = " ".repeat(lead.chars().count());
    let mut text = lead.to_owned();
    let mut column = indent.len();
    let comment = record.text("comment").filter(|comment| !comment.is_empty());
    if let Some(comment) = comment.filter(|_| layout.wants("comment")) {
        text.push_str(&format!(";;; {}\n{indent}", comment.replace('\n', " ")));
    }
    let id = record.id().filter(|_| layout.ids).map(|id| format!(".id={id}"));
    let listed = |(property, _): &(&'static Property, String)| {
        property.rule.flag.is_none() && property.name != "comment"
    };
    let properties = layout.properties(record).filter(listed);
    let properties =
        properties.map(|(property, text)| format!("{}={}", property.name, quoted(property, &text)));
    for word in id.into_iter().chain(properties) {
        let length = word.chars().count();
        let first = column == indent.len();
        if !first && layout.width.is_some_and(|width| column + 1 + length > width) {
            text.push_str(&format!("\n{indent}"));
            column = indent.len();
        } else if !first {
            text.push(' ');
            column += 1;
        }
        text.push_str(&word);
        column += length;
    }
    text.push('\n');
    text
}

/// Texts of people stand in quotes; names of other rows, words, numbers and addresses do not.
fn quoted(property: &Property, text: &str) -> String {
    let free = property.value.kind == Kind::Text && property.value.target.is_none();
    if free { quote::always(text) } else { quote::when_needed(text) }
}

/// One line: number, flags, `name=value` without quotes.
pub(super) fn terse(record: &Record, layout: &Layout) -> String {
    let mut words = vec![record.number().to_string()];
    words.push(letters(record));
    words.retain(|word| !word.is_empty());
    if layout.ids {
        words.extend(record.id().map(|id| format!(".id={id}")));
    }
    let listed = |(property, text): &(&'static Property, String)| {
        property.rule.flag.is_none() && !(property.name == "comment" && text.is_empty())
    };
    words.extend(
        layout
            .properties(record)
            .filter(listed)
            .map(|(property, text)| format!("{}={}", property.name, text.replace('\n', "\\n"))),
    );
    format!("{}\n", words.join(" "))
}

/// One property in a line, names right aligned; an empty line between rows.
pub(super) fn value_list(records: &[Record], layout: &Layout) -> String {
    let mut blocks = Vec::new();
    for record in records {
        let mut pairs: Vec<(&str, String)> = Vec::new();
        if layout.ids {
            pairs.extend(record.id().map(|id| (".id", id.to_string())));
        }
        pairs.extend(layout.properties(record).map(|(property, text)| (property.name, text)));
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0) + 2;
        let lines = pairs.into_iter().map(|(name, text)| {
            format!("{name:>width$}: {}", text.replace('\n', "\\n")).trim_end().to_owned() + "\n"
        });
        blocks.push(lines.collect::<String>());
    }
    blocks.join("\n")
}
