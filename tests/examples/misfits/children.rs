//! How the dead are treated: servers that wait for their children in odd ways, or never.

use std::io::{self, Read};
use std::iter;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SaFlags, SigHandler, SigSet, Signal, kill};
use nix::unistd::close;

use crate::comes;
use crate::common::{
    Never, accept, child, collect, complain, dispose, echo, fork_each, handle_sigchld, log,
    log_reaped, reap_all, serve_next, serve_with, wait_for,
};

/// What signal() did in System V: the handler is gone when it has been called.
pub(crate) fn one_shot_handler(listener: TcpListener) -> Never {
    handle_sigchld(reap_all, SaFlags::SA_RESTART | SaFlags::SA_RESETHAND)?;
    fork_each(listener, echo)
}

/// The first death is seen to. With the next client SIGCHLD is blocked for good: it stays pending,
/// and the dead stay.
pub(crate) fn stays_blocked(listener: &TcpListener) -> Never {
    handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
    let sigchld = SigSet::from(Signal::SIGCHLD);
    let mut children = Vec::new();
    loop {
        while !comes(listener, None) {}
        sigchld.thread_block()?; // to be safe: no death before the fork has returned
        children.extend(serve_next(listener));
        if children.iter().all(|child| kill(*child, None).is_ok()) {
            sigchld.thread_unblock()?;
        }
    }
}

/// Lesson 3, if a mask without SIGCHLD is what it has inherited.
pub(crate) fn no_unblock(listener: TcpListener) -> Never {
    dispose(Signal::SIGCHLD, SigHandler::Handler(reap_all), SaFlags::SA_RESTART)?;
    fork_each(listener, echo)
}

static DIED: AtomicBool = AtomicBool::new(false);

/// The handler interrupts poll, but nothing makes poll notice that the handler ran before it.
pub(crate) fn lost_wake_up(listener: &TcpListener) -> Never {
    handle_sigchld(note, SaFlags::empty())?;
    loop {
        if DIED.swap(false, Ordering::Relaxed) {
            reap();
        }
        sleep(Duration::from_millis(20)); // its work
        if comes(listener, None) {
            serve_next(listener);
        }
    }
}

extern "C" fn note(_signal: libc::c_int) {
    DIED.store(true, Ordering::Relaxed);
}

/// Reaps all who are dead by now, outside of a handler, and returns how many.
fn reap() -> usize {
    let dead = iter::repeat_with(collect).take_while(|child| *child > 0);
    dead.inspect(|child| log(&format!("reaped child {child}"))).count()
}

/// No handler: looks for its dead twenty times a second. Lets others wait while it serves so many.
pub(crate) fn looks_late(listener: &TcpListener, most: usize) -> Never {
    const INTERVAL: Duration = Duration::from_millis(50);
    let mut living = 0_usize;
    loop {
        if living == most {
            sleep(INTERVAL); // a client who waits would make poll return at once
        } else if comes(listener, Some(INTERVAL)) {
            living += usize::from(serve_next(listener).is_some());
        }
        living = living.saturating_sub(reap());
    }
}

pub(crate) extern "C" fn reap_some(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    for _ in 0..20 {
        let child @ 1.. = collect() else { break };
        log_reaped(child);
    }
    Errno::set_raw(errno);
}

/// Each client's child is waited for by a thread; the helpers, whatever clients do, by nobody.
pub(crate) fn helper_on_a_timer(listener: &TcpListener, every: Duration) -> Never {
    thread::Builder::new().spawn(move || {
        loop {
            sleep(every);
            let _ = child(|| prctl::set_name(c"sync-helper").unwrap_or(()));
        }
    })?;
    loop {
        if let Some(child) = serve_next(listener) {
            thread::Builder::new().spawn(move || wait_for(child.as_raw(), 0))?;
        }
    }
}

/// As inetd does, but without its wait.
pub(crate) fn starts_cat(listener: &TcpListener) -> Never {
    loop {
        let connection = OwnedFd::from(accept(listener));
        let copy = connection.try_clone();
        let cat = copy.and_then(|copy| Command::new("cat").stdin(copy).stdout(connection).spawn());
        match cat {
            Ok(child) => log(&format!("forked child {}", child.id())),
            Err(error) => drop(complain("cannot start cat", error)),
        }
    }
}

/// Each of its children leaves an orphan, which stays as long as the server: it reads from a pipe
/// that only the server could write to.
pub(crate) fn leaves_orphans(listener: TcpListener) -> Never {
    let (end, held) = io::pipe()?;
    serve_with(reap_all, listener, |connection| {
        let _ = close(held.as_raw_fd()); // the child never comes back to it
        echo(connection);
        let _ = child(|| drop((&end).read_exact(&mut [0])));
    })
}
