//! Options and sets of options, with the references to them resolved.

use leasehold_routeros::value::Reference;
use leasehold_routeros::{Row, RowFault};

use super::super::{OptionEntry, OptionSet, Piece, RadiusString, Value};
use super::{Broken, Compiler, Place};
use crate::menus::{self, DhcpOption, SetReference, Variable};

impl Compiler<'_> {
    pub(super) fn read_options(&mut self) {
        for (id, _, row) in self.rows::<DhcpOption>() {
            let place = Place::of::<DhcpOption>(id, &*row.name);
            let code = row.code.code();
            let value = match row.value.pieces(code) {
                Ok(pieces) => value(&pieces),
                Err(fault) => {
                    let fault = RowFault { property: "value", fault };
                    self.flaw(&place, Broken::Value(fault));
                    continue;
                }
            };
            let entry = OptionEntry { code, force: row.force, value };
            if self.options.insert(row.name.to_string(), entry).is_some() {
                self.flaw(&place, Broken::Twin("name"));
            }
        }
        for (id, _, row) in self.rows::<menus::OptionSet>() {
            let place = Place::of::<menus::OptionSet>(id, &*row.name);
            let entries = self.named_options(&place, "options", &row.options);
            if self.sets.insert(row.name.to_string(), entries).is_some() {
                self.flaw(&place, Broken::Twin("name"));
            }
        }
    }

    /// A row's `dhcp-option` and `dhcp-option-set`; the first comes before the second.
    pub(super) fn option_set(
        &mut self,
        place: &Place,
        options: &[Reference<DhcpOption>],
        set: (&'static str, &SetReference),
    ) -> OptionSet {
        let mut entries = self.named_options(place, "dhcp-option", options);
        if let (property, SetReference::Set(named)) = set {
            match named.name().and_then(|name| self.sets.get(name)) {
                Some(set) => entries.extend(set.iter().cloned()),
                None => self.dangling(place, property, named.text(), false),
            }
        }
        OptionSet::new(entries)
    }

    fn named_options<R: Row>(
        &mut self,
        place: &Place,
        property: &'static str,
        named: &[Reference<R>],
    ) -> Vec<OptionEntry> {
        let mut entries = Vec::new();
        for named in named {
            match named.name().and_then(|name| self.options.get(name)) {
                Some(entry) => entries.push(entry.clone()),
                None => self.dangling(place, property, named.text(), false),
            }
        }
        entries
    }
}

fn value(pieces: &[menus::Piece]) -> Value {
    let octets = pieces.iter().map(|piece| match piece {
        menus::Piece::Octets(octets) => Some(octets.as_slice()),
        menus::Piece::Variable(_) => None,
    });
    match octets.collect::<Option<Vec<_>>>() {
        Some(octets) => Value::Bytes(octets.concat().into()),
        None => Value::Template(pieces.iter().map(piece).collect()),
    }
}

fn piece(piece: &menus::Piece) -> Piece {
    match piece {
        menus::Piece::Octets(octets) => Piece::Bytes(octets.as_slice().into()),
        menus::Piece::Variable(Variable::Hostname) => Piece::HostName,
        menus::Piece::Variable(Variable::RadiusText1) => Piece::Radius(RadiusString::One),
        menus::Piece::Variable(Variable::RadiusText2) => Piece::Radius(RadiusString::Two),
        menus::Piece::Variable(Variable::RemoteId) => Piece::RemoteId,
        menus::Piece::Variable(Variable::NetworkGateway) => Piece::NetworkGateway,
    }
}
