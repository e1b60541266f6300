//! A signal handler with one parameter, and one with three (SA_SIGINFO): the kernel serves both.
//! Also: which flags signal(2), the C library's function, asks sigaction(2) for.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::{SaFlags, SigHandler, Signal, raise, signal};
use nix::unistd::getpid;

use crate::dispose;

static ONE: AtomicI32 = AtomicI32::new(0);
static THREE: AtomicI32 = AtomicI32::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);

extern "C" fn one(signal: libc::c_int) {
    ONE.store(signal, Ordering::Relaxed);
}

extern "C" fn three(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    THREE.store(signal, Ordering::Relaxed);
    // SAFETY: with SA_SIGINFO the kernel passes a siginfo; one sent by raise(3) has a sender.
    SENDER.store(unsafe { (*info).si_pid() }, Ordering::Relaxed);
}

pub(crate) fn run() -> io::Result<()> {
    dispose(Signal::SIGUSR1, SigHandler::Handler(one), SaFlags::empty())?;
    dispose(Signal::SIGUSR2, SigHandler::SigAction(three), SaFlags::SA_SIGINFO)?;
    raise(Signal::SIGUSR1)?;
    raise(Signal::SIGUSR2)?;
    println!("one={}", ONE.load(Ordering::Relaxed));
    println!("three={}", THREE.load(Ordering::Relaxed));
    println!("me={}\nsender={}", getpid(), SENDER.load(Ordering::Relaxed));

    // SAFETY: the handler only stores to an atomic.
    unsafe { signal(Signal::SIGUSR1, SigHandler::Handler(one)) }?;
    let installed = dispose(Signal::SIGUSR1, SigHandler::SigDfl, SaFlags::empty())?;
    println!("restarts={}", installed.flags().contains(SaFlags::SA_RESTART));
    Ok(())
}
