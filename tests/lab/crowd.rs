//! Many clients over one tap, a bounded number of them at a time.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::client::Client;
use super::frame::{Envelope, Mac};
use super::message::{Message, Reply, kind};
use super::tap::Tap;

/// One thing to say: how it goes out, and what.
pub struct Question {
    pub envelope: Envelope,
    pub message: Message,
}

impl Question {
    pub fn broadcast(client: &Client<'_>, message: Message) -> Self {
        Self { envelope: Envelope::broadcast(client.mac()), message }
    }
}

/// How a crowd behaves.
#[derive(Clone, Copy)]
pub struct Manners<'a> {
    /// Clients that wait for an answer at any one time.
    pub window: usize,
    /// How often a question is put before the client gives up.
    pub tries: u32,
    /// How long it waits before it repeats itself.
    pub repeat: Duration,
    /// Asked between answers: shall the crowd go on?
    pub go_on: &'a dyn Fn() -> bool,
}

impl Default for Manners<'_> {
    fn default() -> Self {
        Self { window: 64, tries: 15, repeat: Duration::from_secs(1), go_on: &|| true }
    }
}

struct Talk<'a> {
    tap: &'a Tap,
    manners: Manners<'a>,
    /// Who waits, by transaction id, and for the answer to what.
    waiting: HashMap<u32, (usize, Question)>,
    repeats: VecDeque<(Instant, u32, u32)>,
}

/// Puts the first question of each client, a window of clients at a time, and lets `heard` say
/// what follows an answer, if anything. Ends when every client is done or has given up.
pub fn converse(
    tap: &Tap,
    first: impl IntoIterator<Item = Question>,
    manners: Manners<'_>,
    mut heard: impl FnMut(usize, &Reply) -> Option<Question>,
) {
    let mut talk = Talk { tap, manners, waiting: HashMap::new(), repeats: VecDeque::new() };
    let mut first = first.into_iter().enumerate();
    loop {
        let going_on = (manners.go_on)();
        while going_on && talk.waiting.len() < manners.window {
            let Some((number, question)) = first.next() else { break };
            talk.put(number, question);
        }
        if talk.waiting.is_empty() {
            return;
        }
        talk.repeat();
        // Short enough to notice the end, and nothing once it has come but what has arrived.
        let patience = if going_on { Duration::from_millis(10) } else { Duration::ZERO };
        let Some(reply) = tap.next(patience) else {
            if going_on {
                continue;
            }
            return;
        };
        let waiting = if reply.op() == 2 { talk.waiting.remove(&reply.xid()) } else { None };
        if let Some((number, question)) = waiting {
            reply.assert_sound(&question.message);
            if let Some(question) = heard(number, &reply).filter(|_| going_on) {
                talk.put(number, question);
            }
        }
    }
}

impl Talk<'_> {
    fn put(&mut self, number: usize, question: Question) {
        let xid = question.message.xid;
        self.tap.send(&question.envelope, &question.message);
        self.repeats.push_back((Instant::now() + self.manners.repeat, xid, 1));
        assert!(self.waiting.insert(xid, (number, question)).is_none(), "xid twice");
    }

    /// Says again what has waited too long, or gives it up.
    fn repeat(&mut self) {
        let now = Instant::now();
        while let Some(&(due, xid, tried)) = self.repeats.front()
            && due <= now
        {
            self.repeats.pop_front();
            let Some((_, question)) = self.waiting.get(&xid) else { continue };
            if tried < self.manners.tries {
                self.tap.send(&question.envelope, &question.message);
                self.repeats.push_back((now + self.manners.repeat, xid, tried + 1));
            } else {
                self.waiting.remove(&xid);
            }
        }
    }
}

/// A number of simulated clients.
pub struct Crowd<'t> {
    tap: &'t Tap,
    pub clients: Vec<Client<'t>>,
    pub manners: Manners<'t>,
}

impl<'t> Crowd<'t> {
    /// Clients numbered from `first` on.
    pub fn new(tap: &'t Tap, first: u32, count: u32) -> Self {
        let clients = (first..first + count).map(|number| Client::new(tap, number)).collect();
        Self { tap, clients, manners: Manners::default() }
    }

    /// Clients with these addresses.
    pub fn of(tap: &'t Tap, macs: impl Iterator<Item = Mac>) -> Self {
        let clients = macs.map(|mac| Client::with_mac(tap, mac)).collect();
        Self { tap, clients, manners: Manners::default() }
    }

    /// Every client goes through DISCOVER and REQUEST, and begins again after a NAK. Gives back
    /// each one's ACK, if any, in the order of the clients.
    pub fn lease(&self) -> Vec<Option<Reply>> {
        let mut acks = vec![None; self.clients.len()];
        let discovers = self.clients.iter().map(|c| Question::broadcast(c, c.discover()));
        converse(self.tap, discovers, self.manners, |number, reply| {
            let client = &self.clients[number];
            match reply.kind() {
                kind::OFFER => Some(Question::broadcast(client, client.selecting(reply))),
                kind::NAK => Some(Question::broadcast(client, client.discover())),
                _ => {
                    acks[number] = Some(reply.clone());
                    None
                }
            }
        });
        acks
    }

    /// Every client asks once for the address that it holds, as `say` puts it; each one's answer.
    pub fn reclaim(
        &self,
        held: &[Ipv4Addr],
        say: impl Fn(&Client<'t>, Ipv4Addr) -> Question,
    ) -> Vec<Option<Reply>> {
        let mut answers = vec![None; self.clients.len()];
        let pairs = self.clients.iter().zip(held);
        let questions = pairs.map(|(client, address)| say(client, *address));
        converse(self.tap, questions, self.manners, |number, reply| {
            answers[number] = Some(reply.clone());
            None
        });
        answers
    }

    /// Every client renews, from its address straight to the server.
    pub fn renew(
        &self,
        held: &[Ipv4Addr],
        server_mac: Mac,
        server: Ipv4Addr,
    ) -> Vec<Option<Reply>> {
        self.reclaim(held, |client, address| Question {
            envelope: Envelope::unicast(client.mac(), address, server_mac, server),
            message: client.renewing(address),
        })
    }

    /// Every client comes back after a power cut with the address that it remembers.
    pub fn reboot(&self, held: &[Ipv4Addr]) -> Vec<Option<Reply>> {
        self.reclaim(held, |client, address| {
            Question::broadcast(client, client.init_reboot(address))
        })
    }
}

/// Who holds which address; that nobody holds another's is checked as the ACKs come.
#[derive(Default)]
pub struct Owners {
    by_address: BTreeMap<Ipv4Addr, Mac>,
    by_client: BTreeMap<Mac, Ipv4Addr>,
    /// Who had an ACK since the last sample.
    fresh: BTreeSet<Ipv4Addr>,
    samples: usize,
    seen: u64,
}

impl Owners {
    /// An ACK was seen: the address is this client's, was nobody else's, and is its only one.
    pub fn acknowledged(&mut self, ack: &Reply) {
        assert!(ack.is(kind::ACK), "{ack:?}");
        self.seen += 1;
        let (address, client) = (ack.yiaddr(), ack.mac());
        let owner = *self.by_address.entry(address).or_insert(client);
        assert_eq!(owner, client, "{address} has two owners");
        let held = *self.by_client.entry(client).or_insert(address);
        assert_eq!(held, address, "{client} was moved");
        self.fresh.insert(address);
    }

    /// The client gave the address up.
    pub fn released(&mut self, address: Ipv4Addr) {
        if let Some(client) = self.by_address.remove(&address) {
            self.by_client.remove(&client);
        }
    }

    pub fn knows(&self, client: Mac) -> bool {
        self.by_client.contains_key(&client)
    }

    pub fn iter(&self) -> impl Iterator<Item = (Ipv4Addr, Mac)> {
        self.by_address.iter().map(|(address, mac)| (*address, *mac))
    }

    /// All who had an ACK since the last sample, and about `others` of the rest: each time others.
    pub fn sample(&mut self, others: usize) -> Vec<(Ipv4Addr, Mac)> {
        let fresh = std::mem::take(&mut self.fresh);
        let step = self.count().div_ceil(others).max(1);
        self.samples += 1;
        let is_in_turn = |at: usize| at % step == self.samples % step;
        let chosen = self.iter().enumerate();
        let chosen = chosen.filter(|(at, (address, _))| fresh.contains(address) || is_in_turn(*at));
        chosen.map(|(_, owner)| owner).collect()
    }

    /// How many ACKs, renewals among them.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    pub fn count(&self) -> usize {
        self.by_address.len()
    }
}
