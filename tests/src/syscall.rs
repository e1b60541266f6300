//! In which system call a process sleeps, from /proc/PID/syscall (proc_pid_syscall(5)).

use client::{poll, ps};
use procfs::ProcError;
use procfs::process::{Process, Syscall};

use crate::{Error, PATIENCE, Result};

/// The number of the system call that `pid` sleeps in; nothing while it runs, or once it is gone.
#[must_use]
pub fn sleeps_in(pid: i32) -> Option<i64> {
    match Process::new(pid).and_then(|process| process.syscall()) {
        Ok(Syscall::Blocked { syscall_number, .. }) => Some(syscall_number),
        _ => None,
    }
}

/// Waits until `pid` sleeps in the system call of this number.
///
/// # Errors
/// When it doesn't in time: with what was seen last.
pub fn wait_for_sleep_in(pid: i32, number: i64) -> Result<()> {
    let mut last = None;
    let sleeps = poll::until(PATIENCE, || {
        last = sleeps_in(pid);
        (last == Some(number)).then_some(())
    });
    sleeps.ok_or_else(|| {
        let state = ps::state(pid);
        Error::new(format!(
            "process {pid} did not come to sleep in system call {number}; seen last: {last:?}, \
             state {state:?}"
        ))
    })
}

/// Whether the kernel tells us where `pid` sleeps (`CONFIG_HAVE_ARCH_TRACEHOOK`, Yama).
///
/// # Errors
/// When we may not: with the reason, for [`skip`](crate::skip).
pub fn readable(pid: i32) -> Result<()> {
    match Process::new(pid).and_then(|process| process.syscall()) {
        // procfs can't read the line of a process that is about to run, `-1` and two registers.
        Ok(_) | Err(ProcError::InternalError(_)) => Ok(()),
        Err(error) => Err(Error::new(format!("no system call is told of process {pid}: {error}"))),
    }
}
