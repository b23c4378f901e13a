//! BOOTP clients: RFC 951 and RFC 1534, as far as `bootp-support` allows.

use super::Engine;
use super::exchange::Exchange;
use super::lease::State;
use crate::config::BootpSupport;
use crate::event::Silence;
use crate::outbox::Outbox;

impl Engine {
    /// A BOOTP client has its address as soon as it is told: there is no second message.
    //= https://www.rfc-editor.org/rfc/rfc2131#section-1.6
    //# DHCP must provide service to existing BOOTP clients.
    //= https://www.rfc-editor.org/rfc/rfc1534#section-2
    //# A DHCP server that supports BOOTP clients MUST interact with BOOTP clients according to the
    //# BOOTP protocol.
    pub(super) fn bootp(&mut self, exchange: &Exchange<'_>, out: &mut Outbox) {
        let is_fixed = self.fixed(exchange).is_some();
        let served = match exchange.server.bootp_support {
            //= https://www.rfc-editor.org/rfc/rfc1534#section-2
            //# If a DHCP server that is not configured to support BOOTP clients receives a
            //# BOOTREQUEST message from a BOOTP client, that server silently discards the
            //# BOOTREQUEST message.
            BootpSupport::None => false,
            BootpSupport::Static => is_fixed,
            BootpSupport::Dynamic => true,
        };
        let may_begin = if served { self.may_begin(exchange) } else { Err(Silence::Bootp) };
        let found = may_begin.and_then(|()| self.find(exchange, None, out));
        match found {
            Err(reason) => self.silent(Some(exchange), exchange.request, reason, out),
            Ok(id) if self.book.get(id).state == State::Testing => {}
            Ok(id) => {
                //= https://www.rfc-editor.org/rfc/rfc1534#section-2
                //# Such network addresses cannot be automatically reassigned by the server.
                let lease_time = exchange.server.bootp_lease_time;
                //= https://www.rfc-editor.org/rfc/rfc1534#section-2
                //# MUST abide by the BOOTP specification when interacting with BOOTP clients, and
                self.bind(exchange, id, lease_time, None, out);
            }
        }
    }
}
