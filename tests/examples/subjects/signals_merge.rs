//! Five signals of one kind are sent to a process that blocks them. A standard signal is one bit,
//! so one arrives; real-time signals queue, so five do.

use std::io;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::errno::Errno;

static STANDARD: AtomicU32 = AtomicU32::new(0);
static REAL_TIME: AtomicU32 = AtomicU32::new(0);

extern "C" fn count(signal: libc::c_int) {
    let counter = if signal == libc::SIGUSR1 { &STANDARD } else { &REAL_TIME };
    counter.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn run() -> io::Result<()> {
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
    println!("SIGUSR1 sent 5 times, delivered  = {}", STANDARD.load(Ordering::Relaxed));
    println!("SIGRTMIN sent 5 times, delivered = {}", REAL_TIME.load(Ordering::Relaxed));
    Ok(())
}
