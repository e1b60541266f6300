//! What waitpid(2) gives back: the child's pid, and the exit status it chose or the signal that
//! it died of.

use std::io;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::pause;

use crate::child;

pub(crate) fn run() -> io::Result<()> {
    // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
    let chooses = child(|| unsafe { libc::_exit(7) })?;
    println!("chooses={chooses}");
    if let WaitStatus::Exited(child, status) = waitpid(chooses, None)? {
        println!("exited={child}\nstatus={status}");
    }
    let killed = child(pause)?;
    kill(killed, Signal::SIGTERM)?;
    println!("killed={killed}");
    if let WaitStatus::Signaled(child, signal, _) = waitpid(killed, None)? {
        println!("signaled={child}\nsignal={signal}");
    }
    Ok(())
}
