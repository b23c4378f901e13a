//! `/user/…`: who may command this server from the network, and what they may do.

use core::net::IpAddr;

use leasehold_routeros::menu::{Form, Unique};
use leasehold_routeros::value::{Kind, Name, Reference, Seconds, elements};
use leasehold_routeros::{Fault, Value, choice, menu};

use super::Prefix;
use crate::access::Password;

/// RouterOS's policies, in its order.
const POLICIES: [&str; 17] = [
    "local",
    "telnet",
    "ssh",
    "ftp",
    "reboot",
    "read",
    "write",
    "policy",
    "test",
    "winbox",
    "password",
    "web",
    "sniff",
    "sensitive",
    "api",
    "romon",
    "rest-api",
];

/// What the members of a group may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policies(u32);

impl Policies {
    /// Whether `policy` is among them.
    #[must_use]
    pub fn allow(self, policy: &str) -> bool {
        POLICIES.iter().position(|known| *known == policy).is_some_and(|at| self.0 >> at & 1 == 1)
    }

    /// Whether they are enough to administer everything, users included.
    #[must_use]
    pub fn are_full(self) -> bool {
        ["read", "write", "policy"].iter().all(|policy| self.allow(policy))
    }
}

impl Value for Policies {
    const KIND: Kind = Kind::Word;
    const LIST: bool = true;
    const WORDS: &'static [&'static str] = &POLICIES;
    const EXAMPLE: &'static str = "read,write,api";

    fn describe() -> String {
        "list of policies; `!policy` denies one".into()
    }

    /// What is not named is denied.
    fn parse(text: &str) -> Result<Self, Fault> {
        let mut policies = Self::default();
        for element in elements(text) {
            let name = element.trim_start_matches('!');
            let at = POLICIES.iter().position(|known| *known == name).ok_or(Fault::NoMatch)?;
            let bit = 1 << at;
            match element.starts_with('!') {
                true => policies.0 &= !bit,
                false => policies.0 |= bit,
            }
        }
        Ok(policies)
    }

    fn print(&self) -> String {
        let spelt = POLICIES.iter().enumerate().map(|(at, name)| match self.0 >> at & 1 {
            1 => (*name).to_owned(),
            _ => format!("!{name}"),
        });
        spelt.collect::<Vec<_>>().join(",")
    }
}

choice! {
    /// What happens to a session that nobody uses.
    pub enum Inactivity {
        /// Nothing.
        None = "none",
        /// It is locked.
        Lock = "lockscreen",
        /// It ends.
        LogOut = "logout",
    }
}

menu! {
    /// Who may command this server over the network.
    pub struct User in "/user" {
        /// Unique name to log in with.
        name: Name = required(),
        /// Group whose policies the user has.
        group: Reference<Group> = required(),
        /// Prefixes that the user may come from; everywhere if empty.
        address: Vec<Prefix> = preset("").always(),
        /// Password; kept as an argon2id hash and never shown. Without one nobody can log in.
        password: Option<Password> = unset().write_only(),
        /// Time after which a session counts as unused.
        inactivity_timeout: Seconds<1, { u32::MAX }> = preset("10m").always().not_obeyed(),
        /// What happens to an unused session.
        inactivity_policy: Inactivity = preset("none").always().not_obeyed(),
        /// Whether the user may not log in.
        disabled: bool = preset("no").always().flag('X'),
        /// Free text.
        comment: String = preset(""),
    }
    /// What is known of a user.
    live struct UserState {
        /// When the user logged in last.
        last_logged_in: String = live(),
        /// Whether the password has to be changed; never so here.
        expired: bool = live_or("no").flag('E'),
    }
    columns: &["name", "group", "address", "last-logged-in"],
    unique: &[Unique {
        by: &["name"],
        within: None,
        enabled_only: false,
        failure: "user with the same name already exists",
    }],
    elsewhere: &["aaa", "settings", "ssh-keys"],
    guarded: true,
    noun: "user",
}

menu! {
    /// What users may do.
    pub struct Group in "/user/group" {
        /// Unique name.
        name: Name = required(),
        /// Policies; what is not named is denied.
        policy: Policies = preset("").always(),
        /// Look of the web interface.
        skin: String = preset("default").always().not_obeyed(),
        /// Free text.
        comment: String = preset(""),
    }
    /// Nothing is known beside the configuration.
    live struct GroupState {
    }
    columns: &["name", "policy"],
    unique: &[Unique {
        by: &["name"],
        within: None,
        enabled_only: false,
        failure: "group with the same name already exists",
    }],
    builtin: &[
        &[
            ("name", "read"),
            (
                "policy",
                "local,telnet,ssh,!ftp,reboot,read,!write,!policy,test,winbox,password,web,sniff,\
                 sensitive,api,romon,rest-api",
            ),
        ],
        &[
            ("name", "write"),
            (
                "policy",
                "local,telnet,ssh,!ftp,reboot,read,write,!policy,test,winbox,password,web,sniff,\
                 sensitive,api,romon,rest-api",
            ),
        ],
        &[
            ("name", "full"),
            (
                "policy",
                "local,telnet,ssh,ftp,reboot,read,write,policy,test,winbox,password,web,sniff,\
                 sensitive,api,romon,rest-api",
            ),
        ],
    ],
    in_use: Some("group has some users"),
    guarded: true,
    noun: "group",
}

menu! {
    /// Who is logged in.
    pub struct Active in "/user/active" {
    }
    /// A session.
    live struct Session {
        /// Since when.
        when: String = live(),
        /// The user.
        name: String = live(),
        /// Where the user is.
        address: Source = live(),
        /// The service: `api` or `api-ssl`.
        via: String = live(),
        /// The user's group.
        group: String = live(),
    }
    form: Form::View,
    key: &[],
    noun: "session",
}

/// The address of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source(pub IpAddr);

impl Value for Source {
    const KIND: Kind = Kind::Address;
    const EXAMPLE: &'static str = "192.0.2.1";

    fn describe() -> String {
        "address".into()
    }

    fn parse(text: &str) -> Result<Self, Fault> {
        text.parse().map(Self).map_err(|_| Fault::NoMatch)
    }

    fn print(&self) -> String {
        self.0.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_routeros::Row;

    #[test]
    fn the_three_groups_have_their_policies_spelt_out() {
        let texts = Group::menu().builtin.iter().map(|texts| texts[1].1);
        let policies: Vec<_> = texts.map(|text| (text, Policies::parse(text).unwrap())).collect();
        for (text, policies) in &policies {
            assert_eq!(policies.print(), *text, "canonical");
        }
        let [read, write, full] = [policies[0].1, policies[1].1, policies[2].1];
        assert!(read.allow("read") && !read.allow("write") && !read.allow("policy"));
        assert!(write.allow("write") && !write.allow("policy") && !write.are_full());
        assert!(full.are_full() && full.allow("ftp"));
    }

    #[test]
    fn what_is_not_named_is_denied() {
        let policies = Policies::parse("read;write,!write").unwrap();
        assert!(policies.allow("read") && !policies.allow("write") && !policies.allow("api"));
        assert_eq!(Policies::parse("reed"), Err(Fault::NoMatch));
    }
}
