//! Option 81: the name that a client goes by, in either encoding (RFC 4702).

use super::text::{NAME_MAX, clean_name};

/// The client asks the server to update the address record.
const S: u8 = 0b0001;
/// The server did not do as the client's S asked.
const O: u8 = 0b0010;
/// The name is in DNS's own form; else it is text.
const E: u8 = 0b0100;
/// The server updates nothing.
const N: u8 = 0b1000;

/// RCODE1 and RCODE2 mean nothing any more.
const RCODE: u8 = 255;

/// The longest label of a name, octets.
const LABEL_MAX: usize = 63;

/// A legal option 81.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ClientFqdn<'a> {
    flags: u8,
    name: &'a [u8],
}

impl<'a> ClientFqdn<'a> {
    /// Reads an option's value; none where its labels do not add up.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-2.1
    //# DHCP clients and servers that send the Client FQDN option MUST clear the MBZ bits, and they
    //# MUST ignore these bits.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-2.2
    //# A server SHOULD set these to 255 when sending the option and MUST ignore them on receipt.
    pub(super) fn new(value: &'a [u8]) -> Option<Self> {
        let [flags, _rcode1, _rcode2, name @ ..] = value else { return None };
        let fqdn = Self { flags: flags & (S | E), name };
        let mut rest = name;
        while fqdn.is_binary() {
            match rest {
                [] | [0] => break,
                [length, tail @ ..] => {
                    let length =
                        Some(usize::from(*length)).filter(|it| (1..=LABEL_MAX).contains(it));
                    rest = tail.split_at_checked(length?)?.1;
                }
            }
        }
        Some(fqdn)
    }

    //= https://www.rfc-editor.org/rfc/rfc4702#section-2.3.1
    //# Server implementations SHOULD be aware that clients that send the Client FQDN option with
    //# the "E" bit set to 0 are using an ASCII encoding of the Domain Name field.
    fn is_binary(&self) -> bool {
        self.flags & E != 0
    }

    /// Whether the client knows the zone that its name is in: a name ends with the root, and a
    /// text that has a dot is taken for one.
    fn is_complete(&self) -> bool {
        match self.is_binary() {
            true => self.name.last() == Some(&0),
            false => self.name.trim_ascii_end().contains(&b'.'),
        }
    }

    /// Appends the name to `out` as text, cleaned.
    pub(crate) fn name(&self, out: &mut String) {
        if !self.is_binary() {
            return clean_name(self.name, out);
        }
        let start = out.len();
        let mut rest = self.name;
        while let [length, tail @ ..] = rest
            && *length > 0
        {
            let (label, tail) = tail.split_at(usize::from(*length).min(tail.len()));
            let end = out.len();
            if end > start {
                out.push('.');
            }
            let begun = out.len();
            clean_name(label, out);
            if out.len() == begun || out.len() - start > NAME_MAX {
                out.truncate(end);
            }
            rest = tail;
        }
    }

    /// Appends the option's value of a reply: `name` in the client's encoding, in `domain` if the
    /// client knows no zone.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-4
    //# The server sets to 0 the "S", "O", and "N" bits in its copy of the option it will return to
    //# the client. The server copies the client's "E" bit.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-4
    //# The server SHOULD set the RCODE1 and RCODE2 fields to 255 before sending the Client FQDN
    //# message to the client in a DHCPOFFER or DHCPACK.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-4
    //# The server SHOULD send its notion of the complete FQDN for the client in the Domain Name
    //# field.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-4
    //# The server MUST use the same encoding format (ASCII or DNS binary encoding) that the client
    //# used in the Client FQDN option in its DHCPDISCOVER or DHCPREQUEST, and it MUST set the "E"
    //# bit in the option's Flags field accordingly.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-2.1
    //# This encoding SHOULD be used by clients and MUST be supported by servers.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-2.1
    //# A server MUST use the same encoding as that used by the client.
    pub(crate) fn answer(&self, name: &str, domain: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(&[self.answered_flags(), RCODE, RCODE]);
        let domain = domain.trim_matches('.');
        let fits = name.len() + 1 + domain.len() <= NAME_MAX;
        let completed = !name.is_empty() && !domain.is_empty() && fits && !self.is_complete();
        let domain = if completed { domain } else { "" };
        //= https://www.rfc-editor.org/rfc/rfc4702#section-2.3
        //# In order to determine whether the FQDN has changed between message exchanges, the client
        //# and server MUST NOT alter the Domain Name field contents unless the FQDN has actually
        //# changed.
        let rooted = completed || (self.is_complete() && !name.is_empty());
        match self.is_binary() {
            true => {
                let labels = name.split('.').chain(domain.split('.'));
                for label in labels.filter(|label| (1..=LABEL_MAX).contains(&label.len())) {
                    out.push(label.len() as u8);
                    out.extend_from_slice(label.as_bytes());
                }
                out.extend(rooted.then_some(0));
            }
            false => {
                out.extend_from_slice(name.as_bytes());
                out.extend(completed.then_some(b'.'));
                out.extend_from_slice(domain.as_bytes());
                let said_root = rooted && self.name.trim_ascii_end().ends_with(b".");
                out.extend(said_root.then_some(b'.'));
            }
        }
    }

    /// What the flags of a reply say: this server updates no DNS zone.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-2.1
    //# A server sets the "N" bit to indicate whether the server SHALL (0) or SHALL NOT (1) perform
    //# DNS updates.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-4
    //# If the client's "N" bit is 1 and the server's configuration allows it to honor the client's
    //# request for no server initiated DNS updates, the server sets the "N" bit to 1.
    //= https://www.rfc-editor.org/rfc/rfc4702#section-2.1
    //# If the "N" bit is 1, the "S" bit MUST be 0.
    fn answered_flags(&self) -> u8 {
        //= https://www.rfc-editor.org/rfc/rfc4702#section-2.1
        //# A server MUST set this bit to 1 if the "S" bit in its reply to the client does not match
        //# the "S" bit received from the client.
        //= https://www.rfc-editor.org/rfc/rfc4702#section-4
        //# If the server's "S" bit does not match the client's "S" bit, the server sets the "O" bit
        //# to 1.
        let overridden = if self.flags & S != 0 { O } else { 0 };
        self.flags & E | N | overridden
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(value: &[u8], domain: &str) -> Option<(u8, Vec<u8>)> {
        let fqdn = ClientFqdn::new(value)?;
        let (mut name, mut out) = (String::new(), Vec::new());
        fqdn.name(&mut name);
        fqdn.answer(&name, domain, &mut out);
        assert_eq!(out[1..3], [255, 255]);
        Some((out[0], out[3..].to_vec()))
    }

    #[test]
    fn a_complete_name_comes_back_as_it_was_sent() {
        for name in [&b"\x02Pc\x03lan\0"[..], b"\x02pc\x07example\x03net\0"] {
            let value = [&[E | S, 0, 0], name].concat();
            assert_eq!(answer(&value, "other.net"), Some((E | N | O, name.to_vec())));
        }
        for name in ["pc.example.net", "Pc.lan."] {
            let value = [&[0, 3, 7], name.as_bytes()].concat();
            assert_eq!(answer(&value, "other.net"), Some((N, name.into())));
        }
    }

    #[test]
    fn a_partial_name_is_completed_where_there_is_a_domain() {
        let binary = [E, 0, 0, 2, b'p', b'c'];
        assert_eq!(answer(&binary, "lan").unwrap().1, b"\x02pc\x03lan\0");
        assert_eq!(answer(&binary, "").unwrap().1, b"\x02pc");
        assert_eq!(answer(&[S, 0, 0, b'p', b'c'], "lan."), Some((N | O, b"pc.lan".to_vec())));
        assert_eq!(answer(&[0, 0, 0], "lan").unwrap().1, b"");
        assert_eq!(answer(&[E, 0, 0, 0], "lan").unwrap().1, b"");
    }

    #[test]
    fn labels_that_do_not_add_up_are_no_name() {
        for name in [&[5, b'a'][..], &[0xc0, 0], &[64], &[1, b'a', 0, 1], &[0, 0]] {
            assert_eq!(ClientFqdn::new(&[&[E, 0, 0], name].concat()), None, "{name:?}");
        }
        assert_eq!(ClientFqdn::new(&[0, 0]), None);
    }

    #[test]
    fn a_name_is_cleaned_and_never_too_long() {
        let label = [&[63][..], &[b'a'; 63]].concat();
        let value = [&[E, 0, 0][..], &label.repeat(5), &[0]].concat();
        let (_, name) = answer(&value, "lan").unwrap();
        assert_eq!(name.len(), 3 * 64 + 1);
        assert_eq!(answer(b"\x04\0\0\x03a;b\x01$\0", "").unwrap().1, b"\x02ab\0");
    }
}
