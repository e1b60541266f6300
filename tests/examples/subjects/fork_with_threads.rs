//! A process with two threads forks while one of them, not the one that forks, holds a lock. The
//! child has a copy of the locked lock, and no thread that could unlock it.

use std::io;
use std::sync::{Mutex, mpsc};
use std::time::Duration;

use client::poll;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};
use procfs::process::{Process, Syscall};

static LOCK: Mutex<()> = Mutex::new(());

pub(crate) fn run() -> io::Result<()> {
    let (locked, is_locked) = mpsc::channel();
    let (unlock, may_unlock) = mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        let _guard = LOCK.lock();
        let _ = locked.send(());
        let _ = may_unlock.recv();
    });
    is_locked.recv().map_err(io::Error::other)?;

    // SAFETY: it isn't safe, which is what this shows: the child takes a lock.
    let child = match unsafe { fork() }? {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            drop(LOCK.lock());
            // SAFETY: _exit has no precondition.
            unsafe { libc::_exit(0) }
        }
    };
    drop(unlock);
    other.join().map_err(|_| io::Error::other("the other thread panicked"))?;
    println!("parent={}", if LOCK.try_lock().is_ok() { "unlocked" } else { "locked" });

    let process = Process::new(child.as_raw()).map_err(io::Error::other)?;
    let stuck = poll::until(Duration::from_secs(30), || match process.stat().ok()?.state {
        'Z' => Some("has ended"),
        'S' => match process.syscall() {
            Ok(Syscall::Blocked { syscall_number: libc::SYS_futex, .. }) => {
                Some("waits for the lock")
            }
            Err(_) => Some("secret"), // not every kernel tells
            Ok(_) => None,
        },
        _ => None,
    });
    println!("child={}", stuck.unwrap_or("does something else"));
    println!("child.threads={}", process.stat().map_err(io::Error::other)?.num_threads);
    kill(child, Signal::SIGKILL)?;
    waitpid(child, None)?;
    Ok(())
}
