//! What a table says of a property beside its type: default, access, and where it shows.

use crate::cells::Cells;

/// A RouterOS version, `major.minor`.
pub type Version = (u16, u16);

/// What a property has when nothing was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Nothing: `add` without it is refused.
    Required,
    /// Nothing, and that is fine; verbose exports write `!name`.
    Unset,
    /// A canonical text.
    Text(&'static str),
    /// The first free one of `stem1`, `stem2`, ….
    Numbered(&'static str),
}

impl Preset {
    const fn text(self) -> Option<&'static str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Required | Self::Unset | Self::Numbered(_) => None,
        }
    }
}

/// Who may change a property.
#[derive(Clone, Copy)]
pub enum Access {
    /// Everybody who may write.
    Settable,
    /// Only the command that makes the row.
    AddOnly,
    /// The running server tells it.
    Live,
    /// It follows from the other cells.
    Computed(fn(&Cells) -> Option<String>),
}

/// When a row shows a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Whatever its value.
    Always,
    /// When it differs from its preset.
    WhenSet,
    /// Never: a secret that is kept in the file and told to nobody.
    Never,
}

/// Everything a table says of a property beside its name, type and documentation.
#[derive(Clone, Copy)]
pub struct Rule {
    /// What it has when nothing was said.
    pub preset: Preset,
    /// Who may change it.
    pub access: Access,
    /// When a row shows it.
    pub shown: Shown,
    /// Its letter in the flags column of `print`.
    pub flag: Option<char>,
    /// Whether the running server gives it a value while nothing was said.
    pub supplied: bool,
    /// Whether the server does what it says; if not, setting it warns once.
    pub obeyed: bool,
    /// Whether a compact export writes it even when it has its preset.
    pub exported: bool,
    /// Whether REST shows it as an empty text when it is unset.
    pub blank: bool,
    /// What it has while it is unset, if that follows from the other cells.
    pub otherwise: Option<fn(&Cells) -> Option<String>>,
    /// Whether RouterOS does not have it: scripts for routers leave it out.
    pub ours: bool,
    /// Its names in earlier versions.
    pub formerly: &'static [&'static str],
    /// Presets of versions before the given one, oldest first.
    pub earlier: &'static [(Version, &'static str)],
}

const PLAIN: Rule = Rule {
    preset: Preset::Unset,
    access: Access::Settable,
    shown: Shown::WhenSet,
    flag: None,
    supplied: false,
    obeyed: true,
    exported: false,
    blank: false,
    ours: false,
    otherwise: None,
    formerly: &[],
    earlier: &[],
};

/// A property that has to be given.
#[must_use]
pub const fn required() -> Rule {
    Rule { preset: Preset::Required, shown: Shown::Always, exported: true, ..PLAIN }
}

/// A property that may have no value.
#[must_use]
pub const fn unset() -> Rule {
    PLAIN
}

/// A property with a default, in canonical text.
#[must_use]
pub const fn preset(text: &'static str) -> Rule {
    Rule { preset: Preset::Text(text), ..PLAIN }
}

/// A name that is made up when none is given: `stem1`, `stem2`, ….
#[must_use]
pub const fn numbered(stem: &'static str) -> Rule {
    Rule { preset: Preset::Numbered(stem), ..required() }
}

/// A property that only the running server knows, shown when it knows it.
#[must_use]
pub const fn live() -> Rule {
    Rule { access: Access::Live, ..PLAIN }
}

/// A property that only the running server knows, with what shows while it does not.
#[must_use]
pub const fn live_or(text: &'static str) -> Rule {
    Rule { preset: Preset::Text(text), shown: Shown::Always, ..live() }
}

/// A property that follows from the other cells of its row.
#[must_use]
pub const fn computed(compute: fn(&Cells) -> Option<String>) -> Rule {
    Rule { access: Access::Computed(compute), shown: Shown::Always, ..PLAIN }
}

impl Rule {
    /// Shown in every row, also with its preset.
    #[must_use]
    pub const fn always(self) -> Self {
        Self { shown: Shown::Always, ..self }
    }

    /// Written by compact exports, also with its preset.
    #[must_use]
    pub const fn exported(self) -> Self {
        Self { exported: true, ..self }
    }

    /// Has a letter in the flags column.
    #[must_use]
    pub const fn flag(self, letter: char) -> Self {
        Self { flag: Some(letter), ..self }
    }

    /// Has a value of the running server's while nothing was said.
    #[must_use]
    pub const fn supplied(self) -> Self {
        Self { supplied: true, ..self }
    }

    /// Accepted, kept and shown, but without effect so far.
    #[must_use]
    pub const fn not_obeyed(self) -> Self {
        Self { obeyed: false, ..self }
    }

    /// Shown by REST as an empty text when it is unset.
    #[must_use]
    pub const fn blank(self) -> Self {
        Self { blank: true, ..self }
    }

    /// While it is unset, it has what follows from the other cells.
    #[must_use]
    pub const fn otherwise(self, follows: fn(&Cells) -> Option<String>) -> Self {
        Self { otherwise: Some(follows), ..self }
    }

    /// Written and never read: no face shows it, no query sees it, no export has it.
    #[must_use]
    pub const fn write_only(self) -> Self {
        Self { shown: Shown::Never, ..self }
    }

    /// Unknown to RouterOS.
    #[must_use]
    pub const fn ours(self) -> Self {
        Self { ours: true, ..self }
    }

    /// Settable by `add` alone.
    #[must_use]
    pub const fn add_only(self) -> Self {
        Self { access: Access::AddOnly, ..self }
    }

    /// Had these names in earlier versions.
    #[must_use]
    pub const fn formerly(self, names: &'static [&'static str]) -> Self {
        Self { formerly: names, ..self }
    }

    /// Had these presets before the given versions, oldest first.
    #[must_use]
    pub const fn earlier(self, presets: &'static [(Version, &'static str)]) -> Self {
        Self { earlier: presets, ..self }
    }

    /// Whether `add` or `set` may name it.
    #[must_use]
    pub const fn is_configured(&self) -> bool {
        matches!(self.access, Access::Settable | Access::AddOnly)
    }

    /// The preset's text in `version`: older exports leave out what was the default then.
    #[must_use]
    pub fn preset_in(&self, version: Version) -> Option<&'static str> {
        let earlier = self.earlier.iter().find(|(before, _)| version < *before);
        match (earlier, self.preset) {
            (Some((_, text)), _) => Some(text),
            (None, preset) => preset.text(),
        }
    }

    /// The preset's text, if it has one.
    #[must_use]
    pub const fn preset_text(&self) -> Option<&'static str> {
        self.preset.text()
    }
}
