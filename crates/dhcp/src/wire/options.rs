//! The options of a datagram: walked once, repeats joined, the order kept.

use core::net::Ipv4Addr;
use core::ops::Range;

use super::{HEADER, code};

/// Where the options are besides the options field.
const FILE: Range<usize> = 108..236;
const SNAME: Range<usize> = 44..108;

/// The longest piece of an option, and where RFC 3396 splits longer ones.
const PIECE: usize = 255;

/// Where the value of one code is.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// The walk that saw it: a slot of an earlier one is empty.
    walk: u64,
    /// Into the datagram, or into `joined` if there is more than one piece.
    start: usize,
    length: usize,
    pieces: usize,
}

/// The memory of a walk, reused from datagram to datagram.
#[derive(Debug)]
pub(crate) struct Index {
    walk: u64,
    slots: Box<[Slot; 256]>,
    order: Vec<u8>,
    joined: Vec<u8>,
    agent_twice: bool,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            walk: 0,
            slots: Box::new([Slot::default(); 256]),
            order: Vec::with_capacity(64),
            joined: Vec::new(),
            agent_twice: false,
        }
    }
}

impl Index {
    /// Walks the options of `datagram`, which has a whole header.
    pub(crate) fn walk<'a>(&'a mut self, datagram: &'a [u8]) -> Options<'a> {
        self.forget();
        self.area(datagram, HEADER..datagram.len());
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# The options in the 'options' field
        //# MUST be interpreted first, so that any 'option overload' options may
        //# be interpreted.
        let overload = match self.piece(datagram, code::OVERLOAD) {
            Some(&[overload @ 1..=3]) => overload,
            _ => 0,
        };
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# The 'file' field MUST be interpreted next
        //= https://www.rfc-editor.org/rfc/rfc3396#section-5
        //# The aggregate option buffer is made up of the optional parameters field, the file field,
        //# and the sname field, in that order.
        //= https://www.rfc-editor.org/rfc/rfc3396#section-5
        //# the buffers MUST appear in the locations in the DHCP packet
        //= https://www.rfc-editor.org/rfc/rfc3396#section-5
        //# If the encoding agent does not choose to use either or both of these two fields, then
        //# they MUST NOT be considered part of the aggregate option buffer in that case.
        if overload & 1 != 0 {
            self.area(datagram, FILE);
        }
        if overload & 2 != 0 {
            self.area(datagram, SNAME);
        }
        if self.order.iter().any(|&code| self.slots[usize::from(code)].pieces > 1) {
            self.join(datagram, overload);
        }
        Options { index: self, datagram }
    }

    fn forget(&mut self) {
        self.walk += 1;
        self.order.clear();
        self.joined.clear();
        self.agent_twice = false;
    }

    fn area(&mut self, datagram: &[u8], area: Range<usize>) {
        for (code, piece) in pieces(datagram, area) {
            //= https://www.rfc-editor.org/rfc/rfc3396#section-7
            //# When a decoding agent is scanning an incoming DHCP packet's option buffer and finds
            //# two or more options with the same option code, it MUST consider them to be split
            //# portions of an option
            let slot = &mut self.slots[usize::from(code)];
            if slot.walk != self.walk {
                let (start, length) = (piece.start, piece.len());
                *slot = Slot { walk: self.walk, start, length, pieces: 1 };
                self.order.push(code);
                continue;
            }
            // A relay agent's option that is too long for one piece is one option; any other
            // repetition of it is two relays' work, or somebody's lie.
            let continued = slot.pieces == 1
                && slot.length == PIECE
                && slot.start + slot.length + 2 == piece.start;
            self.agent_twice |= code == code::RELAY_AGENT && !continued;
            slot.length += piece.len();
            slot.pieces += 1;
        }
    }

    fn piece<'a>(&self, datagram: &'a [u8], code: u8) -> Option<&'a [u8]> {
        let slot = self.slots[usize::from(code)];
        (slot.walk == self.walk && slot.pieces == 1)
            .then(|| &datagram[slot.start..slot.start + slot.length])
    }

    //= https://www.rfc-editor.org/rfc/rfc3396#section-7
    //# In the case that a decoding agent finds a split option, it MUST treat the contents of that
    //# option as a single option, and the contents MUST be reassembled in the order that was
    //# described above under encoding agent behavior.
    //= https://www.rfc-editor.org/rfc/rfc3396#section-4
    //# the agent MUST concatenate these separate instances of the same option in the way that we
    //# specify here.
    /// Gives every code that came in pieces a run of `joined`, then fills all runs in one walk.
    //= https://www.rfc-editor.org/rfc/rfc3925#section-3
    //# Multiple instances of this option may be present and MUST be concatenated in accordance with
    //# RFC 3396
    //= https://www.rfc-editor.org/rfc/rfc3925#section-4
    //# Multiple instances of this option may be present and MUST be concatenated in accordance with
    //# RFC 3396
    fn join(&mut self, datagram: &[u8], overload: u8) {
        let mut end = 0;
        for &code in &self.order {
            let slot = &mut self.slots[usize::from(code)];
            if slot.pieces > 1 {
                slot.start = end;
                end += slot.length;
                slot.length = 0;
            }
        }
        self.joined.resize(end, 0);
        let file = if overload & 1 != 0 { FILE } else { 0..0 };
        let sname = if overload & 2 != 0 { SNAME } else { 0..0 };
        for area in [HEADER..datagram.len(), file, sname] {
            for (code, piece) in pieces(datagram, area) {
                let slot = &mut self.slots[usize::from(code)];
                if slot.pieces > 1 {
                    let at = slot.start + slot.length;
                    self.joined[at..at + piece.len()].copy_from_slice(&datagram[piece.clone()]);
                    slot.length += piece.len();
                }
            }
        }
    }
}

/// Code and place of each option of an area, up to its END or to the first that is cut off.
fn pieces(datagram: &[u8], area: Range<usize>) -> impl Iterator<Item = (u8, Range<usize>)> + '_ {
    let mut at = area.start;
    core::iter::from_fn(move || {
        loop {
            match *datagram.get(at).filter(|_| at < area.end)? {
                code::PAD => at += 1,
                code::END => return None,
                code => {
                    let length = *datagram.get(at + 1).filter(|_| at + 1 < area.end)?;
                    let value = at + 2..at + 2 + usize::from(length);
                    at = value.end;
                    return (value.end <= area.end).then_some((code, value));
                }
            }
        }
    })
}

/// The options of one datagram; each value is whole, whatever pieces it came in.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    index: &'a Index,
    datagram: &'a [u8],
}

impl<'a> Options<'a> {
    //= https://www.rfc-editor.org/rfc/rfc3396#section-7
    //# the decoding agent MUST reassemble the split option parts into a single object, and MUST NOT
    //# treat each split portion of the option as a separate object.
    //= https://www.rfc-editor.org/rfc/rfc3396#section-4
    //# However, an implementation which supports any concatenation-requiring option MUST be capable
    //# of concatenating received options for both concatenation-requiring and
    //# non-concatenation-requiring options.
    /// The value of the option with this code.
    #[must_use]
    pub fn get(&self, code: u8) -> Option<&'a [u8]> {
        let slot = self.index.slots[usize::from(code)];
        if slot.walk != self.index.walk {
            return None;
        }
        let bytes = if slot.pieces > 1 { &self.index.joined[..] } else { self.datagram };
        bytes.get(slot.start..slot.start + slot.length)
    }

    /// The value, if it has exactly `N` octets: for options of fixed size.
    #[must_use]
    pub fn array<const N: usize>(&self, code: u8) -> Option<[u8; N]> {
        self.get(code)?.try_into().ok()
    }

    /// The value, if it is one address.
    #[must_use]
    pub fn address(&self, code: u8) -> Option<Ipv4Addr> {
        self.array::<4>(code).map(Ipv4Addr::from)
    }

    /// The codes in the order in which they first appear.
    pub fn codes(&self) -> impl Iterator<Item = u8> + 'a {
        self.index.order.iter().copied()
    }

    /// Whether more than one relay agent claims to have added option 82.
    pub(super) fn agent_twice(&self) -> bool {
        self.index.agent_twice
    }
}
