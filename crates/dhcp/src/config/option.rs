//! Options that the administrator configured: sets of codes with their values.

use crate::wire::{Enterprises, code, write_enterprise};

/// Options of one level (a lease, a matcher, a server, a network), by code.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OptionSet {
    /// Sorted by code, no code twice.
    entries: Vec<OptionEntry>,
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionEntry {
    /// Its code, 1 to 254.
    pub code: u8,
    /// Sent although the client did not ask for it.
    pub force: bool,
    /// What it says.
    pub value: Value,
}

/// The value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The same for everybody.
    Bytes(Box<[u8]>),
    /// With variables, filled in for each reply.
    Template(Box<[Piece]>),
}

/// A part of a value with variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Octets as they are.
    Bytes(Box<[u8]>),
    /// `$(HOSTNAME)`: the client's host name.
    HostName,
    /// `$(NETWORK_GATEWAY)`: the first gateway of the client's network, four octets.
    NetworkGateway,
    /// `$(REMOTE_ID)`: the remote id of option 82.
    RemoteId,
    /// `$(RADIUS_MT_STR1)`, `$(RADIUS_MT_STR2)`: what RADIUS answered.
    Radius(RadiusString),
}

/// Which of RADIUS's strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RadiusString {
    /// Attribute 14988/24.
    One,
    /// Attribute 14988/25.
    Two,
}

impl OptionEntry {
    /// Takes over what another one says for enterprises that this one says nothing for.
    fn add_enterprises(&mut self, other: &Self) {
        let (Value::Bytes(own), Value::Bytes(others)) = (&self.value, &other.value) else { return };
        if !Enterprises::new(own).adds_up() {
            return;
        }
        let mut all = own.to_vec();
        for (enterprise, data) in Enterprises::new(others) {
            if !Enterprises::new(own).names(enterprise) {
                write_enterprise(enterprise, data, &mut all);
            }
        }
        self.force |= other.force;
        self.value = Value::Bytes(all.into());
    }
}

impl OptionSet {
    /// Takes options in order of precedence: of two with the same code the first counts, but
    /// several with code 125 are one in which each enterprise counts once.
    #[must_use]
    pub fn new(mut entries: Vec<OptionEntry>) -> Self {
        entries.sort_by_key(|entry| entry.code);
        entries.dedup_by(|later, first| {
            let same = later.code == first.code;
            if same && first.code == code::VENDOR_IDENTIFYING {
                first.add_enterprises(later);
            }
            same
        });
        Self { entries }
    }

    /// The option with this code.
    #[must_use]
    pub fn get(&self, code: u8) -> Option<&OptionEntry> {
        let at = self.entries.binary_search_by_key(&code, |entry| entry.code).ok()?;
        self.entries.get(at)
    }

    /// All of them, by code.
    pub fn iter(&self) -> core::slice::Iter<'_, OptionEntry> {
        self.entries.iter()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}
