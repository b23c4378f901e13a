//! A datagram as a request that can only hold what is legal.

use core::net::Ipv4Addr;

use dhcproto::v4::MessageType;

use super::options::{Index, Options};
use super::{COOKIE, ClientFqdn, Enterprises, HEADER, RelayAgent, clean_name, code};
use crate::client::Hardware;
use crate::event::Malformed;

/// RFC 1542 § 4.1.1: a message that went over more relays goes round.
const HOPS_MAX: u8 = 16;

/// What every client can take: RFC 2131 § 2.
const MESSAGE_SIZE_MIN: u16 = 576;

/// Reads datagrams; its memory is reused, so that reading allocates nothing.
#[derive(Debug, Default)]
pub struct Parser {
    index: Index,
}

/// A legal request of a client.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// What the client wants.
    pub message: Message,
    /// `htype`, `hlen` and `chaddr`.
    pub hardware: Hardware,
    /// All of `chaddr`, as it has to be copied into the reply.
    pub chaddr: [u8; 16],
    /// Chosen by the client, copied into the reply.
    pub xid: u32,
    /// How long the client has been trying.
    pub secs: u16,
    /// With the broadcast bit; copied into the reply.
    pub flags: u16,
    /// The client's own address, if it can answer ARP requests for it.
    pub ciaddr: Ipv4Addr,
    /// The relay that the request came through, if any.
    pub giaddr: Ipv4Addr,
    /// Whether options follow the header; a BOOTP client may know of none.
    pub has_cookie: bool,
    /// Its options.
    pub options: Options<'a>,
    /// Whether its option 82 counts.
    believes_agent: bool,
}

/// What a client wants: RFC 2131 § 4.3.1 to § 4.3.5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// An address, this one if possible.
    Discover {
        /// Option 50.
        requested: Option<Ipv4Addr>,
    },
    /// To have an address, or to keep it.
    Request(Requested),
    /// Somebody else uses the address.
    Decline {
        /// Option 50.
        address: Ipv4Addr,
        /// Option 54; clients that leave it out are heard.
        server: Option<Ipv4Addr>,
    },
    /// It does not need the address any more.
    Release {
        /// `ciaddr`.
        address: Ipv4Addr,
        /// Option 54; clients that leave it out are heard.
        server: Option<Ipv4Addr>,
    },
    /// Parameters, no address.
    Inform,
    /// Who has an address, asked by a relay or another ally (RFC 4388).
    LeaseQuery,
    /// A BOOTP client: no option 53.
    Bootp,
}

/// The four states that a DHCPREQUEST can come from: RFC 2131 § 4.3.2 and table 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requested {
    /// It takes an offer.
    Selecting {
        /// Option 54: whose offer.
        server: Ipv4Addr,
        /// Option 50, or `ciaddr` of a client that names no other.
        address: Ipv4Addr,
    },
    /// It was restarted and remembers an address.
    InitReboot {
        /// Option 50.
        address: Ipv4Addr,
    },
    /// It asks the server that it has its lease from.
    Renewing {
        /// `ciaddr`.
        address: Ipv4Addr,
    },
    /// It asks every server that may know its lease.
    Rebinding {
        /// `ciaddr`.
        address: Ipv4Addr,
    },
}

impl Requested {
    /// The address that it is about.
    #[must_use]
    pub fn address(self) -> Ipv4Addr {
        match self {
            Self::Selecting { address, .. }
            | Self::InitReboot { address }
            | Self::Renewing { address }
            | Self::Rebinding { address } => address,
        }
    }
}

impl Parser {
    /// Reads a UDP payload that was sent to `destination`.
    ///
    /// # Errors
    ///
    /// The rule that it breaks.
    pub fn parse<'a>(
        &'a mut self,
        payload: &'a [u8],
        destination: Ipv4Addr,
    ) -> Result<Request<'a>, Malformed> {
        let header = payload.first_chunk::<HEADER>().ok_or(Malformed::TooShort)?;
        let [op, htype, hlen, hops, ..] = *header;
        //= https://www.rfc-editor.org/rfc/rfc2131#section-3
        //# The 'op' field of each DHCP message sent from
        //# a client to a server contains BOOTREQUEST.
        if op != 1 {
            return Err(Malformed::NotARequest);
        }
        if hlen > 16 {
            return Err(Malformed::HardwareLength);
        }
        //= https://www.rfc-editor.org/rfc/rfc1542#section-4.1.1
        //# The relay agent MUST silently discard BOOTREQUEST messages whose 'hops' field exceeds
        //# the value 16.
        if hops > HOPS_MAX {
            return Err(Malformed::Hops);
        }
        let chaddr = array::<16, 28>(header);
        let has_cookie = array::<4, 236>(header) == COOKIE;
        let options = if has_cookie {
            self.index.walk(payload)
        } else {
            // What follows another cookie is nobody's options.
            self.index.walk(header)
        };
        if options.agent_twice() {
            return Err(Malformed::RelayAgentTwice);
        }
        let request = Request {
            message: Message::Bootp,
            hardware: Hardware::new(htype, &chaddr[..usize::from(hlen)]),
            chaddr,
            xid: u32::from_be_bytes(array::<4, 4>(header)),
            secs: u16::from_be_bytes(array::<2, 8>(header)),
            flags: u16::from_be_bytes(array::<2, 10>(header)),
            ciaddr: Ipv4Addr::from(array::<4, 12>(header)),
            giaddr: Ipv4Addr::from(array::<4, 24>(header)),
            has_cookie,
            options,
            believes_agent: true,
        };
        let message = request.read_message(destination)?;
        if message != Message::LeaseQuery && !request.has_identity() {
            return Err(Malformed::NoIdentity);
        }
        Ok(Request { message, ..request })
    }
}

fn array<const N: usize, const AT: usize>(header: &[u8; HEADER]) -> [u8; N] {
    const { assert!(AT + N <= HEADER) };
    let mut octets = [0; N];
    octets.copy_from_slice(&header[AT..AT + N]);
    octets
}

impl<'a> Request<'a> {
    /// Option 61; an empty one is none, and so is one that no single option could hold.
    #[must_use]
    pub fn client_id(&self) -> Option<&'a [u8]> {
        self.options.get(code::CLIENT_ID).filter(|id| (1..=255).contains(&id.len()))
    }

    /// Option 55: what the client wants to know, in its order; an empty list is none.
    #[must_use]
    pub fn parameter_request_list(&self) -> Option<&'a [u8]> {
        self.options.get(code::PARAMETER_REQUEST_LIST).filter(|list| !list.is_empty())
    }

    /// Whether the client asked for the option with this code.
    #[must_use]
    pub fn asks_for(&self, code: u8) -> bool {
        self.parameter_request_list().is_some_and(|list| list.contains(&code))
    }

    /// Option 57: the largest IP datagram that the client takes, at least 576 octets.
    #[must_use]
    pub fn message_size(&self) -> u16 {
        //= https://www.rfc-editor.org/rfc/rfc2132#section-9.10
        //# The minimum legal value is 576 octets.
        let asked = self.options.array::<2>(code::MAX_MESSAGE_SIZE).map(u16::from_be_bytes);
        asked.unwrap_or(MESSAGE_SIZE_MIN).max(MESSAGE_SIZE_MIN)
    }

    /// Option 51: how many seconds the client would like; malformed ones do not count.
    #[must_use]
    pub fn lease_time(&self) -> Option<u32> {
        self.options.array::<4>(code::LEASE_TIME).map(u32::from_be_bytes)
    }

    /// Option 60, as the client sent it.
    #[must_use]
    pub fn class_id(&self) -> &'a [u8] {
        self.options.get(code::CLASS_ID).unwrap_or_default()
    }

    /// Whether the client is of this enterprise: options 124 and 125 name it, or none at all.
    pub(crate) fn is_of_enterprise(&self, enterprise: u32) -> bool {
        let named = [code::VENDOR_CLASSES, code::VENDOR_IDENTIFYING].map(|it| self.options.get(it));
        let mut named = named.into_iter().flatten().peekable();
        named.peek().is_none() || named.any(|value| Enterprises::new(value).names(enterprise))
    }

    /// Option 82, unless it is not believed.
    #[must_use]
    pub fn relay_agent(&self) -> Option<RelayAgent<'a>> {
        let value = self.options.get(code::RELAY_AGENT).filter(|_| self.believes_agent);
        value.map(RelayAgent::new)
    }

    /// The same request with an option 82 that no relay added left out of account.
    #[must_use]
    pub fn disbelieving_agent(self) -> Self {
        Self { believes_agent: self.is_relayed(), ..self }
    }

    /// Whether the client says that it cannot take unicasts yet.
    #[must_use]
    pub fn wants_broadcast(&self) -> bool {
        //= https://www.rfc-editor.org/rfc/rfc2131#section-2
        //# They MUST be set to zero by clients and ignored by servers and relay agents.
        //= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
        //# SHOULD examine the BROADCAST bit in the 'flags' field.
        //= https://www.rfc-editor.org/rfc/rfc1542#section-2.2
        //# They MUST be set to zero by clients and ignored by servers and relay agents.
        self.flags & 0x8000 != 0
    }

    /// Whether it came through a relay.
    #[must_use]
    pub fn is_relayed(&self) -> bool {
        !self.giaddr.is_unspecified()
    }

    /// Option 81; malformed ones do not count.
    pub(crate) fn fqdn(&self) -> Option<ClientFqdn<'a>> {
        //= https://www.rfc-editor.org/rfc/rfc4702#section-2
        //# DHCP clients and servers supporting this option MUST implement DHCP option concatenation
        ClientFqdn::new(self.options.get(code::FQDN)?)
    }

    /// Appends option 12 to `out`, cleaned.
    pub(crate) fn host_name(&self, out: &mut String) {
        clean_name(self.options.get(code::HOST_NAME).unwrap_or_default(), out);
    }

    /// A hardware address of one station, or a client-id: something that is nobody else's.
    fn has_identity(&self) -> bool {
        let octets = self.hardware.octets();
        let is_group = self.hardware.mac().is_some_and(|mac| mac.0[0] & 1 != 0);
        self.client_id().is_some() || (octets.iter().any(|&octet| octet != 0) && !is_group)
    }

    fn read_message(&self, destination: Ipv4Addr) -> Result<Message, Malformed> {
        let number = match self.options.get(code::MESSAGE_TYPE) {
            //= https://www.rfc-editor.org/rfc/rfc1534#section-2
            //# Messages without the DHCP Message Type option are assumed to have been sent by a
            //# BOOTP client.
            None => return Ok(Message::Bootp),
            //= https://www.rfc-editor.org/rfc/rfc1534#section-2
            //# Any message received by a DHCP server that includes a 'DHCP message type' (51)
            //# option is assumed to have been sent by a DHCP client.
            //= https://www.rfc-editor.org/rfc/rfc2132#section-9.6
            //# The code for this option is 53, and its length is 1.
            Some(&[number]) => number,
            Some(_) => return Err(Malformed::MessageType),
        };
        let requested = || self.option_address(code::REQUESTED_ADDRESS);
        let requested = || requested().map_err(|()| Malformed::RequestedAddress);
        //= https://www.rfc-editor.org/rfc/rfc2132#section-9.7
        //# The code for this option is 54, and its length is 4.
        let server = || self.option_address(code::SERVER_ID);
        let server = || server().map_err(|()| Malformed::ServerIdentifier);
        match MessageType::from(number) {
            // A hint that cannot be read is no hint.
            MessageType::Discover => {
                Ok(Message::Discover { requested: requested().unwrap_or(None) })
            }
            MessageType::Request => {
                self.read_request(server()?, requested()?, destination).map(Message::Request)
            }
            MessageType::Decline => {
                let address = requested()?.ok_or(Malformed::NoAddress)?;
                Ok(Message::Decline { address, server: server()? })
            }
            MessageType::Release if self.ciaddr.is_unspecified() => Err(Malformed::NoAddress),
            MessageType::Release => {
                Ok(Message::Release { address: self.ciaddr, server: server()? })
            }
            MessageType::Inform => Ok(Message::Inform),
            MessageType::LeaseQuery => Ok(Message::LeaseQuery),
            MessageType::Offer | MessageType::Ack | MessageType::Nak => {
                Err(Malformed::ServerMessage)
            }
            _ => Err(Malformed::MessageType),
        }
    }

    fn read_request(
        &self,
        server: Option<Ipv4Addr>,
        requested: Option<Ipv4Addr>,
        destination: Ipv4Addr,
    ) -> Result<Requested, Malformed> {
        let ciaddr = Some(self.ciaddr).filter(|ciaddr| !ciaddr.is_unspecified());
        match (server, ciaddr, requested) {
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
            //# If the DHCPREQUEST message contains a 'server
            //# identifier' option, the message is in response to a DHCPOFFER
            //# message.
            (Some(_), Some(ciaddr), Some(requested)) if ciaddr != requested => {
                Err(Malformed::TwoAddresses)
            }
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
            //# Client inserts the address of the selected server in 'server identifier', 'ciaddr'
            //# MUST be zero, 'requested IP address' MUST be filled in with the yiaddr value from
            //# the chosen DHCPOFFER.
            (Some(server), ciaddr, requested) => {
                let address = requested.or(ciaddr).ok_or(Malformed::NoAddress)?;
                Ok(Requested::Selecting { server, address })
            }
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
            //# 'server identifier' MUST NOT be filled in, 'requested IP address' option MUST be
            //# filled in with client's notion of its previously assigned address. 'ciaddr' MUST be
            //# zero.
            (None, None, Some(address)) => Ok(Requested::InitReboot { address }),
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.4.1
            //# Server identifier MUST NOT MUST (after MUST SELECTING)
            (None, None, None) => Err(Malformed::NoAddress),
            //= https://www.rfc-editor.org/rfc/rfc2131#section-4.3.2
            //# 'server identifier' MUST NOT be filled in, 'requested IP address'
            //# option MUST NOT be filled in, 'ciaddr' MUST be filled in with
            //# client's IP address.
            (None, Some(address), _) if destination.is_broadcast() || self.is_relayed() => {
                Ok(Requested::Rebinding { address })
            }
            (None, Some(address), _) => Ok(Requested::Renewing { address }),
        }
    }

    /// The address in an option: `None` if the option is absent, an error if it is no address.
    fn option_address(&self, code: u8) -> Result<Option<Ipv4Addr>, ()> {
        match self.options.get(code) {
            None => Ok(None),
            Some(_) => self.options.address(code).map(Some).ok_or(()),
        }
    }
}
