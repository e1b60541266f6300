//! A process with two threads forks while one of them, not the one that forks, holds a lock. The
//! child has a copy of the locked lock, and no thread that could unlock it.

use std::io;
use std::sync::{Mutex, mpsc};

use procfs::process::{Process, Syscall};

use crate::{child, end, wait_until};

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

    let child = child(|| drop(LOCK.lock()))?; // which isn't safe: that is what this shows
    drop(unlock);
    other.join().map_err(|_| io::Error::other("the other thread panicked"))?;
    println!("parent={}", if LOCK.try_lock().is_ok() { "unlocked" } else { "locked" });

    let process = Process::new(child.as_raw()).map_err(io::Error::other)?;
    let stuck = wait_until("the child to sleep", || match process.stat().ok()?.state {
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
    println!("child={}", stuck?);
    println!("child.threads={}", process.stat().map_err(io::Error::other)?.num_threads);
    Ok(end(child)?)
}
