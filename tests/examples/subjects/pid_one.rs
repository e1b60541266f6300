//! A container's first process, its PID 1, that is just some program: it inherits an orphan, and
//! as it never waits for a child that it doesn't know, the orphan stays a zombie.

use std::io::{self, Read, Write};

use client::ps;
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{wait, waitpid};
use nix::unistd::{Pid, getpid};

use crate::{child, end, state, wait_until};

pub(crate) fn run() -> io::Result<()> {
    // As an ordinary user, one needs a user namespace to be allowed the other one.
    let alone = unshare(CloneFlags::CLONE_NEWPID)
        .or_else(|_| unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWPID));
    if let Err(errno) = alone {
        println!("skipped = no PID namespace: {}", errno.desc());
        return Ok(());
    }
    let (mut told, tell) = io::pipe()?;
    let (mut heard, waited) = io::pipe()?;
    let first = child(|| {
        println!("first process inside, pid = {}", getpid());
        let middle = child(|| {
            let _orphan = child(|| {});
        });
        if middle.is_ok_and(|middle| waitpid(middle, None).is_ok()) {
            let _ = (&waited).write_all(b"m"); // from now on the orphan is its only child
            let _ = told.read(&mut [0]);
            let _ = wait();
            let _ = told.read(&mut [0]);
        }
    })?;
    drop(waited);
    heard.read_exact(&mut [0])?;
    let zombie = wait_until("a zombie", || {
        let children = ps::children_of(first.as_raw()).ok()?;
        children.into_iter().find(ps::Process::is_zombie)
    })?;
    let zombie = Pid::from_raw(zombie.pid);
    println!("its orphan has ended      = {}", state(zombie));
    (&tell).write_all(b"w")?; // it waits, and lives on
    wait_until("the zombie's end", || (state(zombie) == "gone").then_some(()))?;
    println!("it waits once             = gone");
    Ok(end(first)?)
}
