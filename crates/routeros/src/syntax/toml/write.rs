//! From changed rows to the smallest change of the file.

use std::collections::BTreeMap;

use toml_edit::{Array, ArrayOfTables, DocumentMut, Item, Table, Value};

use super::{Document, NotWritten, is_written, key};
use crate::cells::Cells;
use crate::id::Id;
use crate::menu::{Form, Menu, Property};
use crate::tree::{Difference, Tree};
use crate::value::{Kind, elements};

pub(super) fn update(document: &mut Document, tree: &Tree) -> Result<(), NotWritten> {
    let menus: Vec<_> = tree.menus().filter(|menu| is_written(menu)).collect();
    for menu in menus {
        match tree.difference(&document.synced, menu.path) {
            None => {}
            Some(difference) if menu.form == Form::Singleton => {
                update_only(document, menu, &difference)?;
            }
            Some(difference) => update_rows(document, menu, &difference)?,
        }
    }
    Ok(())
}

fn update_only(
    document: &mut Document,
    menu: &'static Menu,
    difference: &Difference,
) -> Result<(), NotWritten> {
    let word = key(menu);
    let item = document.toml.entry(&word).or_insert_with(|| Item::Table(Table::new()));
    let table = item.as_table_mut().ok_or(NotWritten { key: word })?;
    for (_, before, after) in &difference.changed {
        amend(table, menu, before, after);
    }
    Ok(())
}

fn update_rows(
    document: &mut Document,
    menu: &'static Menu,
    difference: &Difference,
) -> Result<(), NotWritten> {
    let word = key(menu);
    let order = difference.order.iter().enumerate().map(|(at, id)| (*id, at)).collect();
    let known = document.linked.iter().position(|(known, _)| known.path == menu.path);
    let at = known.unwrap_or_else(|| {
        document.linked.push((menu, Vec::new()));
        document.linked.len() - 1
    });
    let linked = &mut document.linked[at].1;
    drop_rows(&mut document.toml, &word, linked, &order);
    let item = document.toml.entry(&word);
    let item = item.or_insert_with(|| Item::ArrayOfTables(ArrayOfTables::new()));
    let tables = item.as_array_of_tables_mut().ok_or(NotWritten { key: word.clone() })?;
    let places: BTreeMap<Id, usize> =
        linked.iter().enumerate().filter_map(|(at, id)| Some(((*id)?, at))).collect();
    for (id, before, after) in &difference.changed {
        if let Some(table) = places.get(id).and_then(|at| tables.get_mut(*at)) {
            amend(table, menu, before, after);
            continue;
        }
        let mut table = Table::new();
        amend(&mut table, menu, &Cells::new(), after);
        table.decor_mut().set_prefix("\n");
        tables.push(table);
        linked.push(Some(*id));
    }
    sort(tables, linked, &order);
    if tables.is_empty() {
        document.toml.remove(&word);
    }
    Ok(())
}

/// Takes the tables of removed rows out of the file, with the comments that belong to them.
fn drop_rows(
    toml: &mut DocumentMut,
    word: &str,
    linked: &mut Vec<Option<Id>>,
    order: &BTreeMap<Id, usize>,
) {
    let mut left_over = Vec::new();
    if let Some(tables) = toml.get_mut(word).and_then(Item::as_array_of_tables_mut) {
        for at in (0..linked.len()).rev() {
            if linked[at].is_none_or(|id| order.contains_key(&id)) {
                continue;
            }
            linked.remove(at);
            let table = tables.remove(at);
            let prefix = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or("");
            // What a blank line keeps apart from the table is about more than the table.
            let general = prefix.rsplit_once("\n\n").filter(|(general, _)| general.contains('#'));
            if let Some((general, _)) = general {
                left_over.push((table.position(), format!("{general}\n\n")));
            }
        }
    }
    for (position, comment) in left_over {
        keep_comment(toml, position, &comment);
    }
}

/// Puts a comment before the first table after a position, or at the end of the file.
fn keep_comment(toml: &mut DocumentMut, position: Option<isize>, comment: &str) {
    let mut tables: Vec<&mut Table> = Vec::new();
    for (_, item) in toml.iter_mut() {
        match item {
            Item::Table(table) => tables.push(table),
            Item::ArrayOfTables(array) => tables.extend(array.iter_mut()),
            Item::None | Item::Value(_) => {}
        }
    }
    let later = tables.into_iter().filter(|table| table.position() > position);
    match later.min_by_key(|table| table.position()) {
        Some(table) => {
            let own = table.decor().prefix().and_then(|prefix| prefix.as_str()).unwrap_or("");
            let joined = format!("{comment}{}", own.trim_start_matches('\n'));
            table.decor_mut().set_prefix(joined);
        }
        None => {
            let trailing = toml.trailing().as_str().unwrap_or("").to_owned();
            toml.set_trailing(format!("\n{}{trailing}", comment.trim_matches('\n')));
        }
    }
}

/// Puts the tables of a menu into the order of its rows; those that are no rows come last.
fn sort(tables: &mut ArrayOfTables, linked: &mut Vec<Option<Id>>, order: &BTreeMap<Id, usize>) {
    let rank = |id: &Option<Id>| id.and_then(|id| order.get(&id)).copied().unwrap_or(usize::MAX);
    if linked.is_sorted_by_key(rank) || !linked.iter().any(Option::is_some) {
        return;
    }
    let mut positions: Vec<_> = tables.iter().map(Table::position).collect();
    let last = positions.iter().max().copied().flatten();
    positions.iter_mut().for_each(|position| *position = position.or(last));
    positions.sort_unstable();
    let mut rows: Vec<(Option<Id>, Table)> = linked.drain(..).zip(tables.iter().cloned()).collect();
    rows.sort_by_key(|(id, _)| rank(id));
    tables.clear();
    for ((id, mut table), position) in rows.into_iter().zip(positions) {
        table.set_position(position);
        tables.push(table);
        linked.push(id);
    }
}

/// Changes the keys of a table whose cells differ.
fn amend(table: &mut Table, menu: &Menu, before: &Cells, after: &Cells) {
    for (place, property) in menu.properties.iter().enumerate() {
        let text = after.get(place);
        if before.get(place) == text {
            continue;
        }
        match (text, table.get_mut(property.name).and_then(Item::as_value_mut)) {
            (Some(text), Some(value)) => {
                let decor = value.decor().clone();
                *value = written(property, text, Some(value));
                *value.decor_mut() = decor;
            }
            (Some(text), None) => {
                table.insert(property.name, Item::Value(written(property, text, None)));
            }
            (None, _) => {
                table.remove(property.name);
            }
        }
    }
}

/// A text as the kind of value that the file has there already, or that suits the property.
fn written(property: &Property, text: &str, before: Option<&Value>) -> Value {
    let array = |text: &str| elements(text).collect::<Array>().into();
    let integer = || text.parse::<i64>().ok().filter(|number| number.to_string() == text);
    match before {
        Some(Value::Array(_)) if property.value.list => array(text),
        Some(Value::String(_)) => text.into(),
        _ if property.value.kind == Kind::Flag && !property.value.list => (text == "yes").into(),
        Some(Value::Integer(_)) => integer().map_or_else(|| text.into(), Value::from),
        None if property.value.kind == Kind::Number && !property.value.list => {
            integer().map_or_else(|| text.into(), Value::from)
        }
        None if property.value.list && elements(text).nth(1).is_some() => array(text),
        _ => text.into(),
    }
}
