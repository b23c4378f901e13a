//! `/ip/dhcp-server/matcher`.

use leasehold_routeros::menu::{Form, Former, Unique};
use leasehold_routeros::value::{Name, Reference};
use leasehold_routeros::{Fault, Value, choice, menu};

use super::{LeaseServer, OptionCode, Pool, SetReference, Span};

choice! {
    /// How a matcher compares.
    pub enum MatchingType {
        /// The whole option.
        Exact = "exact",
        /// Any part of it.
        Substring = "substring",
    }
}

choice! {
    /// The pool of the clients that match.
    pub enum MatcherPool {
        /// They keep the server's.
        None = "none",
        /// They get static leases alone.
        StaticOnly = "static-only",
    } or {
        /// This one.
        Pool(Reference<Pool>),
    }
}

/// What is looked for: text, or octets after `0x`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatcherText(String);

impl MatcherText {
    /// The octets.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let hex = self.0.strip_prefix("0x").map(leasehold_routeros::value::Hex::parse);
        match hex {
            Some(Ok(hex)) => hex.0,
            _ => self.0.clone().into_bytes(),
        }
    }
}

impl Value for MatcherText {
    const EXAMPLE: &'static str = "android-dhcp-11";

    fn describe() -> String {
        "text of 1 to 510 characters, or octets after `0x`".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let length = text.chars().count();
        if (1..=510).contains(&length) { Ok(Self(text.into())) } else { Err(Fault::Invalid) }
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

menu! {
    /// Other pools and options for clients that send a certain option; the first match counts.
    pub struct Matcher in "/ip/dhcp-server/matcher" {
        /// Unique name.
        name: Name = required(),
        /// Server whose clients are compared.
        server: LeaseServer = preset("all"),
        /// Option that is compared.
        code: OptionCode = required(),
        /// What it is compared with.
        value: MatcherText = required(),
        /// How it is compared.
        matching_type: MatchingType = preset("exact"),
        /// Pool of the clients that match.
        address_pool: MatcherPool = preset("none").always(),
        /// Options for the clients that match.
        option_set: SetReference = preset("none"),
        /// How long the clients that match keep their address; 0s is as the server says (ours).
        lease_time: Span = preset("0s").ours(),
        /// Whether the matcher is switched off.
        disabled: bool = preset("no").always().flag('X'),
        /// Free text.
        comment: String = preset(""),
    }
    /// Nothing is known beside the configuration.
    live struct MatcherState {
    }
    form: Form::Ordered,
    columns: &["name", "server", "code", "value", "address-pool", "option-set"],
    unique: &[Unique {
        by: &["name"],
        within: None,
        enabled_only: false,
        failure: "matcher with such name already exists",
    }],
    formerly: &[Former {
        path: "/ip/dhcp-server/vendor-class-id",
        renamed: &[("vid", "value")],
        fixed: &[("code", "60")],
    }],
    noun: "matcher",
}
