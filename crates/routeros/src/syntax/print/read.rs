//! Printed rows read back: `print detail` and `print terse` as a terminal shows them, and REST.
//!
//! What a router printed may come from another version: names that the menu does not have are left
//! out, values are kept as they are written.

use serde_json::Value as Json;

use crate::cells::Cells;
use crate::menu::Menu;
use crate::syntax::place::{Place, Problem};
use crate::syntax::quote;
use crate::value::Kind;

/// The rows of a text.
///
/// # Errors
///
/// The text is neither.
pub fn read(menu: &'static Menu, text: &str) -> Result<Vec<Cells>, Problem> {
    // A prompt begins with a bracket, too.
    let mut signs = text.chars().filter(|c| !c.is_whitespace());
    match (signs.next(), signs.next()) {
        (Some('{'), _) | (Some('['), Some('{' | ']')) => json(menu, text),
        _ => Ok(printed(menu, text)),
    }
}

fn json(menu: &'static Menu, text: &str) -> Result<Vec<Cells>, Problem> {
    let bad = |place: Place, rule: String| Problem { place, rule, mend: None };
    let read: Result<Json, _> = serde_json::from_str(text.trim());
    let rows = match read {
        Ok(Json::Array(rows)) => rows,
        Ok(row) => vec![row],
        Err(error) => {
            let place = Place { line: error.line(), column: error.column() };
            return Err(bad(place, format!("no JSON: {error}")));
        }
    };
    let cells = rows.iter().map(|row| {
        let texts = row.as_object()?.iter().filter_map(|(name, value)| {
            let text = value.as_str().map(str::to_owned).or_else(|| match value {
                Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
                _ => None,
            });
            Some((name.as_str(), text?))
        });
        Some(row_of(menu, texts))
    });
    let cells: Option<Vec<Cells>> = cells.collect();
    cells.ok_or_else(|| bad(Place::default(), "rows have to be JSON objects".into()))
}

fn row_of<'a>(menu: &'static Menu, texts: impl Iterator<Item = (&'a str, String)>) -> Cells {
    let mut cells = Cells::new();
    for (name, text) in texts {
        let Some(place) = menu.place(name) else { continue };
        let flag = menu.properties[place].value.kind == Kind::Flag;
        let text = match text.as_str() {
            "true" if flag => "yes",
            "false" if flag => "no",
            text => text,
        };
        cells.put(place, Some(text));
    }
    cells
}

/// Items begin with their number; what stands before the first one is a legend.
fn printed(menu: &'static Menu, text: &str) -> Vec<Cells> {
    let mut rows = Vec::new();
    let mut item: Option<String> = None;
    for line in text.lines().map(|line| line.trim_end_matches(['\r', ' '])) {
        // Within a string anything may stand at the beginning of a line.
        let open = item.as_deref().is_some_and(is_open);
        if !open && begins(line) {
            rows.extend(item.take().map(|text| row(menu, &text)));
            item = Some(line.trim_start().to_owned());
        } else if let Some(item) = &mut item {
            item.push('\n');
            item.push_str(if open { line.trim_start() } else { line });
        }
    }
    rows.extend(item.map(|text| row(menu, &text)));
    rows
}

/// Whether a line begins an item: blanks, its number, and a blank.
fn begins(line: &str) -> bool {
    let line = line.trim_start();
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    digits > 0 && line[digits..].starts_with(' ')
}

fn is_open(text: &str) -> bool {
    let mut open = false;
    let mut escaped = false;
    let mut comment = false;
    for (at, c) in text.char_indices() {
        match c {
            '\n' => comment = false,
            _ if comment => {}
            ';' if !open && text[at..].starts_with(";;;") => comment = true,
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => open = !open,
            _ => {}
        }
    }
    open
}

/// One item: `0 D address=… host-name="…"`, with `;;; comment` on a line of its own.
fn row(menu: &'static Menu, item: &str) -> Cells {
    let mut rest = item.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start();
    let letters = rest.bytes().take_while(u8::is_ascii_uppercase).count();
    let mut cells = Cells::new();
    if rest[letters..].starts_with([' ', '\n']) {
        for letter in rest[..letters].chars() {
            let flags = super::flags(menu);
            for (_, _, place) in flags.filter(|(known, ..)| *known == letter) {
                cells.put(place, Some("yes"));
            }
        }
        rest = &rest[letters..];
    }
    let mut texts = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        if let Some(comment) = rest.strip_prefix(";;;") {
            let (comment, after) = comment.split_once('\n').unwrap_or((comment, ""));
            texts.push(("comment", comment.trim().to_owned()));
            rest = after;
            continue;
        }
        let Some((name, value)) = rest.split_once('=').filter(|(name, _)| is_name(name)) else {
            // Nothing that we know: the next word may be.
            rest = rest.split_once(char::is_whitespace).map_or("", |(_, after)| after);
            continue;
        };
        let (text, length) = value_of(value);
        texts.push((name, text));
        rest = value.get(length..).unwrap_or_default();
    }
    cells.overlay(&row_of(menu, texts.into_iter()));
    cells
}

fn is_name(text: &str) -> bool {
    let letter = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    !text.is_empty() && text.chars().all(letter)
}

/// A value and how many octets it takes: a string, or all up to the next name or line.
fn value_of(text: &str) -> (String, usize) {
    if text.starts_with('"')
        && let Ok((value, length)) = quote::read(&text.replace("\n", " "))
    {
        return (value, length);
    }
    let line = text.find('\n').unwrap_or(text.len());
    let mut end = line;
    for (at, _) in text[..line].match_indices(' ') {
        let next = text[at..line].trim_start();
        let named = next.split_once('=').is_some_and(|(name, _)| is_name(name));
        if named || next.is_empty() {
            end = at;
            break;
        }
    }
    (text[..end].to_owned(), end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Seconds;
    use crate::{Live, Row, menu};

    menu! {
        /// Lamps.
        struct Lamp in "/lamp" {
            /// Name.
            name: String = required(),
            /// Free text.
            comment: String = preset(""),
        }
        /// State.
        live struct LampState {
            /// On.
            burning: bool = live_or("no").flag('B'),
            /// Rest.
            rest: Seconds<0, 1000> = live(),
        }
    }

    fn rows(text: &str) -> Vec<Vec<(&'static str, String)>> {
        let menu = Lamp::menu();
        let cells = read(menu, text).unwrap();
        let named = |cells: &Cells| {
            cells.iter().map(|(at, text)| (menu.properties[at].name, text.into())).collect()
        };
        cells.iter().map(named).collect()
    }

    #[test]
    fn details_are_read_as_a_terminal_wraps_them() {
        let text = "[admin@r1] > /lamp print detail\r\nFlags: X - disabled, B - burning \r\n \
            0 B ;;; by the door, 1 = on\r\n     name=\"desk \\\"a\\\"\" wattage=7\r\n     \
            rest=1m5s \r\n\r\n 1   name=\"a very\r\n     long one\" rest=0s\r\n\r\n\
            12 B name=floor\r\n";
        assert_eq!(
            rows(text),
            [
                vec![
                    ("name", "desk \"a\"".to_owned()),
                    ("comment", "by the door, 1 = on".into()),
                    ("burning", "yes".into()),
                    ("rest", "1m5s".into()),
                ],
                vec![("name", "a very long one".into()), ("rest", "0s".into())],
                vec![("name", "floor".into()), ("burning", "yes".into())],
            ]
        );
    }

    #[test]
    fn terse_lines_have_values_with_blanks() {
        let text = " 0 B name=my lamp rest=5s\n1 name=x comment=a b c\n";
        assert_eq!(
            rows(text),
            [
                vec![
                    ("name", "my lamp".to_owned()),
                    ("burning", "yes".into()),
                    ("rest", "5s".into())
                ],
                vec![("name", "x".into()), ("comment", "a b c".into())],
            ]
        );
    }

    #[test]
    fn rest_rows_are_read() {
        let text = r#"[{".id":"*1","name":"desk","burning":"true","x":"y"},{"name":"b"}]"#;
        assert_eq!(
            rows(text),
            [
                vec![("name", "desk".to_owned()), ("burning", "yes".into())],
                vec![("name", "b".into())]
            ]
        );
        assert!(read(Lamp::menu(), "[{]").is_err());
        assert!(read(Lamp::menu(), "[{},1]").is_err());
        assert_eq!(rows("nothing here\n"), [] as [Vec<(&str, String)>; 0]);
        assert_eq!(rows("0 \"\n1 =\n2 name=\n").len(), 1);
    }

    #[test]
    fn what_we_print_is_read_back() {
        use crate::Record;
        use crate::syntax::print::{Form, Layout, print};
        let menu = Lamp::menu();
        let texts = [("name", "a \"b\" $c\\"), ("comment", "x")];
        let mut cells = Cells::named(menu, texts);
        cells.overlay(&LampState { burning: Some(true), rest: None }.cells());
        let record = Record::new(menu, crate::Id(1), 0, cells.clone());
        for form in [Form::Detail, Form::Json] {
            let text = print(menu, core::slice::from_ref(&record), form, &Layout::default());
            assert_eq!(read(menu, &text).unwrap(), core::slice::from_ref(&cells), "{text}");
        }
    }
}
