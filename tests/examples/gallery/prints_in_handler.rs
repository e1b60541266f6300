//! Reaps correctly, and says so from the handler with `println!`.
//!
//! It looks right because the loop is lesson 3's, and because the line appears, every time.
//!
//! Wrong: the handler may interrupt the server in the middle of its own print, with stdout locked
//! and its buffer borrowed. `println!` then panics, and a panic can't leave a handler: the process
//! aborts. It takes a death at that moment, which a quiet server may never meet.

use std::net::TcpListener;

use nix::errno::Errno;
use nix::sys::signal::SaFlags;

use crate::common::{Never, collect, echo, fork_each, handle_sigchld};

pub(crate) fn serve(listener: TcpListener) -> Never {
    handle_sigchld(on_sigchld, SaFlags::SA_RESTART)?;
    fork_each(listener, echo)
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    while let child @ 1.. = collect() {
        println!("[SIGCHLD] reaped child {child}");
    }
    Errno::set_raw(errno);
}
