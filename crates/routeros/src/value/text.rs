//! Names, free text and octets in hexadecimal.

use super::Value;
use crate::fault::Fault;
use crate::id::Id;

impl Value for String {
    const EXAMPLE: &'static str = "text";

    fn describe() -> String {
        "text".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        Ok(text.into())
    }

    fn print(&self) -> String {
        self.clone()
    }
}

/// What a row is called by: not empty, and not to be mistaken for an id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

impl core::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Value for Name {
    const EXAMPLE: &'static str = "name";

    fn describe() -> String {
        "name".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        if text.is_empty() || text.parse::<Id>().is_ok() {
            return Err(Fault::Invalid);
        }
        Ok(Self(text.into()))
    }

    fn print(&self) -> String {
        self.0.clone()
    }
}

/// Octets; prints as lower-case digits without separators.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hex(pub Vec<u8>);

impl Value for Hex {
    const EXAMPLE: &'static str = "0a0b0c";

    fn describe() -> String {
        "hexadecimal octets".into()
    }

    /// Pairs of digits, with or without `0x` in front and colons between.
    fn parse(text: &str) -> Result<Self, Fault> {
        let digits: Vec<u8> = text.strip_prefix("0x").unwrap_or(text).bytes().collect();
        let digits: Vec<u8> = digits.into_iter().filter(|&digit| digit != b':').collect();
        if !digits.len().is_multiple_of(2) {
            return Err(Fault::Invalid);
        }
        digits.chunks_exact(2).map(octet).collect::<Option<_>>().map(Self).ok_or(Fault::Invalid)
    }

    fn print(&self) -> String {
        self.0.iter().map(|octet| format!("{octet:02x}")).collect()
    }
}

fn octet(pair: &[u8]) -> Option<u8> {
    let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
    u8::try_from(digit(0)? * 16 + digit(1)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_not_an_id() {
        assert_eq!(Name::parse("*1F"), Err(Fault::Invalid));
        assert_eq!(Name::parse(""), Err(Fault::Invalid));
        assert_eq!(&*Name::parse("*isp").unwrap(), "*isp");
    }

    #[test]
    fn octets_are_read_with_and_without_separators() {
        assert_eq!(Hex::parse("0x0A:0b").unwrap().print(), "0a0b");
        assert_eq!(Hex::parse("a").unwrap_err(), Fault::Invalid);
        assert_eq!(Hex::parse("zz").unwrap_err(), Fault::Invalid);
    }
}
