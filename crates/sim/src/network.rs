//! What a network does to a datagram: loses, delays, doubles, reorders, or cuts a link off.

use core::fmt;
use std::collections::{BTreeMap, BTreeSet};

use crate::client::ClientId;
use crate::clock::Moment;
use crate::random::Random;
use crate::topology::LinkId;

/// How bad the network is. Probabilities are per mille, times milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Weather {
    /// A datagram is lost.
    pub loss: u32,
    /// A datagram arrives twice.
    pub duplicates: u32,
    /// The usual way takes up to this long.
    pub delay: u64,
    /// A datagram takes a much longer way, and so is overtaken by later ones.
    pub strays: u32,
    /// The longest way.
    pub stray_delay: u64,
}

impl Weather {
    /// Everything arrives, once and soon.
    pub const CALM: Self = Self { loss: 0, duplicates: 0, delay: 3, strays: 0, stray_delay: 0 };
}

impl fmt::Display for Weather {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { loss, duplicates, delay, strays, stray_delay } = self;
        write!(
            f,
            "{loss} of 1000 lost, {duplicates} doubled, up to {delay} ms, {strays} up to \
             {stray_delay} ms"
        )
    }
}

/// The network between clients, relays and server.
#[derive(Debug)]
pub(crate) struct Network {
    weather: Weather,
    cut: BTreeSet<LinkId>,
    streams: BTreeMap<ClientId, Random>,
    root: Random,
}

/// When the copies of one datagram arrive.
pub(crate) type Arrivals = [Option<Moment>; 2];

impl Network {
    pub(crate) fn new(weather: Weather, root: Random) -> Self {
        Self { weather, cut: BTreeSet::new(), streams: BTreeMap::new(), root }
    }

    pub(crate) fn change(&mut self, weather: Weather) {
        self.weather = weather;
    }

    pub(crate) fn cut(&mut self, link: LinkId) {
        self.cut.insert(link);
    }

    pub(crate) fn join(&mut self, link: LinkId) {
        self.cut.remove(&link);
    }

    /// Everything works again.
    pub(crate) fn heal(&mut self) {
        self.weather = Weather::CALM;
        self.cut.clear();
    }

    /// Carries a datagram between the server and a client on a link, either way.
    pub(crate) fn carry(&mut self, now: Moment, link: LinkId, client: ClientId) -> Arrivals {
        let weather = self.weather;
        let random = self.stream(client);
        let fate = (random.chance(weather.loss), random.chance(weather.duplicates));
        let mut arrival = || {
            let stray = random.chance(weather.strays);
            let most = if stray { weather.stray_delay } else { weather.delay };
            Some(Moment(now.0 + 1 + random.within(0, most)))
        };
        let (first, second) = (arrival(), arrival());
        match fate {
            _ if self.cut.contains(&link) => [None, None],
            (true, _) => [None, None],
            (false, true) => [first, second],
            (false, false) => [first, None],
        }
    }

    /// A number below `most` from the stream of a client: the choice of an uplink, a late answer.
    pub(crate) fn draw(&mut self, client: ClientId, most: u64) -> u64 {
        self.stream(client).within(0, most)
    }

    fn stream(&mut self, client: ClientId) -> &mut Random {
        let root = &self.root;
        self.streams.entry(client).or_insert_with(|| root.fork(u64::from(client.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(weather: Weather, cut: bool) -> Vec<Arrivals> {
        let mut network = Network::new(weather, Random::new(11));
        if cut {
            network.cut(LinkId(0));
        }
        (0..1_000).map(|_| network.carry(Moment(50), LinkId(0), ClientId(1))).collect()
    }

    #[test]
    fn calm_delivers_each_once() {
        let calm = arrivals(Weather::CALM, false);
        assert!(calm.iter().all(|copies| matches!(copies, [Some(_), None])));
    }

    #[test]
    fn a_cut_link_delivers_nothing() {
        assert!(arrivals(Weather::CALM, true).iter().all(|copies| *copies == [None, None]));
    }

    #[test]
    fn storms_lose_double_and_reorder() {
        let storm =
            Weather { loss: 200, duplicates: 300, delay: 5, strays: 100, stray_delay: 5_000 };
        let storm = arrivals(storm, false);
        let lost = storm.iter().filter(|copies| copies[0].is_none()).count();
        let doubled = storm.iter().filter(|copies| copies[1].is_some()).count();
        let late = storm.iter().flatten().flatten().filter(|at| at.0 > 1_000).count();
        assert!((150..250).contains(&lost), "{lost}");
        assert!((180..300).contains(&doubled), "{doubled}");
        assert!(late > 30, "{late}");
    }
}
