//! Collects children with wait(2), in a loop, until none is left.
//!
//! Wrong: once the dead are collected, wait blocks in the handler until a living child dies.

use std::net::TcpListener;

use nix::errno::Errno;

use crate::common::{Never, echo, log_reaped, serve_with};

pub(crate) fn serve(listener: TcpListener) -> Never {
    serve_with(on_sigchld, listener, echo)
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    // SAFETY: wait is on signal-safety(7)'s list; a null status is allowed.
    while let child @ 1.. = unsafe { libc::wait(std::ptr::null_mut()) } {
        log_reaped(child);
    }
    Errno::set_raw(errno);
}
