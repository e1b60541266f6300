//! Reaps correctly, with a handler without SA_RESTART, and ends when accept(2) fails.
//!
//! Wrong: accept fails with EINTR when a handler interrupts it, signal(7). Rust's own `accept`
//! tries again, as Python's does since 3.5. C's doesn't, so this one makes the call as C does.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};

use nix::sys::signal::SaFlags;
use nix::sys::socket;

use crate::common::{Never, echo, handle_sigchld, reap_all, serve_in_child};

pub(crate) fn serve(listener: TcpListener) -> Never {
    handle_sigchld(reap_all, SaFlags::empty())?;
    loop {
        let connection = accept(&listener)?;
        serve_in_child(&listener, connection, echo);
    }
}

/// accept(2) as in C: it fails when a handler interrupts it.
pub(crate) fn accept(listener: &TcpListener) -> nix::Result<TcpStream> {
    let accepted = socket::accept(listener.as_raw_fd())?;
    // SAFETY: the kernel has just opened this descriptor, and nobody else knows it.
    Ok(unsafe { TcpStream::from_raw_fd(accepted) })
}
