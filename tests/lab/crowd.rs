//! Many conversations over one tap, a bounded number at a time.

use std::collections::{HashMap, VecDeque};
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use super::client::Client;
use super::frame::{Envelope, Mac};
use super::message::{Message, Reply, kind};
use super::tap::Tap;

/// A client waits this long before it repeats itself.
const REPEAT: Duration = Duration::from_secs(1);

/// One question: how it goes out, and what.
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
pub struct Manners {
    /// Questions without an answer at any one time.
    pub window: usize,
    /// How often a question is put before it counts as unanswered.
    pub tries: u32,
}

impl Default for Manners {
    fn default() -> Self {
        Self { window: 128, tries: 10 }
    }
}

/// Puts all questions, the window's number at a time; gives back each one's answer, in order.
/// `heard` sees each answer as it comes and ends the conversation by returning false.
pub fn converse(
    tap: &Tap,
    questions: &[Question],
    manners: Manners,
    mut heard: impl FnMut(usize, &Reply) -> bool,
) -> Vec<Option<Reply>> {
    let mut answers: Vec<Option<Reply>> = vec![None; questions.len()];
    let mut waiting: HashMap<u32, usize> = HashMap::new();
    let mut repeats: VecDeque<(Instant, usize, u32)> = VecDeque::new();
    let mut unsent = 0..questions.len();
    let put = |number: usize, tried: u32, repeats: &mut VecDeque<(Instant, usize, u32)>| {
        let question = &questions[number];
        tap.send(&question.envelope, &question.message);
        repeats.push_back((Instant::now() + REPEAT, number, tried));
    };
    loop {
        while waiting.len() < manners.window
            && let Some(number) = unsent.next()
        {
            assert!(waiting.insert(questions[number].message.xid, number).is_none(), "xid twice");
            put(number, 1, &mut repeats);
        }
        if waiting.is_empty() {
            return answers;
        }
        let now = Instant::now();
        while let Some(&(due, number, tried)) = repeats.front()
            && due <= now
        {
            repeats.pop_front();
            if answers[number].is_some() {
                continue;
            }
            if tried < manners.tries {
                put(number, tried + 1, &mut repeats);
            } else {
                waiting.remove(&questions[number].message.xid);
            }
        }
        let due = repeats.front().map_or(now, |(due, ..)| *due);
        let Some(reply) = tap.next(due.saturating_duration_since(now)) else { continue };
        if reply.op() != 2 {
            continue;
        }
        let Some(number) = waiting.remove(&reply.xid()) else { continue };
        assert_eq!(&reply.chaddr()[..6], &questions[number].message.chaddr[..6], "{reply:?}");
        let go_on = heard(number, &reply);
        answers[number] = Some(reply);
        if !go_on {
            return answers;
        }
    }
}

/// A number of simulated clients, and the address that each one holds.
pub struct Crowd<'t> {
    tap: &'t Tap,
    pub clients: Vec<Client<'t>>,
    pub manners: Manners,
}

impl<'t> Crowd<'t> {
    /// Clients numbered from `first` on.
    pub fn new(tap: &'t Tap, first: u32, count: u32) -> Self {
        let clients = (first..first + count).map(|number| Client::new(tap, number)).collect();
        Self { tap, clients, manners: Manners::default() }
    }

    pub fn macs(&self) -> Vec<Mac> {
        self.clients.iter().map(Client::mac).collect()
    }

    /// Every client goes through DISCOVER and REQUEST; gives back each one's ACK, if any.
    pub fn lease(&self) -> Vec<Option<Reply>> {
        let questions = self.each(|client| Some(client.discover()));
        let offers = converse(self.tap, &questions, self.manners, |_, _| true);
        let mut offers = offers.into_iter();
        let mut answers = vec![None; self.clients.len()];
        let mut takers = Vec::new();
        let mut questions = Vec::new();
        for (number, client) in self.clients.iter().enumerate() {
            let Some(offer) = offers.next().flatten() else { continue };
            assert!(offer.is(kind::OFFER), "{offer:?}");
            questions.push(Question::broadcast(client, client.selecting(&offer)));
            takers.push(number);
        }
        let acks = converse(self.tap, &questions, self.manners, |_, _| true);
        for (number, ack) in takers.into_iter().zip(acks) {
            answers[number] = ack;
        }
        answers
    }

    /// Every client renews the address it holds, from that address straight to the server.
    pub fn renew(
        &self,
        held: &[Ipv4Addr],
        server_mac: Mac,
        server: Ipv4Addr,
    ) -> Vec<Option<Reply>> {
        let pairs = self.clients.iter().zip(held);
        let questions: Vec<Question> = pairs
            .map(|(client, address)| Question {
                envelope: Envelope::unicast(client.mac(), *address, server_mac, server),
                message: client.renewing(*address),
            })
            .collect();
        converse(self.tap, &questions, self.manners, |_, _| true)
    }

    fn each(&self, say: impl Fn(&Client<'t>) -> Option<Message>) -> Vec<Question> {
        let clients = self.clients.iter();
        clients.filter_map(|c| Some(Question::broadcast(c, say(c)?))).collect()
    }
}
