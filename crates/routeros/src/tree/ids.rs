//! The ids of rows as a text for the state directory: by menu and key, never given twice.
//!
//! One line per row, `/ip/pool *1 "isp-pool"`; `next` keeps what was given from being given again,
//! `gone` keeps the names of removed rows that somebody still refers to.

use std::collections::{BTreeMap, BTreeSet};

use super::Tree;
use crate::id::Id;
use crate::syntax::quote;

const FIRST_LINE: &str = "# Ids of configured rows, by menu and key. Written by the server.";

/// What a state text says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    menus: BTreeMap<String, MenuIds>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MenuIds {
    pub(crate) next: u64,
    pub(crate) rows: BTreeMap<Vec<String>, Vec<Id>>,
    pub(crate) gone: BTreeMap<Id, Box<str>>,
}

impl Ids {
    /// Reads a state text. Lines that cannot be read are left out: their rows get new ids.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let mut ids = Self::default();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let Some(mut words) = quote::words(line) else { continue };
            if words.len() < 2 {
                continue;
            }
            let key = words.split_off(2);
            let menu = ids.menus.entry(words[0].clone()).or_default();
            match (words[1].as_str(), key.as_slice()) {
                ("next", [id]) => menu.next = id.parse().map_or(0, |id: Id| id.0),
                ("gone", [id, name]) => {
                    menu.gone.extend(id.parse().ok().map(|id: Id| (id, name.as_str().into())));
                }
                (id, _) => {
                    if let Ok(id) = id.parse() {
                        menu.rows.entry(key).or_default().push(id);
                    }
                }
            }
        }
        ids
    }

    pub(crate) fn of(&self, path: &str) -> MenuIds {
        self.menus.get(path).cloned().unwrap_or_default()
    }
}

impl Tree {
    /// The ids of all rows as a text for [`Ids::parse`].
    #[must_use]
    pub fn ids(&self) -> String {
        let referred = self.referred();
        let mut text = format!("{FIRST_LINE}\n");
        for table in &self.tables {
            let path = table.menu.path;
            let builtin = table.menu.builtin.len() as u64;
            if table.next_id > builtin + 1 {
                text.push_str(&format!("{path} next {}\n", Id(table.next_id)));
            }
            for (id, name) in &table.gone {
                if referred.contains(&(path, *id)) {
                    text.push_str(&format!("{path} gone {id} {}\n", quote::always(name)));
                }
            }
            for row in table.rows.iter().filter(|row| row.id.0 > builtin) {
                text.push_str(&format!("{path} {}", row.id));
                for part in table.identity(&row.cells) {
                    text.push(' ');
                    text.push_str(&quote::always(&part));
                }
                text.push('\n');
            }
        }
        text
    }

    /// The ids that references show because their rows are gone, by menu.
    pub(crate) fn referred(&self) -> BTreeSet<(&'static str, Id)> {
        let mut referred = BTreeSet::new();
        for table in &self.tables {
            for row in &table.rows {
                for (_, target, name) in Self::references(table.menu, &row.cells) {
                    if let Ok(id) = name.parse() {
                        referred.insert((target().path, id));
                    }
                }
            }
        }
        referred
    }
}
