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
    /// The options as they are written: code, length, value; a long one in pieces.
    encoded: Vec<u8>,
    present: [u64; 4],
    required: usize,
}

#[derive(Clone, Copy, Debug)]
struct Gathered {
    code: u8,
    start: usize,
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

    fn takes(&self, code: u8) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
        //# The server MUST include each requested parameter only once
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# Options may appear only once, unless otherwise specified in the options document.
        !self.has(code) && !matches!(code, code::PAD | code::END | code::RELAY_AGENT)
    }

    /// The option stands in `encoded` from `start` to the end.
    fn gathered(&mut self, code: u8, start: usize) {
        let gathered = Gathered { code, start, end: self.encoded.len() };
        //= https://www.rfc-editor.org/rfc/rfc2132#section-3.3
        //# If both the subnet mask and the router option are specified in a DHCP
        //# reply, the subnet mask option MUST be first.
        let router = (code == code::SUBNET_MASK && self.has(code::ROUTER))
            .then(|| self.options.iter().position(|option| option.code == code::ROUTER));
        match router.flatten() {
            Some(router) => self.options.insert(router, gathered),
            None => self.options.push(gathered),
        }
        self.present[usize::from(code / 64)] |= 1 << (code % 64);
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
                self.options.iter().for_each(|option| out.extend_from_slice(self.octets(option)));
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
        let (required, rest) = self.options.split_at(self.required);
        required.iter().for_each(|option| out.extend_from_slice(self.octets(option)));
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
        for option in rest {
            let octets = self.octets(option);
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

    /// An option as it is on the wire.
    fn octets(&self, option: &Gathered) -> &[u8] {
        &self.encoded[option.start..option.end]
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
    let start = out.len();
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# 'hops' 0 0 0
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# 'op' BOOTREPLY BOOTREPLY BOOTREPLY
    out.extend_from_slice(&[BOOTREPLY, header.htype, header.hlen, 0]);
    //= https://www.rfc-editor.org/rfc/rfc2132#section-2
    //# All multi-octet quantities are in network byte-order.
    out.extend_from_slice(&header.xid.to_be_bytes());
    //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.1
    //# 'secs' 0 0 0
    out.extend_from_slice(&[0, 0]);
    out.extend_from_slice(&header.flags.to_be_bytes());
    for address in [header.ciaddr, header.yiaddr, header.siaddr, header.giaddr] {
        out.extend_from_slice(&address.octets());
    }
    out.extend_from_slice(&header.chaddr);
    out.resize(start + FILE.start, 0);
    out.extend_from_slice(&header.file[..header.file.len().min(FILE.len() - 1)]);
    out.resize(start + FILE.end, 0);
    if header.cookie {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# The options area includes first a four-octet 'magic cookie' (which was described in
        //# section 3), followed by the options.
        out.extend_from_slice(&COOKIE);
    }
}
