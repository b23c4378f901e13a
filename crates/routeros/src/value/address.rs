//! IPv4 addresses, prefixes, and the ranges of a pool.

use core::fmt;
use core::net::Ipv4Addr;

use ipnet::Ipv4Net;

use super::{Kind, Value, elements};
use crate::fault::Fault;

impl Value for Ipv4Addr {
    const KIND: Kind = Kind::Address;
    const EXAMPLE: &'static str = "192.168.88.1";

    fn describe() -> String {
        "IP address".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map_err(|_| Fault::Invalid)
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

impl Value for Ipv4Net {
    const KIND: Kind = Kind::Network;
    const EXAMPLE: &'static str = "192.168.88.0/24";

    fn describe() -> String {
        "IP prefix".into()
    }

    /// `a/24`, `a/255.255.255.0`, or `a` alone for a /32. Host bits are kept.
    fn parse(text: &str) -> Result<Self, Fault> {
        prefix(text).ok_or(Fault::Invalid)
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

/// Addresses from `first` to `last`, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    /// The lowest address.
    pub first: Ipv4Addr,
    /// The highest address; never below `first`.
    pub last: Ipv4Addr,
}

impl AddressRange {
    /// How many addresses.
    #[must_use]
    pub fn count(self) -> u64 {
        u64::from(self.last.to_bits()) - u64::from(self.first.to_bits()) + 1
    }

    /// Whether `address` is one of them.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        self.first <= address && address <= self.last
    }

    /// The prefix that holds exactly these addresses, if there is one.
    fn block(self) -> Option<Ipv4Net> {
        let count = self.count();
        let aligned = count.is_power_of_two() && u64::from(self.first.to_bits()) % count == 0;
        let length = 32_u32.checked_sub(count.trailing_zeros())?;
        aligned.then(|| Ipv4Net::new(self.first, u8::try_from(length).ok()?).ok()).flatten()
    }
}

impl fmt::Display for AddressRange {
    /// A whole block prints as a prefix, one address as itself: as RouterOS rewrites them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.block() {
            _ if self.first == self.last => write!(f, "{}", self.first),
            Some(block) => write!(f, "{block}"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl Value for AddressRange {
    const KIND: Kind = Kind::Address;
    const EXAMPLE: &'static str = "192.168.88.10-192.168.88.254";

    fn describe() -> String {
        "range of IP addresses".into()
    }

    /// `a`, `a-b`, `a/24` or `a/255.255.255.0`; host bits of a prefix are dropped.
    fn parse(text: &str) -> Result<Self, Fault> {
        const NOT_A_RANGE: Fault = broken("expects range of ip addresses");
        if let Some((first, last)) = text.split_once('-') {
            let first = first.parse().map_err(|_| broken("must have ip address before '-'"))?;
            let last = last.parse().map_err(|_| broken("must have ip address after '-'"))?;
            return if first <= last { Ok(Self { first, last }) } else { Err(NOT_A_RANGE) };
        }
        let block = prefix(text).ok_or(NOT_A_RANGE)?;
        Ok(Self { first: block.network(), last: block.broadcast() })
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

/// The ranges of a pool in the order they were given: at least one, none overlapping another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges(Vec<AddressRange>);

impl core::ops::Deref for Ranges {
    type Target = [AddressRange];

    fn deref(&self) -> &[AddressRange] {
        &self.0
    }
}

impl Value for Ranges {
    const KIND: Kind = Kind::Address;
    const LIST: bool = true;
    const EXAMPLE: &'static str = AddressRange::EXAMPLE;

    fn describe() -> String {
        format!("list of {}", AddressRange::describe())
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let ranges: Vec<_> = elements(text).map(AddressRange::parse).collect::<Result<_, _>>()?;
        let mut sorted = ranges.clone();
        sorted.sort_unstable();
        if sorted.windows(2).any(|pair| pair[0].last >= pair[1].first) {
            return Err(Fault::Failure("ranges overlap"));
        }
        if ranges.is_empty() {
            return Err(broken("expects range of ip addresses"));
        }
        Ok(Self(ranges))
    }

    fn print(&self) -> String {
        self.0.iter().map(AddressRange::to_string).collect::<Vec<_>>().join(",")
    }
}

/// RouterOS calls the argument `range` in its errors, whatever the property's name.
const fn broken(rule: &'static str) -> Fault {
    Fault::Rule { noun: Some("range"), rule }
}

fn prefix(text: &str) -> Option<Ipv4Net> {
    let Some((address, mask)) = text.split_once('/') else {
        return text.parse::<Ipv4Addr>().ok().map(Ipv4Net::from);
    };
    let address = address.parse().ok()?;
    match mask.parse() {
        Ok(length) => Ipv4Net::new(address, length).ok(),
        Err(_) => Ipv4Net::with_netmask(address, mask.parse().ok()?).ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        Ranges::parse(text).unwrap_err().message("ranges")
    }

    #[test]
    fn a_range_prints_as_routeros_rewrites_it() {
        for (typed, printed) in [
            ("192.168.88.10-192.168.88.254", "192.168.88.10-192.168.88.254"),
            ("10.0.0.0-10.0.0.255", "10.0.0.0/24"),
            ("10.0.0.7-10.0.0.7", "10.0.0.7"),
            ("10.0.0.7/32", "10.0.0.7"),
            ("192.168.100.2-192.168.100.3", "192.168.100.2/31"),
            ("10.0.0.1-10.0.0.2", "10.0.0.1-10.0.0.2"),
            ("10.0.0.5/255.255.255.0", "10.0.0.0/24"),
            ("0.0.0.0-255.255.255.255", "0.0.0.0/0"),
            ("10.0.1.0/24, 10.0.0.9", "10.0.1.0/24,10.0.0.9"),
        ] {
            let ranges = Ranges::parse(typed).unwrap();
            assert_eq!(ranges.print(), printed);
            assert_eq!(Ranges::parse(printed).unwrap(), ranges);
        }
    }

    #[test]
    fn a_bad_range_is_refused_in_routeros_words() {
        assert_eq!(message("abc"), "value of range expects range of ip addresses");
        assert_eq!(message(""), "value of range expects range of ip addresses");
        assert_eq!(message("-10.0.0.5"), "value of range must have ip address before '-'");
        assert_eq!(message("10.0.0.5-"), "value of range must have ip address after '-'");
        assert_eq!(message("10.0.0.9-10.0.0.5"), "value of range expects range of ip addresses");
        assert_eq!(message("10.0.0.5/33"), "value of range expects range of ip addresses");
        assert_eq!(message("10.0.0.1-10.0.0.9,10.0.0.9"), "failure: ranges overlap");
    }
}
