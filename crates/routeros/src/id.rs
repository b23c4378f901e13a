//! Row ids as RouterOS writes them: `*` and upper-case hexadecimal.

use core::fmt;
use core::str::FromStr;

/// The id of a row, unique within its menu, never given to another row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(pub u64);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "*{:X}", self.0)
    }
}

/// The text is not `*` followed by hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl FromStr for Id {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let digits = text.strip_prefix('*').ok_or(NotAnId)?;
        if digits.starts_with('+') {
            return Err(NotAnId);
        }
        u64::from_str_radix(digits, 16).map(Self).map_err(|_| NotAnId)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_upper_case_hexadecimal() {
        assert_eq!(Id(31).to_string(), "*1F");
        assert_eq!("*1f".parse(), Ok(Id(31)));
        assert_eq!("*0".parse(), Ok(Id(0)));
        for other in ["1F", "*", "*x", "*+1", "**1"] {
            assert_eq!(other.parse::<Id>(), Err(NotAnId), "{other}");
        }
    }
}
