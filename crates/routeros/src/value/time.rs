//! Times: seconds with bounds, read in every spelling of RouterOS, printed in units.

use super::{Kind, Value};
use crate::fault::Fault;

/// Whole seconds from `LOW` to `HIGH`, both included; `1w2d3h4m5s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seconds<const LOW: u32, const HIGH: u32>(u32);

impl<const LOW: u32, const HIGH: u32> Seconds<LOW, HIGH> {
    /// The time, if it lies within the bounds.
    #[must_use]
    pub fn new(seconds: u32) -> Option<Self> {
        (LOW..=HIGH).contains(&seconds).then_some(Self(seconds))
    }

    /// Seconds.
    #[must_use]
    pub fn seconds(self) -> u32 {
        self.0
    }
}

impl<const LOW: u32, const HIGH: u32> Value for Seconds<LOW, HIGH> {
    const KIND: Kind = Kind::Time;
    const EXAMPLE: &'static str = "1d";

    fn describe() -> String {
        format!("time {}..{}", units(u64::from(LOW) * 1000), units(u64::from(HIGH) * 1000))
    }

    /// Fractions of a second are dropped.
    fn parse(text: &str) -> Result<Self, Fault> {
        let seconds = milliseconds(text).ok_or(Fault::Invalid)? / 1000;
        u32::try_from(seconds).ok().and_then(Self::new).ok_or_else(|| {
            Fault::out_of_range(&units(u64::from(LOW) * 1000), &units(u64::from(HIGH) * 1000))
        })
    }

    fn print(&self) -> String {
        units(u64::from(self.0) * 1000)
    }
}

/// Unit name and milliseconds, largest first.
const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 24 * 3_600_000),
    ("d", 24 * 3_600_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

/// Milliseconds as RouterOS prints a time: largest units first, zero units dropped, `0s`.
#[must_use]
pub fn units(mut milliseconds: u64) -> String {
    if milliseconds == 0 {
        return "0s".into();
    }
    let mut text = String::new();
    for (name, unit) in UNITS {
        if milliseconds >= unit {
            text.push_str(&format!("{}{name}", milliseconds / unit));
            milliseconds %= unit;
        }
    }
    text
}

/// Milliseconds as scripts see a time: `1w2d03:04:05`, `00:10:00`, `00:00:01.500`.
#[must_use]
pub fn clock(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let mut text = match (days / 7, days % 7) {
        (0, 0) => String::new(),
        (0, days) => format!("{days}d"),
        (weeks, 0) => format!("{weeks}w"),
        (weeks, days) => format!("{weeks}w{days}d"),
    };
    text.push_str(&format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60));
    match milliseconds % 1000 {
        0 => {}
        fraction => text.push_str(&format!(".{fraction:03}")),
    }
    text
}

/// Reads a time: plain seconds, units in any run, a clock part, or both (`1w2d03:04:05`,
/// `1d 00:00:00`). `None` if it is none of these or does not fit.
#[must_use]
pub fn milliseconds(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let after = rest.get(digits..)?;
        if after.starts_with(':') {
            return total.checked_add(clock_part(rest)?);
        }
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        let name_length = after.find(|c: char| !c.is_ascii_lowercase()).unwrap_or(after.len());
        let milliseconds = match after.get(..name_length)? {
            "" if after.is_empty() => number.checked_mul(1000)?,
            "us" => number / 1000,
            name => {
                let (_, unit) = UNITS.iter().find(|(unit, _)| *unit == name)?;
                number.checked_mul(*unit)?
            }
        };
        total = total.checked_add(milliseconds)?;
        rest = after.get(name_length..)?.trim_start();
    }
    Some(total)
}

/// `HH:MM:SS[.mmm]` or `HH:MM`.
fn clock_part(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let mut seconds: u64 = 0;
    let mut parts = 0;
    for part in whole.split(':') {
        let number: u64 = part.parse().ok()?;
        seconds = seconds.checked_mul(60)?.checked_add(number)?;
        parts += 1;
    }
    let seconds = match parts {
        2 => seconds.checked_mul(60)?,
        3 => seconds,
        _ => return None,
    };
    let fraction = match fraction {
        "" => 0,
        digits if digits.len() <= 3 => format!("{digits:0<3}").parse().ok()?,
        _ => return None,
    };
    seconds.checked_mul(1000)?.checked_add(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    type LeaseTime = Seconds<1, { u32::MAX }>;

    #[test]
    fn every_spelling_is_read_and_printed_in_units() {
        for (typed, printed) in [
            ("300", "5m"),
            ("1d", "1d"),
            ("2h45m", "2h45m"),
            ("1w2d03:04:05", "1w2d3h4m5s"),
            ("3d00:00:00", "3d"),
            ("1d 00:00:00", "1d"),
            ("01:30:00", "1h30m"),
            ("86700s", "1d5m"),
            ("7101w3d6h28m15s", "7101w3d6h28m15s"),
            ("1500ms", "1s"),
        ] {
            let time = LeaseTime::parse(typed).unwrap();
            assert_eq!(time.print(), printed, "{typed}");
            assert_eq!(LeaseTime::parse(printed).unwrap(), time);
        }
        assert_eq!(LeaseTime::parse("1w2d03:04:05").unwrap().seconds(), 788_645);
        assert_eq!(units(1500), "1s500ms");
        assert_eq!(clock(788_645_000), "1w2d03:04:05");
        assert_eq!(clock(600_500), "00:10:00.500");
    }

    #[test]
    fn a_time_outside_its_bounds_is_refused() {
        let message = |text| LeaseTime::parse(text).unwrap_err().message("lease-time");
        let range = "value of lease-time out of range (1s..7101w3d6h28m15s)";
        assert_eq!(message("8000w"), range);
        assert_eq!(message("0"), range);
        assert_eq!(message("4294967296"), range);
        for nonsense in ["", "soon", "1x", "1:2:3:4", "d", "-1", "1d-", "99999999999999999999"] {
            assert_eq!(message(nonsense), "invalid value for argument lease-time", "{nonsense}");
        }
    }
}
