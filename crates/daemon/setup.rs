//! `/ip dhcp-server setup`: RouterOS's questions in their order, and the script that follows.
//!
//! It does no I/O: it asks with a [`Step`], takes an answer, and gives one script in the end, so
//! that nothing is changed before the last question is answered.

use core::net::Ipv4Addr;
use core::str::FromStr;

use ipnet::{IpAdd, IpSub, Ipv4Net};
use leasehold_dhcp::menus::Server;
use leasehold_routeros::syntax::quote;
use leasehold_routeros::value::{Ranges, Seconds};
use leasehold_routeros::{Record, Row, Value};

use crate::configuration;

/// What is there already.
#[derive(Clone, Debug, Default)]
pub struct Site {
    /// Interfaces of the machine.
    pub interfaces: Vec<String>,
    /// Their addresses.
    pub addresses: Vec<(String, Ipv4Net)>,
    /// Names of pools.
    pub pools: Vec<String>,
    /// Names of servers, and the interface and relay of each.
    pub servers: Vec<(String, String, Ipv4Addr)>,
    /// Networks that have an entry.
    pub networks: Vec<Ipv4Net>,
    /// The machine's resolvers.
    pub resolvers: Vec<Ipv4Addr>,
}

impl Site {
    /// Reads what is there; `rows` gives the rows of a menu.
    ///
    /// # Errors
    ///
    /// What `rows` says.
    pub fn read<E>(mut rows: impl FnMut(&str) -> Result<Vec<Record>, E>) -> Result<Self, E> {
        let mut read = |path: &str, names: &[&str]| -> Result<Vec<Vec<String>>, E> {
            let texts = |record: &Record| {
                names.iter().map(|name| record.text(name).unwrap_or_default()).collect()
            };
            Ok(rows(path)?.iter().map(texts).collect())
        };
        let addresses = read("/ip/address", &["interface", "address"])?;
        let addresses =
            addresses.iter().filter_map(|row| Some((row[0].clone(), row[1].parse().ok()?)));
        let servers = read("/ip/dhcp-server", &["name", "interface", "relay"])?;
        let servers = servers.into_iter().map(|row| {
            let relay = row[2].parse().unwrap_or(Ipv4Addr::UNSPECIFIED);
            (row[0].clone(), row[1].clone(), relay)
        });
        let networks = read("/ip/dhcp-server/network", &["address"])?.concat();
        Ok(Self {
            interfaces: read("/interface", &["name"])?.concat(),
            addresses: addresses.collect(),
            pools: read("/ip/pool", &["name"])?.concat(),
            servers: servers.collect(),
            networks: networks.iter().filter_map(|text| text.parse().ok()).collect(),
            resolvers: configuration::resolvers(),
        })
    }
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A question.
    Ask {
        /// What it is about, on a line of its own.
        title: &'static str,
        /// What stands before the answer.
        field: &'static str,
        /// What is meant where only Enter is pressed.
        default: String,
    },
    /// Everything is answered: the script that makes it so.
    Done(String),
}

/// The questions under way.
#[derive(Debug)]
pub struct Setup {
    site: Site,
    at: usize,
    interface: String,
    network: Ipv4Net,
    gateway: Ipv4Addr,
    relay: Option<Ipv4Addr>,
    ranges: String,
    send_dns: bool,
    dns_servers: Vec<Ipv4Addr>,
    lease_time: String,
}

/// Titles and fields, in RouterOS's order.
const QUESTIONS: [(&str, &str); 8] = [
    ("Select interface to run DHCP server on", "dhcp server interface"),
    ("Select network for DHCP addresses", "dhcp address space"),
    ("Select gateway for given network", "gateway for dhcp network"),
    ("If this is remote network, enter address of DHCP relay", "dhcp relay"),
    ("Select pool of ip addresses given out by DHCP server", "addresses to give out"),
    ("Select whether the DHCP server sends DNS servers to clients", "send dns"),
    ("Select DNS servers", "dns servers"),
    ("Select lease time", "lease time"),
];
const RELAY: usize = 3;
const DNS_SERVERS: usize = 6;

impl Setup {
    /// The first question is next.
    #[must_use]
    pub fn new(site: Site) -> Self {
        Self {
            site,
            at: 0,
            interface: String::new(),
            network: Ipv4Net::default(),
            gateway: Ipv4Addr::UNSPECIFIED,
            relay: None,
            ranges: String::new(),
            send_dns: true,
            dns_servers: Vec::new(),
            lease_time: String::new(),
        }
    }

    /// The question, or the end.
    #[must_use]
    pub fn step(&self) -> Step {
        match QUESTIONS.get(self.at) {
            Some((title, field)) => Step::Ask { title, field, default: self.default() },
            None => Step::Done(self.script()),
        }
    }

    /// Takes the answer to the question.
    ///
    /// # Errors
    ///
    /// The rule that it breaks; the same question is next again.
    pub fn answer(&mut self, text: &str) -> Result<(), String> {
        let text = text.trim();
        let (_, field) = QUESTIONS.get(self.at).copied().unwrap_or_default();
        let invalid = || format!("invalid value for argument {field}");
        match self.at {
            0 => self.interface = self.known_interface(text)?,
            1 => {
                let network = Ipv4Net::from_str(text).map_err(|_| invalid())?;
                self.network = network.trunc();
            }
            2 => {
                self.gateway = text.parse().map_err(|_| invalid())?;
                let gateway = self.gateway;
                if !gateway.is_unspecified() && !self.network.contains(&gateway) {
                    return Err(format!("{gateway} is not in {}", self.network));
                }
            }
            RELAY => {
                let relay: Ipv4Addr = text.parse().map_err(|_| invalid())?;
                self.relay = Some(relay).filter(|relay| !relay.is_unspecified());
                self.is_free()?;
            }
            4 => {
                let ranges = Ranges::parse(text).map_err(|fault| fault.message("range"))?;
                self.ranges = ranges.print();
            }
            5 => self.send_dns = bool::parse(text).map_err(|fault| fault.message(field))?,
            DNS_SERVERS => {
                let servers = Vec::<Ipv4Addr>::parse(text);
                self.dns_servers = servers.map_err(|fault| fault.message(field))?;
            }
            _ => {
                let time = Seconds::<1, { u32::MAX }>::parse(text);
                self.lease_time = time.map_err(|fault| fault.message("lease-time"))?.print();
            }
        }
        self.at += 1;
        if self.at == RELAY && self.is_local() {
            self.is_free().inspect_err(|_| self.at -= 1)?;
            self.at += 1;
        }
        if self.at == DNS_SERVERS && !self.send_dns {
            self.at += 1;
        }
        Ok(())
    }

    fn known_interface(&self, text: &str) -> Result<String, String> {
        let known = self.site.interfaces.iter().find(|name| *name == text);
        known.cloned().ok_or_else(|| "input does not match any value of interface".into())
    }

    /// Whether the network is the interface's own.
    fn is_local(&self) -> bool {
        self.own_addresses().any(|own| own.trunc() == self.network)
    }

    fn own_addresses(&self) -> impl Iterator<Item = Ipv4Net> {
        let own = self.site.addresses.iter().filter(|(name, _)| *name == self.interface);
        own.map(|(_, address)| *address)
    }

    fn is_free(&self) -> Result<(), String> {
        let relay = self.relay.unwrap_or(Ipv4Addr::UNSPECIFIED);
        let taken = self.site.servers.iter();
        match taken.clone().any(|(_, interface, of)| *interface == self.interface && *of == relay) {
            true => Err("server or relay with such interface already exists".into()),
            false => Ok(()),
        }
    }

    fn default(&self) -> String {
        match self.at {
            0 => {
                let addressed = self.site.addresses.iter().map(|(interface, _)| interface);
                let serves = |name: &str| self.site.servers.iter().any(|(_, of, _)| of == name);
                let mut names = addressed.chain(&self.site.interfaces);
                let free = names.find(|name| name.as_str() != "lo" && !serves(name));
                free.cloned().unwrap_or_default()
            }
            1 => self.own_addresses().next().map_or(String::new(), |own| own.trunc().to_string()),
            2 => {
                let own = self.own_addresses().find(|own| own.trunc() == self.network);
                let first = self.network.hosts().next();
                let gateway = own.map(|own| own.addr()).or(first);
                gateway.map_or(String::new(), |address| address.to_string())
            }
            RELAY => self.gateway.to_string(),
            4 => self.free_ranges(),
            5 => "yes".into(),
            DNS_SERVERS => self.site.resolvers.print(),
            _ => {
                let lease_time = Server::menu().property("lease-time");
                let preset = lease_time.and_then(|property| property.rule.preset_text());
                preset.unwrap_or("30m").into()
            }
        }
    }

    /// The network without its first and last address, the gateway and the machine itself.
    fn free_ranges(&self) -> String {
        let (first, last) = (self.network.network(), self.network.broadcast());
        if self.network.prefix_len() > 30 {
            return String::new();
        }
        let mut taken: Vec<Ipv4Addr> = self.own_addresses().map(|own| own.addr()).collect();
        taken.extend([self.gateway, first, last]);
        taken.retain(|address| self.network.contains(address));
        taken.sort_unstable();
        taken.dedup();
        let gaps = taken.windows(2).filter(|pair| pair[1].saturating_sub(pair[0]) > 1);
        let gaps = gaps.map(|pair| {
            let (from, to) = (pair[0].saturating_add(1), pair[1].saturating_sub(1));
            if from == to { from.to_string() } else { format!("{from}-{to}") }
        });
        gaps.collect::<Vec<_>>().join(",")
    }

    fn script(&self) -> String {
        let word = quote::when_needed;
        let pool = free_name("dhcp_pool", 0, &self.site.pools);
        let names: Vec<String> = self.site.servers.iter().map(|(name, ..)| name.clone()).collect();
        let server = free_name("dhcp", 1, &names);
        let relay = self.relay.map(|relay| format!(" relay={relay}")).unwrap_or_default();
        let gateway = Some(self.gateway).filter(|gateway| !gateway.is_unspecified());
        let gateway = gateway.map(|gateway| format!(" gateway={gateway}")).unwrap_or_default();
        let dns = match (self.send_dns, self.dns_servers.is_empty()) {
            (false, _) => " dns-none=yes".into(),
            (true, true) => String::new(),
            (true, false) => format!(" dns-server={}", self.dns_servers.print()),
        };
        let network = match self.site.networks.contains(&self.network) {
            true => format!("set [find address={}]", word(&self.network.to_string())),
            false => format!("add address={}", self.network),
        };
        format!(
            "/ip pool add name={pool} ranges={}\n\
             /ip dhcp-server add name={server} interface={} address-pool={pool} lease-time={}\
             {relay} disabled=no\n\
             /ip dhcp-server network {network}{gateway}{dns}\n",
            self.ranges,
            word(&self.interface),
            self.lease_time,
        )
    }
}

fn free_name(stem: &str, from: usize, taken: &[String]) -> String {
    let mut names = (from..).map(|number| format!("{stem}{number}"));
    names.find(|name| !taken.contains(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            interfaces: vec!["lo".into(), "ether3".into(), "ether4".into()],
            addresses: vec![("ether3".into(), "192.168.88.100/24".parse().unwrap())],
            pools: vec!["dhcp_pool0".into()],
            resolvers: vec![Ipv4Addr::new(9, 9, 9, 9)],
            ..Site::default()
        }
    }

    /// Answers with these texts, an empty one takes what is offered; what was asked, and the end.
    fn play(setup: &mut Setup, answers: &[&str]) -> (Vec<String>, String) {
        let mut asked = Vec::new();
        let mut answers = answers.iter();
        loop {
            match setup.step() {
                Step::Ask { field, default, .. } => {
                    asked.push(format!("{field}: {default}"));
                    let answer = answers.next().copied().unwrap_or_default();
                    let answer = if answer.is_empty() { default } else { answer.into() };
                    setup.answer(&answer).unwrap();
                }
                Step::Done(script) => return (asked, script),
            }
        }
    }

    #[test]
    fn enter_alone_serves_the_interface_s_network() {
        let (asked, script) = play(&mut Setup::new(site()), &[]);
        assert_eq!(
            asked,
            [
                "dhcp server interface: ether3",
                "dhcp address space: 192.168.88.0/24",
                "gateway for dhcp network: 192.168.88.100",
                "addresses to give out: 192.168.88.1-192.168.88.99,192.168.88.101-192.168.88.254",
                "send dns: yes",
                "dns servers: 9.9.9.9",
                "lease time: 30m",
            ]
        );
        assert_eq!(
            script,
            "/ip pool add name=dhcp_pool1 \
             ranges=192.168.88.1-192.168.88.99,192.168.88.101-192.168.88.254\n\
             /ip dhcp-server add name=dhcp1 interface=ether3 address-pool=dhcp_pool1 \
             lease-time=30m disabled=no\n\
             /ip dhcp-server network add address=192.168.88.0/24 gateway=192.168.88.100 \
             dns-server=9.9.9.9\n"
        );
    }

    #[test]
    fn a_remote_network_asks_for_its_relay() {
        let answers = ["ether4", "10.1.0.7/24", "10.1.0.1", "", "10.1.0.9", "no", "1d"];
        let (asked, script) = play(&mut Setup::new(site()), &answers);
        assert!(asked.contains(&"dhcp relay: 10.1.0.1".into()), "{asked:?}");
        assert!(!asked.iter().any(|one| one.starts_with("dns servers")));
        assert!(script.contains(" relay=10.1.0.1 ") && script.contains(" dns-none=yes"));
        assert!(script.contains("network add address=10.1.0.0/24 "), "{script}");
        assert!(script.contains("lease-time=1d"), "{script}");
    }

    #[test]
    fn a_wrong_answer_asks_again() {
        let mut setup = Setup::new(site());
        let unknown = setup.answer("ether9").unwrap_err();
        assert_eq!(unknown, "input does not match any value of interface");
        setup.answer("ether3").unwrap();
        assert_eq!(setup.answer("x").unwrap_err(), "invalid value for argument dhcp address space");
        setup.answer("192.168.88.0/24").unwrap();
        assert!(setup.answer("10.0.0.1").unwrap_err().contains("is not in"));
        setup.answer("192.168.88.1").unwrap();
        let range = setup.answer("-1.2.3.4").unwrap_err();
        assert_eq!(range, "value of range must have ip address before '-'");
        assert!(matches!(setup.step(), Step::Ask { field: "addresses to give out", .. }));
    }

    #[test]
    fn an_interface_that_has_a_server_is_refused() {
        let servers = vec![("a".into(), "ether3".into(), Ipv4Addr::UNSPECIFIED)];
        let mut setup = Setup::new(Site { servers, ..site() });
        setup.answer("ether3").unwrap();
        setup.answer("192.168.88.0/24").unwrap();
        let taken = setup.answer("192.168.88.1").unwrap_err();
        assert_eq!(taken, "server or relay with such interface already exists");
    }
}
