//! The commands that menus have: which menu has which, what they take, what they change.

use crate::menu::{Effect, Form, Menu};

/// A command word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verb {
    /// The word.
    pub word: &'static str,
    /// One line for help.
    pub doc: &'static str,
    /// Whether it changes anything: users without the policy `write` may not.
    pub writes: bool,
    /// What arguments without a name are, in order; [`TARGETS`] stands for rows.
    pub unnamed: &'static [&'static str],
    /// Arguments that are no properties.
    pub switches: &'static [&'static str],
    /// Whether it takes properties.
    pub properties: bool,
}

/// The name of the argument that names rows.
pub const TARGETS: &str = "numbers";

/// Arguments that are no properties and need no value.
pub const FLAGS: &[&str] = &[
    "as-string",
    "as-value",
    "brief",
    "compact",
    "count-only",
    "detail",
    "dry-run",
    "follow",
    "follow-only",
    "hide-sensitive",
    "json",
    "lenient",
    "show-ids",
    "show-sensitive",
    "stats",
    "terse",
    "value-list",
    "verbose",
    "where",
    "without-paging",
];

const fn verb(word: &'static str, doc: &'static str) -> Verb {
    Verb { word, doc, writes: false, unnamed: &[], switches: &[], properties: false }
}

const fn on_rows(word: &'static str, doc: &'static str) -> Verb {
    Verb { writes: true, unnamed: &[TARGETS], ..verb(word, doc) }
}

const PRINT: Verb = Verb {
    unnamed: &["from"],
    switches: &[
        "as-value",
        "brief",
        "count-only",
        "detail",
        "file",
        "follow",
        "follow-only",
        "from",
        "interval",
        "json",
        "proplist",
        "show-ids",
        "stats",
        "terse",
        "value-list",
        "where",
        "without-paging",
    ],
    ..verb("print", "shows rows")
};

/// All commands that menus can have, beside their special ones.
pub static VERBS: [Verb; 16] = [
    Verb {
        writes: true,
        properties: true,
        switches: &["copy-from", "place-before"],
        ..verb("add", "makes a row")
    },
    Verb { unnamed: &[TARGETS, "comment"], ..on_rows("comment", "sets the comment of rows") },
    on_rows("disable", "switches rows off"),
    Verb {
        unnamed: &[TARGETS, "value-name"],
        ..on_rows("edit", "changes a property of a row in an editor, on a console")
    },
    on_rows("enable", "switches rows on"),
    Verb {
        switches: &[
            "compact",
            "file",
            "hide-sensitive",
            "show-sensitive",
            "terse",
            "verbose",
            "where",
        ],
        ..verb("export", "writes the configuration as a script")
    },
    Verb { switches: &["where"], ..verb("find", "gives the ids of rows") },
    Verb {
        unnamed: &[TARGETS, "value-name"],
        switches: &["as-string"],
        ..verb("get", "gives one row, or one property of it")
    },
    Verb { word: "getall", ..PRINT },
    Verb { switches: &["proplist", "where"], ..verb("listen", "tells every change from now on") },
    Verb { unnamed: &[TARGETS, "destination"], ..on_rows("move", "changes the order of rows") },
    PRINT,
    on_rows("remove", "removes rows"),
    Verb { properties: true, ..on_rows("set", "changes rows") },
    Verb { unnamed: &[TARGETS, "value-name"], ..on_rows("unset", "clears a property of rows") },
    verb("help", "shows what there is"),
];

/// Commands of no menu.
pub static ROOT: [Verb; 3] = [
    Verb {
        switches: &[
            "compact",
            "file",
            "hide-sensitive",
            "path",
            "show-sensitive",
            "terse",
            "verbose",
        ],
        ..verb("export", "writes the configuration as a script")
    },
    Verb {
        writes: true,
        unnamed: &["file-name"],
        switches: &[
            "dry-run",
            "from-line",
            "leases",
            "lenient",
            "map-interface",
            "map-server",
            "script",
            "verbose",
        ],
        ..verb("import", "carries out a script")
    },
    verb("quit", "ends the session"),
];

impl Menu {
    /// The command that an activity is.
    #[must_use]
    pub fn as_verb(&self) -> Option<Verb> {
        let (_, word) = self.activity()?;
        let (unnamed, switches) = (self.key, &["proplist", "as-value", "json"]);
        Some(Verb { unnamed, switches, properties: true, ..verb(word, self.about.trim_ascii()) })
    }

    /// The commands that this menu has, special ones first.
    pub fn verbs(&'static self) -> impl Iterator<Item = Verb> {
        let special = self.specials.iter().map(|special| match special.effect {
            Effect::Dialogue => Verb { writes: true, ..verb(special.verb, special.doc) },
            _ => on_rows(special.verb, special.doc),
        });
        special.chain(VERBS.into_iter().filter(|verb| self.has(verb.word)))
    }

    /// The command called `word`, if this menu has it.
    #[must_use]
    pub fn verb(&'static self, word: &str) -> Option<Verb> {
        self.verbs().find(|verb| verb.word == word)
    }

    fn has(&self, word: &str) -> bool {
        match word {
            _ if self.form == Form::Activity => word == "help",
            "add" | "remove" => matches!(self.form, Form::List | Form::Ordered | Form::Foreign),
            "set" if self.form == Form::Foreign => true,
            "set" | "unset" | "edit" | "export" => self.is_configured(),
            "enable" | "disable" => self.is_configured() && self.place("disabled").is_some(),
            "comment" => self.place("comment").is_some(),
            "move" => self.form == Form::Ordered,
            "find" => self.form != Form::Singleton,
            _ => true,
        }
    }
}
