//! Collects children at each SIGCHLD with WNOHANG until nix returns an error.
//!
//! It looks right because nothing in it blocks, and ECHILD ends it when all children are gone.
//!
//! Wrong: while one lives, waitpid(2) returns 0, which nix calls `Ok(StillAlive)`. That is no error
//! either, so the handler loops, burns a core, and nobody is served.

use std::net::TcpListener;

use nix::errno::Errno;
use nix::sys::signal::SaFlags;
use nix::sys::wait::{WaitPidFlag, waitpid};

use crate::common::{Never, echo, fork_each, handle_sigchld, log_reaped};

pub(crate) fn serve(listener: TcpListener) -> Never {
    handle_sigchld(on_sigchld, SaFlags::SA_RESTART)?;
    fork_each(listener, echo)
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
