//! Collects dead children at each SIGCHLD as long as nix returns the status of one.
//!
//! Wrong: nix reaps a child that a real-time signal has killed and *then* returns `Err(EINVAL)`.

use std::net::TcpListener;

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use crate::common::{Never, echo, log_reaped, serve_with};

pub(crate) fn serve(listener: TcpListener) -> Never {
    serve_with(on_sigchld, listener, echo)
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    // nix adds only arithmetic to waitpid(2), so this is as safe here as the call itself.
    while let Ok(WaitStatus::Exited(child, _) | WaitStatus::Signaled(child, _, _)) =
        waitpid(None, Some(WaitPidFlag::WNOHANG))
    {
        log_reaped(child.as_raw());
    }
    Errno::set_raw(errno);
}
