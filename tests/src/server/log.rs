//! What a server writes.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::session::Session;
use crate::{Error, Result, eventually, lock, poll};

/// How long the pipe of a process that has ended may take to be read empty.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// What a server writes, kept as it comes, so that a full pipe never stops the server.
///
/// Of a flood the beginning and the end are kept, and a line between them says how much was cut.
#[derive(Debug, Clone, Default)]
pub struct Log {
    pub(super) stdout: Stream,
    pub(super) stderr: Stream,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Stream(Arc<Mutex<Written>>);

#[derive(Debug, Default)]
struct Written {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    cut: u64,
    open: bool,
}

impl Written {
    /// How many bytes the head has room for, and the tail.
    const ROOM: usize = 256 * 1024;

    fn add(&mut self, bytes: &[u8]) {
        let (head, tail) = bytes.split_at(bytes.len().min(Self::ROOM - self.head.len()));
        self.head.extend(head);
        self.tail.extend(tail);
        let over = self.tail.len().saturating_sub(Self::ROOM);
        self.tail.drain(..over);
        self.cut += over as u64;
    }

    fn text(&self) -> String {
        let mut bytes = self.head.clone();
        if self.cut > 0 {
            bytes.extend(format!("\n[harness: {} bytes cut]\n", self.cut).bytes());
        }
        bytes.extend(&self.tail);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Log {
    /// What came on stdout so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        lock(&self.stdout.0).text()
    }

    /// What came on stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        lock(&self.stderr.0).text()
    }

    /// What came so far, stdout first.
    #[must_use]
    pub fn text(&self) -> String {
        self.stdout() + &self.stderr()
    }

    /// Waits until `count` lines contain `word`: for tests.
    ///
    /// # Panics
    /// When they don't come.
    #[track_caller]
    pub fn wait_for(&self, word: &str, count: usize) {
        let lines = |text: &String| text.lines().filter(|line| line.contains(word)).count();
        let what = format!("{count} lines with {word:?}");
        eventually(&what, || self.text(), |text| lines(text) >= count);
    }

    /// Its last line, for the end of an error message.
    pub(crate) fn said(&self) -> String {
        self.text().lines().last().map_or(String::new(), |line| format!("; it said: {line}"))
    }

    /// Its last lines: a compiler's or an interpreter's last one alone may not tell why it failed.
    pub(crate) fn last_words(&self) -> String {
        const LINES: usize = 30;
        let text = self.text();
        let lines: Vec<&str> = text.trim_end().lines().collect();
        match lines.len() {
            0 | 1 => self.said(),
            all => format!("; it said:\n{}\n", lines[all.saturating_sub(LINES)..].join("\n")),
        }
    }

    /// Ends all who may write, and waits until all is here: death is seen sooner than a pipe's end.
    pub(super) fn complete(&self, session: Session) {
        drop(session);
        // One that has left the session may keep the pipe open: then what is here has to do.
        let open = || [&self.stdout, &self.stderr].iter().any(|it| lock(&it.0).open);
        poll::until(LAST_WORDS, || (!open()).then_some(()));
    }
}

impl Stream {
    pub(super) fn drain(&self, mut pipe: impl Read + Send + 'static) -> Result<()> {
        let Stream(written) = self.clone();
        // Ends by itself when the last process that can write to the pipe is gone.
        let drain = move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                match pipe.read(&mut buffer) {
                    Ok(length @ 1..) => lock(&written).add(&buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                }
            }
            lock(&written).open = false;
        };
        lock(&self.0).open = true;
        let detached = thread::Builder::new().name("drain".to_owned()).spawn(drain);
        detached.map(drop).map_err(Error::cannot("start a thread for the log"))
    }
}
