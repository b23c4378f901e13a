//! `/ip/service`: where this server can be commanded over the network.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use leasehold_routeros::menu::{Form, Unique};
use leasehold_routeros::value::{Bounded, Kind, Name};
use leasehold_routeros::{Cells, Fault, Record, Row, Tree, Value, choice, menu};

use super::User;

choice! {
    /// The versions of TLS that are spoken.
    pub enum TlsVersion {
        /// 1.2 and 1.3.
        Any = "any",
        /// 1.2 alone.
        Only12 = "only-1.2",
    }
}

/// Addresses of clients: a prefix of either family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Prefix(pub IpNet);

impl Prefix {
    /// Whether a client at this address is meant.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl Value for Prefix {
    const KIND: Kind = Kind::Text;
    const EXAMPLE: &'static str = "192.0.2.0/24";

    fn describe() -> String {
        "prefix or address".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        let invalid = || Fault::NoMatch;
        match text.split_once('/') {
            Some(_) => text.parse().map(|net: IpNet| Self(net.trunc())).map_err(|_| invalid()),
            None => text.parse().map(|address: IpAddr| Self(address.into())).map_err(|_| invalid()),
        }
    }

    fn print(&self) -> String {
        self.0.to_string()
    }
}

menu! {
    /// Where this server listens for commands. A service that was never configured is off.
    pub struct Service in "/ip/service" {
        /// Name of the service.
        name: Name = required(),
        /// TCP port.
        port: Bounded<1, 65535> = required(),
        /// Prefixes that clients may come from; everywhere if empty.
        address: Vec<Prefix> = preset("").always(),
        /// File with the certificate and its key, in PEM; `none` is a self-signed one.
        certificate: String = preset("none").always(),
        /// Versions of TLS that are spoken.
        tls_version: TlsVersion = preset("any").always(),
        /// VRF to listen in.
        vrf: String = preset("main").always(),
        /// Sessions at once.
        max_sessions: Bounded<1, 1000> = preset("20").always(),
        /// Whether it is off; while unset, a service is on once anything of it is configured.
        disabled: Option<bool> = unset().always().flag('X').otherwise(untouched),
    }
    /// How the service does.
    live struct ServiceState {
        /// Cannot listen.
        invalid: bool = live_or("no").flag('I'),
        /// Why it cannot listen.
        about: String = live(),
    }
    form: Form::Fixed,
    columns: &["name", "port", "address", "certificate", "vrf", "max-sessions"],
    unique: &[Unique {
        by: &["name"],
        within: None,
        enabled_only: false,
        failure: "service with such name already exists",
    }],
    builtin: &[
        &[("name", "telnet"), ("port", "23")],
        &[("name", "ftp"), ("port", "21")],
        &[("name", "www"), ("port", "80")],
        &[("name", "ssh"), ("port", "22")],
        &[("name", "www-ssl"), ("port", "443")],
        &[("name", "api"), ("port", "8728")],
        &[("name", "winbox"), ("port", "8291")],
        &[("name", "api-ssl"), ("port", "8729")],
    ],
    elsewhere: &["webserver"],
    remarks: Some(remarks),
    noun: "service",
}

/// What a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// REST.
    Http,
    /// The binary API.
    Sentences,
}

impl Service {
    /// What it speaks, and whether within TLS; `None` if we do not speak it.
    #[must_use]
    pub fn protocol(&self) -> Option<(Protocol, bool)> {
        match &*self.name {
            "www" => Some((Protocol::Http, false)),
            "www-ssl" => Some((Protocol::Http, true)),
            "api" => Some((Protocol::Sentences, false)),
            "api-ssl" => Some((Protocol::Sentences, true)),
            _ => None,
        }
    }

    /// Whether it is to listen; the row's cells say whether anything was configured.
    #[must_use]
    pub fn is_on(&self) -> bool {
        let cells = self.write();
        match self.disabled {
            Some(disabled) => !disabled,
            None => untouched(&cells).as_deref() == Some("no"),
        }
    }

    /// Whether a client at this address may come in.
    #[must_use]
    pub fn admits(&self, address: IpAddr) -> bool {
        self.address.is_empty() || self.address.iter().any(|prefix| prefix.contains(address))
    }
}

/// `yes` for a row that nobody has configured.
fn untouched(cells: &Cells) -> Option<String> {
    let menu = Service::menu();
    let name = cells.get(menu.name_place()?);
    let mut builtin = menu.builtin.iter().map(|texts| Cells::named(menu, texts.iter().copied()));
    let same = builtin.any(|row| row.get(0) == name && row == *cells);
    Some(if same { "yes" } else { "no" }.into())
}

fn remarks(tree: &Tree, row: &Record) -> Vec<String> {
    let Ok(service) = Service::read(row.cells()) else { return Vec::new() };
    let name = &*service.name;
    let mut said = Vec::new();
    if !service.is_on() {
        return said;
    }
    if service.protocol().is_none() {
        said.push(format!("{name} is kept, but this server does not speak it"));
        return said;
    }
    if service.disabled.is_none() {
        said.push(format!(
            "{name} is on now that it is configured, on port {}; disabled=yes switches it off",
            service.port.number()
        ));
    }
    let can_log_in = |user: &User| !user.disabled && user.password.is_some();
    if !tree.rows::<User>().iter().any(|user| user.row.as_ref().is_ok_and(can_log_in)) {
        said.push(format!("{name} listens once there is a user with a password: /user add"));
    }
    said
}

/// Where a service listens: everywhere, in both families.
pub(crate) const EVERYWHERE: [IpAddr; 2] =
    [IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(Ipv4Addr::UNSPECIFIED)];

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_routeros::{Command, Offline};

    fn service(tree: &Tree, name: &str) -> Service {
        let rows = tree.rows::<Service>().into_iter().map(|row| row.row.unwrap());
        rows.into_iter().find(|row| &*row.name == name).unwrap()
    }

    fn set(tree: &mut Tree, name: &str, arguments: &[(&str, &str)]) -> Vec<String> {
        let mut command = Command::new("/ip/service", "set").target(name);
        for (name, text) in arguments {
            command = command.with(*name, *text);
        }
        tree.run(&command, &Offline).unwrap().effects.warnings
    }

    #[test]
    fn the_how_to_s_line_enables_a_service_and_says_so() {
        let mut tree = crate::menus::tree();
        assert!(tree.rows::<Service>().iter().all(|row| !row.row.as_ref().unwrap().is_on()));
        let said = set(&mut tree, "www-ssl", &[("address", "0.0.0.0/0"), ("port", "443")]);
        assert!(
            said[0].contains("www-ssl is on now that it is configured, on port 443"),
            "{said:?}"
        );
        assert!(said[1].contains("/user add"), "{said:?}");
        let service = service(&tree, "www-ssl");
        assert!(service.is_on() && service.admits("203.0.113.9".parse().unwrap()));
        assert!(service.admits("::ffff:203.0.113.9".parse().unwrap()), "IPv4 in IPv6's clothes");
        assert!(!service.admits("2001:db8::1".parse().unwrap()));
    }

    #[test]
    fn disabled_is_the_last_word() {
        let mut tree = crate::menus::tree();
        set(&mut tree, "api", &[("disabled", "no")]);
        assert!(service(&tree, "api").is_on());
        set(&mut tree, "api", &[("disabled", "yes"), ("address", "10.0.0.0/8,192.0.2.1")]);
        let api = service(&tree, "api");
        assert!(!api.is_on());
        assert_eq!(api.address.print(), "10.0.0.0/8,192.0.2.1/32");
        let said = set(&mut tree, "telnet", &[("disabled", "no")]);
        assert_eq!(said, ["telnet is kept, but this server does not speak it"]);
    }
}
