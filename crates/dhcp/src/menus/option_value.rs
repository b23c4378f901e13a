//! Values of options: quoted texts, hexadecimal octets and variables, one after another; or,
//! beyond RouterOS, plainly in the form that the code has.

use core::net::Ipv4Addr;

use leasehold_routeros::{Fault, Value};

use super::option_form::Form;

/// One part of an option's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These octets.
    Octets(Vec<u8>),
    /// What the variable stands for when the option is sent.
    Variable(Variable),
}

/// What a `$(NAME)` stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {
    /// The client's host name.
    Hostname,
    /// First text that RADIUS gave.
    RadiusText1,
    /// Second text that RADIUS gave.
    RadiusText2,
    /// The relay's remote-id.
    RemoteId,
    /// The first gateway of the network entry.
    NetworkGateway,
}

/// The value of an option; its text is kept as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OptionValue {
    text: String,
    /// `None` where only the code tells what the text means.
    pieces: Option<Vec<Piece>>,
}

impl OptionValue {
    /// Whether only the code tells what the text means: RouterOS does not read such values.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.pieces.is_none()
    }

    /// The parts in order, if it is the value of an option with this code.
    ///
    /// # Errors
    ///
    /// The text is not of the code's form.
    pub fn pieces(&self, code: u8) -> Result<Vec<Piece>, Fault> {
        if let Some(pieces) = &self.pieces {
            return Ok(pieces.clone());
        }
        let form = Form::of(code).ok_or(Fault::Invalid)?;
        let octets = form.octets(self.text.trim());
        let octets = octets.ok_or(Fault::Rule { noun: Some("this code"), rule: form.rule() })?;
        Ok(vec![Piece::Octets(octets)])
    }
}

/// The octets of the parts without those of variables.
#[must_use]
pub(super) fn fixed(pieces: &[Piece]) -> Vec<u8> {
    let octets = |piece: &Piece| match piece {
        Piece::Octets(octets) => octets.clone(),
        Piece::Variable(_) => Vec::new(),
    };
    pieces.iter().flat_map(octets).collect()
}

impl Value for OptionValue {
    const EXAMPLE: &'static str = "'10.0.0.1'";

    fn describe() -> String {
        "sequence of `'address'`, `'number'`, `'text'`, `s'text'`, `0xoctets`, `$(VARIABLE)`, or \
         without quotes as the code is meant"
            .into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let is_routeros = ["'", "s'", "0x", "$"].iter().any(|sign| text.trim().starts_with(sign));
        let pieces = if is_routeros || text.trim().is_empty() {
            let (pieces, rest) = sequence(text);
            if !rest.is_empty() {
                return Err(Fault::Invalid);
            }
            Some(pieces)
        } else {
            None
        };
        Ok(Self { text: text.into(), pieces })
    }

    fn print(&self) -> String {
        self.text.clone()
    }
}

/// As many parts as there are, and what follows them.
fn sequence(text: &str) -> (Vec<Piece>, &str) {
    let (mut pieces, mut rest) = (Vec::new(), text.trim());
    while let Some((piece, after)) = piece(rest) {
        pieces.push(piece);
        rest = after;
    }
    (pieces, rest)
}

/// The octets of a sequence without variables, and what follows it.
pub(super) fn quoted(text: &str) -> Option<(Vec<u8>, &str)> {
    let (pieces, rest) = sequence(text);
    let is_fixed = pieces.iter().all(|piece| matches!(piece, Piece::Octets(_)));
    (is_fixed && !pieces.is_empty()).then(|| (fixed(&pieces), rest))
}

fn piece(text: &str) -> Option<(Piece, &str)> {
    if let Some(quoted) = text.strip_prefix("s'") {
        //= https://www.rfc-editor.org/rfc/rfc8910#section-2.1
        //# Note that the URI parameter is not null terminated.
        let (inner, after) = quoted.split_once('\'')?;
        return Some((Piece::Octets(inner.as_bytes().to_vec()), after));
    }
    if let Some(quoted) = text.strip_prefix('\'') {
        let (inner, after) = quoted.split_once('\'')?;
        return Some((Piece::Octets(guessed(inner)), after));
    }
    if let Some(hex) = text.strip_prefix("0x") {
        let length = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        let octets = leasehold_routeros::value::Hex::parse(hex.get(..length)?).ok()?.0;
        return Some((Piece::Octets(octets), hex.get(length..)?));
    }
    let (name, after) = text.strip_prefix("$(")?.split_once(')')?;
    let variable = match name {
        "HOSTNAME" => Variable::Hostname,
        "RADIUS_MT_STR1" => Variable::RadiusText1,
        "RADIUS_MT_STR2" => Variable::RadiusText2,
        "REMOTE_ID" => Variable::RemoteId,
        "NETWORK_GATEWAY" => Variable::NetworkGateway,
        _ => return None,
    };
    Some((Piece::Variable(variable), after))
}

/// A quoted text is an address or a number if it looks like one; a number takes the smallest of
/// one, two and four octets.
fn guessed(text: &str) -> Vec<u8> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return address.octets().to_vec();
    }
    match text.parse::<u32>() {
        Ok(number) if number <= 0xff => number.to_be_bytes()[3..].to_vec(),
        Ok(number) if number <= 0xffff => number.to_be_bytes()[2..].to_vec(),
        Ok(number) => number.to_be_bytes().to_vec(),
        Err(_) => text.as_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //= https://www.rfc-editor.org/rfc/rfc8910#section-2.1
    //= type=test
    //# Note that the URI parameter is not null terminated.
    #[test]
    fn values_have_the_octets_that_the_manual_shows() {
        for (text, octets) in [
            ("'test'", "74657374"),
            ("'10.10.10.10'", "0a0a0a0a"),
            ("s'10.10.10.10'", "31302e31302e31302e3130"),
            ("s'160'", "313630"),
            ("'10'", "0a"),
            ("'300'", "012c"),
            ("0x0a0a", "0a0a"),
            ("0x01'vards'$(HOSTNAME)", "017661726473"),
            ("", ""),
        ] {
            let value = OptionValue::parse(text).unwrap();
            let pieces = value.pieces(224).unwrap();
            let printed: String = fixed(&pieces).iter().map(|o| format!("{o:02x}")).collect();
            assert_eq!(printed, octets, "{text}");
            assert_eq!(value.print(), text);
        }
        let route = OptionValue::parse("0x18A00000$(NETWORK_GATEWAY)0x00").unwrap();
        assert_eq!(route.pieces(121).unwrap()[1], Piece::Variable(Variable::NetworkGateway));
        for nonsense in ["'a'b", "'a','b'", "'open", "0x1", "$(LEASE_IP)", "$HOSTNAME"] {
            assert_eq!(OptionValue::parse(nonsense), Err(Fault::Invalid), "{nonsense}");
        }
    }
    #[test]
    fn what_is_written_plainly_means_what_the_code_says() {
        let value = OptionValue::parse("10.0.0.0/8 via 67.9.97.1").unwrap();
        let octets = vec![8, 10, 67, 9, 97, 1];
        assert_eq!(value.pieces(121), Ok(vec![Piece::Octets(octets)]));
        let rule = Form::Addresses.rule();
        assert_eq!(value.pieces(6), Err(Fault::Rule { noun: Some("this code"), rule }));
        assert_eq!(value.pieces(224), Err(Fault::Invalid));
    }
}
