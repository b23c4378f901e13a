//! Names that clients give themselves, made harmless.

/// The longest name that is kept, octets: what DNS allows in one name.
pub(super) const NAME_MAX: usize = 253;

/// The octets that every name may have anywhere but at its ends.
const IS_PLAIN: [bool; 256] = {
    let mut plain = [false; 256];
    let mut octet = 0;
    while octet < 256 {
        plain[octet] =
            (octet as u8).is_ascii_alphanumeric() || matches!(octet as u8, b'-' | b'_' | b'.');
        octet += 1;
    }
    plain
};

//= https://www.rfc-editor.org/rfc/rfc2132#section-2
//# the receiver of such options MUST be prepared to delete trailing nulls if they
//# exist.
//= https://www.rfc-editor.org/rfc/rfc2132#section-2
//# The receiver MUST NOT require that a trailing null be included in the data.
/// Appends the name to `out`: letters, digits, `-`, `_` and `.` stay, a space becomes `-`,
/// everything else goes; so it can stand in a log, a table, a zone or a script's environment.
pub(crate) fn clean_name(raw: &[u8], out: &mut String) {
    if raw.len() <= NAME_MAX
        && raw.iter().all(|octet| IS_PLAIN[usize::from(*octet)])
        && let Ok(name) = str::from_utf8(raw)
    {
        // Most names: nothing is in them that a name has not.
        out.push_str(name.trim_matches(['-', '.']));
        return;
    }
    let start = out.len();
    for chunk in raw.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let kept = match letter {
                ' ' => '-',
                '-' | '_' | '.' => letter,
                _ if letter.is_alphanumeric() => letter,
                _ => continue,
            };
            let leads = out.len() == start && matches!(kept, '-' | '.');
            if !leads && out.len() - start + kept.len_utf8() <= NAME_MAX {
                out.push(kept);
            }
        }
    }
    let end = start + out[start..].trim_end_matches(['-', '.']).len();
    out.truncate(end);
}

#[cfg(test)]
mod tests {
    fn clean(raw: &[u8]) -> String {
        let mut out = String::from("before ");
        super::clean_name(raw, &mut out);
        out["before ".len()..].to_owned()
    }

    //= https://www.rfc-editor.org/rfc/rfc2132#section-2
    //= type=test
    //# the receiver of such options MUST be prepared to delete trailing nulls if they
    //# exist.
    //= https://www.rfc-editor.org/rfc/rfc2132#section-2
    //= type=test
    //# The receiver MUST NOT require that a trailing null be included in the data.
    #[test]
    fn names_keep_what_names_are_made_of() {
        assert_eq!(clean(b"laptop-7.lan"), "laptop-7.lan");
        assert_eq!(clean("Küche".as_bytes()), "Küche");
        assert_eq!(clean(b"Galaxy S8\0\0"), "Galaxy-S8");
    }

    #[test]
    fn nothing_else_survives() {
        assert_eq!(clean(b"a;$(reboot)\n`x`%n%s\\\"'<b>"), "arebootxnsb");
        assert_eq!(clean(b"a\x80\xffb\x1b[31m"), "ab31m");
        for nothing in [&b""[..], b"\0", b"...", b"-- --", b"\xff\xfe", b";;"] {
            assert_eq!(clean(nothing), "", "{nothing:?}");
        }
    }

    #[test]
    fn a_long_name_is_cut_at_a_letter() {
        assert_eq!(clean(&[b'a'; 255]).len(), super::NAME_MAX);
        let umlauts = "ä".repeat(255);
        assert_eq!(clean(umlauts.as_bytes()), "ä".repeat(126));
    }
}
