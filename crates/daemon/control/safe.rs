//! Safe mode: the configuration as it was, until the session that took it lets go.
//!
//! As on RouterOS, whatever is changed meanwhile is undone if that session ends without releasing
//! it, also what other sessions changed. Nothing is lost by that: what is undone stays in a file of
//! the state directory. A server that is killed in safe mode goes back when it starts.

use std::fs;
use std::path::Path;

use leasehold_routeros::{Change, Trap, Tree};
use tokio::sync::oneshot;

use super::file::write_whole;
use super::keeper::{LAST_GOOD, Point};
use super::{Ask, Control, Task};

/// The configuration file as it was when safe mode was taken, in the state directory.
const BEFORE: &str = "safe-mode.toml";
/// What the configuration file is about to say, in the state directory: a crash may come between
/// the file and what tells that it is ours.
const NEXT: &str = "safe-mode.next.toml";
/// The configuration file as it was when it was undone, in the state directory.
pub(super) const UNDONE: &str = "undone.toml";

/// Safe mode as the session has it that took it. Dropped, it undoes everything.
#[derive(Debug)]
pub struct SafeMode {
    control: Control,
    number: u64,
    over: bool,
}

/// What becomes of the changes of another session that has safe mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hijack {
    /// It keeps safe mode: the taker is refused.
    No,
    /// They are undone.
    Unroll,
    /// They stay.
    Release,
}

/// What a session wants of safe mode.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Take(Hijack),
    Release(u64),
    Unroll(u64),
}

/// Safe mode as the control task has it.
pub(super) struct Taken {
    number: u64,
    before: Point,
}

impl Control {
    /// Takes safe mode.
    ///
    /// # Errors
    ///
    /// Another session has it, or the user may not write.
    pub async fn take_safe_mode(&self, hijack: Hijack) -> Result<SafeMode, Trap> {
        // It can undo what others do, also to users.
        let tree = self.tree.borrow().clone();
        if !["write", "policy"].iter().all(|policy| self.caller.may(policy, &tree)) {
            return Err(Trap::NotPermitted);
        }
        if !self.caller.may("write", &self.tree.borrow()) {
            return Err(Trap::NotPermitted);
        }
        let number = self.wish(Wish::Take(hijack)).await?;
        Ok(SafeMode { control: self.clone(), number, over: false })
    }

    async fn wish(&self, wish: Wish) -> Result<u64, Trap> {
        let done = self.ask(|answer| Ask::SafeMode(wish, answer)).await;
        done.unwrap_or_else(|| Err(super::ending()))
    }
}

impl SafeMode {
    /// What was changed stays.
    ///
    /// # Errors
    ///
    /// Another session has taken it over.
    pub async fn release(mut self) -> Result<(), Trap> {
        self.over = true;
        self.control.wish(Wish::Release(self.number)).await.map(drop)
    }

    /// What was changed is undone.
    ///
    /// # Errors
    ///
    /// Another session has taken it over, or the file cannot be written.
    pub async fn unroll(mut self) -> Result<(), Trap> {
        self.over = true;
        self.control.wish(Wish::Unroll(self.number)).await.map(drop)
    }
}

impl Drop for SafeMode {
    fn drop(&mut self) {
        if !self.over {
            // The session is gone: nobody waits for the answer.
            let (answer, _) = oneshot::channel();
            let _ = self.control.asks.send(Ask::SafeMode(Wish::Unroll(self.number), answer));
        }
    }
}

impl Task {
    pub(super) fn safe_mode(&mut self, wish: Wish) -> Result<u64, Trap> {
        match wish {
            Wish::Take(hijack) => {
                match (&self.safe, hijack) {
                    (Some(_), Hijack::No) => {
                        let text = "Safe Mode is taken by another session";
                        return Err(Trap::Failure(text.into()));
                    }
                    (Some(_), Hijack::Unroll) => self.unroll()?,
                    (Some(_), Hijack::Release) | (None, _) => {}
                }
                self.take()
            }
            Wish::Release(number) | Wish::Unroll(number)
                if self.safe.as_ref().is_none_or(|taken| taken.number != number) =>
            {
                let text = "Safe Mode was taken over by another session";
                Err(Trap::Failure(text.into()))
            }
            Wish::Release(number) => {
                self.safe = None;
                forget(self.keeper.state());
                tracing::info!("safe mode released: what was changed stays");
                Ok(number)
            }
            Wish::Unroll(number) => self.unroll().map(|()| number),
        }
    }

    fn take(&mut self) -> Result<u64, Trap> {
        let before = self.keeper.point();
        let copy = self.keeper.state().join(BEFORE);
        write_whole(&copy, before.text()).map_err(|error| {
            Trap::Failure(format!("cannot take safe mode: {}: {error}", copy.display()))
        })?;
        self.safe_modes += 1;
        self.safe = Some(Taken { number: self.safe_modes, before });
        tracing::warn!(
            "safe mode taken: until it is released, the end of its session undoes every change, \
             also those of other sessions"
        );
        Ok(self.safe_modes)
    }

    fn unroll(&mut self) -> Result<(), Trap> {
        let Some(taken) = self.safe.take() else { return Ok(()) };
        let now = self.keeper.tree().clone();
        if let Err(refused) = self.keeper.go_back(taken.before, &self.plane) {
            tracing::error!(
                "safe mode: nothing could be undone: {refused}; the configuration before is in {}",
                self.keeper.state().join(BEFORE).display()
            );
            return Err(Trap::Failure(refused.to_string()));
        }
        forget(self.keeper.state());
        let changes = self.keeper.tree().changes_since(&now);
        tell(&changes, &now, self.keeper.state());
        for change in changes {
            // Without listeners nobody wants to know.
            let _ = self.told.send(std::sync::Arc::new(change));
        }
        Ok(())
    }
}

fn tell(changes: &[Change], before: &Tree, state: &Path) {
    if changes.is_empty() {
        tracing::warn!("safe mode ended with its session: nothing had been changed");
        return;
    }
    for change in changes {
        let menu = change.now.menu();
        let what = match (change.dead, before.record(menu.path, change.id)) {
            (true, _) => "removed",
            (false, None) => "back",
            (false, Some(_)) => "as it was before",
        };
        let name = change.now.text("name").unwrap_or_default();
        tracing::warn!("safe mode undone: {} {} {name} is {what}", menu.path, change.id);
    }
    tracing::warn!(
        "safe mode ended with its session: {} row(s) are as they were before; what was undone is \
         in {}",
        changes.len(),
        state.join(UNDONE).display()
    );
}

/// In safe mode, a file is told before it is written.
pub(super) fn intend(state: &Path, text: &str) -> std::io::Result<()> {
    match state.join(BEFORE).exists() {
        true => write_whole(&state.join(NEXT), text),
        false => Ok(()),
    }
}

fn forget(state: &Path) {
    if let Err(error) = fs::remove_file(state.join(BEFORE)) {
        tracing::error!("{}: {error}", state.join(BEFORE).display());
    }
    // There is none if nothing was changed.
    let _ = fs::remove_file(state.join(NEXT));
}

/// A server that ended in safe mode: its file goes back, unless somebody has edited it since.
pub(super) fn after_a_crash(config: &Path, state: &Path) {
    let Ok(before) = fs::read_to_string(state.join(BEFORE)) else { return };
    let now = fs::read_to_string(config).unwrap_or_default();
    let ours = [BEFORE, NEXT, LAST_GOOD].map(|name| fs::read_to_string(state.join(name)));
    if !ours.iter().flatten().any(|text| *text == now) {
        tracing::warn!(
            "the server ended in safe mode, but {} was edited since: it is served as it is",
            config.display()
        );
    } else if now != before {
        let kept = write_whole(&state.join(UNDONE), &now);
        if let Err(error) = kept.and_then(|()| write_whole(config, &before)) {
            tracing::error!("the server ended in safe mode and cannot go back: {error}");
            return;
        }
        tracing::error!(
            "the server ended in safe mode: {} is as it was before; what was undone is in {}",
            config.display(),
            state.join(UNDONE).display()
        );
    }
    forget(state);
}
