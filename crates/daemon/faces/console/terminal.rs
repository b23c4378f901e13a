//! The terminal while a command runs: its size, single keys, and long texts a page at a time.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::BorrowedFd;

use reedline::Signal;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{self, InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios};

use super::line::{Front, value_editor};

/// Ctrl-C, as a key.
pub(super) const INTERRUPT: u8 = 3;

/// Rows and columns of the terminal; `None` if the output is none.
pub(super) fn size() -> Option<(usize, usize)> {
    let out = io::stdout();
    let size = out.is_terminal().then(|| termios::tcgetwinsize(&out).ok()).flatten()?;
    (size.ws_col > 0).then(|| (usize::from(size.ws_row), usize::from(size.ws_col)))
}

/// While it lives, keys are not shown and wait as they were pressed, for whoever reads them next:
/// what is typed while a command runs is the next line.
pub(super) struct Quiet {
    before: Option<Termios>,
}

impl Quiet {
    pub(super) fn begin() -> Self {
        Self::with(LocalModes::ICANON | LocalModes::ECHO)
    }

    fn with(off: LocalModes) -> Self {
        let input = io::stdin();
        let before = termios::tcgetattr(&input).ok().filter(|_| input.is_terminal());
        if let Some(before) = &before {
            let mut quiet = before.clone();
            quiet.local_modes -= off;
            quiet.input_modes -= InputModes::ICRNL;
            quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
            quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
            // A terminal that refuses stays as it is; it only looks worse.
            let _ = termios::tcsetattr(&input, OptionalActions::Now, &quiet);
        }
        Self { before }
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if let Some(before) = &self.before {
            let _ = termios::tcsetattr(io::stdin(), OptionalActions::Now, before);
        }
    }
}

/// While it lives, keys are read one by one, and none of them is a signal.
pub(super) struct Keys(Quiet);

/// What came first.
pub(super) enum Woken {
    Key(u8),
    Stream,
}

impl Keys {
    pub(super) fn take() -> Self {
        Self(Quiet::with(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG))
    }

    /// Waits for a key, or until there is something to read from the stream.
    pub(super) fn or(&self, stream: BorrowedFd<'_>) -> io::Result<Woken> {
        loop {
            let input = io::stdin();
            let mut waited = vec![PollFd::from_borrowed_fd(stream, PollFlags::IN)];
            if self.0.before.is_some() {
                waited.push(PollFd::new(&input, PollFlags::IN));
            }
            match poll(&mut waited, None) {
                Err(rustix::io::Errno::INTR) => continue,
                other => drop(other?),
            }
            if waited.get(1).is_some_and(|fd| !fd.revents().is_empty()) {
                return self.key().map(Woken::Key);
            }
            if !waited[0].revents().is_empty() {
                return Ok(Woken::Stream);
            }
        }
    }

    /// The next key; Ctrl-C if there will be none.
    pub(super) fn key(&self) -> io::Result<u8> {
        let mut key = [INTERRUPT];
        // Not through the buffer of `stdin`: what it read ahead would be lost to the line editor.
        rustix::io::read(io::stdin(), &mut key)?;
        Ok(key[0])
    }
}

/// How often a wait looks whether it was interrupted.
const GLANCE: Timespec = Timespec { tv_sec: 0, tv_nsec: 200_000_000 };

/// Waits a moment for something to read from the stream; a signal ends the wait.
pub(super) fn readable(stream: BorrowedFd<'_>) -> io::Result<bool> {
    let mut waited = [PollFd::from_borrowed_fd(stream, PollFlags::IN)];
    match poll(&mut waited, Some(&GLANCE)) {
        Err(rustix::io::Errno::INTR) => Ok(false),
        ready => Ok(ready? > 0),
    }
}

/// What stands under a page.
const MORE: &str = "-- [Q quit|D dump|down]";

/// Prints a text, and waits for a key under each page if the terminal has `rows` rows.
pub(super) fn show(text: &str, rows: Option<usize>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let page = match rows {
        Some(rows) if rows > 1 && lines.len() >= rows => rows - 1,
        _ => lines.len().max(1),
    };
    let keys = (lines.len() > page).then(Keys::take);
    let mut rest = lines.as_slice();
    let mut next = page;
    while !rest.is_empty() {
        let (now, later) = rest.split_at(next.min(rest.len()));
        out.write_all(now.concat().as_bytes())?;
        rest = later;
        let Some(keys) = keys.as_ref().filter(|_| !rest.is_empty()) else { continue };
        write!(out, "{MORE}")?;
        out.flush()?;
        next = match keys.key()? {
            b'q' | b'Q' | INTERRUPT => 0,
            b'd' | b'D' => usize::MAX,
            b'\r' | b'\n' => 1,
            _ => page,
        };
        write!(out, "\r{}\r", " ".repeat(MORE.len()))?;
        if next == 0 {
            break;
        }
    }
    out.flush()
}

/// Asks a question: on a terminal what is offered stands there and can be changed. `None` if there
/// is no answer.
pub(super) fn question(text: &str, offered: &str) -> io::Result<Option<String>> {
    if io::stdin().is_terminal() {
        let read = value_editor(offered).read_line(&Front(text.into()));
        return Ok(match read.map_err(io::Error::other)? {
            Signal::Success(answer) => Some(answer),
            _ => None,
        });
    }
    println!("{text}{offered}");
    let answer = line()?;
    Ok(answer.map(|answer| if answer.trim().is_empty() { offered.into() } else { answer }))
}

/// One line of the input, octet by octet, so that nothing behind it is read.
pub(super) fn line() -> io::Result<Option<String>> {
    let (mut line, mut octet) = (Vec::new(), [0]);
    let mut input = io::stdin().lock();
    loop {
        match input.read(&mut octet)? {
            0 if line.is_empty() => return Ok(None),
            0 => break,
            _ if octet[0] == b'\n' => break,
            _ => line.push(octet[0]),
        }
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()))
}
