//! Reaps correctly, and says so from the handler with `println!`.
//!
//! Wrong: the handler may interrupt the server's own print, with stdout borrowed. `println!` then
//! panics, and a panic can't leave a handler: the process aborts.

use std::net::TcpListener;

use nix::errno::Errno;

use crate::common::{Never, collect, echo, serve_with};

pub(crate) fn serve(listener: TcpListener) -> Never {
    serve_with(on_sigchld, listener, echo)
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    while let child @ 1.. = collect() {
        println!("[SIGCHLD] reaped child {child}");
    }
    Errno::set_raw(errno);
}
