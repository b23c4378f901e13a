//! Who commands, and what they may: users, their policies, and how they prove who they are.
//!
//! Whoever may open the unix socket may do everything. Everybody else is a user of `/user`, and
//! each command is checked against the policies that the user's group has at that moment.

mod gate;
mod known;
mod password;
mod sessions;

use core::fmt;
use core::net::IpAddr;
use std::sync::Arc;

use leasehold_routeros::verb::{ROOT, Verb};
use leasehold_routeros::{Change, Command, Menu, Trap, Tree};

use crate::menus::{Group, Policies, User};

pub use gate::{Denied, Gate};
pub use password::Password;
pub use sessions::{Presence, Sessions};

/// Whose command it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller(Option<Arc<Visitor>>);

/// A user who came over the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// The name in `/user`.
    pub name: String,
    /// The way.
    pub via: Via,
    /// From where.
    pub from: IpAddr,
}

/// The ways into the server, as RouterOS calls them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// The binary API.
    Api,
    /// The binary API within TLS.
    ApiSsl,
    /// REST.
    Rest,
}

impl Via {
    /// The policy that lets a user in.
    #[must_use]
    pub fn policy(self) -> &'static str {
        match self {
            Self::Api | Self::ApiSsl => "api",
            Self::Rest => "rest-api",
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Api => "api",
            Self::ApiSsl => "api-ssl",
            Self::Rest => "rest-api",
        })
    }
}

impl Caller {
    /// Whoever may open the unix socket.
    #[must_use]
    pub const fn local() -> Self {
        Self(None)
    }

    /// A user who has proved to be one.
    fn visitor(name: &str, via: Via, from: IpAddr) -> Self {
        Self(Some(Arc::new(Visitor { name: name.into(), via, from })))
    }

    /// The user, if it is one.
    #[must_use]
    pub fn user(&self) -> Option<&Visitor> {
        self.0.as_deref()
    }

    /// Whether the user, if it is one, has a policy now.
    #[must_use]
    pub fn may(&self, policy: &str, tree: &Tree) -> bool {
        let Some(visitor) = self.user() else { return true };
        let policies = policies_of(tree, &visitor.name).unwrap_or_default();
        policies.allow(policy) && policies.allow(visitor.via.policy())
    }

    /// Whether this command may be tried.
    ///
    /// # Errors
    ///
    /// The user lacks a policy.
    pub fn check(&self, command: &Command, tree: &Tree) -> Result<(), Trap> {
        if self.user().is_none() {
            return Ok(());
        }
        let menu = tree.menu(&command.path);
        let begun = Some((command.path.as_str(), command.verb.as_str()));
        let looks = tree.menus().any(|menu| menu.activity() == begun);
        let writes = menu.map_or(command.path.is_empty() && !looks, |_| false);
        let writes = verb(menu, &command.verb).map_or(writes, |verb| verb.writes)
            || command.argument("file").is_some();
        let policy = if writes { "write" } else { "read" };
        if self.may(policy, tree) { Ok(()) } else { Err(Trap::NotPermitted) }
    }

    /// Whether what a command has changed in a draft may become true.
    ///
    /// # Errors
    ///
    /// The user lacks a policy, or nobody could administer users any more.
    pub fn review(&self, changes: &[Change], before: &Tree, after: &Tree) -> Result<(), Trap> {
        let guarded = |change: &Change| change.now.menu().guarded;
        if changes.iter().any(guarded) && !self.may("policy", before) {
            return Err(Trap::NotPermitted);
        }
        if has_administrator(before) && !has_administrator(after) {
            let rule = "can not remove, disable or demote the last user with full permissions";
            return Err(Trap::Failure(rule.into()));
        }
        Ok(())
    }
}

fn verb(menu: Option<&'static Menu>, word: &str) -> Option<Verb> {
    match menu {
        Some(menu) => menu.verb(word),
        None => ROOT.into_iter().find(|verb| verb.word == word),
    }
}

/// The policies of a user who may log in.
fn policies_of(tree: &Tree, name: &str) -> Option<Policies> {
    let user = user_of(tree, name)?;
    group_of(tree, &user).map(|group| group.policy)
}

fn user_of(tree: &Tree, name: &str) -> Option<User> {
    let users = tree.rows::<User>().into_iter().filter_map(|user| user.row.ok());
    users.into_iter().find(|user| &*user.name == name && !user.disabled)
}

fn group_of(tree: &Tree, user: &User) -> Option<Group> {
    let groups = tree.rows::<Group>().into_iter().filter_map(|group| group.row.ok());
    groups.into_iter().find(|group| Some(&*group.name) == user.group.name())
}

fn has_administrator(tree: &Tree) -> bool {
    tree.rows::<User>().into_iter().filter_map(|user| user.row.ok()).any(|user| {
        let full = group_of(tree, &user).is_some_and(|group| group.policy.are_full());
        full && !user.disabled && user.password.is_some()
    })
}

/// Whether anybody could log in.
#[must_use]
pub fn has_user(tree: &Tree) -> bool {
    let users = tree.rows::<User>().into_iter().filter_map(|user| user.row.ok());
    users.into_iter().any(|user| !user.disabled && user.password.is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_routeros::{Offline, Reply};

    fn tree() -> Tree {
        let mut tree = crate::menus::tree();
        for (name, group) in [("root", "full"), ("clerk", "write"), ("guest", "read")] {
            let password = Password::quick(name);
            let texts = [("name", name), ("group", group), ("password", &password)];
            tree.add("/user", &texts).unwrap();
        }
        tree
    }

    fn run(tree: &mut Tree, name: &str, command: &Command) -> Result<Reply, Trap> {
        let caller = Caller::visitor(name, Via::Api, [127, 0, 0, 1].into());
        caller.check(command, tree)?;
        let mut draft = tree.clone();
        let outcome = draft.run(command, &Offline)?;
        caller.review(&outcome.effects.changes, tree, &draft)?;
        *tree = draft;
        Ok(outcome.reply)
    }

    #[test]
    fn each_command_needs_its_policy() {
        let mut tree = tree();
        let print = Command::new("/ip/pool", "print");
        let add = Command::new("/ip/pool", "add").with("name", "p").with("ranges", "10.0.0.0/24");
        assert!(run(&mut tree, "guest", &print).is_ok());
        assert_eq!(run(&mut tree, "guest", &add).unwrap_err(), Trap::NotPermitted);
        assert_eq!(run(&mut tree, "nobody", &print).unwrap_err(), Trap::NotPermitted);
        assert!(run(&mut tree, "clerk", &add).is_ok());
        for verb in ["import", "reload", "whatever"] {
            let root = Command::new("", verb);
            assert_eq!(run(&mut tree, "guest", &root).unwrap_err(), Trap::NotPermitted, "{verb}");
        }
        let user = Command::new("/user", "set").target("guest").with("group", "full");
        assert_eq!(run(&mut tree, "clerk", &user).unwrap_err(), Trap::NotPermitted);
        assert!(run(&mut tree, "root", &user).is_ok());
        assert!(run(&mut tree, "guest", &Command::new("/ip/pool", "remove").target("p")).is_ok());
    }

    #[test]
    fn a_group_without_the_service_s_policy_may_do_nothing_there() {
        let mut tree = tree();
        tree.add("/user/group", &[("name", "web"), ("policy", "read,rest-api")]).unwrap();
        let set = Command::new("/user", "set").target("guest").with("group", "web");
        tree.run(&set, &Offline).unwrap();
        let print = Command::new("/ip/pool", "print");
        assert_eq!(run(&mut tree, "guest", &print).unwrap_err(), Trap::NotPermitted);
        let by_rest = Caller::visitor("guest", Via::Rest, [127, 0, 0, 1].into());
        assert!(by_rest.check(&print, &tree).is_ok());
    }

    #[test]
    fn the_last_administrator_stays() {
        let mut tree = tree();
        let commands = [
            Command::new("/user", "remove").target("root"),
            Command::new("/user", "disable").target("root"),
            Command::new("/user", "set").target("root").with("group", "read"),
            Command::new("/user", "set").target("root").with("password", ""),
            Command::new("/user/group", "set").target("full").with("policy", "read"),
        ];
        for command in &commands {
            let refused = run(&mut tree, "root", command).unwrap_err();
            assert!(refused.to_string().contains("last user"), "{command:?}: {refused}");
        }
        let second = Command::new("/user", "set").target("clerk").with("group", "full");
        run(&mut tree, "root", &second).unwrap();
        run(&mut tree, "clerk", &commands[0]).unwrap();
        assert_eq!(tree.names("/user"), ["clerk", "guest"]);
    }

    #[test]
    fn groups_that_are_used_or_builtin_stay() {
        let mut tree = tree();
        let builtin = Command::new("/user/group", "remove").target("read");
        let refused = run(&mut tree, "root", &builtin).unwrap_err();
        assert_eq!(refused.to_string(), "failure: can not remove builtin group");
        tree.add("/user/group", &[("name", "web"), ("policy", "read,rest-api")]).unwrap();
        let set = Command::new("/user", "set").target("guest").with("group", "web");
        tree.run(&set, &Offline).unwrap();
        let used = Command::new("/user/group", "remove").target("web");
        let refused = run(&mut tree, "root", &used).unwrap_err();
        assert_eq!(refused.to_string(), "failure: group has some users");
    }
}
