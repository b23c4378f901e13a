//! The clients: who they are, what each waits for, and who owns which address.

use std::collections::HashMap;
use std::net::Ipv4Addr;

/// A client's number has 24 bits: they stand in its Ethernet address and in its xids.
pub(super) const CLIENTS_MAX: u32 = 1 << 24;
const NUMBER: u32 = CLIENTS_MAX - 1;
const SPREAD: u32 = 0x9e37_79b1;
const GATHER: u32 = inverse(SPREAD);

/// The number that undoes a multiplication by an odd number modulo 2³² (Newton's iteration).
const fn inverse(odd: u32) -> u32 {
    let mut x = odd;
    let mut round = 0;
    while round < 5 {
        x = x.wrapping_mul(2u32.wrapping_sub(odd.wrapping_mul(x)));
        round += 1;
    }
    x
}

/// Names of the clients of one seed. Two seeds that differ in their lowest 16 bits have no client
/// in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    population: [u8; 2],
    salt: u32,
}

impl Names {
    pub(super) fn new(seed: u64) -> Self {
        let salt = fastrand::Rng::with_seed(seed).u32(..);
        Self { population: (seed as u16).to_be_bytes(), salt }
    }

    /// A locally administered address; consecutive clients are far apart.
    pub(super) fn mac(&self, number: u32) -> [u8; 6] {
        let spread = number.wrapping_mul(SPREAD).wrapping_add(self.salt) & NUMBER;
        let [_, a, b, c] = spread.to_be_bytes();
        let [p, q] = self.population;
        [2, p, q, a, b, c]
    }

    /// The xid of a client's exchange; differs from those of its last 255 exchanges.
    pub(super) fn xid(&self, number: u32, exchange: u8) -> u32 {
        (u32::from(exchange) << 24 | number).wrapping_mul(SPREAD) ^ self.salt
    }

    /// Whose xid it is: client and exchange.
    pub(super) fn of_xid(&self, xid: u32) -> (u32, u8) {
        let plain = (xid ^ self.salt).wrapping_mul(GATHER);
        (plain & NUMBER, (plain >> 24) as u8)
    }
}

/// What a client waits for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing: it has not started, has released, or was given up.
    #[default]
    Off,
    /// An OFFER.
    Selecting,
    /// The ACK to its choice.
    Requesting,
    /// The ACK to its INIT-REBOOT.
    Rebooting,
    /// The ACK to its renewal.
    Renewing,
    /// Nothing: it has a lease.
    Bound,
}

impl Stage {
    /// Whether an exchange is under way.
    pub(super) fn waits(self) -> bool {
        !matches!(self, Self::Off | Self::Bound)
    }
}

/// One client. Times are nanoseconds since the run began.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) stage: Stage,
    /// Transmissions of the present message so far, less one.
    pub(super) attempt: u8,
    pub(super) exchange: u8,
    /// NAKs in the present exchange.
    pub(super) naks: u8,
    /// The address that it asks for.
    pub(super) wanted: Ipv4Addr,
    /// The address that it has, until `lease_end`; unspecified for none.
    pub(super) leased: Ipv4Addr,
    pub(super) server: Ipv4Addr,
    /// When the exchange was due.
    pub(super) due: u64,
    /// When the present message first left.
    pub(super) sent: u64,
    /// When the lease ends.
    pub(super) lease_end: u64,
}

impl Default for Client {
    fn default() -> Self {
        Self {
            stage: Stage::Off,
            attempt: 0,
            exchange: 0,
            naks: 0,
            wanted: Ipv4Addr::UNSPECIFIED,
            leased: Ipv4Addr::UNSPECIFIED,
            server: Ipv4Addr::UNSPECIFIED,
            due: 0,
            sent: 0,
            lease_end: 0,
        }
    }
}

/// All clients by number, and the owners of addresses.
#[derive(Debug)]
pub(super) struct Clients {
    all: Vec<Client>,
    owners: HashMap<Ipv4Addr, u32>,
}

impl Clients {
    pub(super) fn new(count: u32) -> Self {
        let count = count as usize;
        Self { all: vec![Client::default(); count], owners: HashMap::with_capacity(count) }
    }

    pub(super) fn get(&self, number: u32) -> Option<&Client> {
        self.all.get(number as usize)
    }

    /// The client with a number that [`Clients::get`] knows.
    pub(super) fn at(&mut self, number: u32) -> &mut Client {
        &mut self.all[number as usize]
    }

    /// The client who has the address by an unexpired lease.
    pub(super) fn owner(&self, address: Ipv4Addr, now: u64) -> Option<u32> {
        let number = *self.owners.get(&address)?;
        let client = self.get(number)?;
        (client.leased == address && client.lease_end > now).then_some(number)
    }

    /// Notes a lease, and tells who else has the address.
    pub(super) fn bind(
        &mut self,
        number: u32,
        address: Ipv4Addr,
        now: u64,
        lease_time: u32,
    ) -> Result<(), u32> {
        let before = self.owner(address, now).filter(|&owner| owner != number);
        let client = self.at(number);
        client.stage = Stage::Bound;
        client.leased = address;
        client.lease_end = now.saturating_add(u64::from(lease_time) * 1_000_000_000);
        self.owners.insert(address, number);
        before.map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_and_xids_lead_back() {
        let names = Names::new(7);
        let macs: HashSet<_> = (0..100_000).map(|number| names.mac(number)).collect();
        assert_eq!(macs.len(), 100_000);
        for number in [0, 1, 77_777, CLIENTS_MAX - 1] {
            for exchange in [0, 1, 255] {
                assert_eq!(names.of_xid(names.xid(number, exchange)), (number, exchange));
            }
        }
        let others = Names::new(8);
        assert!((0..1000).all(|number| !macs.contains(&others.mac(number))));
    }

    #[test]
    fn an_address_with_two_owners_is_seen() {
        let mut clients = Clients::new(3);
        let address = Ipv4Addr::new(10, 0, 0, 9);
        assert_eq!(clients.bind(0, address, 0, 10), Ok(()));
        assert_eq!(clients.bind(0, address, 1, 10), Ok(()), "the same client again");
        assert_eq!(clients.bind(1, address, 2, 10), Err(0));
    }

    #[test]
    fn a_released_or_expired_address_may_move() {
        let mut clients = Clients::new(3);
        let address = Ipv4Addr::new(10, 0, 0, 9);
        assert_eq!(clients.bind(0, address, 0, 10), Ok(()));
        clients.at(0).leased = Ipv4Addr::UNSPECIFIED;
        assert_eq!(clients.bind(1, address, 1, 10), Ok(()));
        let later = 1 + 10_000_000_000;
        assert_eq!(clients.bind(2, address, later, 10), Ok(()));
    }
}
