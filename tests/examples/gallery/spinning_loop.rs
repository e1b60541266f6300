//! Collects children at each SIGCHLD with WNOHANG, as long as nix returns no error.
//!
//! It looks right because nothing in it blocks, and when all children are gone ECHILD ends it.
//!
//! Wrong: as long as one lives, waitpid(2) returns 0, which nix calls `Ok(StillAlive)` and which
//! is no error either. The handler turns round and round, a core burns, and nobody is served.

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
