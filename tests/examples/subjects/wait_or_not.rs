//! When wait(2) and waitpid(2) block, when they don't, and whom they pick: with no child at all,
//! with one that lives, and with two that are dead.

use std::io;
use std::time::Duration;

use client::poll;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::{Pid, getppid, pause};
use procfs::process::Process;

use crate::{child, see_die, state};

pub(crate) fn run() -> io::Result<()> {
    println!("wnohang={}", libc::WNOHANG);

    // SAFETY: a null status is allowed.
    println!("none.wait={}", told(unsafe { libc::wait(std::ptr::null_mut()) }));
    println!("none.wnohang={}", told(wait_for(-1, libc::WNOHANG)));

    let lives = child(pause)?;
    println!("lives.wnohang={}", told(wait_for(-1, libc::WNOHANG)));
    println!("lives.picked={}", told(wait_for(lives.as_raw(), libc::WNOHANG)));
    kill(lives, Signal::SIGKILL)?;
    waitpid(lives, None)?;

    // This child lives until it has seen its parent stand still.
    let witness = child(|| {
        let place = poll::until(Duration::from_secs(10), || sleeps_where(getppid()));
        println!("lives.place={}", place.unwrap_or("secret".to_owned()));
    })?;
    println!("witness={witness}\nlives.zero={}", told(wait_for(-1, 0)));

    let (one, other) = (child(|| {})?, child(|| {})?);
    see_die(one)?;
    see_die(other)?;
    println!("other={other}\ndead.picked={}", told(wait_for(other.as_raw(), 0)));
    println!("dead.not_picked={}", state(one));
    waitpid(one, Some(WaitPidFlag::WNOHANG))?;
    Ok(())
}

fn wait_for(whom: libc::pid_t, flags: libc::c_int) -> libc::pid_t {
    // SAFETY: a null status is allowed.
    unsafe { libc::waitpid(whom, std::ptr::null_mut(), flags) }
}

/// What the call returned: a pid, 0, or the name of the error.
fn told(returned: libc::pid_t) -> String {
    if returned == -1 { format!("{:?}", Errno::last()) } else { returned.to_string() }
}

/// The function of the kernel's that `process` sleeps in: the wchan of proc(5), which is `0` as
/// long as it runs, and always where the kernel keeps it secret.
fn sleeps_where(process: Pid) -> Option<String> {
    let process = Process::new(process.as_raw()).ok()?;
    let place = process.wchan().ok()?;
    (place != "0" && process.stat().ok()?.state == 'S').then_some(place)
}
