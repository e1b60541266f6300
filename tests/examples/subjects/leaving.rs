//! What a child does that is its parent's when it leaves the wrong way.

use std::io::{self, Write};
use std::panic::{catch_unwind, set_hook};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::getpid;

use crate::child;

/// A line is begun and not yet written out when the process forks. A child that leaves by exit
/// writes out its copy of the buffer, one that leaves by _exit doesn't.
pub(crate) fn leave_twice() -> io::Result<()> {
    print!("exit=begun ");
    waitpid(child(|| std::process::exit(0))?, None)?;
    println!();
    print!("_exit=begun ");
    waitpid(child(|| {})?, None)?; // `child` leaves by _exit
    println!();
    Ok(())
}

static PARENT: AtomicI32 = AtomicI32::new(0);

/// A child that panics unwinds through its copy of the parent's stack, up to main: it drops the
/// parent's guards and runs the parent's exit hooks. Unless somebody catches the panic and calls
/// _exit.
pub(crate) fn panic_in_child() -> io::Result<()> {
    PARENT.store(getpid().as_raw(), Ordering::Relaxed);
    set_hook(Box::new(|_| {})); // no message: what comes of it is told below
    // SAFETY: the hook may be called at any exit.
    unsafe { libc::atexit(exit_hook) };
    let _guard = Guard;
    let works: [(&str, fn()); 2] = [
        ("panic", || panic!("a bug")),
        ("catch_unwind", || {
            if catch_unwind(|| panic!("a bug")).is_err() {
                // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
                unsafe { libc::_exit(1) }
            }
        }),
    ];
    for (name, work) in works {
        print!("{name} = ");
        io::stdout().flush()?; // or the child would have it in its buffer
        if let WaitStatus::Exited(_, status) = waitpid(child(work)?, None)? {
            println!("exit status {status}");
        }
    }
    Ok(())
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        say("guard dropped");
    }
}

extern "C" fn exit_hook() {
    say("exit hook run");
}

/// Tells what happens in a child. (In the parent it is as it should be.)
fn say(what: &str) {
    if getpid().as_raw() != PARENT.load(Ordering::Relaxed) {
        print!("{what}, ");
        let _ = io::stdout().flush();
    }
}
