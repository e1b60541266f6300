//! Collects a dead child, then loops as long as there was one. The loop is the article's.
//!
//! It looks right because it has all the parts of the right one: waitpid(2), WNOHANG and a `while`.
//!
//! Wrong: the call comes before the loop, and the loop returns in its first round. It is one
//! waitpid per signal in disguise, and deaths that share a signal leave zombies.

use std::net::TcpListener;

use nix::errno::Errno;
use nix::sys::signal::SaFlags;

use crate::common::{Never, collect, echo, fork_each, handle_sigchld, log_reaped};

pub(crate) fn serve(listener: TcpListener) -> Never {
    handle_sigchld(on_sigchld, SaFlags::SA_RESTART)?;
    fork_each(listener, echo)
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
