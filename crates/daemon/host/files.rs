//! `/file`: the rows of the files, and what commands do to them.

use leasehold_routeros::{Id, Live, LiveRow, Order, Row, Trap, Value};

use crate::files::{Entry, Files, FilesError};
use crate::log::Time;
use crate::menus::{File, FileState};

/// All files, by their numbers.
pub(super) fn rows(files: &Files) -> Vec<LiveRow> {
    let mut rows: Vec<LiveRow> = files.list().iter().map(|entry| row(files, entry)).collect();
    rows.sort_by_key(|row| row.id);
    rows
}

fn row(files: &Files, entry: &Entry) -> LiveRow {
    let name = &entry.name;
    let script = name.0.ends_with(".rsc");
    let extension = name.0.rsplit_once('.').map(|(_, extension)| format!(".{extension} file"));
    let written = Time(entry.written).to_string();
    let state = FileState {
        r#type: if script { Some("script".into()) } else { extension.or(Some("file".into())) },
        size: Some(entry.size),
        creation_time: Some(written.clone()),
        last_modified: Some(written),
    };
    let mut cells = File { name: name.clone(), contents: files.read(name).ok() }.write();
    cells.overlay(&state.cells());
    LiveRow { id: Id(entry.number), cells }
}

pub(super) fn errand(files: &Files, order: &Order) -> Result<Option<String>, Trap> {
    let refused = |error: FilesError| Trap::Failure(error.to_string());
    let text = |name: &str| {
        let place = order.menu.place(name);
        place.and_then(|place| order.row.cells.get(place)).unwrap_or_default()
    };
    let name = crate::menus::FileName::parse(text("name"));
    let name = name.map_err(|fault| Trap::value("name", fault))?;
    match order.verb.as_str() {
        "add" if files.list().iter().any(|entry| entry.name == name) => {
            Err(Trap::Failure("file with such name already exists".into()))
        }
        "add" => {
            files.write(&name, text("contents")).map_err(refused)?;
            let made = files.list().into_iter().find(|entry| entry.name == name);
            Ok(made.map(|entry| Id(entry.number).to_string()))
        }
        "set" => files.write(&name, text("contents")).map(|()| None).map_err(refused),
        "remove" => files.remove(&name).map(|()| None).map_err(refused),
        verb => Err(Trap::NoSuchCommand(verb.into())),
    }
}
