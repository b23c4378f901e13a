//! The rows of all menus, as canonical texts, with ids that are never given twice.
//!
//! A clone is cheap (tables are shared until one of them changes): whoever wants a change that can
//! fail makes it on a clone.

use std::sync::Arc;

use crate::cells::Cells;
use crate::fault::RowFault;
use crate::id::Id;
use crate::menu::{Form, Menu, Row};
use crate::rule::Preset;
use crate::trap::Trap;

/// The rows of some menus.
#[derive(Clone)]
pub struct Tree {
    tables: Vec<Arc<Table>>,
}

/// The rows of one menu, in order.
#[derive(Clone)]
struct Table {
    menu: &'static Menu,
    rows: Vec<Arc<Entry>>,
    next_id: u64,
}

/// One row at rest.
#[derive(Clone, Debug)]
pub struct Entry {
    id: Id,
    cells: Cells,
}

/// One configured row as Rust sees it.
#[derive(Clone, Debug)]
pub struct Configured<R> {
    /// Its id.
    pub id: Id,
    /// Whether it is disabled; also known when the row cannot be read.
    pub disabled: bool,
    /// Its comment; empty if it has none.
    pub comment: String,
    /// The row, or why its texts make none (a bad object in a file does not stop its neighbours).
    pub row: Result<R, RowFault>,
}

impl Tree {
    /// The menus with no rows; singletons have their presets.
    #[must_use]
    pub fn new(menus: impl IntoIterator<Item = &'static Menu>) -> Self {
        let table = |menu: &'static Menu| {
            let only = Arc::new(Entry { id: Id(0), cells: Cells::new() });
            let rows = if menu.form == Form::Singleton { vec![only] } else { Vec::new() };
            Arc::new(Table { menu, rows, next_id: 1 })
        };
        Self { tables: menus.into_iter().map(table).collect() }
    }

    /// The typed rows of `R`'s menu, in order. A singleton has exactly one.
    #[must_use]
    pub fn rows<R: Row>(&self) -> Vec<Configured<R>> {
        let Some(table) = self.table(R::menu().path) else { return Vec::new() };
        table.rows.iter().map(|entry| configured(table.menu, entry)).collect()
    }

    /// Adds a row from texts in any accepted spelling.
    ///
    /// # Errors
    ///
    /// The rule that was broken; nothing is changed.
    pub fn add(&mut self, path: &str, texts: &[(&str, &str)]) -> Result<Id, Trap> {
        let at = self.tables.iter().position(|table| table.menu.path == path);
        let at = at.ok_or(Trap::NoSuchPrefix)?;
        let menu = self.tables[at].menu;
        let mut cells = Cells::new();
        for (name, text) in texts {
            let place = menu.place(name).ok_or_else(|| Trap::UnknownParameter((*name).into()))?;
            let property = &menu.properties[place];
            let canonical =
                (property.value.canonical)(text).map_err(|fault| Trap::value(name, fault))?;
            let kept = canonical.filter(|text| Some(&**text) != property.rule.preset_text());
            cells.put(place, kept.as_deref());
        }
        let missing = |(place, property): (usize, &crate::menu::Property)| {
            let required = matches!(property.rule.preset, Preset::Required);
            (required && cells.get(place).is_none()).then_some(property.name)
        };
        let missing: Vec<_> = menu.properties.iter().enumerate().filter_map(missing).collect();
        if !missing.is_empty() {
            return Err(Trap::Missing(missing));
        }
        let table = Arc::make_mut(&mut self.tables[at]);
        let id = Id(table.next_id);
        table.next_id += 1;
        table.rows.push(Arc::new(Entry { id, cells }));
        Ok(id)
    }

    fn table(&self, path: &str) -> Option<&Table> {
        self.tables.iter().map(|table| &**table).find(|table| table.menu.path == path)
    }
}

fn configured<R: Row>(menu: &Menu, entry: &Entry) -> Configured<R> {
    let text = |name| menu.place(name).and_then(|place| menu.text(&entry.cells, place));
    Configured {
        id: entry.id,
        disabled: text("disabled").as_deref() == Some("yes"),
        comment: text("comment").unwrap_or_default(),
        row: R::read(&entry.cells),
    }
}
