//! Who is logged in now, and who was when: what `/user/active` shows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use leasehold_routeros::listing::PAGE;
use leasehold_routeros::{Id, Live, LiveRow, Row, Tree, Want};

use super::{Caller, Visitor, group_of, user_of};
use crate::log::Time;
use crate::menus::{Active, Session, Source, User, UserState};

/// The sessions of users. A clone is the same list.
#[derive(Clone, Debug, Default)]
pub struct Sessions(Arc<Mutex<List>>);

#[derive(Debug, Default)]
struct List {
    next: u64,
    sessions: BTreeMap<u64, (Visitor, String)>,
    last: BTreeMap<String, String>,
}

/// A session that goes on until this is dropped.
#[derive(Debug)]
pub struct Presence {
    sessions: Sessions,
    number: u64,
}

/// Users whose last login is remembered.
const REMEMBERED: usize = 1024;

impl Sessions {
    /// Notes a session; whoever may open the unix socket has none.
    #[must_use]
    pub fn enter(&self, caller: &Caller) -> Option<Presence> {
        let visitor = caller.user()?.clone();
        tracing::info!(target: "system", "{}", said(&visitor, "logged in"));
        let mut list = self.list();
        list.next += 1;
        let (number, now) = (list.next, now());
        list.remember(&visitor.name, &now);
        list.sessions.insert(number, (visitor, now));
        Some(Presence { sessions: self.clone(), number })
    }

    /// Notes that a user proved to be one, without a session.
    pub(super) fn note(&self, name: &str) {
        self.list().remember(name, &now());
    }

    /// The rows of `/user/active`, and what is known of the rows of `/user`.
    pub(crate) fn fetch(&self, want: &Want, tree: &Tree) -> Option<Vec<LiveRow>> {
        let list = self.list();
        match want {
            Want::Page(menu, after) if menu.path == Active::menu().path => {
                let after = after.map_or(0, |id| id.0 + 1);
                let rows = list.sessions.range(after..).take(PAGE);
                Some(rows.map(|(number, session)| row(*number, session, tree)).collect())
            }
            Want::Row(menu, id) if menu.path == Active::menu().path => {
                let session = list.sessions.get(&id.0);
                Some(session.map(|session| row(id.0, session, tree)).into_iter().collect())
            }
            Want::Overlay(menu, _) if menu.path == User::menu().path => {
                let users = tree.rows::<User>().into_iter().filter_map(|user| {
                    let last_logged_in = list.last.get(&*user.row.ok()?.name).cloned();
                    let state = UserState { last_logged_in, expired: None };
                    Some(LiveRow { id: user.id, cells: state.cells() })
                });
                Some(users.collect())
            }
            _ => None,
        }
    }

    fn list(&self) -> MutexGuard<'_, List> {
        // A list is whole between any two of its changes.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl List {
    fn remember(&mut self, name: &str, now: &str) {
        if self.last.len() >= REMEMBERED && !self.last.contains_key(name) {
            self.last.pop_first();
        }
        self.last.insert(name.into(), now.into());
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let Some((visitor, _)) = self.sessions.list().sessions.remove(&self.number) else { return };
        tracing::info!(target: "system", "{}", said(&visitor, "logged out"));
    }
}

/// RouterOS's words.
fn said(Visitor { name, from, via }: &Visitor, what: &str) -> String {
    format!("user {name} {what} from {from} via {via}")
}

fn now() -> String {
    Time(crate::clock::now().wall.0).to_string()
}

fn row(number: u64, (visitor, since): &(Visitor, String), tree: &Tree) -> LiveRow {
    let group = user_of(tree, &visitor.name).and_then(|user| group_of(tree, &user));
    let session = Session {
        when: Some(since.clone()),
        name: Some(visitor.name.clone()),
        address: Some(Source(visitor.from)),
        via: Some(visitor.via.to_string()),
        group: group.map(|group| group.name.to_string()),
    };
    LiveRow { id: Id(number), cells: session.cells() }
}
