//! JSON bodies as arguments: strings, numbers and truths alike.

use serde_json::{Map, Value as Json};

use super::Refused;
use crate::command::{Argument, Command, Target};
use crate::syntax::sentence::query_word;

/// Reads a body that is an object, or nothing.
pub(super) fn read(body: &[u8]) -> Result<Map<String, Json>, Refused> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Json::Object(object)) => Ok(object),
        Ok(_) => Err(Refused::because("the body has to be a JSON object")),
        Err(error) => Err(Refused::because(format!("invalid JSON: {error}"))),
    }
}

/// Adds the members of a body to a command.
pub(super) fn fill(command: &mut Command, body: Map<String, Json>) -> Result<(), Refused> {
    for (name, value) in body {
        if name == ".query" {
            let Json::Array(words) = value else {
                return Err(Refused::because(".query has to be an array of strings"));
            };
            for word in words {
                let word = text(&word).ok_or_else(|| Refused::because("unknown query word"))?;
                let read = query_word(&mut command.query, &word);
                read.map_err(|trap| Refused::because(trap.to_string()))?;
            }
            continue;
        }
        if name.starts_with('?') {
            return Err(Refused::because(format!("unknown parameter {name}")));
        }
        let argument = match (name.strip_prefix('!'), &value) {
            (Some(name), _) => Argument::clear(name),
            (None, Json::Null) => Argument::clear(name),
            (None, value) => {
                let invalid = || Refused::because(format!("invalid value for argument {name}"));
                Argument::set(&name, text(value).ok_or_else(invalid)?)
            }
        };
        match (argument.name.as_str(), argument.value) {
            (".id" | "numbers", Some(value)) => command.targets.push(Target::Named(value)),
            (name, value) => {
                command.arguments.push(Argument { name: name.into(), value });
            }
        }
    }
    Ok(())
}

/// A value as text; arrays of plain values become lists.
pub(super) fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(truth) => Some(truth.to_string()),
        Json::Array(values) => {
            let texts: Option<Vec<String>> =
                values.iter().map(|value| text(value).filter(|_| !value.is_array())).collect();
            texts.map(|texts| texts.join(","))
        }
        Json::Null | Json::Object(_) => None,
    }
}
