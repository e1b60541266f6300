//! A zombie stays with its parent as long as that lives. When the parent dies, the nearest
//! subreaper among its ancestors gets the zombie (prctl(2), PR_SET_CHILD_SUBREAPER), and PID 1
//! only if there is none. It is gone when the new parent waits for it.

use std::io;
use std::time::Duration;

use client::{poll, ps};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid, pause};

use crate::{child, see_die, state};

pub(crate) fn run() -> io::Result<()> {
    set_child_subreaper(true)?;
    let parent = child(|| {
        if child(|| {}).is_ok_and(|child| see_die(child).is_ok()) {
            pause();
        }
    })?;
    println!("subreaper = {}\nparent = {parent}", getpid());

    let zombie = poll::until(Duration::from_secs(30), || {
        let children = ps::children_of(parent.as_raw()).ok()?;
        children.into_iter().find(ps::Process::is_zombie)
    });
    let zombie = Pid::from_raw(zombie.ok_or_else(|| io::Error::other("no zombie came"))?.pid);
    println!("the zombie's parent = {}", parent_of(zombie)?);

    kill(parent, Signal::SIGKILL)?;
    waitpid(parent, None)?;
    println!("once that is dead = {}\nits state = {}", parent_of(zombie)?, state(zombie));
    waitpid(zombie, None)?;
    println!("once the subreaper waits = {}", state(zombie));
    Ok(())
}

fn parent_of(process: Pid) -> io::Result<i32> {
    let stat = procfs::process::Process::new(process.as_raw()).and_then(|it| it.stat());
    Ok(stat.map_err(io::Error::other)?.ppid)
}
