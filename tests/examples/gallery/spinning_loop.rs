//! Collects children at each SIGCHLD with WNOHANG until nix returns an error.
//!
//! Wrong: while one lives, nix returns `Ok(StillAlive)`. The handler loops, and nobody is served.

use std::net::TcpListener;

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};

use crate::common::{Never, echo, log_reaped, serve_with};

pub(crate) fn serve(listener: TcpListener) -> Never {
    serve_with(on_sigchld, listener, echo)
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    // nix adds only arithmetic to waitpid(2), so this is as safe here as the call itself.
    while let Ok(status) = waitpid(None, Some(WaitPidFlag::WNOHANG)) {
        if let Some(child) = status.pid() {
            log_reaped(child.as_raw());
        }
    }
    Errno::set_raw(errno);
}
