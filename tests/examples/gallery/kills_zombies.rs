//! Sends each child that has died a SIGKILL, by the pid that comes with SIGCHLD.
//!
//! It looks right because zombies are processes that should be gone, and SIGKILL ends any process.
//!
//! Wrong: a zombie has ended already. The call succeeds, and it stays: what gets rid of it is a
//! wait, and there is none.

use std::net::TcpListener;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::common::{Never, echo, fork_each};

pub(crate) fn serve(listener: TcpListener) -> Never {
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_RESTART;
    let action = SigAction::new(SigHandler::SigAction(on_sigchld), flags, SigSet::empty());
    // SAFETY: the handler calls only kill, which is on signal-safety(7)'s list.
    unsafe { sigaction(Signal::SIGCHLD, &action) }?;
    fork_each(listener, echo)
}

extern "C" fn on_sigchld(
    _signal: libc::c_int,
    info: *mut libc::siginfo_t,
    _context: *mut libc::c_void,
) {
    // SAFETY: with SA_SIGINFO the kernel hands over a whole siginfo_t; kill takes two numbers.
    unsafe {
        // A SIGCHLD from anybody's kill(2) names its sender, who is not to die of it.
        if (*info).si_code == libc::CLD_EXITED || (*info).si_code == libc::CLD_KILLED {
            libc::kill((*info).si_pid(), libc::SIGKILL);
        }
    }
}
