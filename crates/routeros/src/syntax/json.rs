//! Rows as JSON objects: every value is a string, as RouterOS's REST has it.

use serde_json::{Map, Value as Json};

use crate::menu::Property;
use crate::record::Record;
use crate::value::Kind;

/// A row as an object; `proplist` limits it to some properties, `.id` is always there.
#[must_use]
pub fn object(record: &Record, proplist: &[String]) -> Json {
    let wanted = |name: &str| proplist.is_empty() || proplist.iter().any(|known| known == name);
    let mut object = Map::new();
    if let Some(id) = record.id() {
        object.insert(".id".into(), id.to_string().into());
    }
    for (place, property) in record.menu().properties.iter().enumerate() {
        let text = record.shown(place);
        let text = text.or_else(|| property.rule.blank.then(String::new));
        if let Some(text) = text.filter(|_| wanted(property.name)) {
            object.insert(property.name.into(), value(property, text).into());
        }
    }
    Json::Object(object)
}

/// Rows as an array, one in a line.
#[must_use]
pub fn array(records: &[Record], proplist: &[String]) -> String {
    let rows: Vec<String> =
        records.iter().map(|record| object(record, proplist).to_string()).collect();
    if rows.is_empty() { "[]\n".into() } else { format!("[{}]\n", rows.join(",\n ")) }
}

/// A property's text as the API and REST spell it.
fn value(property: &Property, text: String) -> String {
    let flag = property.value.kind == Kind::Flag && !property.value.list;
    match text.as_str() {
        "yes" if flag => "true".into(),
        "no" if flag => "false".into(),
        _ => text,
    }
}
