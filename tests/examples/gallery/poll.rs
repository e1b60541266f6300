//! No handler: waits for a client for half a second at most, then collects the dead. So does
//! CPython's `socketserver.ForkingMixIn`.
//!
//! Wrong, a little: a zombie lives up to half a second, an idle server wakes twice a second.

use std::net::TcpListener;
use std::os::fd::AsRawFd;

use crate::common::{Never, collect, log, serve_next};

/// Milliseconds between two looks for dead children, at most.
const INTERVAL: libc::c_int = 500;

pub(crate) fn serve(listener: TcpListener) -> Never {
    loop {
        if comes(&listener) {
            serve_next(&listener);
        }
        while let child @ 1.. = collect() {
            log(&format!("reaped child {child}"));
        }
    }
}

/// Whether a client comes before the interval is over.
fn comes(listener: &TcpListener) -> bool {
    let mut poll = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    // SAFETY: the pointer is that of one pollfd, which outlives the call.
    unsafe { libc::poll(&raw mut poll, 1, INTERVAL) > 0 }
}
