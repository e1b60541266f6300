//! A zombie stays with its parent as long as that lives. When the parent dies, the nearest
//! subreaper among its ancestors gets the zombie (prctl(2), PR_SET_CHILD_SUBREAPER), and PID 1
//! only if there is none. It is gone when the new parent waits for it.

use std::io;

use client::ps;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid, pause};

use crate::{child, end, see_die, state, zombie_of};

pub(crate) fn run() -> io::Result<()> {
    set_child_subreaper(true)?;
    let parent = child(|| {
        if child(|| {}).is_ok_and(|child| see_die(child).is_ok()) {
            pause();
        }
    })?;
    println!("subreaper = {}\nparent = {parent}", getpid());

    let zombie = zombie_of(parent)?;
    println!("the zombie's parent = {}", parent_of(zombie));
    end(parent)?;
    println!("once that is dead = {}\nits state = {}", parent_of(zombie), state(zombie));
    waitpid(zombie, None)?;
    println!("once the subreaper waits = {}", state(zombie));
    Ok(())
}

fn parent_of(process: Pid) -> i32 {
    ps::stat(process.as_raw()).map_or(0, |stat| stat.ppid)
}
