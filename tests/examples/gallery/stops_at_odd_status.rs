//! Collects dead children at each SIGCHLD as long as nix returns the status of one.
//!
//! It looks right because it is lesson 3's loop, written with nix's types.
//!
//! Wrong: nix's `waitpid` returns `Err(EINVAL)` *after* it has reaped a child that died of a signal
//! without a name in nix, such as any real-time signal. The loop ends there, and the other dead
//! children stay zombies until the next death.

use std::net::TcpListener;

use nix::errno::Errno;
use nix::sys::signal::SaFlags;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};

use crate::common::{Never, echo, fork_each, handle_sigchld, log_reaped};

pub(crate) fn serve(listener: TcpListener) -> Never {
    handle_sigchld(on_sigchld, SaFlags::SA_RESTART)?;
    fork_each(listener, echo)
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
