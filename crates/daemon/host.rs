//! The machine as rows: what the daemon's own menus show.

use leasehold_routeros::{Cells, Id, LiveRow, Row, Want};

use crate::menus::Identity;

/// The machine, as menus ask it.
#[derive(Debug, Default)]
pub struct Host;

impl Host {
    /// What is known of the rows of a daemon's menu; `None` if the menu is none of the daemon's.
    #[must_use]
    pub fn fetch(&self, want: &Want) -> Option<Vec<LiveRow>> {
        let path = match want {
            Want::Overlay(menu, _) | Want::Page(menu, _) | Want::Row(menu, _) => menu.path,
        };
        if path == Identity::menu().path {
            let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
            let cells = Cells::named(Identity::menu(), [("name", name.as_str())]);
            return Some(vec![LiveRow { id: Id(0), cells }]);
        }
        None
    }
}
