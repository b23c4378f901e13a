//! What is wrong with one value, in RouterOS's words.

use core::fmt;

/// A value that broke a rule of its type. The argument's name is added by [`Fault::message`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not a value of this type at all.
    Invalid,
    /// Neither one of the type's words nor the name of anything.
    NoMatch,
    /// A number or a time outside its bounds, both printed as the type prints them.
    OutOfRange {
        /// The smallest legal value.
        low: String,
        /// The largest legal value.
        high: String,
    },
    /// A rule for which RouterOS has a sentence, and its own word for the argument
    /// (`value of range expects range of ip addresses`, though the property is `ranges`).
    Rule {
        /// RouterOS's word for the argument; `None` is the property's name.
        noun: Option<&'static str>,
        /// The rest of the sentence.
        rule: &'static str,
    },
    /// A rule of the menu rather than of the type: `failure: …`.
    Failure(&'static str),
    /// A property that has to have a value has none.
    Missing,
}

impl Fault {
    /// The sentence RouterOS prints when `argument` has this fault.
    #[must_use]
    pub fn message(&self, argument: &str) -> String {
        match self {
            Self::Invalid => format!("invalid value for argument {argument}"),
            Self::NoMatch => format!("input does not match any value of {argument}"),
            Self::OutOfRange { low, high } => {
                format!("value of {argument} out of range ({low}..{high})")
            }
            Self::Rule { noun, rule } => format!("value of {} {rule}", noun.unwrap_or(argument)),
            Self::Failure(text) => format!("failure: {text}"),
            Self::Missing => format!("missing value(s) of argument(s) {argument}"),
        }
    }

    /// Out of the range of `low` to `high`.
    #[must_use]
    pub fn out_of_range(low: &impl fmt::Display, high: &impl fmt::Display) -> Self {
        Self::OutOfRange { low: low.to_string(), high: high.to_string() }
    }
}

/// A [`Fault`] and the property that has it: why a row cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowFault {
    /// The property's name.
    pub property: &'static str,
    /// The broken rule.
    pub fault: Fault,
}

impl fmt::Display for RowFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.fault.message(self.property))
    }
}

impl core::error::Error for RowFault {}
