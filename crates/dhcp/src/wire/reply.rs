//! A reply's bytes: the one place that knows the order of options and the room for them.

use core::net::Ipv4Addr;
use core::ops::Range;

use super::{COOKIE, HEADER, code};

/// BOOTP relays and clients drop what is shorter (RFC 1542 § 2.1).
const LENGTH_MIN: usize = 300;

const FILE: Range<usize> = 108..236;
const SNAME: Range<usize> = 44..108;

/// Octets of the longest piece of an option.
const PIECE: usize = 255;

/// Octets that option 52 takes.
const OVERLOAD_LENGTH: usize = 3;

/// The fixed fields of a reply. What is not here is zero.
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    /// Hardware type.
    pub htype: u8,
    /// Octets of `chaddr` that count.
    pub hlen: u8,
    /// Copied from the request.
    pub xid: u32,
    /// Copied from the request.
    pub flags: u16,
    /// Copied from a REQUEST or an INFORM.
    pub ciaddr: Ipv4Addr,
    /// The client's address.
    pub yiaddr: Ipv4Addr,
    /// The server to boot from.
    pub siaddr: Ipv4Addr,
    /// Copied from the request.
    pub giaddr: Ipv4Addr,
    /// Copied from the request.
    pub chaddr: [u8; 16],
    /// The boot file, at most 127 octets; longer ones have to go into option 67.
    pub file: &'a [u8],
    /// Whether options follow: a BOOTP client that sent no cookie gets none.
    pub cookie: bool,
}

/// The options of a reply as they are gathered; its memory is reused.
///
/// Each code counts once, the first time. They are written in the order in which they were added,
/// but the subnet mask before the router, and option 82 last.
#[derive(Debug, Default)]
pub struct Reply {
    options: Vec<Gathered>,
    /// The options as they are written, in their order: code, length, value; a long one in pieces.
    encoded: Vec<u8>,
    present: [u64; 4],
    required: usize,
}

#[derive(Clone, Copy, Debug)]
struct Gathered {
    code: u8,
    /// Where it ends in what is encoded; the next one begins there.
    end: usize,
}

/// Free octets of an area that options can be put into.
struct Area {
    at: usize,
    end: usize,
}

impl Reply {
    /// Forgets everything.
    pub fn clear(&mut self) {
        self.options.clear();
        self.encoded.clear();
        self.present = [0; 4];
        self.required = 0;
    }

    /// Whether the option is there already.
    #[must_use]
    pub fn has(&self, code: u8) -> bool {
        self.present[usize::from(code / 64)] & 1 << (code % 64) != 0
    }

    /// Adds an option, unless it is there.
    #[inline]
    pub fn option(&mut self, code: u8, value: &[u8]) {
        if self.takes(code) {
            let start = self.encoded.len();
            match u8::try_from(value.len()) {
                Ok(length) => {
                    self.encoded.reserve(2 + value.len());
                    self.encoded.extend_from_slice(&[code, length]);
                    self.encoded.extend_from_slice(value);
                }
                Err(_) => write_option(code, value, &mut self.encoded),
            }
            self.gathered(code, start);
        }
    }

    /// Adds an option whose value `write` appends, unless it is there or `write` has none.
    pub fn option_with(&mut self, code: u8, write: impl FnOnce(&mut Vec<u8>) -> bool) {
        if !self.takes(code) {
            return;
        }
        let start = self.encoded.len();
        self.encoded.extend_from_slice(&[code, 0]);
        if !write(&mut self.encoded) {
            self.encoded.truncate(start);
            return;
        }
        let value = start + 2;
        match u8::try_from(self.encoded.len() - value) {
            Ok(length) => self.encoded[start + 1] = length,
            Err(_) => {
                let long = self.encoded.split_off(value);
                self.encoded.truncate(start);
                write_option(code, &long, &mut self.encoded);
            }
        }
        self.gathered(code, start);
    }

    /// Adds an option of addresses, unless it is there or there are none.
    //= https://www.rfc-editor.org/rfc/rfc2132#section-3.5
    //# Routers SHOULD be listed in order of preference.
    //= https://www.rfc-editor.org/rfc/rfc2132#section-3.5
    //# The minimum length for the router option is 4 octets, and the length MUST always be a
    //# multiple of 4.
    //= https://www.rfc-editor.org/rfc/rfc2132#section-3.8
    //# Servers SHOULD be listed in order of preference.
    //= https://www.rfc-editor.org/rfc/rfc2132#section-3.8
    //# The minimum length for this option is 4 octets, and the length MUST always be a multiple of
    //# 4.
    //= https://www.rfc-editor.org/rfc/rfc2132#section-8.3
    //# Servers SHOULD be listed in order of preference.
    //= https://www.rfc-editor.org/rfc/rfc2132#section-8.3
    //# Its minimum length is 4, and the length MUST be a multiple of 4.
    //= https://www.rfc-editor.org/rfc/rfc2132#section-8.5
    //# The minimum length of the option is 4 octets, and the length must always be a multiple of 4.
    pub fn addresses(&mut self, code: u8, addresses: &[Ipv4Addr]) {
        self.option_with(code, |out| {
            addresses.iter().for_each(|address| out.extend_from_slice(&address.octets()));
            !addresses.is_empty()
        });
    }

    fn takes(&self, code: u8) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# The server MUST include each requested parameter only once
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# Options may appear only once, unless otherwise specified in the options document.
        !self.has(code) && !matches!(code, code::PAD | code::END | code::RELAY_AGENT)
    }

    /// The option stands in `encoded` from `start` to the end.
    fn gathered(&mut self, code: u8, start: usize) {
        self.options.push(Gathered { code, end: self.encoded.len() });
        //= https://www.rfc-editor.org/rfc/rfc2132#section-3.3
        //# If both the subnet mask and the router option are specified in a DHCP
        //# reply, the subnet mask option MUST be first.
        if code == code::SUBNET_MASK && self.has(code::ROUTER) {
            self.move_before_router(start);
        }
        self.present[usize::from(code / 64)] |= 1 << (code % 64);
    }

    /// Moves the last option, which stands in `encoded` from `start` to the end.
    #[cold]
    fn move_before_router(&mut self, start: usize) {
        let router = self.options.iter().position(|option| option.code == code::ROUTER);
        let (Some(router), Some(mut moved)) = (router, self.options.pop()) else { return };
        let (length, to) = (self.encoded.len() - start, self.start_of(router));
        self.encoded[to..].rotate_right(length);
        self.options[router..].iter_mut().for_each(|option| option.end += length);
        moved.end = to + length;
        self.options.insert(router, moved);
    }

    /// Where an option begins in `encoded`.
    fn start_of(&self, option: usize) -> usize {
        option.checked_sub(1).map_or(0, |before| self.options[before].end)
    }

    /// What was added until now has to be in the main area, and is never left out.
    pub fn require(&mut self) {
        self.required = self.options.len();
    }

    /// Appends the reply to `out`, at most `limit` octets of it where the required options and
    /// option 82 leave that choice. What does not fit goes into `file` and `sname`, or is left out,
    /// later options first.
    pub fn write(
        &self,
        header: &Header<'_>,
        relay_agent: Option<&[u8]>,
        limit: usize,
        out: &mut Vec<u8>,
    ) {
        let start = out.len();
        out.reserve(HEADER + self.encoded.len() + LENGTH_MIN);
        write_header(header, out);
        if header.cookie {
            let agent = relay_agent.map_or(0, encoded_length);
            if HEADER + self.encoded.len() + agent < limit {
                out.extend_from_slice(&self.encoded);
            } else {
                self.write_crowded(start, limit.saturating_sub(agent + 1), header, out);
            }
            //= https://www.rfc-editor.org/rfc/rfc3046#section-2.2
            //# DHCP servers
            //# claiming to support the Relay Agent Information option SHALL echo the
            //# entire contents of the Relay Agent Information option in all replies.
            //= https://www.rfc-editor.org/rfc/rfc3046#section-2.2
            //# Servers SHOULD copy the Relay Agent Information option as the last DHCP option in
            //# the response.
            //= https://www.rfc-editor.org/rfc/rfc3046#section-2.2
            //# Servers SHALL NOT place the echoed Relay Agent Information option in the overloaded
            //# sname or file fields.
            if let Some(agent) = relay_agent {
                write_option(code::RELAY_AGENT, agent, out);
            }
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
            //# The last option must always be the 'end' option.
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
            //# If the 'option overload' option is present in the 'options' field, the options in
            //# the 'options' field MUST be terminated by an 'end' option
            out.push(code::END);
        }
        //= https://www.rfc-editor.org/rfc/rfc2132#section-3.2
        //# Subsequent octets should be filled with pad options.
        let length = out.len() - start;
        out.resize(start + length.max(LENGTH_MIN), 0);
    }

    /// Writes as much as fits below `limit` octets, then into `file` and `sname`.
    fn write_crowded(&self, start: usize, limit: usize, header: &Header<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.encoded[..self.start_of(self.required)]);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# If the options in a DHCP message extend into the 'sname' and 'file' fields, the 'option
        //# overload' option MUST appear in the 'options' field, with value 1, 2 or 3
        //= https://www.rfc-editor.org/rfc/rfc2132#section-9.3
        //# A DHCP server inserts this option if the returned parameters will exceed the usual space
        //# allotted for options.
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3.5
        //# In this case, two additional options flags (which must appear in the 'options' field of
        //# the message) indicate that the 'file' and 'sname' fields are to be used for options.
        let overload = out.len();
        write_option(code::OVERLOAD, &[0], out);
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# The options in the 'sname' and 'file' fields (if in use as indicated
        //# by the 'options overload' option) MUST begin with the first octet of
        //# the field, MUST be terminated by an 'end' option, and MUST be
        //# followed by 'pad' options to fill the remainder of the field.
        let area =
            |field: Range<usize>| Area { at: start + field.start, end: start + field.end - 1 };
        let mut fields = [area(FILE), area(SNAME)];
        let mut used = 0;
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# The server MUST supply as many of the requested parameters as possible and MUST omit any
        //# parameters it cannot provide.
        for option in self.required..self.options.len() {
            let octets = &self.encoded[self.start_of(option)..self.options[option].end];
            let length = octets.len();
            if out.len() - start + length <= limit {
                out.extend_from_slice(octets);
                continue;
            }
            //= https://www.rfc-editor.org/rfc/rfc2132#section-2
            //# Except for the options in section 9, all options may be used with either DHCP or
            //# BOOTP.
            // BOOTP knows no overload: its client would read options as a file's name.
            let is_dhcp = self.has(code::MESSAGE_TYPE);
            for (bit, field) in [1, 2].into_iter().zip(&mut fields).filter(|_| is_dhcp) {
                let file_is_taken = bit == 1 && !header.file.is_empty();
                //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
                //# Any individual option in the 'options', 'sname' and 'file' fields MUST be
                //# entirely contained in that field.
                //= https://www.rfc-editor.org/rfc/rfc3396#section-5
                //# Options MUST NOT be stored in the aggregate option buffer in such a way that
                //# they cross either boundary between the three fields in the aggregate buffer.
                //= https://www.rfc-editor.org/rfc/rfc3396#section-4
                //# In this case, the encoding agent MUST either use this algorithm or not send the
                //# option at all.
                if length > field.end - field.at || file_is_taken {
                    continue;
                }
                out[field.at..field.at + length].copy_from_slice(octets);
                field.at += length;
                out[field.at] = code::END;
                used |= bit;
                break;
            }
        }
        match used {
            0 => drop(out.drain(overload..overload + OVERLOAD_LENGTH)),
            used => out[overload + 2] = used,
        }
    }
}

/// What an option with this value takes on the wire.
fn encoded_length(value: &[u8]) -> usize {
    value.len() + 2 * value.len().div_ceil(PIECE).max(1)
}

/// Splits what is too long for one piece, as RFC 3396 says.
fn write_option(code: u8, value: &[u8], out: &mut Vec<u8>) {
    if value.is_empty() {
        out.extend_from_slice(&[code, 0]);
    }
    //= https://www.rfc-editor.org/rfc/rfc3396#section-6
    //# No split portion of an option that has been split can contain more than 255 octets.
    //= https://www.rfc-editor.org/rfc/rfc3396#section-6
    //# The split portions of the option MUST be stored in the aggregate option buffer in sequential
    //# order
    //= https://www.rfc-editor.org/rfc/rfc3396#section-6
    //# The length fields of each split portion of the option MUST add up to the total length of the
    //# option data.
    //= https://www.rfc-editor.org/rfc/rfc3396#section-6
    //# the option code field in each split portion MUST be the same.
    //= https://www.rfc-editor.org/rfc/rfc3396#section-4
    //# In this case, the encoding agent MUST follow the algorithm specified here.
    //= https://www.rfc-editor.org/rfc/rfc3396#section-4
    //# A DHCP protocol agent SHOULD NOT split an option as described in this document unless it has
    //# no choice
    //= https://www.rfc-editor.org/rfc/rfc3396#section-6
    //# The encoding agent MUST NOT attempt to specify any semantic information based on how the
    //# option is split.
    //= https://www.rfc-editor.org/rfc/rfc3396#section-6
    //# Each split portion of an option MUST be stored in the aggregate option buffer as if it were
    //# a normal variable-length option
    //= https://www.rfc-editor.org/rfc/rfc3442#section-requirements-to-avoid-sizing-constraints
    //# DHCP servers sending this option, MUST implement DHCP option concatenation
    //= https://www.rfc-editor.org/rfc/rfc3925#section-2
    //# the aggregate of all instances of vendor-specific data is to be considered one long option.
    //= https://www.rfc-editor.org/rfc/rfc8910#section-2.1
    //# Len: The length (one octet), in octets, of the URI.
    for piece in value.chunks(PIECE) {
        out.extend_from_slice(&[code, piece.len() as u8]);
        out.extend_from_slice(piece);
    }
}

//= https://www.rfc-editor.org/rfc/rfc2131#section-3
//# BOOTREPLY is used in the
//# 'op' field of each DHCP message sent from a server to a client.
const BOOTREPLY: u8 = 2;

fn write_header(header: &Header<'_>, out: &mut Vec<u8>) {
    let mut fixed = [0; HEADER];
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# 'hops' 0 0 0
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# 'op' BOOTREPLY BOOTREPLY BOOTREPLY
    fixed[..4].copy_from_slice(&[BOOTREPLY, header.htype, header.hlen, 0]);
    //= https://www.rfc-editor.org/rfc/rfc2132#section-2
    //# All multi-octet quantities are in network byte-order.
    fixed[4..8].copy_from_slice(&header.xid.to_be_bytes());
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# 'secs' 0 0 0
    fixed[8..10].copy_from_slice(&[0, 0]);
    fixed[10..12].copy_from_slice(&header.flags.to_be_bytes());
    fixed[12..16].copy_from_slice(&header.ciaddr.octets());
    fixed[16..20].copy_from_slice(&header.yiaddr.octets());
    fixed[20..24].copy_from_slice(&header.siaddr.octets());
    fixed[24..28].copy_from_slice(&header.giaddr.octets());
    fixed[28..44].copy_from_slice(&header.chaddr);
    let file = &header.file[..header.file.len().min(FILE.len() - 1)];
    fixed[FILE][..file.len()].copy_from_slice(file);
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
    //# The options area includes first a four-octet 'magic cookie' (which was described in
    //# section 3), followed by the options.
    fixed[FILE.end..].copy_from_slice(&COOKIE);
    out.extend_from_slice(&fixed[..if header.cookie { HEADER } else { FILE.end }]);
}
