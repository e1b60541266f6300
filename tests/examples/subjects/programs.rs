//! Programs that start others, or inherit them.

use std::env;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use client::ps;
use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SaFlags, SigHandler, Signal};
use nix::sys::wait::{wait, waitpid};
use nix::unistd::{Pid, getpid};

use crate::handlers::careful;
use crate::{child, dispose, end, state, wait_until};

/// What a library does all the time: it starts a program and waits for it, with std's `Command`.
/// Whether that works is up to what the rest of the process does about SIGCHLD.
/// With `ignored`, the process is executed by one that ignores SIGCHLD. With `reaps`, it has lesson
/// 3's handler, which here has been quicker than the library.
pub(crate) fn starts_a_program(ignored: bool, reaps: bool) -> io::Result<()> {
    let myself = env::current_exe()?;
    if ignored {
        dispose(Signal::SIGCHLD, SigHandler::SigIgn, SaFlags::empty())?;
        return Err(Command::new(myself).arg("starts-a-program").exec());
    }
    if reaps {
        dispose(Signal::SIGCHLD, SigHandler::Handler(careful), SaFlags::SA_RESTART)?;
    }
    let mut program = Command::new(myself).arg("--version").stdout(Stdio::null()).spawn()?;
    if reaps {
        let child = Pid::from_raw(program.id().cast_signed());
        wait_until("the program to be collected", || (state(child) == "gone").then_some(()))?;
    }
    match program.wait() {
        Ok(status) => println!("wait={status}"),
        Err(error) => println!("wait={:?}", Errno::from_raw(error.raw_os_error().unwrap_or(0))),
    }
    Ok(())
}

/// What PID 1 does, for one program: inherits its orphans, and waits for all that die.
pub(crate) fn subreaper(command: &[String]) -> io::Result<()> {
    set_child_subreaper(true)?;
    // In a process group of its own, as inits and timeout(1) do, so that signals to the group of
    // the one that waits don't reach it.
    Command::new(&command[0]).args(&command[1..]).process_group(0).spawn()?;
    // Until nobody is left: the program, its orphans, and theirs. A child that a real-time signal
    // has killed is another error of nix's.
    while wait() != Err(Errno::ECHILD) {}
    Ok(())
}

/// A container's first process, its PID 1, that is just some program: it inherits an orphan, and
/// as it never waits for a child that it doesn't know, the orphan stays a zombie.
pub(crate) fn pid_one() -> io::Result<()> {
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
