//! A call fails, a handler runs, and only then the program asks why the call has failed: errno is
//! one for both. A handler that reaps in a loop leaves its own ECHILD there, unless it puts back
//! what it found.

use std::io;

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigHandler, SigSet, Signal};

use crate::{child, dispose, see_die};

pub(crate) fn run() -> io::Result<()> {
    let sigchld = SigSet::from(Signal::SIGCHLD);
    let handlers: [(&str, extern "C" fn(libc::c_int)); 2] =
        [("careless", careless), ("careful", careful)];
    for (name, handler) in handlers {
        dispose(Signal::SIGCHLD, SigHandler::Handler(handler), SaFlags::SA_RESTART)?;
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

/// As lesson 3 does it.
pub(crate) extern "C" fn careful(signal: libc::c_int) {
    let errno = Errno::last_raw();
    careless(signal);
    Errno::set_raw(errno);
}
