//! A call fails, a handler runs, and only then the program asks why the call has failed: errno is
//! one for both. A handler that reaps in a loop leaves its own ECHILD there, unless it puts back
//! what it found.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::{child, see_die};

pub(crate) fn run() -> io::Result<()> {
    let sigchld = SigSet::from(Signal::SIGCHLD);
    let handlers: [(&str, extern "C" fn(libc::c_int)); 2] =
        [("careless", careless), ("careful", careful)];
    for (name, handler) in handlers {
        let handler = SigHandler::Handler(handler);
        let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: both handlers call only waitpid, which is on signal-safety(7)'s list.
        unsafe { sigaction(Signal::SIGCHLD, &action) }?;
        sigchld.thread_block()?;
        see_die(child(|| {})?)?; // so the signal is pending
        // SAFETY: there is no descriptor -1 to close.
        unsafe { libc::close(-1) };
        sigchld.thread_unblock()?; // the handler runs here, and the call itself doesn't fail
        println!("{name}={:?}", Errno::last());
    }
    Ok(())
}

extern "C" fn careless(_signal: libc::c_int) {
    // SAFETY: a null status is allowed.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

extern "C" fn careful(signal: libc::c_int) {
    let errno = Errno::last_raw();
    careless(signal);
    Errno::set_raw(errno);
}
