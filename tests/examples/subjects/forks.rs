//! What a fork copies, and how a child leaves.

use std::io::{self, Write};
use std::panic::{catch_unwind, set_hook};
use std::sync::{Barrier, Mutex};

use nix::sys::wait::{WaitStatus, waitpid};
use procfs::process::Process;
use procfs::process::Syscall::Blocked;

use crate::common::{leave, leave_with};
use crate::{child, end, wait_until};

static LOCK: Mutex<()> = Mutex::new(());
static MEETING: Barrier = Barrier::new(2);

/// A process with two threads forks while one of them, not the one that forks, holds a lock. The
/// child has a copy of the locked lock, and no thread that could unlock it.
pub(crate) fn fork_with_threads() -> io::Result<()> {
    let other = std::thread::spawn(|| {
        let _guard = LOCK.lock();
        MEETING.wait(); // it is locked
        MEETING.wait(); // there is a child
    });
    MEETING.wait();
    let child = child(|| drop(LOCK.lock()))?; // which isn't safe: that is what this shows
    MEETING.wait();
    other.join().map_err(|_| io::Error::other("the other thread panicked"))?;
    println!("parent={}", if LOCK.try_lock().is_ok() { "unlocked" } else { "locked" });

    let process = Process::new(child.as_raw()).map_err(io::Error::other)?;
    let stuck = wait_until("the child to sleep", || {
        match (process.stat().ok()?.state, process.syscall()) {
            ('Z', _) => Some("has ended"),
            ('S', Ok(Blocked { syscall_number: libc::SYS_futex, .. })) => {
                Some("waits for the lock")
            }
            ('S', Err(_)) => Some("secret"), // not every kernel tells
            _ => None,
        }
    });
    println!("child={}", stuck?);
    println!("child.threads={}", process.stat().map_err(io::Error::other)?.num_threads);
    Ok(end(child)?)
}

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

/// A child that panics unwinds through its copy of the parent's stack: it drops the parent's guards
/// and runs the parent's exit hooks. Unless somebody catches the panic and calls _exit.
pub(crate) fn panic_in_child() -> io::Result<()> {
    set_hook(Box::new(|_| {})); // no message: what comes of it is told below
    // SAFETY: the hook may be called at any exit.
    unsafe { libc::atexit(exit_hook) };
    let _guard = Guard;
    let works: [(&str, fn()); 2] = [
        ("panic", || panic!("a bug")),
        ("catch_unwind", || {
            if catch_unwind(|| panic!("a bug")).is_err() {
                leave_with(1);
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
    leave() // what that skips is for the children to show
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

/// Tells what happens in a child.
fn say(what: &str) {
    print!("{what}, ");
    let _ = io::stdout().flush();
}
