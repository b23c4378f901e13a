//! The texts of one row, by property: what a row is at rest.

use crate::menu::Menu;

/// Texts by the property's place in its menu's table; a property without a cell is unset or has
/// its default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cells(Vec<(u16, Box<str>)>);

impl Cells {
    /// No cell.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The text of the property at `place`, if it has a cell.
    #[must_use]
    pub fn get(&self, place: usize) -> Option<&str> {
        let at = self.0.binary_search_by_key(&place, |(key, _)| usize::from(*key)).ok()?;
        self.0.get(at).map(|(_, text)| &**text)
    }

    /// Sets or clears the text of the property at `place`.
    pub fn put(&mut self, place: usize, text: Option<&str>) {
        let found = self.0.binary_search_by_key(&place, |(key, _)| usize::from(*key));
        match (found, text) {
            (Ok(at), Some(text)) => self.0[at].1 = text.into(),
            (Ok(at), None) => drop(self.0.remove(at)),
            (Err(at), Some(text)) => {
                let key = u16::try_from(place).expect("a menu has fewer than 65536 properties");
                self.0.insert(at, (key, text.into()));
            }
            (Err(_), None) => {}
        }
    }

    /// The cells there are, in the order of the table.
    pub fn iter(&self) -> impl Iterator<Item = (usize, &str)> {
        self.0.iter().map(|(place, text)| (usize::from(*place), &**text))
    }

    /// Takes over `other`'s cells, which win.
    pub fn overlay(&mut self, other: &Self) {
        for (place, text) in other.iter() {
            self.put(place, Some(text));
        }
    }

    /// Cells by property name; names that `menu` does not have are left out.
    #[must_use]
    pub fn named<'a>(menu: &Menu, texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut cells = Self::new();
        for (name, text) in texts {
            if let Some(place) = menu.place(name) {
                cells.put(place, Some(text));
            }
        }
        cells
    }
}
