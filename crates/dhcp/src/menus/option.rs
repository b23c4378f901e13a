//! `/ip/dhcp-server/option` and `/ip/dhcp-server/option/sets`.

use leasehold_routeros::menu::Unique;
use leasehold_routeros::value::{Bounded, Hex, Name, Reference};
use leasehold_routeros::{Cells, Row, RowFault, Value, choice, menu};

use super::OptionValue;
use super::option_value::fixed;

choice! {
    /// The code of an option.
    pub enum OptionCode {
        /// 43.
        VendorSpecific = "vendor-specific",
    } or {
        /// This one.
        Code(Bounded<1, 254>),
    }
}

impl OptionCode {
    /// The code on the wire.
    #[must_use]
    pub fn code(&self) -> u8 {
        match self {
            Self::VendorSpecific => 43,
            Self::Code(code) => u8::try_from(code.number()).unwrap_or(u8::MAX),
        }
    }
}

choice! {
    /// A set of options, or none.
    pub enum SetReference {
        /// None.
        None = "none",
    } or {
        /// This one.
        Set(Reference<OptionSet>),
    }
}

/// The octets of a value without variables, as far as they are known without a client.
fn raw_value(cells: &Cells) -> Option<String> {
    let option = DhcpOption::read(cells).ok()?;
    let pieces = option.value.pieces(option.code.code()).ok()?;
    Some(Hex(fixed(&pieces)).print())
}

/// What is written without quotes becomes the octets that it means.
fn on_router(cells: &Cells) -> Cells {
    let mut cells = cells.clone();
    let plain = DhcpOption::read(&cells).ok().filter(|option| option.value.is_plain());
    let pieces = plain.and_then(|option| option.value.pieces(option.code.code()).ok());
    if let (Some(pieces), Some(place)) = (pieces, DhcpOption::menu().place("value")) {
        cells.put(place, Some(&format!("0x{}", Hex(fixed(&pieces)).print())));
    }
    cells
}

/// A value without quotes is of its code's form.
fn check(cells: &Cells) -> Result<(), RowFault> {
    let Ok(option) = DhcpOption::read(cells) else { return Ok(()) };
    let pieces = option.value.pieces(option.code.code());
    pieces.map(|_| ()).map_err(|fault| RowFault { property: "value", fault })
}

menu! {
    /// Options to send besides those of the network entry.
    pub struct DhcpOption in "/ip/dhcp-server/option" {
        /// Unique name.
        name: Name = required(),
        /// Code of the option.
        code: OptionCode = required(),
        /// Value: `'10.0.0.1'`, `'10'`, `s'text'`, `0x0a0b`, `$(HOSTNAME)`, in any sequence. Ours:
        /// without quotes as the code is meant, and raw-value shows the octets:
        /// `10.0.0.1,10.0.0.2` (6, 42, 150, …), `10.0.0.0/8 via 10.0.0.1` (121, 249),
        /// `10.0.0.7 via 10.0.0.1` (33), `example.net,example.org` (119), `1400` (26), `yes` (19),
        /// `1h` (58, 108, …), text (15, 66, 67, 114, 252, …), `1:'10.0.0.1',2:s'text'` (43),
        /// `4491(1:'10.0.0.1')` (125).
        value: OptionValue = preset("").always(),
        /// Sent even when the client did not ask for it.
        force: bool = preset("no"),
        /// Free text.
        comment: String = preset(""),
    }
    /// What follows from an option.
    live struct OptionState {
        /// The value's octets; variables are left out.
        raw_value: Hex = computed(raw_value),
    }
    columns: &["name", "code", "value", "raw-value", "force"],
    check: Some(check),
    on_router: Some(on_router),
    unique: &[Unique {
        by: &["name"],
        within: None,
        enabled_only: false,
        failure: "option with such name already exists",
    }],
    noun: "option",
}

menu! {
    /// Sets of options that are sent together.
    pub struct OptionSet in "/ip/dhcp-server/option/sets" {
        /// Unique name; `set1`, `set2`, … when none is given.
        name: Name = numbered("set"),
        /// Options of the set.
        options: Vec<Reference<DhcpOption>> = preset("").always(),
        /// Free text.
        comment: String = preset(""),
    }
    /// Nothing is known beside the configuration.
    live struct OptionSetState {
    }
    unique: &[Unique {
        by: &["name"],
        within: None,
        enabled_only: false,
        failure: "option set with such name already exists",
    }],
    noun: "option set",
}
