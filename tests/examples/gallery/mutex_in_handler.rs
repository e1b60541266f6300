//! Reaps correctly, and keeps a list of the living children behind a `Mutex`, which is even held
//! over the fork, so that no child can die before it is on the list.
//!
//! Wrong: the handler is not another thread. It runs on top of the code that it interrupts. When
//! that code holds the lock, each waits for the other for ever.

use std::net::TcpListener;
use std::sync::{Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;
use nix::sys::signal::SaFlags;
use nix::unistd::Pid;

use crate::common::{Never, accept, collect, echo, handle_sigchld, log_reaped, serve_in_child};

static CHILDREN: Mutex<Vec<libc::pid_t>> = Mutex::new(Vec::new());

fn children() -> MutexGuard<'static, Vec<libc::pid_t>> {
    CHILDREN.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn serve(listener: TcpListener) -> Never {
    handle_sigchld(on_sigchld, SaFlags::SA_RESTART)?;
    loop {
        let connection = accept(&listener);
        let mut children = children();
        children.extend(serve_in_child(&listener, connection, echo).map(Pid::as_raw));
    }
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    while let child @ 1.. = collect() {
        children().retain(|it| *it != child);
        log_reaped(child);
    }
    Errno::set_raw(errno);
}
