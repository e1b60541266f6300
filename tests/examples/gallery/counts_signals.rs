//! The handler only counts. The loop, which the signal interrupts, waits that often.
//!
//! Wrong: it counts signals, and signals don't queue, signal(7). Five deaths may be one signal.

use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::SaFlags;

use crate::common::{Never, collect, complain, echo, handle_sigchld, log, serve_in_child};
use crate::dies_of_eintr::accept;

static DEATHS: AtomicUsize = AtomicUsize::new(0);

pub(crate) fn serve(listener: TcpListener) -> Never {
    handle_sigchld(count, SaFlags::empty())?; // no SA_RESTART: it must interrupt accept
    loop {
        for _ in 0..DEATHS.swap(0, Ordering::Relaxed) {
            log(&format!("reaped child {}", collect()));
        }
        match accept(&listener) {
            Ok(connection) => drop(serve_in_child(&listener, connection, echo)),
            Err(Errno::EINTR) => {}
            Err(errno) => {
                complain("cannot accept", errno.into());
                sleep(Duration::from_millis(100)); // the lack may pass; no pause would spin
            }
        }
    }
}

extern "C" fn count(_signal: libc::c_int) {
    DEATHS.fetch_add(1, Ordering::Relaxed);
}
