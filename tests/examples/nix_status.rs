//! What nix's `waitpid` returns for three dead children. The first was killed by a signal that has
//! no name in nix.

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pause};
use procfs::process::Process;

/// A real-time signal: glibc's second, musl's first.
const NAMELESS: libc::c_int = 35;

fn main() -> nix::Result<()> {
    let killed = child(pause)?;
    // SAFETY: kill takes two numbers and touches no memory of this process.
    Errno::result(unsafe { libc::kill(killed.as_raw(), NAMELESS) })?;
    let children = [killed, child(|| ())?, child(|| ())?];
    for child in children {
        // SAFETY: siginfo_t is a C struct of integers and pointers, for which zero is a value.
        let mut dead: libc::siginfo_t = unsafe { std::mem::zeroed() };
        let flags = libc::WEXITED | libc::WNOWAIT;
        // SAFETY: `dead` is a valid siginfo_t to write to; nix's waitid would decode the signal.
        Errno::result(unsafe {
            libc::waitid(libc::P_PID, child.as_raw().unsigned_abs(), &raw mut dead, flags)
        })?;
    }
    let first = waitpid(None, Some(WaitPidFlag::WNOHANG));
    let still_there = Process::new(killed.as_raw()).is_ok();
    println!("{first:?}; first pid {killed:?} still there: {still_there}");
    for _ in 1..children.len() {
        println!("{:?}", waitpid(None, Some(WaitPidFlag::WNOHANG))?);
    }
    println!("no child at all: {:?}", waitpid(None, None));
    Ok(())
}

fn child(work: impl FnOnce()) -> nix::Result<Pid> {
    // SAFETY: this program has one thread, so the child inherits no lock that stays held.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            work();
            // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
            unsafe { libc::_exit(0) }
        }
    }
}
