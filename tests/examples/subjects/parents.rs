//! Parents with a zombie, one for each reason that none of the lessons shows.

use std::time::Duration;
use std::{io, thread};

use client::ps;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::ptrace;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, pause, setsid};

use crate::{child, wait_until};

/// Why a parent's zombie stays.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum Reason {
    Blocked,
    Stuck,
    Late,
    Inherited,
    Traced,
    Threads,
    ThreadLeft,
}

pub(crate) fn run(reason: Reason) -> io::Result<()> {
    match reason {
        Reason::Blocked => SigSet::from(Signal::SIGCHLD).thread_block()?,
        Reason::Stuck => {
            child(|| {})?;
            waitpid(child(pause)?, None)?;
        }
        Reason::Late => loop {
            let dies = child(|| {})?;
            thread::sleep(Duration::from_millis(200));
            waitpid(dies, None)?;
        },
        Reason::Inherited => return inherit(),
        Reason::Traced => return trace(),
        Reason::Threads => {
            thread::spawn(|| {
                let _ = SigSet::from(Signal::SIGCHLD).thread_block();
                pause();
            });
        }
        Reason::ThreadLeft => {
            thread::spawn(pause);
            // SAFETY: exit(2) ends this thread alone, which holds no lock that another one wants.
            unsafe { libc::syscall(libc::SYS_exit, 0) };
        }
    }
    child(|| {})?;
    pause();
    Ok(())
}

/// A session's leader lives; a child of its has had a child and is gone.
fn inherit() -> io::Result<()> {
    set_child_subreaper(true)?;
    // /proc counts in hundredths of a second: the leader is to be younger than this process.
    thread::sleep(Duration::from_millis(20));
    let leader = child(|| {
        let _ = setsid();
        let between = child(|| {
            let _ = child(|| {});
        });
        let _ = between.and_then(|it| waitpid(it, None));
        pause();
    })?;
    waitpid(leader, None)?;
    Ok(())
}

/// This process is the tracer, its child the parent, its grandchild the zombie.
fn trace() -> io::Result<()> {
    let parent = child(|| {
        let _ = child(pause);
        pause();
    })?;
    let children = || ps::children_of(parent.as_raw()).unwrap_or_default();
    let dies = wait_until("its child", || children().first().map(|it| Pid::from_raw(it.pid)))?;
    ptrace::seize(dies, ptrace::Options::empty())?;
    kill(dies, Signal::SIGKILL)?;
    // A wait for any would collect the traced one as well.
    waitpid(parent, None)?;
    Ok(())
}
