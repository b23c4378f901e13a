//! Bytes in, legal requests out; replies in, bytes out. Nothing behind this module sees bytes of
//! the network that were not checked here.

pub mod code;
mod enterprise;
mod fqdn;
mod options;
mod relay_agent;
mod reply;
mod request;
mod search;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use self::enterprise::{Enterprises, write_enterprise};
pub(crate) use self::fqdn::ClientFqdn;
pub(crate) use self::options::Index;
pub use self::options::Options;
pub use self::relay_agent::RelayAgent;
pub use self::reply::{Header, Reply};
pub use self::request::{Message, Parser, Request, Requested};
pub use self::search::{search, searcher, server_of};
pub(crate) use self::text::clean_name;

//= https://www.rfc-editor.org/rfc/rfc2131#section-3
//# The first four octets of the 'options' field of the DHCP message contain the (decimal) values
//# 99, 130, 83 and 99, respectively
/// The first four octets of the options (RFC 2131 § 3).
pub const COOKIE: [u8; 4] = [99, 130, 83, 99];

/// Octets of the fixed fields and the cookie: no datagram is shorter.
pub const HEADER: usize = 240;

/// The port that servers and relays listen on.
//= https://www.rfc-editor.org/rfc/rfc2131#section-4.1
//# DHCP messages from a client to a server are sent to the 'DHCP server' port (67), and DHCP
//# messages from a server to a client are sent to the 'DHCP client' port (68).
pub const SERVER_PORT: u16 = 67;

/// The port that clients listen on.
pub const CLIENT_PORT: u16 = 68;

/// Octets of an IP header without options and a UDP header.
pub const IP_AND_UDP: usize = 28;
