//! Collects one dead child at each SIGCHLD, and ends the server when waitpid(2) fails.
//!
//! Wrong: others can send the signal too (`kill -CHLD`), when there may be no child. (It also waits
//! only once, like `one_waitpid`.)

use std::net::TcpListener;

use nix::errno::Errno;
use nix::sys::signal::SaFlags;

use crate::common::{Never, collect, die, echo, fork_each, handle_sigchld, log_reaped};

pub(crate) fn serve(listener: TcpListener) -> Never {
    // Deaths only: a stop's handler may find its child already dead and reap it, and then the
    // signal of the death would find nobody.
    handle_sigchld(on_sigchld, SaFlags::SA_RESTART | SaFlags::SA_NOCLDSTOP)?;
    fork_each(listener, echo)
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    match collect() {
        -1 => die(b"gallery: waitpid: no child processes\n"),
        0 => {}
        child => log_reaped(child),
    }
    Errno::set_raw(errno);
}
