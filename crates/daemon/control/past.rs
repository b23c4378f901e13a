//! The history of leases as rows: pages of the store's tenures, numbered as they are shown.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use leasehold_dhcp::menus::{ClientIdText, Tenancy};
use leasehold_dhcp::{Mac, Wall};
use leasehold_routeros::listing::PAGE;
use leasehold_routeros::{Id, Live, LiveRow};

use crate::log::Time;
use crate::store::{Cursor, Fault, Historian, Query, Tenure};

/// The way into the past, and where listings under way go on.
#[derive(Debug)]
pub(super) struct Past {
    historian: Historian,
    next: Cell<u64>,
    cursors: RefCell<BTreeMap<Id, Cursor>>,
}

/// Listings that can be under way at once; the oldest is forgotten first and ends.
const LISTINGS: usize = 64;
/// How long the store may take for a page.
const PATIENCE: Duration = Duration::from_secs(10);

impl Past {
    pub(super) fn new(historian: Historian) -> Self {
        Self { historian, next: Cell::new(1), cursors: RefCell::default() }
    }

    /// Has the store copied.
    pub(super) fn backup(&self, answer: impl FnOnce(Result<PathBuf, Fault>) + Send + 'static) {
        self.historian.backup(answer);
    }

    /// The rows behind this one, as many as a page has; fewer at the end.
    pub(super) fn page(&self, after: Option<Id>) -> Vec<LiveRow> {
        let mut query = Query { limit: PAGE, ..Query::default() };
        if let Some(after) = after {
            query.after = self.cursors.borrow_mut().remove(&after);
            if query.after.is_none() {
                return Vec::new();
            }
        }
        let mut rows: Vec<LiveRow> = Vec::new();
        loop {
            query.limit = PAGE - rows.len();
            let (sender, answer) = mpsc::channel();
            self.historian.history(query.clone(), move |page| drop(sender.send(page)));
            let Ok(Ok(page)) = answer.recv_timeout(PATIENCE) else {
                tracing::warn!("the history cannot be read now");
                return rows;
            };
            rows.extend(page.tenures.iter().map(|tenure| self.row(tenure)));
            query.after = page.next;
            let Some(cursor) = &query.after else { return rows };
            if rows.len() >= PAGE {
                self.remember(&rows, cursor.clone());
                return rows;
            }
        }
    }

    fn row(&self, tenure: &Tenure) -> LiveRow {
        let id = Id(self.next.get());
        self.next.set(id.0 + 1);
        LiveRow { id, cells: tenancy(tenure).cells() }
    }

    fn remember(&self, rows: &[LiveRow], cursor: Cursor) {
        let mut cursors = self.cursors.borrow_mut();
        cursors.extend(rows.last().map(|row| (row.id, cursor)));
        while cursors.len() > LISTINGS {
            cursors.pop_first();
        }
    }
}

fn tenancy(tenure: &Tenure) -> Tenancy {
    let Tenure { location, since, renewed, ended, binding } = tenure;
    let time = |wall: Wall| Some(Time(wall.0).to_string());
    let full = |octets: &[u8]| (!octets.is_empty()).then(|| octets.into());
    let hex = |octets: &[u8]| octets.iter().map(|octet| format!("{octet:02x}")).collect();
    Tenancy {
        address: Some(location.address),
        mac_address: binding.chaddr.first_chunk().copied().map(Mac),
        client_id: full(&binding.client_id).map(ClientIdText),
        host_name: Some(binding.host_name.to_string()).filter(|name| !name.is_empty()),
        server: Some(binding.server.to_string()),
        since: time(*since),
        until: ended.map_or(Some("bound".into()), |(at, _)| time(at)),
        last_renewed: time(*renewed),
        ended: ended.map(|(_, how)| how.name().to_owned()),
        agent_information: full(&binding.relay_agent).map(|octets: Box<[u8]>| hex(&octets)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::with_tenures;
    use leasehold_routeros::Cells;

    #[test]
    fn pages_follow_each_other_and_end() {
        let directory = tempfile::tempdir().unwrap();
        let count = 2 * PAGE as u32 + 3;
        let store = with_tenures(directory.path(), count);
        let past = Past::new(store.historian());
        let mut rows: Vec<LiveRow> = Vec::new();
        let mut sizes = Vec::new();
        loop {
            let page = past.page(rows.last().map(|row| row.id));
            sizes.push(page.len());
            rows.extend(page);
            if sizes.last().is_some_and(|size| *size < PAGE) {
                break;
            }
        }
        assert_eq!(sizes, [PAGE, PAGE, 3]);
        assert!(rows.is_sorted_by_key(|row| row.id));
        let mut cells: Vec<Cells> = rows.into_iter().map(|row| row.cells).collect();
        cells.dedup();
        assert_eq!(cells.len(), count as usize, "each once");
        assert_eq!(past.page(Some(Id(1))).len(), 0, "nobody listens there");
    }
}
