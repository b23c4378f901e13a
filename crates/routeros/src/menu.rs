//! Menus as tables: one entry declares a property for every face, for the docs and for Rust.

use crate::cells::Cells;
use crate::fault::{Fault, RowFault};
use crate::id::Id;
use crate::record::Record;
use crate::rule::{Access, Preset, Rule, Shown};
use crate::tree::Tree;
use crate::value::{MenuOf, Type, Value};

/// One property of a menu.
#[derive(Clone, Copy)]
pub struct Property {
    /// As RouterOS spells it: `lease-time`.
    pub name: &'static str,
    /// One line (or a few) for help and the reference page.
    pub doc: &'static str,
    /// Its type.
    pub value: Type,
    /// Default, access, where it shows.
    pub rule: Rule,
}

impl Property {
    /// Whether a cell with this canonical text says more than no cell.
    #[must_use]
    pub fn kept(&self, text: &str) -> bool {
        self.rule.preset_text().unwrap_or_default() != text
    }
}

/// What kind of menu it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Rows that can be added and removed.
    List,
    /// A list whose order means something: rows can be moved.
    Ordered,
    /// Rows that are always there, and no others.
    Fixed,
    /// One row that is always there.
    Singleton,
    /// Rows that only the running server makes.
    View,
    /// Rows that the running server keeps elsewhere, such as files: it makes, changes and removes
    /// them as it is told.
    Foreign,
    /// No menu but a command that goes on for a while: the last word of the path. What can be set
    /// are its arguments, the first of which needs no name if it is the key; the rows come as it
    /// goes on.
    Activity,
}

/// Rows that must not be alike.
#[derive(Clone, Copy, Debug)]
pub struct Unique {
    /// Rows in which all of these have equal texts clash. A row that leaves the first of them at
    /// its preset never does, nor does one whose first text names a row of another menu.
    pub by: &'static [&'static str],
    /// A property by which rows are kept apart, unless one of them has its preset: static leases
    /// of two servers do not clash, one for all servers clashes with each.
    pub within: Option<&'static str>,
    /// Whether disabled rows are left out.
    pub enabled_only: bool,
    /// RouterOS's text, after `failure: `.
    pub failure: &'static str,
}

/// How an earlier version said the same: another path, other names, some values fixed.
#[derive(Clone, Copy, Debug)]
pub struct Former {
    /// The path then.
    pub path: &'static str,
    /// Names then and now.
    pub renamed: &'static [(&'static str, &'static str)],
    /// What had no name then, and its value.
    pub fixed: &'static [(&'static str, &'static str)],
}

/// A command of this menu alone, carried out by the running server.
#[derive(Clone, Copy, Debug)]
pub struct Special {
    /// The word.
    pub verb: &'static str,
    /// One line for help.
    pub doc: &'static str,
    /// What else happens to the row in the tree.
    pub effect: Effect,
}

/// What a [`Special`] command does to the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the running server does it all.
    None,
    /// The dynamic row becomes a configured one with the same id.
    Adopt,
    /// Nothing: a console asks for what the command needs, and sends others.
    Dialogue,
}

/// The texts of a row, by property.
pub type Texts = &'static [(&'static str, &'static str)];

/// The rule that a row as a whole breaks.
pub type Check = fn(&Cells) -> Result<(), RowFault>;

/// A menu: a path and a table of properties.
#[derive(Clone, Copy)]
pub struct Menu {
    /// With slashes: `/ip/dhcp-server/lease`.
    pub path: &'static str,
    /// One line for help and the reference page.
    pub about: &'static str,
    /// Its properties: first the configured ones, then what only `print` knows.
    pub properties: &'static [Property],
    /// What kind of menu it is.
    pub form: Form,
    /// The properties that tell one row from another across restarts.
    pub key: &'static [&'static str],
    /// The properties that a plain `print` shows, in its order; all if empty.
    pub columns: &'static [&'static str],
    /// Rows that must not be alike.
    pub unique: &'static [Unique],
    /// Switches of `print` that show only rows with a certain property.
    pub views: &'static [(&'static str, &'static str)],
    /// Commands of this menu alone.
    pub specials: &'static [Special],
    /// How earlier versions said it.
    pub formerly: &'static [Former],
    /// Words below this menu that are menus on a router and not here: scripts may name them.
    pub elsewhere: &'static [&'static str],
    /// Rows that are always there, under the first ids: they can be changed, but not removed.
    pub builtin: &'static [Texts],
    /// Why a row that others refer to is not removed; if `None`, it is, and they dangle.
    pub in_use: Option<&'static str>,
    /// Whether only users with the policy `policy` may change it.
    pub guarded: bool,
    /// What a row has to be as a whole, each of its values being legal.
    pub check: Option<Check>,
    /// How a router that knows less would say the same: for exports to one.
    pub on_router: Option<fn(&Cells) -> Cells>,
    /// What is legal but worth a warning in a row that was added or changed.
    pub remarks: Option<fn(&Tree, &Record) -> Vec<String>>,
    /// The menu whose latest rows the console shows below, where they meet the same conditions.
    pub sequel: Option<MenuOf>,
    /// What a row of this menu is called in failures: `can not change dynamic lease`.
    pub noun: &'static str,
}

impl Menu {
    /// A list without rows of its own making: what `menu!` fills in for what is not said.
    pub const PLAIN: Self = Self {
        path: "",
        about: "",
        properties: &[],
        form: Form::List,
        key: &["name"],
        columns: &[],
        unique: &[],
        views: &[],
        specials: &[],
        formerly: &[],
        elsewhere: &[],
        builtin: &[],
        in_use: None,
        guarded: false,
        check: None,
        on_router: None,
        remarks: None,
        sequel: None,
        noun: "item",
    };

    /// The place of the property called `name`.
    #[must_use]
    pub fn place(&self, name: &str) -> Option<usize> {
        self.properties.iter().position(|property| property.name == name)
    }

    /// The property called `name`.
    #[must_use]
    pub fn property(&self, name: &str) -> Option<&'static Property> {
        self.properties.iter().find(|property| property.name == name)
    }

    /// What a row with these cells has for the property at `place`: its cell, else what follows
    /// from the others, else the preset.
    #[must_use]
    pub fn text(&self, cells: &Cells, place: usize) -> Option<String> {
        if let Some(text) = cells.get(place) {
            return Some(text.into());
        }
        let rule = &self.properties.get(place)?.rule;
        match (rule.access, rule.otherwise) {
            (Access::Computed(follows), _) | (_, Some(follows)) => follows(cells),
            _ => rule.preset_text().map(str::to_owned),
        }
    }

    /// Whether a row shows the property at `place`, and with which text.
    #[must_use]
    pub fn shown(&self, cells: &Cells, place: usize) -> Option<String> {
        let property = self.properties.get(place)?;
        match property.rule.shown {
            Shown::Always => self.text(cells, place),
            Shown::WhenSet => cells.get(place).map(str::to_owned),
            Shown::Never => None,
        }
    }

    /// The place of the property that rows are called by, if rows of this menu have names.
    #[must_use]
    pub fn name_place(&self) -> Option<usize> {
        self.place("name")
    }

    /// Whether the running server makes rows of this menu.
    #[must_use]
    pub fn has_dynamic_rows(&self) -> bool {
        matches!(self.form, Form::View | Form::Foreign) || self.place("dynamic").is_some()
    }

    /// Whether the running server adds cells to configured rows.
    #[must_use]
    pub fn has_live_cells(&self) -> bool {
        let told = |rule: &Rule| matches!(rule.access, Access::Live) || rule.supplied;
        self.properties.iter().any(|property| told(&property.rule))
    }

    /// Whether anything in this menu can be configured.
    #[must_use]
    pub fn is_configured(&self) -> bool {
        let configured = |property: &Property| property.rule.is_configured();
        let elsewhere = matches!(self.form, Form::View | Form::Foreign | Form::Activity);
        !elsewhere && self.properties.iter().any(configured)
    }

    /// The path of the menu that has this activity as a command, and the command's word.
    #[must_use]
    pub fn activity(&self) -> Option<(&'static str, &'static str)> {
        self.path.rsplit_once('/').filter(|_| self.form == Form::Activity)
    }

    /// Adds to a row's cells what the running server knows; what was configured wins.
    pub fn overlay(&self, cells: &mut Cells, known: &Cells) {
        for (place, text) in known.iter() {
            let configured = self.properties[place].rule.is_configured();
            if !configured || cells.get(place).is_none() {
                cells.put(place, Some(text));
            }
        }
    }

    /// The cells that the builtin row with this id has while nobody has changed it.
    #[must_use]
    pub fn builtin(&self, id: Id) -> Option<Cells> {
        let at = usize::try_from(id.0).ok()?.checked_sub(1)?;
        Some(Cells::named(self, self.builtin.get(at)?.iter().copied()))
    }

    /// The path in words: `ip`, `dhcp-server`, `lease`.
    pub fn words(&self) -> impl Iterator<Item = &'static str> {
        self.path.split('/').filter(|word| !word.is_empty())
    }
}

impl core::fmt::Debug for Menu {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.path)
    }
}

/// A configured row as Rust sees it. Made by [`menu!`](crate::menu!) alone.
pub trait Row: Sized + 'static {
    /// The table.
    fn menu() -> &'static Menu;

    /// The row that these texts mean.
    ///
    /// # Errors
    ///
    /// The first property that has no value or an illegal one.
    fn read(cells: &Cells) -> Result<Self, RowFault>;

    /// The texts of what differs from the presets.
    fn write(&self) -> Cells;
}

/// What the running server adds to a row, as Rust sees it. Made by [`menu!`](crate::menu!) alone.
pub trait Live {
    /// The texts of what is known.
    fn cells(&self) -> Cells;
}

/// Reads the typed value of the property at the next place. For [`menu!`](crate::menu!) alone.
///
/// # Errors
///
/// The property has no value or an illegal one.
#[doc(hidden)]
pub fn read<V: Value>(
    menu: &Menu,
    cells: &Cells,
    places: &mut core::ops::RangeFrom<usize>,
) -> Result<V, RowFault> {
    let place = places.next().expect("an endless range goes on");
    let Property { name, rule, .. } = &menu.properties[place];
    let text = cells.get(place).or_else(|| rule.preset_text());
    let value = match (text, rule.preset) {
        (Some(text), _) => V::parse(text),
        (None, Preset::Unset) => V::absent().ok_or(Fault::Missing),
        (None, _) => Err(Fault::Missing),
    };
    value.map_err(|fault| RowFault { property: name, fault })
}

/// `_` to `-`: how the name of a field becomes the name of a property.
#[doc(hidden)]
#[must_use]
pub const fn hyphenated<const LENGTH: usize>(name: &str) -> [u8; LENGTH] {
    let mut text = [0; LENGTH];
    let mut at = 0;
    while at < LENGTH {
        let octet = name.as_bytes()[at];
        text[at] = if octet == b'_' { b'-' } else { octet };
        at += 1;
    }
    text
}

/// The name of a field that is a word of Rust too, `r#type`, without its mark.
#[doc(hidden)]
#[must_use]
pub const fn bare(name: &'static str) -> &'static str {
    match name.as_bytes() {
        [b'r', b'#', ..] => name.split_at(2).1,
        _ => name,
    }
}

/// Declares a menu: its table, the typed row, and the typed form of what the server adds to it.
///
/// One entry declares a property: `/// doc`, `name: Type = rule`. Rules are in [`crate::rule`].
/// After the two structs stand fields of [`Menu`] that differ from [`Menu::PLAIN`].
#[macro_export]
macro_rules! menu {
    (
        $(#[doc = $about:literal])+
        $vis:vis struct $row:ident in $path:literal {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $rule:expr, )*
        }
        $(#[doc = $live_about:literal])+
        live struct $live:ident {
            $( $(#[doc = $live_doc:literal])+ $known:ident: $known_type:ty = $known_rule:expr, )*
        }
        $( $facet:ident: $value:expr, )*
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        $vis struct $row { $( $(#[doc = $doc])+ pub $field: $type, )* }

        $(#[doc = $live_about])+
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        $vis struct $live { $( $(#[doc = $live_doc])+ pub $known: Option<$known_type>, )* }

        impl $crate::Row for $row {
            fn menu() -> &'static $crate::Menu {
                static PROPERTIES: &[$crate::Property] = &[
                    $( $crate::property!($(#[doc = $doc])+ $field: $type = $rule), )*
                    $( $crate::property!($(#[doc = $live_doc])+
                        $known: $known_type = $known_rule), )*
                ];
                static MENU: $crate::Menu = $crate::Menu {
                    path: $path,
                    about: concat!($($about),+),
                    properties: PROPERTIES,
                    $( $facet: $value, )*
                    ..$crate::Menu::PLAIN
                };
                &MENU
            }

            fn read(_cells: &$crate::Cells) -> Result<Self, $crate::RowFault> {
                let mut _places = 0..;
                Ok(Self { $( $field: $crate::menu::read(Self::menu(), _cells, &mut _places)?, )* })
            }

            fn write(&self) -> $crate::Cells {
                $crate::menu::written(Self::menu(), [
                    $( $crate::value::Value::print(&self.$field), )*
                ])
            }
        }

        impl $crate::Live for $live {
            fn cells(&self) -> $crate::Cells {
                let menu = <$row as $crate::Row>::menu();
                $crate::menu::live_cells(menu, [
                    $( self.$known.as_ref().map($crate::value::Value::print), )*
                ])
            }
        }
    };
}

/// The cells of what differs from the presets. For [`menu!`](crate::menu!) alone.
#[doc(hidden)]
#[must_use]
pub fn written<const N: usize>(menu: &Menu, texts: [String; N]) -> Cells {
    let mut cells = Cells::new();
    for (place, text) in texts.iter().enumerate() {
        let kept = menu.properties[place].kept(text);
        cells.put(place, kept.then_some(text));
    }
    cells
}

/// The cells of what is known. For [`menu!`](crate::menu!) alone.
#[doc(hidden)]
#[must_use]
pub fn live_cells<const N: usize>(menu: &Menu, texts: [Option<String>; N]) -> Cells {
    let mut cells = Cells::new();
    let first = menu.properties.len() - N;
    for (at, text) in texts.iter().enumerate() {
        cells.put(first + at, text.as_deref());
    }
    cells
}

/// One entry of a table. For [`menu!`](crate::menu!) alone.
#[doc(hidden)]
#[macro_export]
macro_rules! property {
    ($(#[doc = $doc:literal])+ $field:ident: $type:ty = $rule:expr) => {{
        #[allow(unused_imports)]
        use $crate::rule::*;
        const NAME: [u8; stringify!($field).len()] = $crate::menu::hyphenated(stringify!($field));
        $crate::Property {
            name: match core::str::from_utf8(&NAME) {
                Ok(name) => $crate::menu::bare(name),
                Err(_) => panic!("a field's name is ASCII"),
            },
            doc: concat!($($doc),+),
            value: $crate::value::Type::of::<$type>(),
            rule: $rule,
        }
    }};
}
