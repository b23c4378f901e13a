//! Rates of a client: `rx[/tx] [burst[/…] [threshold[/…] [time[/…] [priority [minimum[/…]]]]]]`.

use leasehold_routeros::{Fault, Value};

/// Bits per second towards the server (`rx`) and towards the client (`tx`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// From the client.
    pub rx: u64,
    /// To the client.
    pub tx: u64,
}

/// A rate with its burst; the text is kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateLimit {
    text: String,
    /// The rate that holds in the long run.
    pub rate: Rate,
    /// The rate while the average is below the threshold.
    pub burst: Option<Rate>,
    /// The average below which bursts are allowed.
    pub threshold: Option<Rate>,
    /// Seconds over which the average is taken, from and to the client.
    pub time: Option<Rate>,
}

impl Value for RateLimit {
    const EXAMPLE: &'static str = "64k/128M";

    fn describe() -> String {
        "rate limit".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let parts: Vec<&str> = text.split_whitespace().collect();
        let part = |at: usize| parts.get(at).map(|part| pair(part)).transpose();
        let rate = part(0)?.ok_or(Fault::Invalid)?;
        let (burst, threshold, time) = (part(1)?, part(2)?, part(3)?);
        // A priority and a guaranteed rate may follow; they have no meaning without queues.
        if parts.len() > 6 || parts.get(4).is_some_and(|priority| priority.parse::<u8>().is_err()) {
            return Err(Fault::Invalid);
        }
        part(5)?;
        Ok(Self { text: parts.join(" "), rate, burst, threshold, time })
    }

    fn print(&self) -> String {
        self.text.clone()
    }
}

fn pair(text: &str) -> Result<Rate, Fault> {
    let (rx, tx) = text.split_once('/').unwrap_or((text, text));
    Ok(Rate { rx: number(rx)?, tx: number(tx)? })
}

fn number(text: &str) -> Result<u64, Fault> {
    let (digits, factor) = match text.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1000),
        None => match text.strip_suffix('M') {
            Some(digits) => (digits, 1_000_000),
            None => text.strip_suffix('G').map_or((text, 1), |digits| (digits, 1_000_000_000)),
        },
    };
    let number: u64 = digits.parse().map_err(|_| Fault::Invalid)?;
    number.checked_mul(factor).ok_or(Fault::Invalid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_as_radius_writes_them() {
        let limit = RateLimit::parse("64k/128M").unwrap();
        assert_eq!(limit.rate, Rate { rx: 64_000, tx: 128_000_000 });
        assert_eq!(limit.burst, None);
        let limit = RateLimit::parse("64k/64k 256k/256k 128k/128k 10/10").unwrap();
        assert_eq!(limit.time, Some(Rate { rx: 10, tx: 10 }));
        assert_eq!(
            RateLimit::parse("64k 256k").unwrap().burst,
            Some(Rate { rx: 256_000, tx: 256_000 })
        );
        for nonsense in ["", "fast", "1/2/3", "64q", "99999999999G"] {
            assert_eq!(RateLimit::parse(nonsense), Err(Fault::Invalid), "{nonsense}");
        }
    }
}
