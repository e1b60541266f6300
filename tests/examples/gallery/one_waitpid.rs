//! Collects one dead child at each SIGCHLD, with WNOHANG.
//!
//! Wrong: signals don't queue, signal(7). Deaths that share a pending SIGCHLD get one wait.

use std::net::TcpListener;

use nix::errno::Errno;

use crate::common::{Never, collect, echo, log_reaped, serve_with};

pub(crate) fn serve(listener: TcpListener) -> Never {
    serve_with(on_sigchld, listener, echo)
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    if let child @ 1.. = collect() {
        log_reaped(child);
    }
    Errno::set_raw(errno);
}
