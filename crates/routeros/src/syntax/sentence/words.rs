//! Words with their lengths in front, and the empty word that ends a sentence.

use core::fmt;

/// What a peer may send before it is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Words of one sentence.
    pub words: usize,
    /// Octets of one sentence, lengths included.
    pub octets: usize,
}

impl Limits {
    /// For peers that have not logged in.
    pub const STRANGER: Self = Self { words: 64, octets: 64 << 10 };
    /// For users.
    pub const USER: Self = Self { words: 64 << 10, octets: 16 << 20 };
}

/// Why a stream is no sequence of sentences; the connection is of no use then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A length that begins with a reserved octet.
    ReservedLength,
    /// More words or octets than allowed.
    TooLong,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ReservedLength => "reserved length of a word",
            Self::TooLong => "sentence is too long",
        })
    }
}

impl core::error::Error for Broken {}

/// Reads the first sentence of a buffer: its words, and the octets it takes. `None` if it is not
/// complete yet. An empty sentence has no words.
///
/// # Errors
///
/// The stream is broken. A length beyond the limits is found out before its word has arrived.
pub fn read(buffer: &[u8], limits: Limits) -> Result<Option<(Vec<String>, usize)>, Broken> {
    let mut words = Vec::new();
    let mut at = 0;
    loop {
        let Some((length, size)) = length(&buffer[at..])? else { return Ok(None) };
        at += size;
        if length == 0 {
            return Ok(Some((words, at)));
        }
        if words.len() >= limits.words || length > limits.octets.saturating_sub(at) {
            return Err(Broken::TooLong);
        }
        let Some(word) = buffer.get(at..at + length) else { return Ok(None) };
        words.push(String::from_utf8_lossy(word).into_owned());
        at += length;
    }
}

/// Appends a sentence to a buffer.
pub fn write<'a>(buffer: &mut Vec<u8>, words: impl IntoIterator<Item = &'a str>) {
    for word in words {
        write_length(buffer, word.len());
        buffer.extend_from_slice(word.as_bytes());
    }
    buffer.push(0);
}

/// A length, and how many octets it takes; `None` if it has not arrived.
fn length(buffer: &[u8]) -> Result<Option<(usize, usize)>, Broken> {
    let Some(&first) = buffer.first() else { return Ok(None) };
    let (size, high) = match first {
        0..=0x7f => (1, first),
        0x80..=0xbf => (2, first & 0x3f),
        0xc0..=0xdf => (3, first & 0x1f),
        0xe0..=0xef => (4, first & 0x0f),
        0xf0..=0xf7 => (5, 0),
        0xf8.. => return Err(Broken::ReservedLength),
    };
    let Some(rest) = buffer.get(1..size) else { return Ok(None) };
    let length =
        rest.iter().fold(usize::from(high), |length, octet| length << 8 | usize::from(*octet));
    Ok(Some((length, size)))
}

fn write_length(buffer: &mut Vec<u8>, length: usize) {
    let octets = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
    match length {
        0..=0x7f => buffer.push(octets[3]),
        0x80..=0x3fff => buffer.extend([octets[2] | 0x80, octets[3]]),
        0x4000..=0x1f_ffff => buffer.extend([octets[1] | 0xc0, octets[2], octets[3]]),
        0x20_0000..=0xfff_ffff => {
            buffer.extend([octets[0] | 0xe0, octets[1], octets[2], octets[3]]);
        }
        _ => {
            buffer.push(0xf0);
            buffer.extend(octets);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LARGE: Limits = Limits { words: 10, octets: 1 << 30 };

    #[test]
    fn lengths_are_coded_as_the_manual_says() {
        let coded = |length| {
            let mut buffer = Vec::new();
            write_length(&mut buffer, length);
            assert_eq!(super::length(&buffer), Ok(Some((length, buffer.len()))));
            buffer
        };
        assert_eq!(coded(0x7f), [0x7f]);
        assert_eq!(coded(0x80), [0x80, 0x80]);
        assert_eq!(coded(0x3fff), [0xbf, 0xff]);
        assert_eq!(coded(0x4000), [0xc0, 0x40, 0x00]);
        assert_eq!(coded(0x1f_ffff), [0xdf, 0xff, 0xff]);
        assert_eq!(coded(0x20_0000), [0xe0, 0x20, 0x00, 0x00]);
        assert_eq!(coded(0xfff_ffff), [0xef, 0xff, 0xff, 0xff]);
        assert_eq!(coded(0x1000_0000), [0xf0, 0x10, 0x00, 0x00, 0x00]);
    }

    #[test]
    fn sentences_are_read_as_they_arrive() {
        let long = "x".repeat(20_000);
        let mut buffer = Vec::new();
        write(&mut buffer, ["/login", "=name=ä", &long]);
        let whole = buffer.len();
        write(&mut buffer, ["next"]);
        for cut in 0..whole {
            assert_eq!(read(&buffer[..cut], LARGE), Ok(None), "{cut}");
        }
        let words = vec!["/login".to_owned(), "=name=ä".to_owned(), long];
        assert_eq!(read(&buffer, LARGE), Ok(Some((words, whole))));
        assert_eq!(read(&[0], LARGE), Ok(Some((vec![], 1))));
    }

    #[test]
    fn a_stream_beyond_its_limits_is_cut_before_it_arrives() {
        let limits = Limits { words: 2, octets: 100 };
        let mut buffer = Vec::new();
        write(&mut buffer, ["a", "b", "c"]);
        assert_eq!(read(&buffer, limits), Err(Broken::TooLong));
        assert_eq!(read(&[0xef, 0xff, 0xff, 0xff], limits), Err(Broken::TooLong));
        assert_eq!(read(&[0xf0, 0xff, 0xff, 0xff, 0xff], limits), Err(Broken::TooLong));
        assert_eq!(read(&[0xf8], limits), Err(Broken::ReservedLength));
        assert_eq!(read(&[0xff, 0, 0], limits), Err(Broken::ReservedLength));
    }
}
