//! Who serves: servers that are more than a parent and its children, or where a child is not what
//! it was when it was forked.

use std::fs::File;
use std::io;
use std::net::TcpListener;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use nix::sys::prctl;
use nix::sys::signal::{SaFlags, Signal};
use nix::unistd::{ForkResult, Gid, Uid, fork, getpid, getppid, setgid, setgroups, setuid};

use crate::common::{
    Never, accept, complain, echo, fork_each, handle_sigchld, leave, log, reap_all, serve_in_child,
    serve_next, wait_for,
};
use crate::{comes, sleep_on};

/// Forks a child that is killed when its parent ends.
fn fork_bound() -> nix::Result<ForkResult> {
    let parent = getpid();
    // SAFETY: the servers that call this have one thread.
    let forked = unsafe { fork() }?;
    if let ForkResult::Child = forked {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            leave(); // the parent ended before it could be noticed
        }
    }
    Ok(forked)
}

/// Right, beside a helper (one that writes a log, say) that lives as long as the server. Clients
/// who come before it is started don't wait for it.
pub(crate) fn late_helper(listener: TcpListener) -> Never {
    const AFTER: Duration = Duration::from_millis(20);
    handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
    let start = Instant::now();
    while let Some(left) = AFTER.checked_sub(start.elapsed()) {
        if comes(&listener, Some(left)) {
            serve_next(&listener);
        }
    }
    // It does without a helper that can't be forked.
    if let Ok(ForkResult::Child) = fork_bound() {
        drop(listener);
        sleep_on();
    }
    fork_each(listener, echo)
}

/// Forks a worker that serves so many clients, one after the other. Whether that could be done.
fn hire(listener: &TcpListener, clients: u64) -> bool {
    let forked = fork_bound();
    match forked {
        Ok(ForkResult::Child) => {
            (0..clients).for_each(|_| echo(accept(listener)));
            leave();
        }
        Ok(ForkResult::Parent { child }) => log(&format!("forked worker {child}")),
        Err(errno) => drop(complain("cannot fork", errno.into())),
    }
    forked.is_ok()
}

/// Workers that are forked in advance serve so many clients each; the dead are replaced.
pub(crate) fn pool(listener: &TcpListener, workers: u64, clients: u64) -> Never {
    let mut living = 0;
    loop {
        while living < workers && hire(listener, clients) {
            living += 1;
        }
        match wait_for(-1, 0) {
            worker @ 1.. => {
                log(&format!("reaped worker {worker}"));
                living -= 1;
            }
            _ => sleep(Duration::from_millis(100)), // there is none; no pause would spin
        }
    }
}

pub(crate) fn pool_never_reaps(listener: &TcpListener) -> Never {
    for _ in 0..4 {
        hire(listener, u64::MAX);
    }
    sleep_on()
}

/// Its first thread ends, another one serves: ps shows the server as a zombie.
pub(crate) fn leader_leaves(listener: TcpListener) -> Never {
    handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
    thread::Builder::new().spawn(|| fork_each(listener, echo))?;
    // SAFETY: exit(2), unlike _exit(2) of the C library, ends this thread alone; it holds no lock
    // and nothing that the other one uses.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
    unreachable!("this thread has ended")
}

/// A supervisor listens, its worker forks, and waits if it `reaps`.
pub(crate) fn supervised(listener: TcpListener, reaps: bool) -> Never {
    if let ForkResult::Parent { child } = fork_bound()? {
        log(&format!("forked worker {child}"));
        wait_for(child.as_raw(), 0);
        return Err(io::Error::other("its worker has ended"));
    }
    if reaps {
        handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
    }
    fork_each(listener, echo)
}

/// When every descriptor is in use, the spare one is given up for as long as it takes to turn the
/// client away, who would otherwise wait for ever.
pub(crate) fn sheds_load(listener: &TcpListener) -> Never {
    handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
    let mut spare = File::open("/dev/null").ok();
    loop {
        if !comes(listener, None) {
            continue; // out of descriptors, accept would fail even with nobody to turn away
        }
        match listener.accept() {
            Ok((connection, _)) => drop(serve_in_child(listener, connection, echo)),
            Err(_) => {
                drop(spare.take());
                if listener.accept().is_ok() {
                    log("turned a client away");
                }
                spare = File::open("/dev/null").ok();
                sleep(Duration::from_millis(100)); // without a spare, no pause would spin
            }
        }
    }
}

/// Only root can; anybody else stays who they are.
pub(crate) fn become_nobody() {
    const NOBODY: u32 = 65534;
    let _ = setgroups(&[])
        .and_then(|()| setgid(Gid::from_raw(NOBODY)))
        .and_then(|()| setuid(Uid::from_raw(NOBODY)));
}
