//! The unix socket: for root, the server's own user, and the group `leasehold`.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::process::{getegid, geteuid};
use tokio::net::{UnixListener, UnixStream};

use super::session;
use crate::control::Control;

/// The group whose members may command the server.
const GROUP: &str = "leasehold";
/// Connections at once.
const CONNECTIONS: usize = 256;

/// A listening socket; its file goes with it.
#[derive(Debug)]
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens at `path`. A file that a server left behind when it was killed is replaced.
    pub fn bind(path: &Path) -> io::Result<Self> {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(path)?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o660))?;
        if let Some(group) = group() {
            // Only root may give it to a group that it is not in; then root alone can connect.
            let _ = chown(path, None, Some(group));
        }
        Ok(Self { listener, path: path.to_owned() })
    }

    /// Serves whoever connects, for ever.
    pub async fn serve(self, control: Control) {
        let places = std::sync::Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
        loop {
            let Ok(place) = places.clone().acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) if may_command(&stream) => {
                    let control = control.clone();
                    tokio::spawn(async move {
                        session::serve(stream, control, None).await;
                        drop(place);
                    });
                }
                Ok(_) => tracing::warn!(
                    "refused a local user: only root and members of group {GROUP} may command"
                ),
                Err(error) => {
                    tracing::error!("{}: {error}", self.path.display());
                    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Whether it was there: nobody can connect to it any more.
        let _ = fs::remove_file(&self.path);
    }
}

/// The file's mode says the same; this also holds where the directory was opened too widely.
fn may_command(stream: &UnixStream) -> bool {
    let Ok(peer) = stream.peer_cred() else { return false };
    let own = geteuid().as_raw();
    peer.uid() == 0
        || peer.uid() == own
        || group().is_some_and(|group| peer.gid() == group || is_member(peer.uid()))
        || (own != 0 && peer.gid() == getegid().as_raw())
}

fn group() -> Option<u32> {
    group_line()?.split(':').nth(2)?.parse().ok()
}

/// Whether the group's list names the user: `peer_cred` tells the primary group alone.
fn is_member(uid: u32) -> bool {
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(uid)).then(|| name.to_owned())
    });
    let members = group_line().unwrap_or_default();
    let members = members.rsplit(':').next().unwrap_or_default();
    user.is_some_and(|user| members.split(',').any(|member| member.trim() == user))
}

fn group_line() -> Option<String> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    let named = |line: &&str| line.split(':').next() == Some(GROUP);
    groups.lines().find(named).map(str::to_owned)
}
