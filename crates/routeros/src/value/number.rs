//! Whole numbers, with and without bounds.

use super::{Kind, Value};
use crate::fault::Fault;

impl Value for u64 {
    const KIND: Kind = Kind::Number;
    const EXAMPLE: &'static str = "1";

    fn describe() -> String {
        "number".into()
    }

    /// Decimal, or hexadecimal after `0x`.
    fn parse(text: &str) -> Result<Self, Fault> {
        let (digits, radix) = text.strip_prefix("0x").map_or((text, 10), |digits| (digits, 16));
        if digits.starts_with('+') {
            return Err(Fault::Invalid);
        }
        Self::from_str_radix(digits, radix).map_err(|_| Fault::Invalid)
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

/// A number from `LOW` to `HIGH`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bounded<const LOW: u64, const HIGH: u64>(u64);

impl<const LOW: u64, const HIGH: u64> Bounded<LOW, HIGH> {
    /// The number, if it lies within the bounds.
    #[must_use]
    pub fn new(number: u64) -> Option<Self> {
        (LOW..=HIGH).contains(&number).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub fn number(self) -> u64 {
        self.0
    }
}

impl<const LOW: u64, const HIGH: u64> Value for Bounded<LOW, HIGH> {
    const KIND: Kind = Kind::Number;
    const EXAMPLE: &'static str = "1";

    fn describe() -> String {
        format!("number {LOW}..{HIGH}")
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        Self::new(u64::parse(text)?).ok_or_else(|| Fault::out_of_range(&LOW, &HIGH))
    }

    fn print(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_to_their_bounds() {
        type Code = Bounded<1, 254>;
        assert_eq!(Code::parse("0x2a").unwrap().number(), 42);
        assert_eq!(
            Code::parse("255").unwrap_err().message("code"),
            "value of code out of range (1..254)"
        );
        assert_eq!(
            Code::parse("many").unwrap_err().message("code"),
            "invalid value for argument code"
        );
    }
}
