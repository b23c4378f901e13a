//! Rows as the console prints them: tables, details, and the forms that scripts read.

mod lines;
mod read;
mod table;

pub use read::read;

use super::json;
use crate::command::Command;
use crate::menu::{Form as MenuForm, Menu, Property};
use crate::record::Record;
use crate::value::{Kind, clock, elements, milliseconds};

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The most telling properties in columns.
    Table,
    /// All properties, `name=value`, in paragraphs.
    Detail,
    /// All properties, one row in a line.
    Terse,
    /// All properties, one in a line.
    ValueList,
    /// As a script sees them: `.id=*1;name=…`.
    AsValue,
    /// As REST sees them.
    Json,
}

/// How wide, and what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// Columns of the terminal; `None` never breaks a line and never drops a column.
    pub width: Option<usize>,
    /// The properties to print; empty for all that suit the form.
    pub proplist: Vec<String>,
    /// Ids beside numbers.
    pub ids: bool,
}

impl Form {
    /// What a `print` asks for; the row of a singleton has no columns.
    #[must_use]
    pub fn of(command: &Command, menu: &Menu) -> Self {
        let forms = [
            ("json", Self::Json),
            ("as-value", Self::AsValue),
            ("value-list", Self::ValueList),
            ("terse", Self::Terse),
            ("detail", Self::Detail),
        ];
        let asked = forms.into_iter().find(|(word, _)| command.switch(word));
        match asked {
            Some((_, form)) => form,
            None if menu.form == MenuForm::Singleton => Self::ValueList,
            None => Self::Table,
        }
    }
}

impl Layout {
    /// What a `print` asks for.
    #[must_use]
    pub fn of(command: &Command, width: Option<usize>) -> Self {
        let proplist = command.argument("proplist").or_else(|| command.argument(".proplist"));
        let proplist = proplist.map(|text| elements(text).map(str::to_owned).collect());
        let proplist = proplist.unwrap_or_default();
        Self { width, proplist, ids: command.switch("show-ids") }
    }

    fn wants(&self, name: &str) -> bool {
        self.proplist.is_empty() || self.proplist.iter().any(|wanted| wanted == name)
    }

    /// The properties of a row that are wanted.
    fn properties<'a>(
        &'a self,
        record: &'a Record,
    ) -> impl Iterator<Item = (&'static Property, String)> + 'a {
        record.properties().filter(|(property, _)| self.wants(property.name))
    }
}

/// The rows in a form, each line with its end. No row prints nothing.
#[must_use]
pub fn print(menu: &'static Menu, records: &[Record], form: Form, layout: &Layout) -> String {
    match form {
        Form::Table => table::print(menu, records, layout),
        Form::Detail => lines::detail(menu, records, layout),
        Form::Terse => records.iter().map(|record| lines::terse(record, layout)).collect(),
        Form::ValueList => lines::value_list(records, layout),
        Form::AsValue => as_value(records, layout),
        Form::Json => json::array(records, &layout.proplist),
    }
}

/// A menu's flags: letter, word, place.
fn flags(menu: &'static Menu) -> impl Iterator<Item = (char, &'static str, usize)> {
    let properties = menu.properties.iter().enumerate();
    properties.filter_map(|(place, property)| Some((property.rule.flag?, property.name, place)))
}

/// The letters of the flags that a row has.
fn letters(record: &Record) -> String {
    let set = flags(record.menu()).filter(|(_, _, place)| record.holds(*place));
    set.map(|(letter, _, _)| letter).collect()
}

fn as_value(records: &[Record], layout: &Layout) -> String {
    let mut parts = Vec::new();
    for record in records {
        parts.extend(record.id().map(|id| format!(".id={id}")));
        parts.extend(layout.properties(record).map(|(property, text)| {
            format!("{}={}", property.name, script_value(property, &text))
        }));
    }
    if parts.is_empty() { String::new() } else { format!("{}\n", parts.join(";")) }
}

/// A value as scripts see it: truths are words of their own, times are clocks, lists have `;`.
#[must_use]
pub fn script_value(property: &Property, text: &str) -> String {
    match property.value.kind {
        _ if property.value.list => elements(text).collect::<Vec<_>>().join(";"),
        Kind::Flag => (if text == "yes" { "true" } else { "false" }).into(),
        Kind::Time => milliseconds(text).map_or_else(|| text.into(), clock),
        _ => text.into(),
    }
}
