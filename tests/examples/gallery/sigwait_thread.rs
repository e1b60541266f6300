//! No handler: SIGCHLD is blocked, and a second thread takes it with sigwait(3) and waits once.
//!
//! Wrong: a blocked signal is pending once, however often it was sent. (And the server now forks
//! with two threads, so a child may hold copies of their locks. It also inherits the block.)

use std::net::TcpListener;
use std::thread;

use nix::sys::signal::{SigSet, Signal};

use crate::common::{Never, echo, fork_each, log_reaped};

pub(crate) fn serve(listener: TcpListener) -> Never {
    let sigchld = SigSet::from(Signal::SIGCHLD);
    sigchld.thread_block()?; // before there is a second thread, so that it inherits this
    thread::Builder::new().spawn(|| fork_each(listener, echo))?;
    loop {
        sigchld.wait()?;
        // SAFETY: a null status is allowed.
        if let child @ 1.. = unsafe { libc::wait(std::ptr::null_mut()) } {
            log_reaped(child); // takes no lock that a fork could copy
        }
    }
}
