//! One row as a listing shows it: configured cells, and what the running server adds.

use crate::cells::Cells;
use crate::id::Id;
use crate::menu::{Form, Menu, Property};

/// A row of a listing.
#[derive(Clone)]
pub struct Record {
    menu: &'static Menu,
    id: Id,
    number: usize,
    cells: Cells,
}

impl Record {
    /// A row of `menu`; `number` is its place in the whole list.
    #[must_use]
    pub fn new(menu: &'static Menu, id: Id, number: usize, cells: Cells) -> Self {
        Self { menu, id, number, cells }
    }

    /// The table that the cells belong to.
    #[must_use]
    pub fn menu(&self) -> &'static Menu {
        self.menu
    }

    /// The row's id; the row of a singleton has none, nor has what an activity tells.
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        (!matches!(self.menu.form, Form::Singleton | Form::Activity)).then_some(self.id)
    }

    /// Its place in the whole list, from zero.
    #[must_use]
    pub fn number(&self) -> usize {
        self.number
    }

    /// All cells, shown or not.
    #[must_use]
    pub fn cells(&self) -> &Cells {
        &self.cells
    }

    /// The text of the property at `place`, if the row shows it.
    #[must_use]
    pub fn shown(&self, place: usize) -> Option<String> {
        self.menu.shown(&self.cells, place)
    }

    /// The text of the property called `name`, if the row shows it.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<String> {
        self.shown(self.menu.place(name)?)
    }

    /// What the row shows, in the order of the table.
    pub fn properties(&self) -> impl Iterator<Item = (&'static Property, String)> {
        let menu = self.menu;
        (0..menu.properties.len())
            .filter_map(|place| Some((&menu.properties[place], self.shown(place)?)))
    }

    /// Whether the flag at `place` is set.
    #[must_use]
    pub fn holds(&self, place: usize) -> bool {
        self.menu.text(&self.cells, place).as_deref() == Some("yes")
    }
}

impl core::fmt::Debug for Record {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let mut map = f.debug_map();
        map.entry(&".id", &self.id.to_string());
        map.entries(self.properties().map(|(property, text)| (property.name, text))).finish()
    }
}
