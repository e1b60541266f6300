//! What a library does all the time: it starts a program and waits for it, with std's `Command`.
//! Whether that works is up to what the rest of the process does about SIGCHLD.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{env, io};

use client::poll;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction, signal};

static COLLECTED: AtomicBool = AtomicBool::new(false);

/// With `ignored`, the process is executed by one that ignores SIGCHLD. With `reaps`, it has lesson
/// 3's handler, which here has been quicker than the library.
pub(crate) fn run(ignored: bool, reaps: bool) -> io::Result<()> {
    let myself = env::current_exe()?;
    if ignored {
        // SAFETY: to ignore a signal runs no code of ours.
        unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }?;
        return Err(Command::new(myself).arg("starts-a-program").exec());
    }
    if reaps {
        let handler = SigHandler::Handler(reap_all);
        let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
        // SAFETY: the handler calls only waitpid, and stores into an atomic.
        unsafe { sigaction(Signal::SIGCHLD, &action) }?;
    }
    let mut program = Command::new(myself).arg("--version").stdout(Stdio::null()).spawn()?;
    if reaps {
        let collected = || COLLECTED.load(Ordering::Relaxed).then_some(());
        poll::until(Duration::from_secs(30), collected)
            .ok_or_else(|| io::Error::other("no child was collected"))?;
    }
    match program.wait() {
        Ok(status) => println!("wait={status}"),
        Err(error) => match error.raw_os_error() {
            Some(errno) => println!("wait={:?}", Errno::from_raw(errno)),
            None => return Err(error),
        },
    }
    Ok(())
}

extern "C" fn reap_all(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    // SAFETY: a null status is allowed.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {
        COLLECTED.store(true, Ordering::Relaxed);
    }
    Errno::set_raw(errno);
}
