//! What nix's `waitpid` returns for three dead children. The first was killed by a signal that has
//! no name in nix.

use std::io;

use nix::errno::Errno;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::pause;
use procfs::process::Process;

use crate::{child, see_die};

/// A real-time signal: glibc's second, musl's first.
const NAMELESS: libc::c_int = 35;

pub(crate) fn run() -> io::Result<()> {
    let killed = child(pause)?;
    // SAFETY: kill takes two numbers and touches no memory of this process.
    Errno::result(unsafe { libc::kill(killed.as_raw(), NAMELESS) })?;
    for dead in [killed, child(|| ())?, child(|| ())?] {
        match see_die(dead) {
            Err(Errno::EINVAL) if dead == killed => {} // seen; nix's waitid has no name for it either
            seen => seen?,
        }
    }
    let first = waitpid(None, Some(WaitPidFlag::WNOHANG));
    let still_there = Process::new(killed.as_raw()).is_ok();
    println!("{first:?}; first pid {killed:?} still there: {still_there}");
    for _ in 0..2 {
        println!("{:?}", waitpid(None, Some(WaitPidFlag::WNOHANG))?);
    }
    println!("no child at all: {:?}", waitpid(None, None));
    Ok(())
}
