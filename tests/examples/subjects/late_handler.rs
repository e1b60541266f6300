//! A handler for SIGCHLD that is installed late: of the death before it nobody is told, and that
//! child stays a zombie until somebody looks. A second handler in its place is told from then on.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{SaFlags, SigHandler, Signal};
use nix::sys::wait::{WaitPidFlag, waitpid};

use crate::{child, dispose, see_die, state};

static FIRST: AtomicU32 = AtomicU32::new(0);
static SECOND: AtomicU32 = AtomicU32::new(0);

extern "C" fn first(_signal: libc::c_int) {
    FIRST.fetch_add(1, Ordering::Relaxed);
}

extern "C" fn second(_signal: libc::c_int) {
    SECOND.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn run() -> io::Result<()> {
    let early = child(|| {})?;
    see_die(early)?;
    dispose(Signal::SIGCHLD, SigHandler::Handler(first), SaFlags::SA_RESTART)?;
    println!("early.told={}\nearly.state={}", FIRST.load(Ordering::Relaxed), state(early));

    // A signal is sent before the death can be seen, and delivered before the call returns.
    let later = child(|| {})?;
    see_die(later)?;
    println!("later.told={}", FIRST.load(Ordering::Relaxed));

    dispose(Signal::SIGCHLD, SigHandler::Handler(second), SaFlags::SA_RESTART)?;
    let last = child(|| {})?;
    see_die(last)?;
    println!("last.told_first={}", FIRST.load(Ordering::Relaxed));
    println!("last.told_second={}", SECOND.load(Ordering::Relaxed));

    let mut swept = 0;
    while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok() {
        swept += 1;
    }
    println!("swept={swept}\nearly.after={}", state(early));
    Ok(())
}
