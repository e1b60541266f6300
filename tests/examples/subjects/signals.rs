//! When a signal is sent, and how many of those that are sent arrive.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::pause;

use crate::{child, state};

/// What a child can do to have its parent sent a SIGCHLD: it stops, it goes on, it ends. The
/// signal's own words (`si_code` of sigaction(2)) tell which. And a wait that comes before leaves
/// the signal where it is.
pub(crate) fn sigchld_causes() -> io::Result<()> {
    // Blocked, it waits until it is fetched, and none is lost: the next comes after the fetch.
    SigSet::from(Signal::SIGCHLD).thread_block()?;
    let child = child(pause)?;
    for signal in [Signal::SIGSTOP, Signal::SIGCONT, Signal::SIGKILL] {
        kill(child, signal)?;
        if signal == Signal::SIGKILL {
            waitpid(child, None)?;
            println!("waited for={}", state(child));
        }
        println!("{signal}={}", fetch()?);
    }
    Ok(())
}

/// Waits for a SIGCHLD and returns the cause that it names.
fn fetch() -> io::Result<&'static str> {
    let sigchld = SigSet::from(Signal::SIGCHLD);
    // SAFETY: a siginfo is plain numbers and pointers, for which zeros are values.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set and the siginfo are ours, and there.
    if unsafe { libc::sigwaitinfo(sigchld.as_ref(), &raw mut info) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(match info.si_code {
        libc::CLD_STOPPED => "stopped",
        libc::CLD_CONTINUED => "continued",
        libc::CLD_KILLED => "killed",
        _ => "another",
    })
}

static STANDARD: AtomicU32 = AtomicU32::new(0);
static REAL_TIME: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(signal: libc::c_int) {
    let counter = if signal == libc::SIGUSR1 { &STANDARD } else { &REAL_TIME };
    counter.fetch_add(1, Relaxed);
}

/// Five signals of one kind are sent to a process that blocks them. A standard signal is one bit,
/// so one arrives; real-time signals queue, so five do.
pub(crate) fn signals_merge() -> io::Result<()> {
    // By the C library's own functions: nix has no name for a real-time signal.
    let signals = [libc::SIGUSR1, libc::SIGRTMIN()];
    // SAFETY: the mask is ours and starts as zeros, which is an empty one; the handler only adds to
    // an atomic.
    unsafe {
        let mut mask: libc::sigset_t = std::mem::zeroed();
        for signal in signals {
            libc::sigaddset(&raw mut mask, signal);
            libc::signal(signal, count as *const () as libc::sighandler_t);
        }
        libc::sigprocmask(libc::SIG_BLOCK, &raw const mask, std::ptr::null_mut());
        for signal in signals {
            for _ in 0..5 {
                Errno::result(libc::kill(libc::getpid(), signal))?;
            }
        }
        libc::sigprocmask(libc::SIG_UNBLOCK, &raw const mask, std::ptr::null_mut());
    }
    println!("SIGUSR1 sent 5 times, delivered  = {}", STANDARD.load(Relaxed));
    println!("SIGRTMIN sent 5 times, delivered = {}", REAL_TIME.load(Relaxed));
    Ok(())
}
