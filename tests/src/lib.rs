//! Watches a fork server from outside, as a person with ps and kill would, only faster and
//! without guessing.
//!
//! # Layout
//!
//! Data runs one way, from top to bottom:
//!
//! - [`lessons`]: what there is to start, and how it is built.
//! - [`server`]: starts one, on this machine or in a network of its own ([`net`]), under [`limits`].
//! - [`burst`] drives clients at it, [`hold`] keeps it still meanwhile.
//! - [`census`] looks at its children and its pending SIGCHLD, [`syscall`] at where it sleeps, and
//!   [`story`] tells what was seen.
//! - An [`experiment`] is one of the lessons' own questions put to a server, the [`exam`] all that can
//!   be asked of any.
//!
//! The tests, the tools and the docs read what they return and ask nothing themselves.
//!
//! Words of this crate's own: a server is *held still* while it is stopped by SIGSTOP, a *burst*
//! is a number of clients that come and go together, a *census* is a count of children by state.
//!
//! # Example
//!
//! Nothing outlives its owner: this program leaves a child behind, which is ended with it.
//!
//! ```
//! use harness::server::Launch;
//!
//! let program = Launch::new("/bin/sh").arg("-c").arg("sleep 1000 & echo my child is $!");
//! let (_status, log) = program.run()?;
//! let child = log.stdout().trim().rsplit(' ').next().unwrap().parse().unwrap();
//! assert!(!client::ps::lives(child));
//! # Ok::<(), harness::Error>(())
//! ```

use std::fmt;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::errno::Errno;

pub mod burst;
pub mod census;
pub mod exam;
pub mod experiment;
pub mod hold;
pub mod lessons;
pub mod limits;
pub mod net;
pub mod server;
pub mod story;
pub mod syscall;
pub mod zombies;

pub use client::{poll, ps};

// For every test, tool and benchmark that uses this crate.
client::reset_signals_at_start!();

/// How long to wait for what ought to happen at once, on a machine whose cores are all busy.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Looks until what is seen is what a test waits for, as `agrees` says, and returns that.
///
/// # Panics
/// When [`PATIENCE`] is over, with what was seen last.
#[track_caller]
pub fn eventually<T: fmt::Debug>(
    what: &str,
    mut look: impl FnMut() -> T,
    agrees: impl Fn(&T) -> bool,
) -> T {
    let mut last = None;
    let found = poll::until(PATIENCE, || {
        last = Some(look());
        last.take_if(|seen| agrees(seen))
    });
    match found {
        Some(found) => found,
        None => panic!("waited {PATIENCE:?} for {what}; seen last: {last:?}"),
    }
}

/// Says on stderr that a test can't be made here, and why; the test then returns.
///
/// # Panics
/// When the environment variable `HARNESS_NO_SKIPS` is set: where everything is known to be
/// there (in CI, say), a test that is not made is a failure.
pub fn skip(why: impl fmt::Display) {
    assert!(
        std::env::var_os("HARNESS_NO_SKIPS").is_none(),
        "SKIPPED although HARNESS_NO_SKIPS is set: {why}"
    );
    complain(format_args!("SKIPPED: {why}"));
}

/// Prints at once, a question without its newline too; that stdout is closed (`tour | head`) is no
/// reason to panic.
pub fn print(text: &str) {
    let mut stdout = io::stdout();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

/// Prints a line on stderr, in one write, and past the test runner's capture.
pub fn complain(line: impl fmt::Display) {
    let _ = io::stderr().write_all(format!("{line}\n").as_bytes());
}

/// What a test needs and has got; or else it says by [`skip`] why it can't be made.
pub fn or_skip<T>(needed: std::result::Result<T, impl fmt::Display>) -> Option<T> {
    needed.map_err(skip).ok()
}

/// Locks `mutex`, whatever a thread that panicked has left there.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What went wrong, as one line that names the thing.
///
/// Its `Debug` is its `Display`, so that `unwrap` in a test prints the line as it is.
pub struct Error {
    message: String,
    pub(crate) about: About,
}

#[derive(PartialEq, Eq)]
pub(crate) enum About {
    /// Something that a server did, or that went wrong.
    Failure,
    /// The end of a server.
    Death,
    /// What can't be done here, whatever the server does.
    Limit,
}

/// The result of everything here that talks to the kernel.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// An error with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Error { message: message.into(), about: About::Failure }
    }

    /// Makes an error the reason why `what` cannot be done.
    pub fn cannot<E: fmt::Display>(what: impl fmt::Display) -> impl FnOnce(E) -> Error {
        move |error| Error::new(format!("cannot {what}: {error}"))
    }

    /// The same of an errno, in words alone.
    pub(crate) fn refused(what: impl fmt::Display) -> impl FnOnce(Errno) -> Error {
        move |errno| Error::cannot(what)(errno.desc().to_lowercase())
    }

    /// An error that tells of a server's end.
    pub(crate) fn of_death(message: impl Into<String>) -> Self {
        Error { message: message.into(), about: About::Death }
    }

    /// An error that says nothing of a server, but why something can't be done to it here.
    pub(crate) fn cannot_ask(why: impl Into<String>) -> Self {
        Error { message: why.into(), about: About::Limit }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl std::error::Error for Error {}

impl From<client::Error> for Error {
    fn from(error: client::Error) -> Self {
        Error::new(error.to_string())
    }
}
