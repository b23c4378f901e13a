//! The engine: what has arrived goes in, what is to be said comes out.
//!
//! One file per message, named after RFC 2131 § 4.3.1 to § 4.3.5. What is absent: waiting. A probe
//! that has to be answered first, a store that has to write first, are states of a lease.

mod adopt;
mod alert;
mod answer;
mod bind;
mod bindings;
mod book;
mod bootp;
mod clock;
mod counters;
mod decline;
mod discover;
mod entitlement;
mod exchange;
mod identity;
mod inform;
mod lease;
mod leasequery;
mod lifecycle;
mod limits;
mod nonce;
mod orders;
mod port;
mod pressure;
mod probe;
mod reconfigure;
mod release;
mod reply;
mod request;
mod restamp;
mod restore;
mod service;
mod store;
mod supply;
mod takeover;
mod terms;

use core::net::Ipv4Addr;
use std::sync::Arc;

use leasehold_pool::Pools;

use self::alert::Alerts;
use self::book::Book;
use self::clock::Clock;
use self::counters::Counters;
use self::exchange::Exchange;
use self::identity::Traits;
use self::limits::{MacLimits, Strikes};
use self::nonce::{Nonce, Nonces};
use self::pressure::Pressure;
use self::probe::Probes;
use self::reconfigure::Reconfigures;
use self::restamp::Restamp;
use self::service::{Services, Site};
use self::store::Store;
use self::supply::Supply;
use self::terms::Terms;
use crate::config::Config;
use crate::event::{Event, Silence};
use crate::input::{Datagram, Input, Start, StoreState};
use crate::link::Interfaces;
use crate::outbox::Outbox;
use crate::time::{Boottime, Now, Wall};
use crate::wire::{Message, Parser, Reply, Request};

/// All servers, and the one owner of all leases.
#[derive(Debug)]
pub struct Engine {
    config: Arc<Config>,
    pools: Pools,
    interfaces: Arc<Interfaces>,
    services: Services,
    book: Book,
    supply: Supply,
    mac_limits: MacLimits,
    strikes: Strikes,
    probes: Probes,
    pressure: Pressure,
    store: Store,
    clock: Clock,
    restamp: Restamp,
    nonces: Nonces,
    reconfigures: Reconfigures,
    alerts: Alerts,
    counters: Counters,
    /// Until when every new offer is probed first, because leases may be out that nobody knows.
    suspect_until: Boottime,
    /// `None` only while a datagram is handled, which borrows from it.
    parser: Option<Parser>,
    scratch: Scratch,
}

/// Memory that every packet uses and none keeps.
#[derive(Debug, Default)]
struct Scratch {
    reply: Reply,
    /// What the client's lease is called.
    host_name: String,
    /// The name in the client's option 81, as far as it gave it.
    fqdn: String,
    client: Vec<u8>,
    file: Vec<u8>,
}

impl Engine {
    /// An engine without leases. It knows no interface until [`Input::Interfaces`] tells them.
    ///
    /// The `seed` keys its hashes: a secret, so that nobody can choose client-ids that collide.
    #[must_use]
    pub fn new(config: Arc<Config>, pools: Pools, start: Start, seed: u64) -> Self {
        let mut engine = Self {
            config: Arc::default(),
            pools: pools.clone(),
            interfaces: Arc::default(),
            services: Services::default(),
            book: Book::new(seed),
            supply: Supply::default(),
            mac_limits: MacLimits::default(),
            strikes: Strikes::default(),
            probes: Probes::default(),
            pressure: Pressure::default(),
            store: Store::default(),
            clock: Clock::new(start),
            restamp: Restamp::default(),
            nonces: Nonces::new(seed),
            reconfigures: Reconfigures::default(),
            alerts: Alerts::default(),
            counters: Counters::default(),
            suspect_until: start.now.boottime,
            parser: Some(Parser::default()),
            scratch: Scratch::default(),
        };
        engine.adopt(config, pools, Arc::default());
        if let StoreState::Suspect { since } = start.store {
            engine.distrust(start.now, since);
        }
        engine
    }

    /// Not all that was promised was restored, as was found at `since`: every new offer is probed
    /// first until one maximal lease time has passed. False if it has.
    pub fn distrust(&mut self, now: Now, since: Wall) -> bool {
        let longest = self.config.servers.iter().map(|server| server.lease_time).max();
        let passed = u32::try_from(now.wall.0.saturating_sub(since.0)).unwrap_or(u32::MAX);
        let left = match longest.unwrap_or_default() {
            u32::MAX => u32::MAX,
            seconds => seconds.saturating_sub(passed),
        };
        self.suspect_until = lifecycle::after_seconds(now.boottime, left);
        left > 0
    }

    /// Nonces for clients follow from this secret, which has to be as good as they.
    pub fn set_nonce_key(&mut self, key: [u8; 32]) {
        self.nonces.set_key(key);
    }

    /// Takes one input; what it leads to is in `out`.
    pub fn handle(&mut self, now: Now, input: Input<'_>, out: &mut Outbox) {
        // What is due now is decided under the configuration of now, and with the answers of now:
        // what they say of probes that are over by the clock alone counts.
        let input = match input {
            Input::Probe(answer) => return self.probe_answered(now, answer, out),
            Input::Interfaces(interfaces) => {
                self.adopt(Arc::clone(&self.config), self.pools.clone(), interfaces);
                Input::Tick
            }
            Input::Config(config, pools) => {
                self.adopt(config, pools, Arc::clone(&self.interfaces));
                Input::Tick
            }
            input => input,
        };
        self.expire(now, out);
        self.watch_clock(now, out);
        self.probe_owners(now, out);
        self.ask_again(now, out);
        self.search_servers(now, out);
        match input {
            Input::Datagram(datagram) => self.datagram(now, &datagram, 0, out),
            Input::Server(datagram) => self.server_heard(now, &datagram, out),
            Input::Order(id, order) => self.order(now, id, order, out),
            Input::Abandoned(abandoned) => self.abandoned(now, abandoned, out),
            Input::StoreRecovered => self.recovered(now, out),
            Input::Interfaces(_) | Input::Config(..) | Input::Probe(_) | Input::Tick => {}
        }
    }

    /// When [`Input::Tick`] is due at the latest, if nothing else arrives before. The past means
    /// at once: so much was due that some was left over.
    #[must_use]
    pub fn deadline(&self) -> Option<Boottime> {
        let all = [
            self.restamp_deadline(),
            self.book.deadline(),
            self.pressure.deadline(),
            self.reconfigures.deadline(),
            self.alerts.deadline(),
        ];
        all.into_iter().flatten().min()
    }

    /// Whether the indexes of the leases agree with each other and with the pools: for checkers.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn check(&self) -> Result<(), String> {
        self.book.check()?;
        self.check_holds()
    }

    /// `attempt` addresses were found in conflict since the datagram came in.
    fn datagram(&mut self, now: Now, datagram: &Datagram<'_>, attempt: u8, out: &mut Outbox) {
        let Some(mut parser) = self.parser.take() else { return };
        match parser.parse(datagram.payload, datagram.destination) {
            Ok(request) => {
                let request = match self.config.settings.trust_option_82_of_clients {
                    true => request,
                    false => request.disbelieving_agent(),
                };
                self.serve(now, &request, datagram, attempt, out);
            }
            Err(rule) => {
                let client = wire_hardware(datagram.payload);
                let interface = datagram.interface;
                self.tell(out, |_| Event::Malformed { interface, rule, client });
            }
        }
        self.parser = Some(parser);
    }

    fn serve(
        &mut self,
        now: Now,
        request: &Request<'_>,
        datagram: &Datagram<'_>,
        attempt: u8,
        out: &mut Outbox,
    ) {
        let config = Arc::clone(&self.config);
        if attempt == 0 {
            self.counters.received(request.message);
        }
        if self.alerts.is_search(&request.hardware) {
            return self.silent(None, request, Silence::OwnSearch, out);
        }
        if request.message == Message::LeaseQuery {
            return self.leasequery(now, &config, request, datagram, out);
        }
        let exchange = match self.exchange(now, &config, request, datagram, attempt) {
            Ok(exchange) => exchange,
            Err(reason) => return self.silent(None, request, reason, out),
        };
        self.scratch.read_names(request);
        match request.message {
            Message::Discover { requested } => self.discover(&exchange, requested, out),
            Message::Request(requested) => self.request(&exchange, requested, out),
            Message::Decline { address, server } => {
                self.decline(&exchange, address, server, out);
            }
            Message::Release { address, server } => {
                self.release(&exchange, address, server, out);
            }
            Message::Inform => self.inform(&exchange, out),
            Message::Bootp => self.bootp(&exchange, out),
            Message::LeaseQuery => {}
        }
    }

    /// Finds the server, the client's terms and its identity.
    fn exchange<'a>(
        &self,
        now: Now,
        config: &'a Config,
        request: &'a Request<'a>,
        datagram: &'a Datagram<'a>,
        attempt: u8,
    ) -> Result<Exchange<'a>, Silence> {
        let service = self.services.select(self.site(config), request, datagram)?;
        let server = config.server(service.index).ok_or(Silence::NoServer)?;
        let place = (service.space, request.ciaddr);
        let told_by = |traits: Traits<'_>| traits.kind(server.identifiers);
        let plain = Traits::of(request);
        let traits = Traits { told_by: told_by(plain), ..plain };
        //= https://www.rfc-editor.org/rfc/rfc3046#section-2.2
        //# Consequently, servers SHOULD be
        //# prepared to handle relay agent options in unicast messages, but MUST
        //# NOT expect them to always be there.
        let stashed = match request.relay_agent() {
            None if request.ciaddr != Ipv4Addr::UNSPECIFIED => self.stashed(&traits, place),
            _ => &[],
        };
        let agent = request
            .relay_agent()
            .or_else(|| (!stashed.is_empty()).then(|| crate::wire::RelayAgent::new(stashed)));
        // RFC 5107: what the relay wants to be called by counts also around it.
        let around = agent.filter(|_| !request.is_relayed());
        //= https://www.rfc-editor.org/rfc/rfc5107#section-4
        //# The DHCP server must also record the address in the suboption for use in subsequent
        //# messages to the DHCP client until the next DHCP message is received from the DHCP relay
        //# agent.
        let named = around.and_then(|agent| agent.server_id_override());
        let shown = terms::shown(request, datagram.link_source, agent);
        let terms = Terms::of(config, &self.services, &service, server, request, &shown, stashed);
        let hardware = terms::hardware(request, terms.fixed, datagram.link_source);
        let (client_id, relay_agent) = (plain.client_id, plain.relay_agent);
        let own = Traits { htype: hardware.htype(), chaddr: hardware.octets(), ..plain };
        let kind = told_by(own);
        let hash = self.book.hash(service.key, &Traits { told_by: kind, ..own }.identity());
        Ok(Exchange {
            now,
            request,
            datagram,
            config,
            server,
            service,
            terms,
            hardware,
            kind,
            client_id,
            relay_agent,
            hash,
            attempt,
            named,
        })
    }

    fn site<'a>(&'a self, config: &'a Config) -> Site<'a> {
        Site { config, pools: &self.pools, interfaces: &self.interfaces, book: &self.book }
    }

    fn server_name(&self, exchange: &Exchange<'_>) -> Arc<str> {
        Arc::clone(&exchange.server.name)
    }

    /// Counts and tells what happened.
    fn tell(&mut self, out: &mut Outbox, event: impl FnOnce(&Self) -> Event) {
        let event = event(self);
        self.counters.happened(&event);
        out.event(event);
    }

    /// Says nothing, and tells why.
    fn silent(
        &mut self,
        exchange: Option<&Exchange<'_>>,
        request: &Request<'_>,
        reason: Silence,
        out: &mut Outbox,
    ) {
        match exchange {
            Some(exchange) if reason == Silence::PoolEmpty => self.tell_empty(exchange, out),
            _ => {
                let server = exchange.map(|exchange| self.server_name(exchange));
                let client = request.hardware;
                self.tell(out, |_| Event::Silent { server, client, reason });
            }
        }
    }

    /// Tells that the client's pool has nothing left.
    fn tell_empty(&mut self, exchange: &Exchange<'_>, out: &mut Outbox) {
        self.tell(out, |engine| Event::PoolEmpty {
            server: engine.server_name(exchange),
            pool: engine.pool_name(exchange),
            client: exchange.request.hardware,
        });
    }

    /// The name of the pool that the client's addresses come from first.
    fn pool_name(&self, exchange: &Exchange<'_>) -> Arc<str> {
        let name = exchange.terms.pool.map_or("", |pool| self.pools.name(pool));
        let pool = exchange.config.pools.iter().find(|pool| *pool.name == *name);
        pool.map_or_else(|| Arc::from(name), |pool| Arc::clone(&pool.name))
    }
}

impl Scratch {
    /// Reads what the client calls itself.
    fn read_names(&mut self, request: &Request<'_>) {
        self.fqdn.clear();
        self.host_name.clear();
        if let Some(fqdn) = request.fqdn() {
            fqdn.name(&mut self.fqdn);
        }
        //= https://www.rfc-editor.org/rfc/rfc4702#section-4
        //# If a client sends both the Client FQDN and Host Name option, the server SHOULD ignore
        //# the Host Name option.
        match self.fqdn.split('.').next().filter(|label| !label.is_empty()) {
            Some(label) => self.host_name.push_str(label),
            None => {
                request.host_name(&mut self.host_name);
                self.fqdn.push_str(&self.host_name);
            }
        }
    }

    /// Writes what the request says of its client; `known` is what was known of it.
    fn write_client(
        &mut self,
        exchange: &Exchange<'_>,
        known: Option<&lease::Client>,
        nonce: Option<Nonce>,
    ) {
        lease::Client::write(
            exchange.request,
            &exchange.traits(),
            &self.host_name,
            known,
            nonce,
            &mut self.client,
        );
    }
}

/// The hardware address in a datagram that is not a request, as far as it is there.
fn wire_hardware(payload: &[u8]) -> crate::client::Hardware {
    let field = |at: usize| payload.get(at).copied().unwrap_or_default();
    let length = usize::from(field(2).min(16));
    let chaddr = payload.get(28..28 + length).unwrap_or_default();
    crate::client::Hardware::new(field(1), chaddr)
}
