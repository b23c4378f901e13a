//! One requestor's connection: octets in, pages ordered, octets out.

use core::fmt;
use core::net::Ipv4Addr;
use std::collections::VecDeque;

use super::message::{self, Asked};
use super::{Page, Refused, Status};
use crate::order::Order;
use crate::record::Location;
use crate::time::Now;
use crate::wire::{HEADER, Reply};

/// The longest query: a header and options, of which none is long.
const QUERY_MAX: usize = 4096;

/// Addresses that one page looks at.
const PAGE: usize = 512;

/// Why a connection is closed without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hangup {
    /// A message is too short or too long to be a query.
    Length,
    /// A message is not a DHCP request.
    NoQuery,
}

impl fmt::Display for Hangup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Length => "a message of a length that no query has",
            Self::NoQuery => "a message that is no DHCP request",
        })
    }
}

/// The state of one connection. Memory is bounded: so many queries, and one page.
#[derive(Debug)]
pub struct Connection {
    server: Ipv4Addr,
    simultaneous: usize,
    inbox: Vec<u8>,
    /// Under way; the first one is served next.
    running: VecDeque<Running>,
    reply: Reply,
}

#[derive(Debug)]
struct Running {
    asked: Asked,
    after: Option<Location>,
    begun: bool,
}

impl Running {
    /// The server's address, for the first answer only.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-7.3
    //# The DHCPv4 server SHOULD NOT send server-identifier options in subsequent responses to that
    //# DHCPBULKLEASEQUERY message.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.3
    //# It SHOULD NOT include the server-identifier option in later messages.
    fn introduction(&mut self, server: Ipv4Addr) -> Option<Ipv4Addr> {
        (!core::mem::replace(&mut self.begun, true)).then_some(server)
    }
}

impl Connection {
    /// A connection to `server`, an address of this machine, that works on so many queries at once.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.4
    //# Servers SHOULD support reading and processing multiple queries from a single connection and
    //# SHOULD allow configuration of the number of simultaneous queries it may process.
    #[must_use]
    pub fn new(server: Ipv4Addr, simultaneous: usize) -> Self {
        Self {
            server,
            simultaneous: simultaneous.max(1),
            inbox: Vec::new(),
            running: VecDeque::new(),
            reply: Reply::default(),
        }
    }

    /// Whether it may be given more octets: no more queries are read than are worked on.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.4
    //# A server MUST NOT read more query messages from a connection than it is prepared to process
    //# simultaneously.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        self.running.len() < self.simultaneous
    }

    /// Whether a query is under way.
    #[must_use]
    pub fn is_busy(&self) -> bool {
        !self.running.is_empty()
    }

    /// Takes octets of the stream; what can be refused at once is answered in `out`.
    ///
    /// # Errors
    ///
    /// The stream cannot be followed any further.
    pub fn receive(&mut self, octets: &[u8], out: &mut Vec<u8>) -> Result<(), Hangup> {
        self.inbox.extend_from_slice(octets);
        self.begin(out)
    }

    /// The page that is needed next.
    #[must_use]
    pub fn order(&self) -> Option<Order> {
        let Running { asked, after, .. } = self.running.front()?;
        let (query, after) = (asked.query.clone(), after.clone());
        Some(Order::Bindings { query: Box::new(query), after, limit: PAGE })
    }

    /// Writes a page that was ordered; the next query has its turn then.
    ///
    /// # Errors
    ///
    /// The stream cannot be followed any further.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-7.7
    //# A server that is processing multiple queries simultaneously MUST NOT block sending replies
    //# on new queries until all replies for the existing query are complete.
    pub fn page(&mut self, now: Now, page: &Page, out: &mut Vec<u8>) -> Result<(), Hangup> {
        let Some(mut running) = self.running.pop_front() else { return Ok(()) };
        for binding in &page.bindings {
            let server = running.introduction(self.server);
            message::write_binding(&running.asked, binding, now.wall, server, &mut self.reply, out);
        }
        running.after.clone_from(&page.next);
        if page.next.is_some() {
            self.running.push_back(running);
            return Ok(());
        }
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
        //# When all binding data for a given DHCPBULKLEASEQUERY has been sent, the DHCPv4 server
        //# MUST send a DHCPBULKLEASEQUERYDONE message.
        //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
        //# If the server does not find any bindings satisfying a query, it MUST send a
        //# DHCPLEASEQUERYDONE.
        let server = running.introduction(self.server);
        message::write_done(running.asked.xid, None, server, &mut self.reply, out);
        self.begin(out)
    }

    /// Ends all queries that are under way, because the server has to.
    //= https://www.rfc-editor.org/rfc/rfc6926#section-8.5
    //# A server aborting an in-process request SHOULD attempt to signal that to its requestors by
    //# using the QueryTerminated status code in the status-code option in a DHCPLEASEQUERYDONE
    //# message, including a message string indicating details of the reason for the abort.
    pub fn terminate(&mut self, reason: &'static str, out: &mut Vec<u8>) {
        let refused = Some(Refused { status: Status::QueryTerminated, reason });
        while let Some(mut running) = self.running.pop_front() {
            let server = running.introduction(self.server);
            message::write_done(running.asked.xid, refused, server, &mut self.reply, out);
        }
    }

    /// Begins as many of the queries that have come as may run at once.
    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Hangup> {
        while self.wants_input() {
            let Some((length, rest)) = self.inbox.split_first_chunk::<2>() else { return Ok(()) };
            let length = usize::from(u16::from_be_bytes(*length));
            if !(HEADER..=QUERY_MAX).contains(&length) {
                return Err(Hangup::Length);
            }
            let Some(payload) = rest.get(..length) else { return Ok(()) };
            let (xid, query) = message::read(payload).ok_or(Hangup::NoQuery)?;
            self.inbox.drain(..length + 2);
            match query {
                Ok(asked) => {
                    self.running.push_back(Running { asked, after: None, begun: false });
                }
                //= https://www.rfc-editor.org/rfc/rfc6926#section-8.2
                //# it SHOULD send a DHCPLEASEQUERYDONE containing a status-code option.
                Err(refused) => {
                    let server = Some(self.server);
                    message::write_done(xid, Some(refused), server, &mut self.reply, out);
                }
            }
        }
        Ok(())
    }
}
