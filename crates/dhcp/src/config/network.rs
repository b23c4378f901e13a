//! `/ip dhcp-server network`: what a client is told follows from the address that it gets.

use core::net::Ipv4Addr;
use std::sync::Arc;

use ipnet::Ipv4Net;

use super::OptionSet;

/// One `/ip dhcp-server network`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The addresses that it applies to.
    pub address: Ipv4Net,
    /// Option 3.
    pub gateways: Vec<Ipv4Addr>,
    /// Prefix length in option 1, where it is not that of `address`.
    pub netmask: Option<u8>,
    /// Option 6.
    pub dns: Vec<Ipv4Addr>,
    /// Option 42.
    pub ntp: Vec<Ipv4Addr>,
    /// Option 44.
    pub wins: Vec<Ipv4Addr>,
    /// Option 138.
    pub caps_managers: Vec<Ipv4Addr>,
    /// Option 15.
    pub domain: Arc<str>,
    /// `siaddr`, and option 66 as text.
    pub next_server: Option<Ipv4Addr>,
    /// `file`, and option 67.
    pub boot_file_name: Arc<str>,
    /// `dhcp-option` and `dhcp-option-set`.
    pub options: OptionSet,
}

impl Network {
    /// A network that tells its clients nothing but its mask.
    #[must_use]
    pub fn new(address: Ipv4Net) -> Self {
        Self {
            address: address.trunc(),
            gateways: Vec::new(),
            netmask: None,
            dns: Vec::new(),
            ntp: Vec::new(),
            wins: Vec::new(),
            caps_managers: Vec::new(),
            domain: Arc::from(""),
            next_server: None,
            boot_file_name: Arc::from(""),
            options: OptionSet::default(),
        }
    }

    /// The prefix length that option 1 tells.
    #[must_use]
    pub fn prefix_len(&self) -> u8 {
        self.netmask.unwrap_or(self.address.prefix_len())
    }
}

/// All networks; the longest prefix that contains an address wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// By prefix length, longest first, then by address.
    sorted: Vec<Network>,
    /// Where each prefix length begins in `sorted`, longest first.
    lengths: Vec<(u8, usize)>,
}

impl Networks {
    /// Takes the networks in any order; of two with the same prefix the first counts.
    #[must_use]
    pub fn new(mut networks: Vec<Network>) -> Self {
        let key =
            |network: &Network| (u8::MAX - network.address.prefix_len(), network.address.network());
        networks.sort_by_key(key);
        networks.dedup_by_key(|network| key(network));
        let mut lengths: Vec<(u8, usize)> = Vec::new();
        for (at, network) in networks.iter().enumerate() {
            let length = network.address.prefix_len();
            if lengths.last().is_none_or(|&(last, _)| last != length) {
                lengths.push((length, at));
            }
        }
        Self { sorted: networks, lengths }
    }

    /// The most specific network that contains `address`.
    #[must_use]
    pub fn containing(&self, address: Ipv4Addr) -> Option<&Network> {
        let mut end_of = self.lengths.iter().skip(1).map(|&(_, start)| start);
        for &(length, start) in &self.lengths {
            let end = end_of.next().unwrap_or(self.sorted.len());
            let same_length = &self.sorted[start..end];
            let wanted = Ipv4Net::new(address, length).ok()?.network();
            if let Ok(at) =
                same_length.binary_search_by_key(&wanted, |network| network.address.network())
            {
                return Some(&same_length[at]);
            }
        }
        None
    }

    /// All of them, most specific first.
    pub fn iter(&self) -> core::slice::Iter<'_, Network> {
        self.sorted.iter()
    }
}

impl FromIterator<Network> for Networks {
    fn from_iter<I: IntoIterator<Item = Network>>(networks: I) -> Self {
        Self::new(networks.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_prefix_wins() {
        let nets = ["10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.128/25", "192.0.2.0/24"];
        let networks: Networks =
            nets.iter().map(|net| Network::new(net.parse().unwrap())).collect();
        let found = |address: &str| {
            let network = networks.containing(address.parse().unwrap())?;
            Some(network.address.to_string())
        };
        assert_eq!(found("10.1.2.130").as_deref(), Some("10.1.2.128/25"));
        assert_eq!(found("10.1.2.127").as_deref(), Some("10.1.2.0/24"));
        assert_eq!(found("10.1.3.1").as_deref(), Some("10.1.0.0/16"));
        assert_eq!(found("10.200.0.0").as_deref(), Some("10.0.0.0/8"));
        assert_eq!(found("192.0.2.255").as_deref(), Some("192.0.2.0/24"));
        assert_eq!(found("11.0.0.0"), None);
    }

    #[test]
    fn the_whole_internet_and_single_addresses_are_networks() {
        let nets = ["0.0.0.0/0", "255.255.255.255/32"];
        let networks: Networks =
            nets.iter().map(|net| Network::new(net.parse().unwrap())).collect();
        let length = |address: Ipv4Addr| {
            networks.containing(address).map(|network| network.address.prefix_len())
        };
        assert_eq!(length(Ipv4Addr::BROADCAST), Some(32));
        assert_eq!(length(Ipv4Addr::UNSPECIFIED), Some(0));
    }
}
