//! The pools against a plain model of them: sets, maps and no cleverness, through random calls.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use leasehold_pool::{
    AddressState, Claim, Exhausted, Home, OwnerTag, Plan, PlanError, Pools, Quarantined, Range,
    Refused, SpaceId, Usage, Wish,
};
use proptest::prelude::*;
use proptest::sample::Index;

/// Where things can go wrong: both ends, a word's edge, a block's, a /14's, a /8's.
const ADDRESSES: [u32; 24] = [
    0x0000_0000,
    0x0000_0001,
    0x0000_0002,
    0x0a00_003f,
    0x0a00_0040,
    0x0a00_0041,
    0x0a00_0ffe,
    0x0a00_0fff,
    0x0a00_1000,
    0x0a00_1001,
    0x0a03_fffe,
    0x0a03_ffff,
    0x0a04_0000,
    0x0a04_0001,
    0x0aff_fffe,
    0x0aff_ffff,
    0x0b00_0000,
    0x0b00_0001,
    0xc0a8_580a,
    0xc0a8_580b,
    0xc0a8_58fe,
    0xffff_fffd,
    0xffff_fffe,
    0xffff_ffff,
];
const SPACES: [&str; 2] = ["main", "blue"];
const POOLS: [&str; 4] = ["a", "b", "c", "d"];

/// A configuration, about addresses by their number in `ADDRESSES`.
#[derive(Clone, Debug)]
struct Config {
    /// For each pool: its space, its addresses, its next pool.
    pools: Vec<(usize, BTreeSet<usize>, Option<usize>)>,
    reserved: BTreeSet<(usize, usize)>,
    covered: BTreeSet<(usize, usize)>,
}

impl Config {
    /// The next pool, if it is there and in the same space.
    fn next(&self, pool: usize) -> Option<usize> {
        let (space, _, next) = &self.pools[pool];
        next.filter(|&next| self.pools.get(next).is_some_and(|(other, ..)| other == space))
    }

    fn chain(&self, pool: usize) -> Vec<usize> {
        let mut chain = vec![pool];
        while let Some(next) = self.next(chain[chain.len() - 1]).filter(|id| !chain.contains(id)) {
            chain.push(next);
        }
        chain
    }

    fn covers(&self, key: (usize, usize)) -> bool {
        let in_pool = |(space, addresses, _): &(usize, BTreeSet<usize>, _)| {
            *space == key.0 && addresses.contains(&key.1)
        };
        self.reserved.contains(&key)
            || self.covered.contains(&key)
            || self.pools.iter().any(in_pool)
    }

    /// Whether the numbers are next to each other as addresses.
    fn plan(&self, mut plan: Plan) -> (Plan, Vec<SpaceId>) {
        let spaces: Vec<_> = SPACES.iter().map(|name| plan.space(name)).collect();
        plan.forget_owners(spaces[1]);
        for (number, (space, addresses, _)) in self.pools.iter().enumerate() {
            // Highest first and one by one, or joined: the order and cut of ranges is nothing.
            let joined = number % 2 == 0;
            let mut ranges: Vec<Range> = Vec::new();
            for &address in addresses {
                let address = ip(address);
                match ranges.last_mut() {
                    Some(last) if joined && last.last.to_bits() + 1 == address.to_bits() => {
                        last.last = address;
                    }
                    _ => ranges.push(address.into()),
                }
            }
            ranges.reverse();
            let next = self.next(number).map(|next| POOLS[next]);
            plan.pool(spaces[*space], POOLS[number], &ranges, next);
        }
        self.reserved.iter().for_each(|&(space, a)| plan.reserve(spaces[space], ip(a)));
        self.covered.iter().for_each(|&(space, a)| plan.cover(spaces[space], ip(a)));
        (plan, spaces)
    }
}

fn ip(number: usize) -> Ipv4Addr {
    Ipv4Addr::from_bits(ADDRESSES[number])
}

fn tag(number: u32) -> OwnerTag {
    OwnerTag::new(number).expect("the model's tags are not zero")
}

/// Where an address's token is, and the tag of its last owner.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Token {
    #[default]
    Free,
    Vacant,
    Claimed,
    Quarantined,
}

struct Model {
    config: Config,
    tokens: BTreeMap<(usize, usize), (Token, u32)>,
}

impl Model {
    fn token(&self, key: (usize, usize)) -> (Token, u32) {
        self.tokens.get(&key).copied().unwrap_or_default()
    }

    fn move_to(&mut self, key: (usize, usize), token: Token) {
        self.tokens.entry(key).or_default().0 = token;
    }

    fn lay_down(&mut self, key: (usize, usize), tag: u32) {
        let reserved = self.config.reserved.contains(&key);
        let remembers = key.0 == 0;
        let token = if reserved { Token::Vacant } else { Token::Free };
        self.tokens.insert(key, (token, if remembers { tag } else { 0 }));
    }

    fn reconfigure(&mut self, config: Config) {
        self.config = config;
        for (key, (token, _)) in &mut self.tokens {
            match (*token, self.config.reserved.contains(key)) {
                (Token::Free, true) => *token = Token::Vacant,
                (Token::Vacant, false) => *token = Token::Free,
                _ => {}
            }
        }
        for &key in &self.config.reserved {
            self.tokens.entry(key).or_insert((Token::Vacant, 0));
        }
    }

    fn is_free(&self, key: (usize, usize)) -> bool {
        self.token(key).0 == Token::Free
    }

    /// The address, and the pool of the chain that it comes from.
    fn acquire(&mut self, pool: usize, wish: &Asked) -> Option<(usize, usize)> {
        let space = self.config.pools[pool].0;
        let chain = self.config.chain(pool);
        let member = |address: usize| {
            chain.iter().copied().find(|&id| self.config.pools[id].1.contains(&address))
        };
        let preferred = wish.preferred.filter(|&a| self.is_free((space, a)));
        let last = wish.last.filter(|&a| {
            let (token, tag) = self.token((space, a));
            token == Token::Free && tag != 0 && wish.owner == Some(tag)
        });
        let wished = |address: Option<usize>| Some((address?, member(address?)?));
        let best_of = |&id: &usize| {
            let free = |&&a: &&usize| self.is_free((space, a));
            let fresh = |a: &usize| self.token((space, *a)).1 == 0;
            let addresses = &self.config.pools[id].1;
            let best = addresses.iter().filter(free).max_by_key(|&a| (fresh(a), *a))?;
            Some((*best, id))
        };
        let best = || chain.iter().find_map(best_of);
        let (address, id) = wished(preferred).or_else(|| wished(last)).or_else(best)?;
        self.move_to((space, address), Token::Claimed);
        Some((address, id))
    }

    fn refusal(&self, key: (usize, usize)) -> Refused {
        match self.token(key).0 {
            Token::Quarantined => Refused::Quarantined,
            _ => Refused::Claimed,
        }
    }

    fn take(&mut self, key: (usize, usize)) -> Result<(), Refused> {
        if !self.config.covers(key) {
            return Err(Refused::NotCovered);
        }
        if self.is_free(key) {
            self.move_to(key, Token::Claimed);
            return Ok(());
        }
        let reserved = self.config.reserved.contains(&key);
        Err(if reserved { Refused::Reserved } else { self.refusal(key) })
    }

    fn take_reserved(&mut self, key: (usize, usize)) -> Result<(), Refused> {
        if !self.config.covers(key) {
            return Err(Refused::NotCovered);
        }
        if self.token(key).0 == Token::Vacant {
            self.move_to(key, Token::Claimed);
            return Ok(());
        }
        let reserved = self.config.reserved.contains(&key);
        Err(if reserved { self.refusal(key) } else { Refused::NotReserved })
    }

    fn remember(&mut self, key: (usize, usize), tag: u32) -> Result<(), Refused> {
        if !self.config.covers(key) {
            return Err(Refused::NotCovered);
        }
        if matches!(self.token(key).0, Token::Claimed | Token::Quarantined) {
            return Err(self.refusal(key));
        }
        self.lay_down(key, tag);
        Ok(())
    }

    fn state(&self, key: (usize, usize)) -> AddressState {
        if !self.config.covers(key) {
            return AddressState::NotCovered;
        }
        match self.token(key) {
            (Token::Free, 0) => AddressState::Fresh,
            (Token::Free, number) => AddressState::Remembered(tag(number)),
            (Token::Vacant, _) => AddressState::Vacant,
            (Token::Claimed, _) => AddressState::Claimed,
            (Token::Quarantined, _) => AddressState::Quarantined,
        }
    }

    fn usage(&self, pool: usize) -> Usage {
        let (space, addresses, _) = &self.config.pools[pool];
        let count = |token: Token| {
            addresses.iter().filter(|&&a| self.token((*space, a)).0 == token).count() as u64
        };
        let (total, available) = (addresses.len() as u64, count(Token::Free));
        let quarantined = count(Token::Quarantined);
        Usage { total, used: total - available, available, quarantined }
    }
}

/// What an acquire asks for.
#[derive(Clone, Debug)]
struct Asked {
    owner: Option<u32>,
    preferred: Option<usize>,
    last: Option<usize>,
}

#[derive(Clone, Debug)]
enum Step {
    Acquire(Index, Asked),
    AcquireNear(Index, u64),
    Take((usize, usize)),
    TakeReserved((usize, usize)),
    Release(Index, Option<u32>),
    Remember((usize, usize), u32),
    Quarantine(Index),
    Pardon(Index, Option<u32>),
    Reconfigure(Config),
}

fn a_key() -> impl Strategy<Value = (usize, usize)> {
    (0..SPACES.len(), 0..ADDRESSES.len())
}

fn a_config() -> impl Strategy<Value = Config> {
    let addresses = prop::collection::btree_set(0..ADDRESSES.len(), 1..10);
    let pool = (0..SPACES.len(), addresses, prop::option::of(0..POOLS.len()));
    let pools = prop::collection::vec(pool, 1..=POOLS.len());
    let keys = || prop::collection::btree_set(a_key(), 0..4);
    (pools, keys(), keys()).prop_map(|(pools, reserved, covered)| Config {
        pools,
        reserved,
        covered,
    })
}

fn a_step() -> impl Strategy<Value = Step> {
    let address = || prop::option::of(0..ADDRESSES.len());
    let tag = || prop::option::of(1..5_u32);
    let asked = (tag(), address(), address()).prop_map(|(owner, preferred, last)| Asked {
        owner,
        preferred,
        last,
    });
    let nothing = Just(Asked { owner: None, preferred: None, last: None });
    let index = any::<Index>;
    prop_oneof![
        6 => (index(), nothing).prop_map(|(pool, asked)| Step::Acquire(pool, asked)),
        4 => (index(), asked).prop_map(|(pool, asked)| Step::Acquire(pool, asked)),
        4 => (index(), 0..3_u64).prop_map(|(pool, home)| Step::AcquireNear(pool, home)),
        2 => a_key().prop_map(Step::Take),
        2 => a_key().prop_map(Step::TakeReserved),
        5 => (index(), tag()).prop_map(|(held, tag)| Step::Release(held, tag)),
        1 => (a_key(), 1..5_u32).prop_map(|(key, tag)| Step::Remember(key, tag)),
        1 => index().prop_map(Step::Quarantine),
        1 => (index(), tag()).prop_map(|(held, tag)| Step::Pardon(held, tag)),
        1 => a_config().prop_map(Step::Reconfigure),
    ]
}

/// The pools and the model, and what is claimed of both.
struct World {
    pools: Pools,
    spaces: Vec<SpaceId>,
    model: Model,
    claims: Vec<Claim>,
    quarantined: Vec<Quarantined>,
    homes: [Home; 3],
}

impl World {
    fn new(config: Config) -> Self {
        let (plan, spaces) = config.plan(Plan::new());
        let mut model = Model { config: config.clone(), tokens: BTreeMap::new() };
        model.reconfigure(config);
        let pools = Pools::new(&plan).expect("the plan is right");
        let homes = [0, 1, 2].map(Home::new);
        Self { pools, spaces, model, claims: Vec::new(), quarantined: Vec::new(), homes }
    }

    fn key(&self, space: SpaceId, address: Ipv4Addr) -> (usize, usize) {
        let number = ADDRESSES.iter().position(|&other| other == address.to_bits());
        let space = self.spaces.iter().position(|&other| other == space);
        (space.expect("a space of the plan"), number.expect("an address of the plan"))
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Acquire(pool, asked) => self.acquire(&pool, &asked),
            Step::AcquireNear(pool, home) => self.acquire_near(&pool, home),
            Step::Take(key) => {
                let taken = self.pools.take(self.spaces[key.0], ip(key.1));
                assert_eq!(self.keep(taken), self.model.take(key));
            }
            Step::TakeReserved(key) => {
                let taken = self.pools.take_reserved(self.spaces[key.0], ip(key.1));
                assert_eq!(self.keep(taken), self.model.take_reserved(key));
            }
            Step::Release(held, owner) if !self.claims.is_empty() => {
                let claim = self.claims.swap_remove(held.index(self.claims.len()));
                let key = self.key(claim.space(), claim.address());
                self.pools.release(claim, owner.map(tag));
                self.model.lay_down(key, owner.unwrap_or(0));
            }
            Step::Remember(key, owner) => {
                let done = self.pools.remember(self.spaces[key.0], ip(key.1), tag(owner));
                assert_eq!(done, self.model.remember(key, owner));
            }
            Step::Quarantine(held) if !self.claims.is_empty() => {
                let claim = self.claims.swap_remove(held.index(self.claims.len()));
                let key = self.key(claim.space(), claim.address());
                self.quarantined.push(self.pools.quarantine(claim));
                self.model.move_to(key, Token::Quarantined);
            }
            Step::Pardon(held, owner) if !self.quarantined.is_empty() => {
                let index = held.index(self.quarantined.len());
                let quarantined = self.quarantined.swap_remove(index);
                let key = self.key(quarantined.space(), quarantined.address());
                self.pools.pardon(quarantined, owner.map(tag));
                self.model.lay_down(key, owner.unwrap_or(0));
            }
            Step::Reconfigure(config) => {
                let (plan, _) = config.plan(self.pools.plan());
                let next = self.pools.reconfigure(&plan).expect("the plan is right");
                let again = self.pools.reconfigure(&plan);
                assert_eq!(again.err(), Some(PlanError::Superseded));
                self.pools = next;
                self.model.reconfigure(config);
            }
            Step::Release(..) | Step::Quarantine(_) | Step::Pardon(..) => {}
        }
    }

    fn keep(&mut self, taken: Result<Claim, Refused>) -> Result<(), Refused> {
        taken.map(|claim| self.claims.push(claim))
    }

    fn acquire(&mut self, pool: &Index, asked: &Asked) {
        let pool = pool.index(self.model.config.pools.len());
        let id = self.pools.pool(POOLS[pool]).expect("the plan has the pool");
        let wish = Wish {
            owner: asked.owner.map(tag),
            preferred: asked.preferred.map(ip),
            last: asked.last.map(ip),
        };
        match (self.pools.acquire(id, wish), self.model.acquire(pool, asked)) {
            (Ok(grant), Some((address, member))) => {
                assert_eq!(grant.claim.address(), ip(address));
                assert_eq!(self.pools.name(grant.pool), POOLS[member]);
                self.claims.push(grant.claim);
            }
            (Err(Exhausted), None) => {}
            (got, expected) => panic!("{got:?} instead of {expected:?}"),
        }
    }

    /// A fresh address of the pool itself, or what the order would give.
    fn acquire_near(&mut self, pool: &Index, home: u64) {
        let pool = pool.index(self.model.config.pools.len());
        let id = self.pools.pool(POOLS[pool]).expect("the plan has the pool");
        let granted = self.pools.acquire_near(id, &mut self.homes[home as usize]);
        let nothing = Asked { owner: None, preferred: None, last: None };
        let Ok(grant) = granted else {
            return assert_eq!(self.model.acquire(pool, &nothing), None);
        };
        let key = self.key(grant.claim.space(), grant.claim.address());
        let (own, fresh) = (grant.pool == id, self.model.token(key) == (Token::Free, 0));
        if own && fresh && self.model.config.pools[pool].1.contains(&key.1) {
            self.model.move_to(key, Token::Claimed);
        } else {
            let member = POOLS.iter().position(|name| *name == self.pools.name(grant.pool));
            let expected = self.model.acquire(pool, &nothing);
            assert_eq!(Some((key.1, member.expect("a pool of the plan"))), expected);
        }
        self.claims.push(grant.claim);
    }

    fn compare(&self) {
        for space in 0..SPACES.len() {
            for address in 0..ADDRESSES.len() {
                let state = self.pools.state(self.spaces[space], ip(address));
                assert_eq!(state, self.model.state((space, address)), "{space} {}", ip(address));
            }
        }
        for (number, id) in self.pools.pools().enumerate() {
            assert_eq!(self.pools.usage(id), self.model.usage(number), "{}", POOLS[number]);
            let chain = self.pools.chain(id).map(|id| self.pools.name(id));
            let expected = self.model.config.chain(number).into_iter().map(|id| POOLS[id]);
            assert!(chain.eq(expected), "the chain of {}", POOLS[number]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn the_pools_do_what_the_model_does(
        config in a_config(),
        steps in prop::collection::vec(a_step(), 1..80),
    ) {
        let mut world = World::new(config);
        world.compare();
        for step in steps {
            world.step(step);
            world.compare();
        }
    }
}
