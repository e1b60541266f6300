//! What a child can do to have its parent sent a SIGCHLD: it stops, it goes on, it ends. The
//! signal's own words (`si_code` of sigaction(2)) tell which.

use std::io;

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::pause;

use crate::child;

pub(crate) fn run() -> io::Result<()> {
    // Blocked, it waits until it is fetched, and none is lost: the next comes after the fetch.
    SigSet::from(Signal::SIGCHLD).thread_block()?;
    let child = child(pause)?;
    for signal in [Signal::SIGSTOP, Signal::SIGCONT, Signal::SIGKILL] {
        kill(child, signal)?;
        println!("{signal}={}", fetch()?);
    }
    Ok(())
}

/// Waits for a SIGCHLD and returns the cause that it names.
fn fetch() -> io::Result<&'static str> {
    let sigchld = SigSet::from(Signal::SIGCHLD);
    // SAFETY: a siginfo is plain numbers and pointers, for which zeros are values.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set and the siginfo are ours, and there.
    if unsafe { libc::sigwaitinfo(sigchld.as_ref(), &raw mut info) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(match info.si_code {
        libc::CLD_STOPPED => "stopped",
        libc::CLD_CONTINUED => "continued",
        libc::CLD_EXITED => "exited",
        libc::CLD_KILLED => "killed",
        _ => "another",
    })
}
