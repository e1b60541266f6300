//! A handler runs in the midst of other code. Here are things that it does to what that code holds:
//! stdout's buffer, a lock, a pipe that is full.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, OnceLock};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigHandler, Signal, kill, raise};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::{Pid, dup2_stdout, pipe, pipe2, write};
use procfs::process::Process;

use crate::{child, dispose, end, state, wait_until};

static LOCK: Mutex<()> = Mutex::new(());
static PIPE: OnceLock<(OwnedFd, OwnedFd)> = OnceLock::new();

pub(crate) fn run() -> io::Result<()> {
    show("println!", print, print_on)?;
    show("lock", lock, while_locked)?;
    show("try_lock", try_lock, while_locked)?;
    show("write, full pipe", byte, || fill(OFlag::empty()))?;
    show("same with O_NONBLOCK", byte, || fill(OFlag::O_NONBLOCK))
}

/// Tells how a child fares in whose `work` the `handler` runs.
fn show(name: &str, handler: extern "C" fn(libc::c_int), work: fn()) -> io::Result<()> {
    let child = child(|| {
        std::panic::set_hook(Box::new(|_| {})); // what it dies of is told below
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
        let _ = dispose(Signal::SIGUSR1, SigHandler::Handler(handler), SaFlags::empty());
        work();
    })?;
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let fate = wait_until("what becomes of it", || match waitid(Id::Pid(child), look) {
        Ok(WaitStatus::Exited(..)) => Some("returns".to_owned()),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(format!("the process dies: {signal}")),
        _ if state(child) != "S" => None,
        _ if handles(child) => Some("never returns".to_owned()),
        _ => kill(child, Signal::SIGUSR1).err().map(|errno| errno.to_string()), // while it works
    });
    end(child)?;
    println!("{name:<20} = {}", fate?);
    Ok(())
}

/// Whether `process` runs its handler: the signal is blocked for just so long.
fn handles(process: Pid) -> bool {
    let status = Process::new(process.as_raw()).and_then(|it| it.status());
    status.is_ok_and(|it| it.sigblk & client::signals::bit(libc::SIGUSR1) != 0)
}

fn interrupt() {
    let _ = raise(Signal::SIGUSR1);
}

/// Prints until nobody takes it any more, and so is interrupted in the middle of a line.
fn print_on() {
    let Ok((_reader, writer)) = pipe() else { return };
    while dup2_stdout(&writer).is_ok() {
        println!("on and on");
    }
}

extern "C" fn print(_signal: libc::c_int) {
    println!();
}

fn while_locked() {
    let _guard = LOCK.lock();
    interrupt();
}

extern "C" fn lock(_signal: libc::c_int) {
    drop(LOCK.lock());
}

extern "C" fn try_lock(_signal: libc::c_int) {
    drop(LOCK.try_lock());
}

/// Signals until the pipe is full, and once more.
fn fill(flags: OFlag) {
    let Ok(pipe) = pipe2(flags) else { return };
    // A page, if it may: less than the default of 16.
    let _ = fcntl(&pipe.1, FcntlArg::F_SETPIPE_SZ(4096));
    let size = fcntl(&pipe.1, FcntlArg::F_GETPIPE_SZ).unwrap_or(0);
    let _ = PIPE.set(pipe);
    (0..=size).for_each(|_| interrupt());
}

extern "C" fn byte(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    if let Some((_, writer)) = PIPE.get() {
        let _ = write(writer, b"c");
    }
    Errno::set_raw(errno);
}
