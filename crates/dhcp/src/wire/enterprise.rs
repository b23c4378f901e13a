//! Options 124 and 125, in which each enterprise has a part of its own (RFC 3925).

/// The parts of a value in order: the enterprise's number and its data.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Enterprises<'a> {
    rest: &'a [u8],
}

impl<'a> Enterprises<'a> {
    /// The parts of a value as far as they add up.
    pub(crate) fn new(value: &'a [u8]) -> Self {
        Self { rest: value }
    }

    /// Whether the value is nothing but parts.
    pub(crate) fn adds_up(mut self) -> bool {
        self.by_ref().for_each(drop);
        self.rest.is_empty()
    }

    /// Whether there is a part of this enterprise.
    pub(crate) fn names(mut self, enterprise: u32) -> bool {
        self.any(|(it, _)| it == enterprise)
    }
}

impl<'a> Iterator for Enterprises<'a> {
    type Item = (u32, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (number, rest) = self.rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first()?;
        let (data, rest) = rest.split_at_checked(usize::from(*length))?;
        self.rest = rest;
        Some((u32::from_be_bytes(*number), data))
    }
}

/// Appends one part.
pub(crate) fn write_enterprise(number: u32, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&number.to_be_bytes());
    out.push(data.len() as u8);
    out.extend_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_until_one_is_cut_off() {
        let mut value = Vec::new();
        write_enterprise(4491, b"ab", &mut value);
        write_enterprise(9, b"", &mut value);
        let parts: Vec<_> = Enterprises::new(&value).collect();
        assert_eq!(parts, [(4491, &b"ab"[..]), (9, b"")]);
        assert!(Enterprises::new(&value).adds_up() && Enterprises::new(&value).names(9));
        value.pop();
        assert!(!Enterprises::new(&value).adds_up() && !Enterprises::new(&value).names(9));
    }
}
