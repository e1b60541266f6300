//! When wait(2) and waitpid(2) block, when they don't, and whom they pick: with no child at all,
//! with one that lives, and with two that are dead.

use std::io;
use std::time::Duration;

use client::poll;
use nix::errno::Errno;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getppid, pause};
use procfs::process::Process;

use crate::{child, end, see_die, state};

pub(crate) fn run() -> io::Result<()> {
    println!("WNOHANG = {}", libc::WNOHANG);

    // SAFETY: a null status is allowed.
    println!("no child, wait = {}", describe(unsafe { libc::wait(std::ptr::null_mut()) }));
    println!("no child, WNOHANG = {}", describe(wait_for(-1, libc::WNOHANG)));

    let lives = child(pause)?;
    println!("one lives, WNOHANG = {}", describe(wait_for(-1, libc::WNOHANG)));
    println!(
        "one lives, WNOHANG and its pid = {}",
        describe(wait_for(lives.as_raw(), libc::WNOHANG))
    );
    let dead = child(|| {})?;
    see_die(dead)?;
    println!("one lives and one is dead, wait = {}", which(wait_for(-1, 0), dead, "the dead"));
    end(lives)?;

    // This child lives until it has seen its parent stand still.
    let witness = child(|| {
        let place = poll::until(Duration::from_secs(10), || sleeps_where(getppid()));
        println!("one lives, wait sleeps in = {}", place.unwrap_or("secret".to_owned()));
    })?;
    println!("and then returns = {}", which(wait_for(-1, 0), witness, "that one"));

    let (one, other) = (child(|| {})?, child(|| {})?);
    see_die(one)?;
    see_die(other)?;
    let picked = which(wait_for(other.as_raw(), 0), other, "the second");
    println!("two are dead, the second's pid = {picked}");
    println!("and the first is = {}", state(one));
    waitpid(one, None)?;
    Ok(())
}

fn wait_for(whom: libc::pid_t, flags: libc::c_int) -> libc::pid_t {
    // SAFETY: a null status is allowed.
    unsafe { libc::waitpid(whom, std::ptr::null_mut(), flags) }
}

/// What the call returned: a pid, 0, or the name of the error.
fn describe(returned: libc::pid_t) -> String {
    if returned == -1 { format!("{:?}", Errno::last()) } else { returned.to_string() }
}

/// What the call returned: `name` if that is the pid of the child so called.
fn which(returned: libc::pid_t, child: Pid, name: &str) -> String {
    if returned == child.as_raw() { name.to_owned() } else { describe(returned) }
}

/// The function of the kernel's that `process` sleeps in: the wchan of proc(5), which is `0` as
/// long as it runs, and always where the kernel keeps it secret.
fn sleeps_where(process: Pid) -> Option<String> {
    let process = Process::new(process.as_raw()).ok()?;
    let place = process.wchan().ok()?;
    (place != "0" && process.stat().ok()?.state == 'S').then_some(place)
}
