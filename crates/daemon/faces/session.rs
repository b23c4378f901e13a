//! One connection that speaks the binary API's sentences, whatever carries it.
//!
//! Commands without a tag are answered one after another; those with a tag run beside each other,
//! each reply with its tag. All of them run until they end or are cancelled.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use leasehold_routeros::syntax::sentence::{self, Call, Limits, Request};
use leasehold_routeros::{Command, Trap};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::answering::Answering;
use super::door::{Door, Entry};
use super::patience::Patient;
use crate::access::{Denied, Presence};
use crate::control::{Control, Hijack, SafeMode};

/// Replies that wait for a slow reader before its commands wait too.
const WAITING: usize = 64;
/// Commands with tags that one connection may run at once.
const RUNNING: usize = 256;
/// Commands without a tag that may wait for their turn before reading waits.
const QUEUED: usize = 64;
/// Where safe mode is commanded; it is no menu, for it has no rows.
const SAFE_MODE: &str = "/safe-mode";
/// Octets that are read at once.
const READ: usize = 16 << 10;
/// How long a reader may take nothing before it is given up.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a client may take to log in.
const STRANGER: Duration = Duration::from_secs(15);

/// Serves a connection until its client goes. Behind a door its client has to log in first.
pub(super) async fn serve<S>(stream: S, control: Control, door: Option<Door>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut reader, writer) = tokio::io::split(Patient::new(stream, PATIENCE));
    let (replies, waiting) = mpsc::channel(WAITING);
    let writing = tokio::spawn(write(writer, waiting));
    let access = door.map_or(Access::Granted, Access::Sought);
    let mut session = Session::new(control, access, replies);
    session.converse(&mut reader).await;
    session.cancel(None).await;
    drop(session);
    // The client has gone, or is to be told why before it is let go.
    let _ = writing.await;
}

/// Each message in one write: some clients lose track when a sentence comes in parts.
async fn write<W: AsyncWrite>(writer: W, mut waiting: mpsc::Receiver<Vec<u8>>) {
    let mut writer = std::pin::pin!(writer);
    while let Some(message) = waiting.recv().await {
        let written = async {
            writer.write_all(&message).await?;
            writer.flush().await
        };
        if written.await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

/// How far a client has come.
enum Access {
    /// Who may open the unix socket has been let in already.
    Granted,
    /// It has to log in.
    Sought(Door),
    /// It has logged in; the place and the line in the list of sessions go with it.
    #[allow(dead_code, reason = "they are held")]
    Gained(Door, Entry, Option<Presence>),
}

struct Session {
    control: Control,
    access: Access,
    replies: mpsc::Sender<Vec<u8>>,
    running: BTreeMap<String, Running>,
    untagged: Option<Running>,
    queue: VecDeque<Command>,
    safe: Option<SafeMode>,
    deadline: Instant,
}

/// A command under way.
struct Running {
    task: JoinHandle<()>,
    answered: Arc<AtomicBool>,
}

impl Session {
    fn new(control: Control, access: Access, replies: mpsc::Sender<Vec<u8>>) -> Self {
        let (running, queue) = (BTreeMap::new(), VecDeque::new());
        let deadline = Instant::now() + STRANGER;
        Self { control, access, replies, running, untagged: None, queue, safe: None, deadline }
    }

    async fn converse(&mut self, reader: &mut (impl AsyncRead + Unpin)) {
        let mut buffer = Vec::new();
        loop {
            while self.queue.len() < QUEUED {
                match sentence::read(&buffer, self.limits()) {
                    Ok(Some((words, length))) => {
                        buffer.drain(..length);
                        if !words.is_empty() && !self.sentence(&words).await {
                            return;
                        }
                    }
                    Ok(None) => break,
                    Err(broken) => {
                        self.say(|buffer| sentence::fatal(buffer, &broken.to_string())).await;
                        return;
                    }
                }
            }
            let old = buffer.len();
            buffer.resize(old + READ, 0);
            let (hears, stranger) = (self.queue.len() < QUEUED, self.is_stranger());
            let deadline = self.deadline;
            tokio::select! {
                read = reader.read(&mut buffer[old..]), if hears => match read {
                    Ok(0) | Err(_) => return,
                    Ok(length) => buffer.truncate(old + length),
                },
                () = finished(&mut self.untagged) => {
                    buffer.truncate(old);
                    self.untagged = None;
                    self.next();
                }
                () = sleep_until(deadline), if stranger => return,
            }
        }
    }

    fn is_stranger(&self) -> bool {
        matches!(self.access, Access::Sought(_))
    }

    fn limits(&self) -> Limits {
        if self.is_stranger() { Limits::STRANGER } else { Limits::USER }
    }

    /// Does what a sentence asks for; false if the connection ends with it.
    async fn sentence(&mut self, words: &[String]) -> bool {
        let Request { tag, call } = match Request::read(words) {
            Ok(request) => request,
            Err(_) if self.is_stranger() => return self.turn_away().await,
            Err((tag, trap)) => {
                self.trap(tag.as_deref(), &trap).await;
                return true;
            }
        };
        match call {
            Call::Login { name, password } => match self.log_in(&name, password.as_deref()).await {
                Ok(()) => self.say(|b| sentence::done(b, tag.as_deref(), None)).await,
                Err(trap) => self.trap(tag.as_deref(), &trap).await,
            },
            Call::Quit => {
                self.say(|b| sentence::fatal(b, "session terminated on request")).await;
                return false;
            }
            _ if self.is_stranger() => return self.turn_away().await,
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

    async fn turn_away(&self) -> bool {
        self.say(|buffer| sentence::fatal(buffer, "not logged in")).await;
        false
    }

    async fn log_in(&mut self, name: &str, password: Option<&str>) -> Result<(), Trap> {
        let (Access::Sought(door) | Access::Gained(door, ..)) = &self.access else { return Ok(()) };
        let password = password.ok_or_else(|| {
            Trap::Failure(
                "the challenge login of versions before 6.43 is refused: send the \
                           password with the name, best over api-ssl"
                    .into(),
            )
        })?;
        let door = door.clone();
        let caller = door.admit(name, password).await.map_err(|denied| match denied {
            Denied::Wrong => Trap::WrongCredentials,
            Denied::NotPermitted => Trap::NotPermitted,
        })?;
        // Whoever logs in again gives the old session back first.
        if let Access::Gained(door, ..) = &self.access {
            self.access = Access::Sought(door.clone());
        }
        let entry = door.try_enter().ok_or_else(|| Trap::Failure("too many sessions".into()))?;
        let presence = door.present(&caller);
        self.control = self.control.commanded_by(caller);
        self.access = Access::Gained(door, entry, presence);
        Ok(())
    }

    async fn command(&mut self, tag: Option<String>, command: Command) {
        let Some(tag) = tag else {
            self.queue.push_back(command);
            if self.untagged.is_none() {
                self.next();
            }
            return;
        };
        self.running.retain(|_, running| !running.task.is_finished());
        let refused = match self.running.len() {
            RUNNING.. => "too many commands at once",
            _ if self.running.contains_key(&tag) => "another command with this tag is running",
            _ => "",
        };
        if !refused.is_empty() {
            self.trap(Some(&tag), &Trap::Failure(refused.into())).await;
            return;
        }
        let running = self.start(Some(tag.clone()), command);
        self.running.insert(tag, running);
    }

    /// Begins with the next command without a tag.
    fn next(&mut self) {
        if let Some(command) = self.queue.pop_front() {
            self.untagged = Some(self.start(None, command));
        }
    }

    fn start(&self, tag: Option<String>, command: Command) -> Running {
        let answering = Answering::new(self.control.clone(), self.replies.clone(), tag);
        let answered = answering.answered();
        Running { task: tokio::spawn(answering.answer(command)), answered }
    }

    /// Ends the command with this tag, or all of them, also those without one.
    async fn cancel(&mut self, which: Option<String>) {
        let ended: Vec<_> = match which {
            Some(tag) => {
                self.running.remove(&tag).map(|one| (Some(tag), one)).into_iter().collect()
            }
            None => {
                let tagged = core::mem::take(&mut self.running);
                let tagged = tagged.into_iter().map(|(tag, running)| (Some(tag), running));
                tagged.chain(self.untagged.take().map(|running| (None, running))).collect()
            }
        };
        for (tag, running) in ended {
            running.task.abort();
            let _ = running.task.await;
            if !running.answered.load(Ordering::Relaxed) {
                self.trap(tag.as_deref(), &Trap::Interrupted).await;
            }
        }
        self.next();
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

/// When the command without a tag has ended; never if there is none.
async fn finished(untagged: &mut Option<Running>) {
    match untagged {
        Some(running) => drop((&mut running.task).await),
        None => core::future::pending().await,
    }
}
