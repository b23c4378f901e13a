//! Help, from the tables alone.

use crate::menu::{Menu, Property};
use crate::rule::{Access, Preset};

/// What a menu is for, its commands and its properties.
#[must_use]
pub fn menu(menu: &'static Menu) -> String {
    let mut text = format!("{}: {}\n\nCommands:\n", menu.path, menu.about.trim());
    let words: Vec<_> = menu.verbs().collect();
    let width = words.iter().map(|verb| verb.word.len()).max().unwrap_or(0);
    for verb in words {
        text.push_str(&format!("  {:width$}  {}\n", verb.word, verb.doc));
    }
    let width = menu.properties.iter().map(|property| property.name.len()).max().unwrap_or(0);
    for (title, configured) in [("Properties:", true), ("Shown by print:", false)] {
        let of_kind = |property: &&Property| property.rule.is_configured() == configured;
        let mut lines = menu.properties.iter().filter(of_kind).peekable();
        if lines.peek().is_some() {
            text.push_str(&format!("\n{title}\n"));
        }
        for property in lines {
            text.push_str(&format!("  {:width$}  {}\n", property.name, property.doc.trim()));
            text.push_str(&format!("  {:width$}    {}\n", "", line(property)));
        }
    }
    text
}

/// Type, default and access of a property in one line.
#[must_use]
pub fn line(property: &Property) -> String {
    let mut line = (property.value.describe)();
    match property.rule.preset {
        Preset::Required => line.push_str("; has to be given"),
        Preset::Text(text) if !text.is_empty() => line.push_str(&format!("; default `{text}`")),
        Preset::Numbered(stem) => line.push_str(&format!("; default `{stem}1`, `{stem}2`, …")),
        Preset::Text(_) | Preset::Unset => {}
    }
    if matches!(property.rule.access, Access::AddOnly) {
        line.push_str("; only when the row is made");
    }
    if !property.rule.obeyed {
        line.push_str("; not obeyed yet");
    }
    line
}
