//! `/file` and `/file/read`: scripts that were exported, or are to be imported.

use leasehold_routeros::menu::Form;
use leasehold_routeros::value::Bounded;
use leasehold_routeros::{Fault, Value, menu};

/// The name of a file: no directories, nothing hidden, nothing that a terminal would obey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileName(pub String);

/// The longest name, octets: with what is added while it is written it fits a directory.
const NAME_MAX: usize = 200;

impl Value for FileName {
    const EXAMPLE: &'static str = "tower.rsc";

    fn describe() -> String {
        "name of a file, without directories".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let legal = !text.is_empty()
            && text.len() <= NAME_MAX
            && !text.starts_with('.')
            && !text.contains(|c: char| c == '/' || c == '\\' || c.is_control());
        if legal { Ok(Self(text.into())) } else { Err(Fault::Invalid) }
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

menu! {
    /// Files for scripts, in one directory of the state directory.
    pub struct File in "/file" {
        /// Its name.
        name: FileName = required().add_only(),
        /// What it says, if it is text.
        contents: Option<String> = unset(),
    }
    /// What the disk knows of it.
    live struct FileState {
        /// `script` or `.ext file`.
        r#type: String = live(),
        /// Octets.
        size: u64 = live(),
        /// When it was written, UTC.
        creation_time: String = live(),
        /// The same.
        last_modified: String = live(),
    }
    form: Form::Foreign,
    columns: &["name", "type", "size", "last-modified"],
    noun: "file",
}

menu! {
    /// Reads a part of a file.
    pub struct FileRead in "/file/read" {
        /// Its name.
        file: FileName = required(),
        /// Octets to leave out at the beginning.
        offset: u64 = preset("0"),
        /// Octets to read.
        chunk_size: Bounded<1, 32768> = preset("32768"),
    }
    /// What is there.
    live struct Chunk {
        /// Text.
        data: String = live(),
    }
    form: Form::Activity,
    key: &["file"],
}
