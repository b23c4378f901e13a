//! Tables: a legend of the flags that occur, the columns that have values, no name ever cut.

use super::{Layout, flags};
use crate::menu::{Form, Menu};
use crate::record::Record;
use crate::value::{Kind, elements};

/// One column: its title and the lines of each row's cell.
struct Column {
    title: String,
    number: bool,
    cells: Vec<Vec<String>>,
    width: usize,
}

impl Column {
    fn new(title: String, number: bool, cells: Vec<Vec<String>>) -> Self {
        let lines = cells.iter().flatten().chain([&title]);
        let width = lines.map(|text| text.chars().count()).max().unwrap_or(0);
        Self { title, number, cells, width }
    }

    fn is_empty(&self) -> bool {
        self.cells.iter().flatten().all(String::is_empty)
    }
}

pub(super) fn print(menu: &'static Menu, records: &[Record], layout: &Layout) -> String {
    if records.is_empty() {
        return String::new();
    }
    let occurring: Vec<_> = flags(menu)
        .filter(|(_, _, place)| records.iter().any(|record| record.holds(*place)))
        .collect();
    let numbers = records.iter().map(|record| record.number().to_string().len()).max().unwrap_or(1);
    // A menu that has no flags at all leaves two blanks after the number.
    let gap = if flags(menu).next().is_none() { "  " } else { " " };
    let margin = numbers + gap.len() + occurring.len() + usize::from(!occurring.is_empty());
    let columns = fitting(columns(menu, records, layout), margin, layout.width);

    let mut text = String::new();
    if !occurring.is_empty() {
        let legend: Vec<String> = occurring
            .iter()
            .map(|(letter, word, _)| format!("{letter} - {}", word.to_uppercase()))
            .collect();
        text.push_str(&format!("Flags: {}\n", legend.join("; ")));
    }
    let titles: Vec<&str> = columns.iter().map(|column| column.title.as_str()).collect();
    text.push_str(&format!("Columns: {}\n", titles.join(", ")));
    let blank_flags = " ".repeat(occurring.len());
    let lead = |number: &str, letters: &str| match occurring.is_empty() {
        // What an activity tells is not numbered: nobody can refer to it.
        _ if menu.form == Form::Activity => "  ".into(),
        true => format!("{number:>numbers$}{gap}"),
        false => format!("{number:>numbers$}{gap}{letters} "),
    };
    push_line(&mut text, &lead("#", &blank_flags), &columns, |column| Some(&column.title));
    let comments = layout.wants("comment");
    for (at, record) in records.iter().enumerate() {
        if let Some(comment) = record.text("comment").filter(|text| comments && !text.is_empty()) {
            text.push_str(&format!(";;; {}\n", comment.replace('\n', " ")));
        }
        let letters: String = occurring
            .iter()
            .map(|(letter, _, place)| if record.holds(*place) { *letter } else { ' ' })
            .collect();
        let height = columns.iter().map(|column| column.cells[at].len()).max().unwrap_or(1).max(1);
        for line in 0..height {
            let lead = match line {
                0 => lead(&record.number().to_string(), &letters),
                _ => lead("", &blank_flags),
            };
            push_line(&mut text, &lead, &columns, |column| column.cells[at].get(line));
        }
    }
    text
}

/// The columns that were asked for, or those of the menu that have values.
fn columns(menu: &'static Menu, records: &[Record], layout: &Layout) -> Vec<Column> {
    let ids = layout.ids.then(|| id_column(records));
    let asked: Vec<&str> = match (layout.proplist.is_empty(), menu.columns.is_empty()) {
        (false, _) => layout.proplist.iter().map(String::as_str).collect(),
        (true, false) => menu.columns.to_vec(),
        (true, true) => {
            let telling = |name: &&str| {
                *name != "comment" && menu.property(name).is_some_and(|p| p.rule.flag.is_none())
            };
            menu.properties.iter().map(|property| property.name).filter(telling).collect()
        }
    };
    let columns = asked.into_iter().filter_map(|name| {
        if name == ".id" {
            return Some(id_column(records));
        }
        let column = column(menu, records, name)?;
        (!layout.proplist.is_empty() || !column.is_empty()).then_some(column)
    });
    ids.into_iter().chain(columns).collect()
}

fn column(menu: &'static Menu, records: &[Record], name: &str) -> Option<Column> {
    let place = menu.place(name)?;
    let value = &menu.properties[place].value;
    let cell = |record: &Record| {
        let text = record.shown(place).unwrap_or_default().replace('\n', " ");
        match value.list {
            true => elements(&text).map(str::to_owned).collect(),
            false => vec![text],
        }
    };
    let cells = records.iter().map(cell).collect();
    let number = value.kind == Kind::Number && !value.list;
    Some(Column::new(name.to_uppercase(), number, cells))
}

fn id_column(records: &[Record]) -> Column {
    let id = |record: &Record| vec![record.id().map(|id| id.to_string()).unwrap_or_default()];
    Column::new(".ID".into(), false, records.iter().map(id).collect())
}

/// As many columns as fit, from the left; the first one always stays.
fn fitting(mut columns: Vec<Column>, margin: usize, width: Option<usize>) -> Vec<Column> {
    let Some(width) = width else { return columns };
    let mut used = margin;
    let mut fit = 0;
    for column in &columns {
        used += column.width + if fit == 0 { 0 } else { 2 };
        if used > width && fit > 0 {
            break;
        }
        fit += 1;
    }
    columns.truncate(fit);
    columns
}

fn push_line<'a>(
    text: &mut String,
    lead: &str,
    columns: &'a [Column],
    cell: impl Fn(&'a Column) -> Option<&'a String>,
) {
    let mut line = lead.to_owned();
    for (at, column) in columns.iter().enumerate() {
        if at > 0 {
            line.push_str("  ");
        }
        let cell = cell(column).map(String::as_str).unwrap_or_default();
        let width = column.width;
        line.push_str(&if column.number {
            format!("{cell:>width$}")
        } else {
            format!("{cell:width$}")
        });
    }
    text.push_str(line.trim_end());
    text.push('\n');
}
