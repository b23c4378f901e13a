//! Help, from the tables alone.

use crate::menu::{Form, Menu, Property};
use crate::rule::{Access, Preset};
use crate::syntax::toml;

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
    let activity = menu.form == Form::Activity;
    let titles =
        if activity { ["Arguments:", "Tells:"] } else { ["Properties:", "Shown by print:"] };
    for (title, configured) in titles.into_iter().zip([true, false]) {
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

/// The reference page of some menus, in Markdown.
#[must_use]
pub fn reference(menus: &[&'static Menu]) -> String {
    let mut page = String::from(REFERENCE_HEAD);
    for menu in menus {
        let words: Vec<_> = menu.verbs().map(|verb| format!("`{}`", verb.word)).collect();
        page.push_str(&format!("\n## {}\n\n{}\n", menu.path, menu.about.trim()));
        if menu.is_configured() {
            let brackets = if menu.form == Form::Singleton { ("[", "]") } else { ("[[", "]]") };
            let key = format!("{}{}{}", brackets.0, toml::key(menu), brackets.1);
            page.push_str(&format!("In the configuration file: `{key}`.\n"));
        }
        let activity = menu.form == Form::Activity;
        if activity {
            page.push_str("A command that goes on until it has ended or is cancelled.\n");
        } else {
            page.push_str(&format!("Commands: {}.\n", words.join(", ")));
        }
        let titles =
            if activity { ["Argument", "Tells"] } else { ["Property", "Shown by `print`"] };
        for (title, configured) in titles.into_iter().zip([true, false]) {
            let rows: Vec<String> = menu
                .properties
                .iter()
                .filter(|property| property.rule.is_configured() == configured)
                .map(row)
                .collect();
            if !rows.is_empty() {
                page.push_str(&format!("\n| {title} | Value | Meaning |\n|---|---|---|\n"));
                page.push_str(&rows.concat());
            }
        }
    }
    page
}

const REFERENCE_HEAD: &str = "\
# Menus and properties

Written from the menus' tables by a test (`cargo test --test menus`); do not edit.

Names, values and defaults are RouterOS's, the same in the configuration file, in scripts, on the
command line, on the API and on REST. A property that is \"not obeyed yet\" is kept, shown and
exported, and setting it warns once.
";

fn row(property: &Property) -> String {
    let cell = |text: &str| text.trim().replace('|', "\\|");
    format!("| `{}` | {} | {} |\n", property.name, cell(&line(property)), cell(property.doc))
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
