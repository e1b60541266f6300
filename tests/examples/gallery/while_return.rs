//! Collects a dead child, then loops as long as there was one. The loop is the article's.
//!
//! Wrong: the loop returns in its first round. It is one waitpid per signal in disguise.

use std::net::TcpListener;

use nix::errno::Errno;

use crate::common::{Never, collect, echo, log_reaped, serve_with};

pub(crate) fn serve(listener: TcpListener) -> Never {
    serve_with(on_sigchld, listener, echo)
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    reap();
    Errno::set_raw(errno);
}

#[expect(clippy::never_loop, reason = "this is the mistake")]
#[expect(clippy::while_immutable_condition, reason = "and this comes with it")]
fn reap() {
    let child = collect();
    while child > 0 {
        log_reaped(child);
        return;
    }
}
