//! From a file's text to rows, each with its place.

use core::ops::Range;

use toml_edit::{Document as Parsed, Item, Key, Table, Value};

use super::{Document, Opened, is_written, key};
use crate::fault::Fault;
use crate::menu::{Form, Menu};
use crate::syntax::place::{Lines, Place, Problem, nearest};
use crate::syntax::quote;
use crate::trap::Trap;
use crate::tree::{Given, GivenRow, Ids, Tree, Wrong};

pub(super) fn open(menus: Vec<&'static Menu>, text: &str, ids: &Ids) -> Result<Opened, Problem> {
    let parsed = Parsed::parse(text.to_owned()).map_err(|error| {
        let place = Place::of(text, error.span().map_or(0, |span| span.start));
        Problem { place, rule: error.message().to_owned(), mend: None }
    })?;
    let lines = Lines::new(text);
    let mut reading =
        Reading { lines: lines.clone(), rows: Vec::new(), spans: Vec::new(), problems: Vec::new() };
    for (word, item) in parsed.iter() {
        let span = parsed.key(word).and_then(Key::span);
        match menus.iter().find(|menu| is_written(menu) && key(menu) == word) {
            Some(menu) => reading.menu(menu, item, span),
            None => reading.unknown(&menus, word, span),
        }
    }
    let Reading { rows, spans, mut problems, .. } = reading;
    let (tree, placed, wrongs) = Tree::load(menus.iter().copied(), &rows, ids);
    for wrong in &wrongs {
        problems.push(located(&lines, &tree, wrong, &rows[wrong.row], &spans[wrong.row]));
    }
    problems.sort_by_key(|problem| problem.place);
    let mut linked: Vec<(&'static Menu, Vec<_>)> = Vec::new();
    for (row, id) in rows.iter().zip(placed) {
        let Some(menu) = tree.menu(row.path).filter(|menu| menu.form != Form::Singleton) else {
            continue;
        };
        match linked.iter_mut().find(|(known, _)| known.path == menu.path) {
            Some((_, ids)) => ids.push(id),
            None => linked.push((menu, vec![id])),
        }
    }
    let document = Document { toml: parsed.into_mut(), linked, synced: tree.clone() };
    Ok(Opened { tree, document, problems })
}

struct Reading<'a> {
    lines: Lines<'a>,
    rows: Vec<GivenRow>,
    spans: Vec<RowSpan>,
    problems: Vec<Problem>,
}

/// Octets of the file.
type Span = Option<Range<usize>>;

/// Where a row and its properties (name, value) stand.
struct RowSpan {
    row: Span,
    properties: Vec<(Span, Span)>,
}

impl Reading<'_> {
    fn problem(&mut self, span: Span, rule: String, mend: Option<String>) {
        let place = self.lines.place(span.map_or(0, |span| span.start));
        self.problems.push(Problem { place, rule, mend });
    }

    fn menu(&mut self, menu: &'static Menu, item: &Item, span: Span) {
        let word = key(menu);
        match (item, menu.form) {
            (Item::Table(table), Form::Singleton) => self.row(menu, table),
            (Item::ArrayOfTables(tables), form) if form != Form::Singleton => {
                tables.iter().for_each(|table| self.row(menu, table));
            }
            (_, Form::Singleton) => {
                let rule = format!("{word} is one table");
                self.problem(span, rule, Some(format!("write [{word}]")));
            }
            _ => {
                let rule = format!("{word} is a list of tables");
                self.problem(span, rule, Some(format!("write [[{word}]] for each row")));
            }
        }
    }

    fn unknown(&mut self, menus: &[&'static Menu], word: &str, span: Span) {
        let keys: Vec<String> =
            menus.iter().filter(|menu| is_written(menu)).map(|menu| key(menu)).collect();
        let mend = match nearest(word, keys.iter().map(String::as_str)) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are: {}", keys.join(", ")),
        };
        self.problem(span, format!("no table is called {word}"), Some(mend));
    }

    fn row(&mut self, menu: &'static Menu, table: &Table) {
        let mut row = GivenRow { path: menu.path, properties: Vec::new() };
        let mut spans = RowSpan { row: table.span(), properties: Vec::new() };
        for (name, item) in table.iter() {
            let key_span = table.key(name).and_then(Key::span);
            let Some(text) = item.as_value().and_then(text) else {
                let rule = format!("{name} is neither a string, an integer, a boolean nor a list");
                self.problem(item.span().or(key_span), rule, Some("put it in quotes".into()));
                continue;
            };
            row.properties.push(Given { name: name.into(), text });
            spans.properties.push((key_span, item.span()));
        }
        self.rows.push(row);
        self.spans.push(spans);
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.value().clone()),
        Value::Integer(number) => Some(number.value().to_string()),
        Value::Boolean(truth) => Some(if *truth.value() { "yes" } else { "no" }.into()),
        Value::Array(values) => {
            let texts: Option<Vec<String>> = values.iter().map(text).collect();
            texts.map(|texts| texts.join(","))
        }
        Value::Float(_) | Value::Datetime(_) | Value::InlineTable(_) => None,
    }
}

fn located(
    lines: &Lines<'_>,
    tree: &Tree,
    problem: &crate::tree::Problem,
    row: &GivenRow,
    span: &RowSpan,
) -> Problem {
    let spans = problem.property.and_then(|at| span.properties.get(at));
    let about_name =
        matches!(problem.wrong, Wrong::Refused(Trap::UnknownParameter(_)) | Wrong::ReadOnly(_));
    let span = match spans {
        Some((key, value)) => if about_name { key } else { value }.clone(),
        None => span.row.clone(),
    };
    Problem {
        place: lines.place(span.map_or(0, |span| span.start)),
        rule: problem.wrong.to_string(),
        mend: tree.menu(row.path).and_then(|menu| mend(menu, tree, &problem.wrong)),
    }
}

/// How to mend a row of a file.
fn mend(menu: &Menu, tree: &Tree, wrong: &Wrong) -> Option<String> {
    match wrong {
        Wrong::Refused(Trap::UnknownParameter(name)) => {
            let configured = menu.properties.iter().filter(|known| known.rule.is_configured());
            let near = nearest(name, configured.map(|known| known.name))?;
            Some(format!("did you mean {near}?"))
        }
        Wrong::Refused(Trap::Missing(names)) => {
            let example = |name: &&str| {
                let property = menu.property(name)?;
                Some(format!("{name} = {}", quote::always(property.value.example)))
            };
            let lines: Vec<String> = names.iter().filter_map(example).collect();
            Some(format!("add {}", lines.join(" and ")))
        }
        Wrong::Refused(Trap::Value { fault: Fault::Failure(_), .. }) => None,
        Wrong::Refused(Trap::Value { property, .. }) => {
            let property = menu.property(property)?;
            let example = quote::always(property.value.example);
            Some(format!("write {} = {example} or the like", property.name))
        }
        Wrong::Dangling { name, target, .. } => {
            let names = tree.names(target);
            let near = nearest(name, names.iter().map(String::as_str));
            Some(near.map_or("make it first".into(), |near| format!("did you mean {near}?")))
        }
        Wrong::Refused(Trap::Failure(_)) => Some("change or remove one of the two".into()),
        Wrong::ReadOnly(_) | Wrong::Second => Some("remove it".into()),
        Wrong::Refused(_) => None,
    }
}
