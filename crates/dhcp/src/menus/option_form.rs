//! The form that the value of a standard option can be written in without quotes, by its code.

use core::net::Ipv4Addr;

use ipnet::Ipv4Net;
use leasehold_routeros::Value;
use leasehold_routeros::value::elements;

use super::Span;
use super::option_value::quoted;

/// What an option holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Address,
    Addresses,
    AddressPairs,
    Routes,
    HostRoutes,
    Switch,
    Octet,
    Word,
    Words,
    Seconds,
    Offset,
    Text,
    Domains,
    SubOptions,
    Enterprises,
}

impl Form {
    /// The form of an option's value; most codes have none but RouterOS's quotes.
    //= https://www.rfc-editor.org/rfc/rfc3442#section-classless-route-option-format
    //# The code for this option is 121, and its minimum length is 5 bytes.
    pub(super) fn of(code: u8) -> Option<Self> {
        Some(match code {
            1 | 16 | 28 | 32 => Self::Address,
            3..=11 | 41 | 42 | 44 | 45 | 48 | 49 | 65 | 68..=76 | 89 | 138 | 150 => Self::Addresses,
            21 => Self::AddressPairs,
            33 => Self::HostRoutes,
            121 | 249 => Self::Routes,
            19 | 20 | 27 | 29..=31 | 34 | 36 | 39 | 116 => Self::Switch,
            23 | 37 | 46 => Self::Octet,
            13 | 22 | 26 => Self::Word,
            25 => Self::Words,
            2 => Self::Offset,
            24 | 35 | 38 | 58 | 59 | 108 | 211 => Self::Seconds,
            12 | 14 | 15 | 17 | 18 | 40 | 47 | 60 | 62 | 64 | 66 | 67 => Self::Text,
            100 | 101 | 114 | 160 | 176 | 209 | 210 | 242 | 252 => Self::Text,
            88 | 119 => Self::Domains,
            43 => Self::SubOptions,
            125 => Self::Enterprises,
            _ => return None,
        })
    }

    /// What a text of this form has to be, behind `value of this code`.
    pub(super) fn rule(self) -> &'static str {
        match self {
            Self::Address => "must be an address: 10.0.0.1",
            Self::Addresses => "must be addresses: 10.0.0.1,10.0.0.2",
            Self::AddressPairs => "must be pairs of addresses and masks: 10.0.0.0/24,10.0.1.0/24",
            Self::Routes => "must be routes: 10.0.0.0/8 via 10.1.0.1,0.0.0.0/0 via 10.1.0.254",
            Self::HostRoutes => "must be routes to hosts: 10.0.0.7 via 10.1.0.1",
            Self::Switch => "must be yes or no",
            Self::Octet => "must be a number from 0 to 255",
            Self::Word => "must be a number from 0 to 65535",
            Self::Words => "must be numbers from 0 to 65535: 68,296,1492",
            Self::Seconds => "must be a time: 1h or 3600",
            Self::Offset => "must be a time east of UTC: 1h or -5h",
            Self::Text => "must be text",
            Self::Domains => "must be domain names: example.net,example.org",
            Self::SubOptions => "must be codes with quoted values: 1:'10.0.0.1',2:s'text'",
            Self::Enterprises => {
                "must be enterprise numbers with codes and quoted values: 4491(1:'10.0.0.1')"
            }
        }
    }

    /// The octets that a text of this form means.
    pub(super) fn octets(self, text: &str) -> Option<Vec<u8>> {
        let number = |largest: u64| text.parse::<u64>().ok().filter(|number| *number <= largest);
        match self {
            Self::Address => Some(address(text)?.to_vec()),
            Self::Addresses => each(text, |item| Some(address(item)?.to_vec())),
            Self::AddressPairs => each(text, |item| {
                let net = Ipv4Net::parse(item).ok()?;
                Some([net.addr().octets(), net.netmask().octets()].concat())
            }),
            Self::Routes => each(text, route),
            Self::HostRoutes => each(text, host_route),
            Self::Switch => match text {
                "yes" => Some(vec![1]),
                "no" => Some(vec![0]),
                _ => None,
            },
            Self::Octet => number(0xff).map(|number| vec![number as u8]),
            Self::Word => number(0xffff).map(|number| (number as u16).to_be_bytes().to_vec()),
            Self::Words => {
                each(text, |item| Some(item.parse::<u16>().ok()?.to_be_bytes().to_vec()))
            }
            Self::Seconds => Some(seconds(text)?.to_be_bytes().to_vec()),
            Self::Offset => {
                let (sign, time) = match text.strip_prefix('-') {
                    Some(west) => (-1, west),
                    None => (1, text),
                };
                Some((sign * i32::try_from(seconds(time)?).ok()?).to_be_bytes().to_vec())
            }
            Self::Text => Some(text.as_bytes().to_vec()),
            Self::Domains => each(text, domain),
            Self::SubOptions => match sub_options(text)? {
                (octets, "") => Some(octets),
                _ => None,
            },
            Self::Enterprises => enterprises(text),
        }
    }
}

/// The octets of all items of a list, which is not empty.
fn each(text: &str, octets: impl Fn(&str) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let all: Option<Vec<_>> = elements(text).map(octets).collect();
    all.filter(|all| !all.is_empty()).map(|all| all.concat())
}

fn address(text: &str) -> Option<[u8; 4]> {
    text.parse::<Ipv4Addr>().ok().map(|address| address.octets())
}

fn seconds(text: &str) -> Option<u32> {
    Span::parse(text).ok().map(|time| time.seconds())
}

fn split_route(text: &str) -> Option<(Ipv4Net, [u8; 4])> {
    let (destination, router) = text.split_once(" via ")?;
    Some((Ipv4Net::parse(destination.trim()).ok()?, address(router.trim())?))
}

/// RFC 3442: the prefix length, as many octets of the prefix as count, the router.
//= https://www.rfc-editor.org/rfc/rfc3442#section-classless-route-option-format
//# This encoding consists of one octet describing the width of the subnet mask, followed by all the
//# significant octets of the subnet number.
fn route(text: &str) -> Option<Vec<u8>> {
    let (destination, router) = split_route(text)?;
    //= https://www.rfc-editor.org/rfc/rfc3442#section-classless-route-option-format
    //# The number of significant octets is the width of the subnet mask divided by eight, rounding
    //# up
    let significant = usize::from(destination.prefix_len()).div_ceil(8);
    let prefix = destination.network().octets();
    Some([&[destination.prefix_len()], &prefix[..significant], &router].concat())
}

/// RFC 2132 § 5.8: a destination without a mask; the default route is not one.
fn host_route(text: &str) -> Option<Vec<u8>> {
    let (destination, router) = split_route(text)?;
    let is_host = destination.prefix_len() == 32 && !destination.addr().is_unspecified();
    is_host.then(|| [destination.addr().octets(), router].concat())
}

/// A name in DNS's form (RFC 1035 § 3.1), never compressed: RFC 3397 § 2 leaves the choice.
fn domain(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    for label in text.trim_end_matches('.').split('.') {
        let is_legal = (1..=63).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || b"-_".contains(&octet));
        if !is_legal {
            return None;
        }
        octets.push(label.len() as u8);
        octets.extend_from_slice(label.as_bytes());
    }
    octets.push(0);
    (octets.len() <= 255).then_some(octets)
}

/// Codes with quoted values, and what follows them.
fn sub_options(text: &str) -> Option<(Vec<u8>, &str)> {
    let (mut octets, mut rest) = (Vec::new(), text);
    loop {
        let (code, value) = rest.split_once(':')?;
        let (value, after) = quoted(value)?;
        octets.push(code.trim().parse().ok()?);
        octets.push(u8::try_from(value.len()).ok()?);
        octets.extend(value);
        match after.trim_start().strip_prefix(',') {
            Some(next) => rest = next,
            None => return Some((octets, after.trim())),
        }
    }
}

/// RFC 3925 § 4: for each enterprise its number, a length, its sub-options.
fn enterprises(text: &str) -> Option<Vec<u8>> {
    let (mut octets, mut rest) = (Vec::new(), text);
    loop {
        let (enterprise, inner) = rest.split_once('(')?;
        let (data, after) = sub_options(inner)?;
        octets.extend(enterprise.trim().parse::<u32>().ok()?.to_be_bytes());
        octets.push(u8::try_from(data.len()).ok()?);
        octets.extend(data);
        let after = after.strip_prefix(')')?.trim_start();
        match after.strip_prefix(',') {
            Some(next) => rest = next,
            None => return after.is_empty().then_some(octets),
        }
    }
}
