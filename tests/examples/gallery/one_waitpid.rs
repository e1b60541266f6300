//! Collects one dead child at each SIGCHLD, with WNOHANG.
//!
//! It looks right because the handler never blocks, and because each death sends a signal.
//!
//! Wrong: standard signals don't queue, signal(7). Deaths that share one pending SIGCHLD get one
//! wait: one child is reaped, and the others stay zombies.

use std::net::TcpListener;

use nix::errno::Errno;
use nix::sys::signal::SaFlags;

use crate::common::{Never, collect, echo, fork_each, handle_sigchld, log_reaped};

pub(crate) fn serve(listener: TcpListener) -> Never {
    handle_sigchld(on_sigchld, SaFlags::SA_RESTART)?;
    fork_each(listener, echo)
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    if let child @ 1.. = collect() {
        log_reaped(child);
    }
    Errno::set_raw(errno);
}
