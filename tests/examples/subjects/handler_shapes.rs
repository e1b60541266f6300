//! A signal handler with one parameter, and one with three (SA_SIGINFO): the kernel serves both.
//! Also: which flags signal(2), the C library's function, asks sigaction(2) for.

use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, raise, sigaction};
use nix::unistd::getpid;

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
    let handlers = [
        (Signal::SIGUSR1, SigHandler::Handler(one)),
        (Signal::SIGUSR2, SigHandler::SigAction(three)),
    ];
    for (signal, handler) in handlers {
        let flags = match handler {
            SigHandler::SigAction(_) => SaFlags::SA_SIGINFO,
            _ => SaFlags::empty(),
        };
        // SAFETY: both handlers only store to atomics.
        unsafe { sigaction(signal, &SigAction::new(handler, flags, SigSet::empty())) }?;
        raise(signal)?;
    }
    println!("one={}", ONE.load(Ordering::Relaxed));
    println!("three={}", THREE.load(Ordering::Relaxed));
    println!("me={}\nsender={}", getpid(), SENDER.load(Ordering::Relaxed));

    // SAFETY: the handler only stores to an atomic; sigaction is given room for what it returns.
    let flags = unsafe {
        libc::signal(libc::SIGUSR1, one as *const () as libc::sighandler_t);
        let mut installed: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGUSR1, std::ptr::null(), &raw mut installed);
        installed.sa_flags
    };
    println!("restarts={}", flags & libc::SA_RESTART != 0);
    Ok(())
}
