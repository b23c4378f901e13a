//! Client identifiers as RouterOS prints them: `1:aa:bb:c:0:1`.

use leasehold_routeros::{Fault, Value};

/// The octets of an option 61; prints lower case, without leading zeros.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ClientIdText(pub Box<[u8]>);

impl Value for ClientIdText {
    const EXAMPLE: &'static str = "1:aa:bb:cc:dd:ee:ff";

    fn describe() -> String {
        "client identifier in hexadecimal".into()
    }

    /// Octets of one or two digits in either case, separated by `:`, `-` or `.`.
    fn parse(text: &str) -> Result<Self, Fault> {
        let octet = |part: &str| match part.len() {
            1 | 2 => u8::from_str_radix(part, 16).map_err(|_| Fault::Invalid),
            _ => Err(Fault::Invalid),
        };
        text.split([':', '-', '.']).map(octet).collect::<Result<_, _>>().map(Self)
    }

    fn print(&self) -> String {
        self.0.iter().map(|octet| format!("{octet:x}")).collect::<Vec<_>>().join(":")
    }
}
