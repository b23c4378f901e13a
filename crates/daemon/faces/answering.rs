//! One command of a session: carried out, and its replies as sentences.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leasehold_routeros::syntax::sentence;
use leasehold_routeros::{Activity, Change, Command, Listing, Reply, Trap, Watch};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};

use crate::control::Control;

/// One command under way.
pub(super) struct Answering {
    control: Control,
    replies: mpsc::Sender<Vec<u8>>,
    tag: Option<String>,
    answered: Arc<AtomicBool>,
}

impl Answering {
    pub(super) fn new(
        control: Control,
        replies: mpsc::Sender<Vec<u8>>,
        tag: Option<String>,
    ) -> Self {
        Self { control, replies, tag, answered: Arc::default() }
    }

    /// Whether its last sentence has been said.
    pub(super) fn answered(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.answered)
    }

    pub(super) async fn answer(self, command: Command) {
        // Before the command, so that no change between is missed.
        let changes = self.control.changes();
        let mut end = Vec::new();
        match self.control.run(command).await {
            Ok(answered) => match answered.reply {
                Reply::Rows(listing) => self.list(listing, &mut end).await,
                Reply::Watch(watch) => self.watch(&watch, changes, &mut end).await,
                Reply::Activity(activity) => self.activity(*activity, &mut end).await,
                reply => sentence::outcome(&mut end, self.tag(), &reply),
            },
            Err(trap) => sentence::trap(&mut end, self.tag(), &trap),
        }
        // A client that has gone hears nothing. Once it is said, it is not cancelled any more.
        if let Ok(place) = self.replies.reserve().await {
            self.answered.store(true, Ordering::Relaxed);
            place.send(end);
        }
    }

    /// A page at a time: what a slow client has not read yet is not fetched yet.
    async fn list(&self, listing: Box<Listing>, end: &mut Vec<u8>) {
        let (counts, proplist) = (listing.counts(), listing.proplist().to_vec());
        let (mut count, mut next) = (0usize, Some(listing));
        while let Some(listing) = next {
            let (records, more) = self.control.page(listing).await;
            count += records.len();
            next = more;
            if counts || records.is_empty() {
                continue;
            }
            let mut page = Vec::new();
            for record in &records {
                sentence::record(&mut page, self.tag(), record, &proplist);
            }
            if self.replies.send(page).await.is_err() {
                return;
            }
        }
        let count = counts.then(|| count.to_string());
        sentence::done(end, self.tag(), count.as_deref());
    }

    async fn watch(
        &self,
        watch: &Watch,
        mut changes: broadcast::Receiver<Arc<Change>>,
        end: &mut Vec<u8>,
    ) {
        let mut leases = watch.is_live().then(|| self.control.leases());
        loop {
            let told = tokio::select! {
                change = changes.recv() => change.map(|change| vec![change]),
                leases = next(&mut leases) => match leases {
                    Ok(leases) => {
                        let changes = self.control.changed(leases).await;
                        Ok(changes.into_iter().map(Arc::new).collect())
                    }
                    Err(error) => Err(error),
                },
            };
            let trap = match told {
                Ok(_) if !self.control.may_read() => Trap::NotPermitted,
                Ok(changes) => {
                    for change in changes.iter().filter(|change| watch.wants(change)) {
                        if self.replies.send(self.told(watch, change)).await.is_err() {
                            return;
                        }
                    }
                    continue;
                }
                Err(RecvError::Lagged(_)) => {
                    Trap::Failure("changes were missed: print again".into())
                }
                Err(RecvError::Closed) => Trap::Interrupted,
            };
            sentence::trap(end, self.tag(), &trap);
            return;
        }
    }

    /// Rows as they come. Cancelling drops this, and with it the activity.
    async fn activity(&self, activity: Activity, end: &mut Vec<u8>) {
        let proplist = activity.proplist().to_vec();
        let mut told = self.control.begin(activity);
        while let Some(row) = told.recv().await {
            let mut message = Vec::new();
            match row {
                Ok(row) => sentence::record(&mut message, self.tag(), &row, &proplist),
                Err(trap) => return sentence::trap(end, self.tag(), &trap),
            }
            if self.replies.send(message).await.is_err() {
                return;
            }
        }
        sentence::done(end, self.tag(), None);
    }

    fn told(&self, watch: &Watch, change: &Change) -> Vec<u8> {
        let mut told = Vec::new();
        match change.dead {
            true => sentence::dead(&mut told, self.tag(), change),
            false => sentence::record(&mut told, self.tag(), &change.now, watch.proplist()),
        }
        told
    }

    fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }
}

/// The next leases that change; none ever if nobody wants to know.
async fn next<T: Clone>(receiver: &mut Option<broadcast::Receiver<T>>) -> Result<T, RecvError> {
    match receiver {
        Some(receiver) => receiver.recv().await,
        None => core::future::pending().await,
    }
}
