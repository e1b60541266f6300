//! Sends SIGKILL to each child that has died, by the pid that comes with SIGCHLD.
//!
//! Wrong: a zombie has already ended. The call succeeds and the zombie stays.

use std::net::TcpListener;

use nix::sys::signal::{SaFlags, SigHandler, Signal};

use crate::common::{Never, dispose, echo, fork_each};

pub(crate) fn serve(listener: TcpListener) -> Never {
    // The handler calls only kill, which is on signal-safety(7)'s list.
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_RESTART;
    dispose(Signal::SIGCHLD, SigHandler::SigAction(on_sigchld), flags)?;
    fork_each(listener, echo)
}

extern "C" fn on_sigchld(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a whole siginfo_t; kill takes two numbers.
    unsafe {
        // A SIGCHLD from kill(2) names its sender, which must not die of it.
        if let libc::CLD_EXITED | libc::CLD_KILLED = (*info).si_code {
            libc::kill((*info).si_pid(), libc::SIGKILL);
        }
    }
}
