//! Limits on open files and processes: those of a server, and whose processes count against it.

use std::{ptr, thread};

use client::ps;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::{Uid, geteuid, getpid, setfsuid, setresuid};

use crate::{Error, Result};

/// Sets what is enforced of this process, and leaves what it may be raised to (getrlimit(2)).
pub(crate) fn set_soft(resource: Resource, limit: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    setrlimit(resource, limit.min(hard), hard)
}

/// Raises the soft limit on open files, which servers inherit, to what tests side by side need.
pub(crate) fn raise_open_files() -> nix::Result<()> {
    const ENOUGH: u64 = 4096;
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(ENOUGH.min(hard)), hard)
}

/// Sets a soft limit of a running process, prlimit(2), and returns what it was before.
///
/// # Errors
/// When the process is gone, or not ours.
pub fn set(pid: i32, resource: Resource, limit: u64) -> Result<u64> {
    let set = || -> nix::Result<u64> {
        let user = ps::status(pid).map(|it| it.ruid);
        // SAFETY: the bare system call changes this thread alone, and touches no memory.
        let same = unsafe {
            libc::syscall(libc::SYS_setresuid, user.or(Err(Errno::ESRCH))?, u32::MAX, u32::MAX)
        };
        Errno::result(same)?;
        let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: `before` is a valid rlimit to write to; a null new limit changes nothing.
        let read = unsafe { libc::prlimit(pid, resource as _, ptr::null(), &raw mut before) };
        // The hard limit stays, so that the soft one can be lifted again.
        let new = libc::rlimit { rlim_cur: limit.min(before.rlim_max), ..before };
        // SAFETY: `new` is a valid rlimit to read from; the old one is not asked for.
        let set = unsafe { libc::prlimit(pid, resource as _, &raw const new, ptr::null_mut()) };
        Errno::result(read.min(set)).map(|_| before.rlim_cur)
    };
    // prlimit(2) asks for the process's own real user, even of root where that lacks a capability,
    // as it does in most containers. A thread can be that user for as long as it takes.
    let set = thread::scope(|scope| scope.spawn(set).join().unwrap_or(Err(Errno::ECANCELED)));
    set.map_err(|errno| {
        let error = format!("cannot set {resource:?} of {pid}: {}", errno.desc());
        if errno == Errno::EPERM { Error::cannot_ask(error) } else { Error::new(error) }
    })
}

/// RLIMIT_NPROC spares the machine's root, and counts the processes of a user, in each user
/// namespace by themselves (since Linux 5.14). So this process, which execs next, gets a user of
/// its own, or else a namespace; where it may have neither, it shares its user's count.
pub(crate) fn be_counted_alone() {
    if !geteuid().is_root() || become_ordinary().is_err() {
        let _ = unshare(CloneFlags::CLONE_NEWUSER);
    }
}

/// Makes this process that of a user of its own when it execs. Until then it looks for the
/// program with the eyes of root, who may be the only one to find it.
fn become_ordinary() -> nix::Result<()> {
    // Out of the way of real users, and below 65536, which is all that a container may map.
    let user = Uid::from_raw(20_000 + getpid().as_raw().unsigned_abs() % 40_000);
    setresuid(user, user, Uid::from_raw(0))?;
    setfsuid(Uid::from_raw(0));
    Ok(())
}
