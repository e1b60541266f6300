//! Holding a process still: SIGSTOP, and the certainty that it has taken effect.

use client::ps;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::{Error, PATIENCE, Result, poll};

/// A process that is held still. It runs again when this is dropped.
#[derive(Debug)]
#[must_use = "the process runs on as soon as this is dropped"]
pub struct Hold {
    pid: i32,
}

impl Hold {
    /// Stops `pid` and waits until /proc says `T` of each of its threads.
    ///
    /// Without that wait a SIGCHLD (17) sent right after may be delivered before the SIGSTOP
    /// (19), the lower number first, and one child more is reaped than the experiment meant.
    ///
    /// # Errors
    /// When there is no such process, or it doesn't stop: a dead one never does.
    pub fn still(pid: i32) -> Result<Hold> {
        if let Ok(tracer @ 1..) = ps::status(pid).map(|it| it.tracerpid) {
            return Err(Error::cannot_ask(format!(
                "process {pid} is traced by {tracer}, and so can't be stopped to T"
            )));
        }
        kill(Pid::from_raw(pid), Signal::SIGSTOP)
            .map_err(|errno| Error::new(format!("cannot stop process {pid}: {}", errno.desc())))?;
        let hold = Hold { pid };
        let mut last = String::new();
        let stopped = poll::until(PATIENCE, || {
            last = ps::thread_states(pid);
            let dead = last.chars().all(|state| "ZX".contains(state));
            // A first thread that has left before the others stays a zombie.
            let stopped = last.chars().all(|state| "TZ".contains(state));
            (dead || stopped).then_some(!dead)
        });
        match stopped {
            Some(true) => Ok(hold),
            _ => Err(Error::new(format!("process {pid} did not stop; seen last: {last:?}"))),
        }
    }

    /// Lets the process run again.
    pub fn release(self) {}
}

impl Drop for Hold {
    fn drop(&mut self) {
        // A process that is gone by now has nothing to continue.
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGCONT);
    }
}
