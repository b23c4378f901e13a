//! A process of the laboratory: its output kept, its end certain.

use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::PATIENCE;

/// Lines that arrive from a reader thread, and someone who waits for one of them.
#[derive(Default)]
pub struct Lines {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

impl Lines {
    pub fn push(&self, line: String) {
        self.lines.lock().unwrap().push(line);
        self.more.notify_all();
    }

    pub fn count(&self) -> usize {
        self.lines.lock().unwrap().len()
    }

    /// The first line from `start` on that fits, with its number; waits for it.
    pub fn wait(
        &self,
        start: usize,
        patience: Duration,
        fits: impl Fn(&str) -> bool,
    ) -> Option<(usize, String)> {
        let deadline = Instant::now() + patience;
        let mut lines = self.lines.lock().unwrap();
        let mut next = start;
        loop {
            while let Some(line) = lines.get(next) {
                if fits(line) {
                    return Some((next, line.clone()));
                }
                next += 1;
            }
            let left = deadline.checked_duration_since(Instant::now())?;
            lines = self.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    pub fn text(&self) -> String {
        self.lines.lock().unwrap().join("\n")
    }
}

/// A running program. Dropping it ends it.
pub struct Process {
    child: Child,
    output: Arc<Lines>,
    readers: Vec<JoinHandle<()>>,
}

impl Process {
    /// Starts the command with its output captured.
    pub fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("cannot run {command:?} (.ci/packages names what the tests need): {error}")
        });
        let output = Arc::new(Lines::default());
        let readers = vec![
            follow(child.stdout.take().unwrap(), output.clone()),
            follow(child.stderr.take().unwrap(), output.clone()),
        ];
        Self { child, output, readers }
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Everything that it printed, line by line.
    pub fn output(&self) -> &Lines {
        &self.output
    }

    pub fn signal(&self, signal: libc::c_int) {
        // SAFETY: no memory is passed; the child is not yet reaped, so its id is its own.
        unsafe { libc::kill(self.child.id().cast_signed(), signal) };
    }

    /// Lets it have no more of a resource (`prlimit(2)`) than that; gives back what it could have.
    pub fn limit(&self, resource: libc::__rlimit_resource_t, most: u64) -> u64 {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        let id = self.id().cast_signed();
        // SAFETY: the structures are this function's own; the child is not yet reaped.
        let result = unsafe {
            match libc::prlimit(id, resource, std::ptr::null(), &raw mut limit) {
                0 => {
                    let new = libc::rlimit { rlim_cur: most, ..limit };
                    libc::prlimit(id, resource, &raw const new, std::ptr::null_mut())
                }
                failed => failed,
            }
        };
        assert_eq!(result, 0, "prlimit: {}", io::Error::last_os_error());
        limit.rlim_cur
    }

    /// Has it ended, and how?
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for its end and for the last of its output.
    pub fn wait(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.ended() {
                break status;
            }
            assert!(Instant::now() < deadline, "still running:\n{}", self.output.text());
            thread::sleep(Duration::from_millis(2));
        };
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        status
    }

    /// Ends it at once, as a power cut would (but for the disk).
    pub fn kill(&mut self) {
        self.signal(libc::SIGKILL);
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn follow(stream: impl Read + Send + 'static, output: Arc<Lines>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stream).split(b'\n') {
            let Ok(line) = line else { break };
            output.push(String::from_utf8_lossy(&line).into_owned());
        }
    })
}
