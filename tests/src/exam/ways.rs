//! What a server is like: who serves, what it does about SIGCHLD, how many it serves at once.

use std::time::Duration;

use client::poll;
use client::ps::{self, SIGCHLD_BIT};
use procfs::process::Status;

use super::answer::Answer;
use crate::experiment::Lag;
use crate::{Error, Result};

/// How long a zombie is watched before it counts as one that stays.
pub(super) const WATCHED: Duration = Duration::from_millis(6500);

/// Who serves a client: what a server is, seen from the process that holds a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A child that was forked for this connection.
    Child,
    /// A process that is no child of the server's: the child forked once more and left it.
    Grandchild,
    /// A child that was there before the connection, and is there after it.
    Pool,
    /// A child that was there before the connection, and ends with it.
    OneEach,
    /// The server's own process, several clients at once.
    Itself,
    /// One process after the other, so that a second client waits until the first has left.
    OneByOne,
    /// Processes whose open files this user may not see.
    Hidden,
}

impl Kind {
    /// Those that have a child for each client, which ends with it.
    pub(super) const WITH_CHILDREN: [Kind; 2] = [Kind::Child, Kind::OneEach];

    /// What such a server does, for a sentence that begins with "it".
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Kind::Child => "forks a child for each connection",
            Kind::Grandchild => "forks twice, so that init or a subreaper inherits its children",
            Kind::Pool => "serves with children that it forked in advance",
            Kind::OneEach => "serves each connection with a child that it forked in advance",
            Kind::Itself => "serves all clients in one process, with threads or an event loop",
            Kind::OneByOne => "serves one client at a time, so that the next one waits",
            Kind::Hidden => "serves with processes that this user may not look into",
        }
    }
}

/// What a process does about SIGCHLD, from the masks in /proc/PID/status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Nothing: the kernel drops the signal.
    Default,
    /// A handler is called.
    Caught,
    /// It is ignored expressly, on which the kernel reaps in the parent's place.
    Ignored,
    /// It is blocked, to be read by signalfd(2) or sigwait(3), or to be looked at never.
    Blocked,
}

impl Disposition {
    /// Of a process at rest. While its handler runs SIGCHLD is blocked; that is over soon.
    pub(super) fn of(pid: i32) -> Result<Disposition> {
        let in_handler = |seen: &Result<Disposition>| {
            matches!(seen, Ok(Disposition::Blocked)) && has_handler(pid).unwrap_or(false)
        };
        let settled = || Some(Self::seen(pid)).filter(|seen| !in_handler(seen));
        poll::until(HANDLED, settled).unwrap_or_else(|| Self::seen(pid))
    }

    /// Of a process at this moment, be it in a handler.
    ///
    /// # Errors
    /// When it is gone.
    pub fn seen(pid: i32) -> Result<Disposition> {
        let status = signal_masks(pid)?;
        let caught = status.sigcgt & SIGCHLD_BIT != 0;
        let mut blocked = ps::masks(pid).into_iter().map(|it| it.sigblk & SIGCHLD_BIT != 0);
        // A thread that waits in sigwait(3) has it unblocked meanwhile: then another one tells.
        let blocked = if caught { blocked.all(|it| it) } else { blocked.any(|it| it) };
        Ok(if blocked {
            Disposition::Blocked
        } else if caught {
            Disposition::Caught
        } else if status.sigign & SIGCHLD_BIT != 0 {
            Disposition::Ignored
        } else {
            Disposition::Default
        })
    }

    /// The word for programs.
    #[must_use]
    pub fn name(self) -> &'static str {
        ["default", "caught", "ignored", "blocked"][self as usize]
    }

    /// In words: `SIGCHLD is caught`.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Disposition::Default => "SIGCHLD is at its default",
            Disposition::Caught => "SIGCHLD is caught",
            Disposition::Ignored => "SIGCHLD is ignored, so the kernel reaps",
            Disposition::Blocked => "SIGCHLD is blocked",
        }
    }
}

/// How long a handler may run before SIGCHLD counts as blocked for good.
const HANDLED: Duration = Duration::from_secs(2);

/// Whether a process has a handler for SIGCHLD.
pub(super) fn has_handler(pid: i32) -> Result<bool> {
    Ok(signal_masks(pid)?.sigcgt & SIGCHLD_BIT != 0)
}

/// What /proc/PID/status says, its signal masks among it.
pub(super) fn signal_masks(pid: i32) -> Result<Status> {
    ps::status(pid).map_err(Error::cannot(format!("read the signal masks of {pid}")))
}

/// What a server is like.
#[derive(Debug, Clone)]
pub struct Ways {
    /// Who serves a client.
    pub kind: Kind,
    /// What it does about SIGCHLD.
    pub sigchld: Disposition,
    /// Whether it has a handler for it, blocked or not.
    pub has_handler: bool,
    /// The same once children have died.
    pub sigchld_later: Disposition,
    /// What became of the first children that died, one after the other; an answer if they didn't.
    pub lags: std::result::Result<Vec<Lag>, Answer>,
    /// How many clients it serves at once, up to a hundred.
    pub at_once: usize,
    /// How long a client takes from its greeting to the end of its child.
    pub pace: Duration,
    /// Whether it can't be started while it runs already, in whatever network.
    pub alone: bool,
    /// Whether the process that forks isn't the one that was found listening.
    pub worker: bool,
}

impl Ways {
    /// The longest that a zombie lay until it was reaped.
    pub(super) fn longest_lag(&self) -> Duration {
        self.lags.iter().flatten().filter_map(|lag| lag.zombie).max().unwrap_or_default()
    }
}
