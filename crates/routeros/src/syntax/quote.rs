//! RouterOS's quoted strings: when a text needs quotes, what is escaped, and back.

/// Why a quoted string cannot be read; the offset counts octets from its opening quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadString {
    /// The closing quote is missing.
    Open,
    /// `\` is followed by something that is no escape.
    Escape(usize),
    /// `$name` or `$(…)`: there are no variables here.
    Variable(usize),
}

/// The text as a console word: quoted only if it has to be.
#[must_use]
pub fn when_needed(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-,:/*@+%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.into() } else { always(text) }
}

/// The text in quotes, with everything escaped that has a meaning there.
#[must_use]
pub fn always(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for octet in text.bytes() {
        match octet {
            b'"' | b'\\' | b'$' => quoted.extend(['\\', char::from(octet)]),
            b'\n' => quoted.push_str("\\n"),
            b'\r' => quoted.push_str("\\r"),
            b'\t' => quoted.push_str("\\t"),
            b' '..=b'~' => quoted.push(char::from(octet)),
            _ => quoted.push_str(&format!("\\{octet:02X}")),
        }
    }
    quoted.push('"');
    quoted
}

/// Reads the string at the beginning of `text`, which begins with a quote: its meaning, and how
/// many octets it takes.
///
/// # Errors
///
/// The string has no end, or an escape or a variable that does not exist here.
pub fn read(text: &str) -> Result<(String, usize), BadString> {
    let octets = text.as_bytes();
    let mut meaning = Vec::new();
    let mut at = 1;
    while let Some(&octet) = octets.get(at) {
        match octet {
            b'"' => return Ok((decoded(meaning), at + 1)),
            b'\\' => {
                let (octet, length) = escape(&octets[at + 1..]).ok_or(BadString::Escape(at))?;
                meaning.extend(octet);
                at += 1 + length;
            }
            b'$' if octets.get(at + 1).is_some_and(|&next| is_variable(next)) => {
                return Err(BadString::Variable(at));
            }
            _ => {
                meaning.push(octet);
                at += 1;
            }
        }
    }
    Err(BadString::Open)
}

/// The words of a line, plain or quoted; `None` if a quoted one cannot be read.
#[must_use]
pub fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    while !rest.is_empty() {
        let length = if rest.starts_with('"') {
            let (word, length) = read(rest).ok()?;
            words.push(word);
            length
        } else {
            let length = rest.find(' ').unwrap_or(rest.len());
            words.push(rest.get(..length)?.into());
            length
        };
        rest = rest.get(length..)?.trim_start();
    }
    Some(words)
}

/// What follows a `\`: the octet it stands for (none for a joined line) and how many octets it
/// takes.
fn escape(after: &[u8]) -> Option<(Option<u8>, usize)> {
    let plain = match *after.first()? {
        octet @ (b'"' | b'\\' | b'$' | b'?') => octet,
        b'_' => b' ',
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'v' => 11,
        b'\n' => return Some((None, 1 + blanks(after.get(1..)?))),
        b'\r' if after.get(1) == Some(&b'\n') => {
            return Some((None, 2 + blanks(after.get(2..)?)));
        }
        high => {
            let digit = |octet: u8| match octet {
                b'0'..=b'9' | b'A'..=b'F' => char::from(octet).to_digit(16),
                _ => None,
            };
            let octet = u8::try_from(digit(high)? * 16 + digit(*after.get(1)?)?).ok()?;
            return Some((Some(octet), 2));
        }
    };
    Some((Some(plain), 1))
}

/// The blanks that begin a joined line are not part of the string; RouterOS writes `\_` for one
/// that is.
fn blanks(line: &[u8]) -> usize {
    line.iter().take_while(|&&octet| octet == b' ').count()
}

fn is_variable(octet: u8) -> bool {
    octet.is_ascii_alphabetic() || matches!(octet, b'(' | b'{' | b'[' | b'_')
}

/// Octets that are no UTF-8 come from routers that used a one-octet code page: each is a letter.
fn decoded(octets: Vec<u8>) -> String {
    match String::from_utf8(octets) {
        Ok(text) => text,
        Err(other) => other.into_bytes().into_iter().map(char::from).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in
            ["", "a b", "say \"hi\"", "C:\\x", "$HOME", "tab\tnew\nline", "Straße 7", "\u{7}"]
        {
            let quoted = always(text);
            assert_eq!(read(&quoted), Ok((text.into(), quoted.len())), "{quoted}");
        }
        assert_eq!(always("a$b\"\\"), r#""a\$b\"\\""#);
        assert_eq!(always("ß"), r#""\C3\9F""#);
    }

    #[test]
    fn only_what_needs_quotes_gets_them() {
        for plain in ["isp-pool", "10.0.0.1-10.0.0.9,10.0.1.0/24", "AA:BB:CC:DD:EE:FF", "*1F"] {
            assert_eq!(when_needed(plain), plain);
        }
        for other in ["", "a b", "a=b", "'10'", "a;b", "[x]", "ü", "!x", "#"] {
            assert!(when_needed(other).starts_with('"'), "{other}");
        }
    }

    #[test]
    fn every_escape_is_read() {
        let (text, _) = read(r#""\"\\\n\r\t\$\_\a\b\f\v\41\?""#).unwrap();
        assert_eq!(text, "\"\\\n\r\t$ \u{7}\u{8}\u{c}\u{b}A?");
        assert_eq!(read("\"one\\\n    two\""), Ok(("onetwo".into(), 14)));
        assert_eq!(read("\"one\\\n    \\_two\""), Ok(("one two".into(), 16)));
        assert_eq!(read(r#""\C3\F1""#), Ok(("Ãñ".into(), 8)), "no UTF-8: a code page");
        assert_eq!(read(r#""cost 5$""#), Ok(("cost 5$".into(), 9)));
    }

    #[test]
    fn bad_strings_are_refused_where_they_go_wrong() {
        assert_eq!(read("\"open"), Err(BadString::Open));
        assert_eq!(read(r#""ab\q""#), Err(BadString::Escape(3)));
        assert_eq!(read(r#""\4g""#), Err(BadString::Escape(1)));
        assert_eq!(read(r#""\ff""#).map(|(text, _)| text), Ok("\u{c}f".into()));
        assert_eq!(read(r#""a $name""#), Err(BadString::Variable(3)));
        assert_eq!(words(r#"/ip/pool *1 "a b""#).unwrap(), ["/ip/pool", "*1", "a b"]);
    }
}
