//! The state machine of RFC 2131 figure 5, with the timers of § 4.1 and § 4.4.

use core::net::Ipv4Addr;
use core::time::Duration;

use super::{Client, Exchange, Habits, Lease, Outgoing, Payload, State, Toward};
use crate::clock::Moment;
use crate::force::Secret;
use crate::message::{self, Kind, Message};
use crate::topology::LinkId;

/// After how many unanswered messages a client starts over.
const TRIES: u32 = 4;
/// The wait for an answer to ARP requests before an address is used.
const ARP_WAIT: Duration = Duration::from_secs(2);

impl Client {
    /// Switched on: INIT-REBOOT with what it remembers, else INIT.
    pub(crate) fn power_on(&mut self, now: Moment, out: &mut Vec<Outgoing>) {
        if self.state != State::Off {
            return;
        }
        match self.lease {
            Some(_) => self.reboot(now, out),
            None => self.start_over(now, Duration::ZERO),
        }
    }

    /// Switched off, with or without a memory.
    pub(crate) fn power_off(&mut self) {
        self.state = State::Off;
        self.exchange = None;
        self.wakes = None;
        if !self.habits.remembers {
            self.lease = None;
            self.hint = None;
        }
    }

    /// Gives its address back and is switched off.
    pub(crate) fn release(&mut self, now: Moment, out: &mut Vec<Outgoing>) {
        if self.habits.bootp {
            return self.power_off();
        }
        let (Some(address), Some(lease)) = (self.in_use(), self.lease(now)) else {
            return;
        };
        let mut message =
            self.compose(Kind::Release).with_address(message::SERVER_ID, lease.server);
        message.ciaddr = address;
        out.push(Outgoing {
            toward: Toward::Server(lease.server),
            source: address,
            payload: Payload::Message(message),
        });
        self.hint = Some(address);
        self.lease = None;
        self.power_off();
    }

    /// Carried to another link: what it knows of addresses may be wrong there.
    pub(crate) fn carry_to(&mut self, link: LinkId, now: Moment, out: &mut Vec<Outgoing>) {
        let on = self.state != State::Off;
        self.power_off();
        self.link = link;
        if on {
            self.power_on(now, out);
        }
    }

    /// A timer ran out. `taken` tells what ARP said about the address that is being checked.
    pub(crate) fn wake(&mut self, now: Moment, taken: bool, out: &mut Vec<Outgoing>) {
        self.wakes = None;
        if self.lease.is_some_and(|lease| now >= lease.until) {
            self.lease_ends(now);
        }
        match self.state {
            State::Off => {}
            State::Init => self.discover(now, out),
            State::Selecting | State::Requesting { .. } | State::Rebooting => {
                self.try_again(now, out);
            }
            State::Checking => self.checked(now, taken || self.habits.declines_all, out),
            State::Bound => self.renew(now, State::Renewing, out),
            State::Renewing => match self.lease {
                Some(lease) if now >= lease.rebinds => self.renew(now, State::Rebinding, out),
                _ => self.ask_again(now, out),
            },
            State::Rebinding => self.ask_again(now, out),
            State::WithoutIpv4 => self.start_over(now, Duration::ZERO),
        }
    }

    /// Has an address and asks for its parameters once more.
    pub(crate) fn inform(&mut self, now: Moment, out: &mut Vec<Outgoing>) {
        let (Some(address), Some(lease)) = (self.in_use(), self.lease(now)) else { return };
        let mut message = self.compose(Kind::Inform);
        message.ciaddr = address;
        if self.random.chance(500) {
            return self.broadcast(message, out);
        }
        out.push(Outgoing {
            toward: Toward::Server(lease.server),
            source: address,
            payload: Payload::Message(message),
        });
    }

    /// A datagram arrived on port 68.
    pub(crate) fn receive(&mut self, now: Moment, message: &Message, out: &mut Vec<Outgoing>) {
        if message.op != 2 || message.mac() != self.identity.mac {
            return;
        }
        if message.kind() == Some(Kind::ForceRenew) {
            return self.force(now, message, out);
        }
        let Some(exchange) = self.exchange.filter(|exchange| exchange.xid == message.xid) else {
            return;
        };
        match (self.state, message.kind()) {
            (State::Selecting, None) if self.habits.bootp => {
                self.accept(now, exchange, message.yiaddr, message);
            }
            (State::Selecting, Some(Kind::Offer)) if !self.habits.bootp => {
                self.choose(now, message, out);
            }
            (State::Selecting, Some(Kind::Ack))
                if self.habits.rapid && message.option(message::RAPID_COMMIT).is_some() =>
            {
                self.accept(now, exchange, message.yiaddr, message);
            }
            (State::Requesting { address, .. }, Some(Kind::Ack)) => {
                self.accept(now, exchange, address, message);
            }
            (State::Rebooting | State::Renewing | State::Rebinding, Some(Kind::Ack)) => {
                if let Some(lease) = self.lease {
                    self.accept(now, exchange, lease.address, message);
                }
            }
            (
                State::Requesting { .. } | State::Rebooting | State::Renewing | State::Rebinding,
                Some(Kind::Nak),
            ) if !self.habits.ignores_nak => {
                self.lease = None;
                self.start_over(now, Duration::from_secs(1));
            }
            _ => {}
        }
    }

    /// RFC 3203 § 2.1: a client that is bound renews at once, if it believes the message.
    fn force(&mut self, now: Moment, message: &Message, out: &mut Vec<Outgoing>) {
        let believes = self.secret.as_mut().is_some_and(|secret| secret.believes(message));
        if believes && self.state == State::Bound {
            self.renew(now, State::Renewing, out);
        }
    }

    fn compose(&mut self, kind: Kind) -> Message {
        let xid = self.random.bits() as u32;
        let mut message = Message::request(kind, xid, self.identity.mac);
        message.broadcast = self.habits.broadcast && self.in_use().is_none();
        if !self.identity.client_id.is_empty() {
            message = message.with(message::CLIENT_ID, &self.identity.client_id.clone());
        }
        if matches!(kind, Kind::Discover | Kind::Request | Kind::Inform) {
            message = self.describe(kind, message);
        }
        message
    }

    /// What a client tells of itself, and what it wants to know.
    fn describe(&self, kind: Kind, mut message: Message) -> Message {
        let Habits { ipv6_only, small, fqdn, overloads, lease_time, forcible, .. } = self.habits;
        let mut wanted = vec![message::SUBNET_MASK, 3, message::RENEWAL_TIME];
        wanted.push(message::REBINDING_TIME);
        if small {
            wanted.extend([6, 15, 42, 44]);
        } else {
            message = message.with(message::MAXIMUM_SIZE, &1_400_u16.to_be_bytes());
        }
        wanted.extend(ipv6_only.then_some(message::IPV6_ONLY_PREFERRED));
        message = message.with(message::PARAMETERS, &wanted);
        if let Some(seconds) = lease_time.filter(|_| kind != Kind::Inform) {
            message = message.with(message::LEASE_TIME, &seconds.to_be_bytes());
        }
        if forcible && kind != Kind::Inform {
            message = message.with(message::FORCERENEW_NONCE_CAPABLE, &[1]);
        }
        let host = format!("host-{}", self.id.0).into_bytes();
        let name = [&[1, 0, 0], &host[..]].concat();
        let names = [Some((message::HOST_NAME, host)), fqdn.then_some((message::FQDN, name))];
        let place = if overloads { &mut message.elsewhere } else { &mut message.options };
        place.extend(names.into_iter().flatten());
        message
    }

    fn broadcast(&self, message: Message, out: &mut Vec<Outgoing>) {
        let source = message.ciaddr;
        out.push(Outgoing {
            toward: Toward::Everybody,
            source,
            payload: Payload::Message(message),
        });
    }

    /// Begins an exchange whose message is `message`.
    fn begin(&mut self, now: Moment, message: &Message) {
        self.exchange = Some(Exchange { xid: message.xid, began: now, tries: 1 });
    }

    /// INIT after a wait of `least` to `least` + 2 seconds (§ 4.4.1 wants one to ten; the faster
    /// client meets the server more often).
    fn start_over(&mut self, now: Moment, least: Duration) {
        let desynchronised = Duration::from_millis(self.random.within(0, 2_000));
        self.state = State::Init;
        self.exchange = None;
        self.wakes = Some(now.after(least + desynchronised));
    }

    fn lease_ends(&mut self, now: Moment) {
        let Some(lease) = self.lease.take() else { return };
        self.hint = Some(lease.address);
        if self.habits.keeps_expired && self.in_use_by_state() {
            self.squats = Some(lease.address);
        }
        if matches!(
            self.state,
            State::Bound | State::Renewing | State::Rebinding | State::Checking | State::Rebooting
        ) {
            self.start_over(now, Duration::ZERO);
            // § 4.4.5: the client goes to INIT at once; its timer has just run out.
            self.wakes = None;
        }
    }

    fn in_use_by_state(&self) -> bool {
        matches!(self.state, State::Bound | State::Renewing | State::Rebinding)
    }

    fn discover(&mut self, now: Moment, out: &mut Vec<Outgoing>) {
        let mut message = match self.habits.bootp {
            true => Message::bootp(self.random.bits() as u32, self.identity.mac),
            false => self.compose(Kind::Discover),
        };
        let wish = if self.habits.random_wish {
            Some(Ipv4Addr::from(0x0a00_0000 + self.random.within(0, 0x3ff) as u32))
        } else {
            self.hint
        };
        if let Some(wish) = wish.filter(|_| !self.habits.bootp) {
            message = message.with_address(message::REQUESTED_ADDRESS, wish);
        }
        if self.habits.rapid && !self.habits.bootp {
            message = message.with(message::RAPID_COMMIT, &[]);
        }
        if let Some(exchange) = self.exchange.filter(|_| self.state == State::Selecting) {
            message.xid = exchange.xid;
            self.exchange = Some(Exchange { tries: exchange.tries + 1, ..exchange });
        } else {
            self.begin(now, &message);
        }
        self.state = State::Selecting;
        self.wait_longer(now);
        self.broadcast(message, out);
    }

    /// § 4.1: 4, 8, 16, 32 seconds, each randomised by a second either way.
    fn wait_longer(&mut self, now: Moment) {
        let tries = self.exchange.map_or(1, |exchange| exchange.tries);
        let base = 4_000_u64 << tries.saturating_sub(1).min(4);
        self.wakes =
            Some(now.after(Duration::from_millis(self.random.within(base - 1_000, base + 1_000))));
    }

    fn choose(&mut self, now: Moment, offer: &Message, out: &mut Vec<Outgoing>) {
        let Some(server) = offer.address(message::SERVER_ID) else { return };
        let without = offer.seconds(message::IPV6_ONLY_PREFERRED);
        if let Some(seconds) = without.filter(|_| self.habits.ipv6_only) {
            return self.do_without(now, seconds);
        }
        self.state = State::Requesting { address: offer.yiaddr, server };
        let message = self.request_offered(offer.yiaddr, server, offer.xid);
        self.begin(now, &message);
        self.wait_longer(now);
        self.broadcast(message, out);
    }

    /// RFC 8925 § 3.2: no address is asked for until V6ONLY_WAIT is over.
    fn do_without(&mut self, now: Moment, seconds: u32) {
        self.state = State::WithoutIpv4;
        (self.exchange, self.lease, self.hint) = (None, None, None);
        self.wakes = Some(now.after(Duration::from_secs(seconds.max(300).into())));
    }

    fn request_offered(&mut self, address: Ipv4Addr, server: Ipv4Addr, xid: u32) -> Message {
        let mut message = self
            .compose(Kind::Request)
            .with_address(message::REQUESTED_ADDRESS, address)
            .with_address(message::SERVER_ID, server);
        message.xid = xid;
        message
    }

    fn reboot(&mut self, now: Moment, out: &mut Vec<Outgoing>) {
        let Some(lease) = self.lease else { return };
        self.state = State::Rebooting;
        let message =
            self.compose(Kind::Request).with_address(message::REQUESTED_ADDRESS, lease.address);
        self.begin(now, &message);
        self.wait_longer(now);
        self.broadcast(message, out);
    }

    /// SELECTING, REQUESTING, INIT-REBOOT: sends again, or gives up.
    fn try_again(&mut self, now: Moment, out: &mut Vec<Outgoing>) {
        let Some(exchange) = self.exchange else { return self.start_over(now, Duration::ZERO) };
        if self.state == State::Selecting {
            // A client without an address never gives up; it slows down.
            return self.discover(now, out);
        }
        if exchange.tries >= TRIES {
            return self.give_up(now);
        }
        let mut message = match self.state {
            State::Requesting { address, server } => {
                self.request_offered(address, server, exchange.xid)
            }
            State::Rebooting => {
                let Some(lease) = self.lease else { return self.give_up(now) };
                self.compose(Kind::Request).with_address(message::REQUESTED_ADDRESS, lease.address)
            }
            _ => return,
        };
        message.xid = exchange.xid;
        self.exchange = Some(Exchange { tries: exchange.tries + 1, ..exchange });
        self.wait_longer(now);
        self.broadcast(message, out);
    }

    fn give_up(&mut self, now: Moment) {
        let rebooting = self.state == State::Rebooting;
        match self.lease.filter(|lease| lease.link == self.link) {
            // § 3.2: the client "MAY choose to use the previously allocated network address".
            Some(lease) if rebooting && self.habits.trusts_memory => self.bind(now, lease),
            Some(lease) => {
                self.hint = Some(lease.address);
                self.lease = None;
                self.start_over(now, Duration::ZERO);
            }
            None => {
                self.lease = None;
                self.start_over(now, Duration::ZERO);
            }
        }
    }

    fn accept(&mut self, now: Moment, exchange: Exchange, asked: Ipv4Addr, ack: &Message) {
        let told = (ack.seconds(message::LEASE_TIME), ack.address(message::SERVER_ID));
        let (seconds, server) = match told {
            (Some(seconds), Some(server)) => (seconds, server),
            // BOOTP: for ever, and from nobody in particular.
            _ if self.habits.bootp => (u32::MAX, self.link.gateway()),
            _ => return,
        };
        if ack.yiaddr != asked {
            return;
        }
        let at = |share: u64| {
            if seconds == u32::MAX {
                return Moment(u64::MAX);
            }
            Moment(exchange.began.0 + u64::from(seconds) * share)
        };
        let told =
            |code| ack.seconds(code).map(|t| Moment(exchange.began.0 + u64::from(t) * 1_000));
        let lease = Lease {
            address: ack.yiaddr,
            server,
            link: self.link,
            granted: exchange.began,
            renews: told(message::RENEWAL_TIME).unwrap_or(at(500)),
            rebinds: told(message::REBINDING_TIME).unwrap_or(at(875)),
            until: at(1_000),
        };
        self.secret = Secret::told(ack).or(self.secret);
        let renewed = self.in_use_by_state() || self.state == State::Rebooting;
        self.lease = Some(lease);
        self.exchange = None;
        if !renewed && (self.habits.checks || self.habits.declines_all) {
            self.state = State::Checking;
            self.wakes = Some(now.after(ARP_WAIT));
        } else {
            self.bind(now, lease);
        }
    }

    fn checked(&mut self, now: Moment, taken: bool, out: &mut Vec<Outgoing>) {
        let Some(lease) = self.lease else { return self.start_over(now, Duration::ZERO) };
        if !taken {
            return self.bind(now, lease);
        }
        let message = self
            .compose(Kind::Decline)
            .with_address(message::REQUESTED_ADDRESS, lease.address)
            .with_address(message::SERVER_ID, lease.server);
        self.broadcast(message, out);
        self.lease = None;
        self.hint = None;
        self.start_over(now, Duration::from_secs(10));
    }

    fn bind(&mut self, now: Moment, lease: Lease) {
        self.state = State::Bound;
        self.exchange = None;
        self.hint = Some(lease.address);
        self.squats = None;
        self.wakes = Some(lease.renews.max(now).min(lease.until));
    }

    fn renew(&mut self, now: Moment, state: State, out: &mut Vec<Outgoing>) {
        self.state = state;
        let message = self.compose_renewal();
        self.begin(now, &message);
        self.send_renewal(now, message, out);
    }

    fn ask_again(&mut self, now: Moment, out: &mut Vec<Outgoing>) {
        let Some(exchange) = self.exchange else { return };
        let mut message = self.compose_renewal();
        message.xid = exchange.xid;
        self.exchange = Some(Exchange { tries: exchange.tries + 1, ..exchange });
        self.send_renewal(now, message, out);
    }

    fn compose_renewal(&mut self) -> Message {
        let mut message = self.compose(Kind::Request);
        if let Some(lease) = self.lease {
            message.ciaddr = lease.address;
            if self.habits.renews_with_server && self.state == State::Renewing {
                message = message.with_address(message::SERVER_ID, lease.server);
            }
        }
        message
    }

    /// § 4.4.5: RENEWING by unicast, REBINDING by broadcast; again after half of what is left.
    fn send_renewal(&mut self, now: Moment, message: Message, out: &mut Vec<Outgoing>) {
        let Some(lease) = self.lease else { return };
        let end = if self.state == State::Renewing { lease.rebinds } else { lease.until };
        let half = end.since(now) / 2;
        let again = now.after(half.max(Duration::from_secs(4)));
        self.wakes = Some(again.min(end.max(Moment(now.0 + 1))).min(lease.until));
        if self.state == State::Renewing {
            out.push(Outgoing {
                toward: Toward::Server(lease.server),
                source: lease.address,
                payload: Payload::Message(message),
            });
        } else {
            self.broadcast(message, out);
        }
    }
}
