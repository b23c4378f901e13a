//! One connection that speaks the binary API's sentences, whatever carries it.
//!
//! Commands without a tag are answered one after another; those with a tag run beside each other,
//! each reply with its tag, until they end or are cancelled.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use leasehold_routeros::syntax::sentence::{self, Call, Limits, Request};
use leasehold_routeros::{Change, Command, Listing, Reply, Trap, Watch};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::JoinHandle;

use crate::control::{Control, Hijack, SafeMode};

/// Replies that wait for a slow reader before its commands wait too.
const WAITING: usize = 64;
/// Commands with tags that one connection may run at once.
const RUNNING: usize = 256;
/// Where safe mode is commanded; it is no menu, for it has no rows.
const SAFE_MODE: &str = "/safe-mode";
/// Octets that are read at once.
const READ: usize = 16 << 10;

/// Serves a connection until its client goes.
pub(super) async fn serve<S>(stream: S, control: Control)
where
    S: AsyncRead + AsyncWrite + Send + 'static,
{
    let (mut reader, writer) = tokio::io::split(stream);
    let (replies, waiting) = mpsc::channel(WAITING);
    let writing = tokio::spawn(write(writer, waiting));
    let mut session = Session { control, replies, running: BTreeMap::new(), safe: None };
    let mut buffer = Vec::new();
    'connection: loop {
        loop {
            match sentence::read(&buffer, Limits::USER) {
                Ok(Some((words, length))) => {
                    buffer.drain(..length);
                    if !words.is_empty() && !session.sentence(&words).await {
                        break 'connection;
                    }
                }
                Ok(None) => break,
                Err(broken) => {
                    session.say(|buffer| sentence::fatal(buffer, &broken.to_string())).await;
                    break 'connection;
                }
            }
        }
        let old = buffer.len();
        buffer.resize(old + READ, 0);
        match reader.read(&mut buffer[old..]).await {
            Ok(0) | Err(_) => break,
            Ok(length) => buffer.truncate(old + length),
        }
    }
    session.cancel(None).await;
    drop(session);
    // The client has gone, or is to be told why before it is let go.
    let _ = writing.await;
}

/// Each message in one write: some clients lose track when a sentence comes in parts.
async fn write<W: AsyncWrite>(writer: W, mut waiting: mpsc::Receiver<Vec<u8>>) {
    let mut writer = std::pin::pin!(writer);
    while let Some(message) = waiting.recv().await {
        if writer.write_all(&message).await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

struct Session {
    control: Control,
    replies: mpsc::Sender<Vec<u8>>,
    running: BTreeMap<String, Running>,
    safe: Option<SafeMode>,
}

/// A command with a tag.
struct Running {
    task: JoinHandle<()>,
    answered: Arc<AtomicBool>,
}

impl Session {
    /// Does what a sentence asks for; false if the connection ends with it.
    async fn sentence(&mut self, words: &[String]) -> bool {
        let Request { tag, call } = match Request::read(words) {
            Ok(request) => request,
            Err((tag, trap)) => {
                self.trap(tag.as_deref(), &trap).await;
                return true;
            }
        };
        match call {
            // Who may open the socket has been let in already.
            Call::Login { .. } => {
                self.say(|buffer| sentence::done(buffer, tag.as_deref(), None)).await;
            }
            Call::Quit => {
                self.say(|b| sentence::fatal(b, "session terminated on request")).await;
                return false;
            }
            Call::Cancel(which) => {
                self.cancel(which).await;
                self.say(|buffer| sentence::done(buffer, tag.as_deref(), None)).await;
            }
            Call::Command(command) if command.path == SAFE_MODE => {
                match self.safe_mode(&command).await {
                    Ok(()) => self.say(|buffer| sentence::done(buffer, tag.as_deref(), None)).await,
                    Err(trap) => self.trap(tag.as_deref(), &trap).await,
                }
            }
            Call::Command(command) => self.command(tag, command).await,
        }
        true
    }

    /// Safe mode belongs to the connection: its end undoes what was changed.
    async fn safe_mode(&mut self, command: &Command) -> Result<(), Trap> {
        let not_taken = || Trap::Failure("Safe Mode is not taken by this session".into());
        match command.verb.as_str() {
            "take" if self.safe.is_some() => Ok(()),
            "take" => {
                let hijack = match command.argument("hijack") {
                    Some("unroll") => Hijack::Unroll,
                    Some("release") => Hijack::Release,
                    _ => Hijack::No,
                };
                self.safe = Some(self.control.take_safe_mode(hijack).await?);
                Ok(())
            }
            "release" => self.safe.take().ok_or_else(not_taken)?.release().await,
            "unroll" => self.safe.take().ok_or_else(not_taken)?.unroll().await,
            verb => Err(Trap::NoSuchCommand(verb.into())),
        }
    }

    async fn command(&mut self, tag: Option<String>, command: Command) {
        self.running.retain(|_, running| !running.task.is_finished());
        let answering = Answering {
            control: self.control.clone(),
            replies: self.replies.clone(),
            tag: tag.clone(),
            answered: Arc::default(),
        };
        let Some(tag) = tag else {
            answering.answer(command).await;
            return;
        };
        if self.running.len() >= RUNNING {
            let trap = Trap::Failure("too many commands at once".into());
            self.trap(Some(&tag), &trap).await;
            return;
        }
        let answered = Arc::clone(&answering.answered);
        let task = tokio::spawn(answering.answer(command));
        self.running.insert(tag, Running { task, answered });
    }

    /// Ends the command with this tag, or all of them.
    async fn cancel(&mut self, which: Option<String>) {
        let all = core::mem::take(&mut self.running);
        for (tag, running) in all {
            if which.as_ref().is_some_and(|which| *which != tag) {
                self.running.insert(tag, running);
                continue;
            }
            running.task.abort();
            let _ = running.task.await;
            if !running.answered.load(Ordering::Relaxed) {
                self.trap(Some(&tag), &Trap::Interrupted).await;
            }
        }
    }

    async fn trap(&self, tag: Option<&str>, trap: &Trap) {
        self.say(|buffer| sentence::trap(buffer, tag, trap)).await;
    }

    async fn say(&self, write: impl FnOnce(&mut Vec<u8>)) {
        let mut buffer = Vec::new();
        write(&mut buffer);
        // A client that has gone hears nothing.
        let _ = self.replies.send(buffer).await;
    }
}

/// One command under way.
struct Answering {
    control: Control,
    replies: mpsc::Sender<Vec<u8>>,
    tag: Option<String>,
    answered: Arc<AtomicBool>,
}

impl Answering {
    async fn answer(self, command: Command) {
        // Before the command, so that no change between is missed.
        let changes = self.control.changes();
        let mut end = Vec::new();
        match self.control.run(command).await {
            Ok(answered) => match answered.reply {
                Reply::Rows(listing) => self.list(listing, &mut end).await,
                Reply::Watch(watch) => self.watch(&watch, changes, &mut end).await,
                reply => sentence::outcome(&mut end, self.tag(), &reply),
            },
            Err(trap) => sentence::trap(&mut end, self.tag(), &trap),
        }
        self.answered.store(true, Ordering::Relaxed);
        let _ = self.replies.send(end).await;
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
        loop {
            match changes.recv().await {
                Ok(change) if watch.wants(&change.now) => {
                    let mut told = Vec::new();
                    match change.dead {
                        true => sentence::dead(&mut told, self.tag(), &change),
                        false => {
                            sentence::record(&mut told, self.tag(), &change.now, watch.proplist());
                        }
                    }
                    if self.replies.send(told).await.is_err() {
                        return;
                    }
                }
                Ok(_) => {}
                Err(RecvError::Lagged(missed)) => {
                    let trap = Trap::Failure(format!("{missed} changes were missed: print again"));
                    sentence::trap(end, self.tag(), &trap);
                    return;
                }
                Err(RecvError::Closed) => break,
            }
        }
        sentence::done(end, self.tag(), None);
    }

    fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }
}
