//! How handlers are called, from when on, and what they leave behind.

use std::io;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};

use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigHandler, SigSet, Signal, raise, signal};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::getpid;

use crate::{child, dispose, see_die, state};

/// A call fails, a handler runs, and only then the program asks why the call has failed: errno is
/// one for both. A handler that reaps in a loop leaves its own ECHILD there, unless it puts back
/// what it found.
pub(crate) fn errno_in_handler() -> io::Result<()> {
    let sigchld = SigSet::from(Signal::SIGCHLD);
    let handlers: [(&str, extern "C" fn(libc::c_int)); 2] =
        [("careless", careless), ("careful", careful)];
    for (name, handler) in handlers {
        dispose(Signal::SIGCHLD, SigHandler::Handler(handler), SaFlags::SA_RESTART)?;
        sigchld.thread_block()?;
        see_die(child(|| {})?)?; // so the signal is pending
        // SAFETY: there is no descriptor -1 to close.
        unsafe { libc::close(-1) };
        sigchld.thread_unblock()?; // the handler runs here, and the call itself doesn't fail
        println!("{name}={:?}", Errno::last());
    }
    Ok(())
}

extern "C" fn careless(_signal: libc::c_int) {
    // SAFETY: a null status is allowed.
    while unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) } > 0 {}
}

/// As lesson 3 does it.
pub(crate) extern "C" fn careful(signal: libc::c_int) {
    let errno = Errno::last_raw();
    careless(signal);
    Errno::set_raw(errno);
}

static ONE: AtomicI32 = AtomicI32::new(0);
static THREE: AtomicI32 = AtomicI32::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);

extern "C" fn one(signal: libc::c_int) {
    ONE.store(signal, Relaxed);
}

extern "C" fn three(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    THREE.store(signal, Relaxed);
    // SAFETY: with SA_SIGINFO the kernel passes a siginfo; one sent by raise(3) has a sender.
    SENDER.store(unsafe { (*info).si_pid() }, Relaxed);
}

/// A signal handler with one parameter, and one with three (SA_SIGINFO): the kernel serves both.
/// Also: which flags signal(2), the C library's function, asks sigaction(2) for.
pub(crate) fn handler_shapes() -> io::Result<()> {
    dispose(Signal::SIGUSR1, SigHandler::Handler(one), SaFlags::empty())?;
    dispose(Signal::SIGUSR2, SigHandler::SigAction(three), SaFlags::SA_SIGINFO)?;
    raise(Signal::SIGUSR1)?;
    raise(Signal::SIGUSR2)?;
    println!("one={}\nthree={}", ONE.load(Relaxed), THREE.load(Relaxed));
    println!("me={}\nsender={}", getpid(), SENDER.load(Relaxed));

    // SAFETY: the handler only stores to an atomic.
    unsafe { signal(Signal::SIGUSR1, SigHandler::Handler(one)) }?;
    let installed = dispose(Signal::SIGUSR1, SigHandler::SigDfl, SaFlags::empty())?;
    println!("restarts={}", installed.flags().contains(SaFlags::SA_RESTART));
    Ok(())
}

static FIRST: AtomicU32 = AtomicU32::new(0);
static SECOND: AtomicU32 = AtomicU32::new(0);

extern "C" fn first(_signal: libc::c_int) {
    FIRST.fetch_add(1, Relaxed);
}

extern "C" fn second(_signal: libc::c_int) {
    SECOND.fetch_add(1, Relaxed);
}

/// A handler for SIGCHLD that is installed late: of the death before it nobody is told, and that
/// child stays a zombie until somebody looks. A second handler in its place is told from then on.
pub(crate) fn late_handler() -> io::Result<()> {
    let early = child(|| {})?;
    see_die(early)?;
    dispose(Signal::SIGCHLD, SigHandler::Handler(first), SaFlags::SA_RESTART)?;
    println!("early.told={}\nearly.state={}", FIRST.load(Relaxed), state(early));

    // A signal is sent before the death can be seen, and delivered before the call returns.
    see_die(child(|| {})?)?;
    println!("later.told={}", FIRST.load(Relaxed));

    dispose(Signal::SIGCHLD, SigHandler::Handler(second), SaFlags::SA_RESTART)?;
    see_die(child(|| {})?)?;
    println!("last.told_first={}", FIRST.load(Relaxed));
    println!("last.told_second={}", SECOND.load(Relaxed));

    let mut swept = 0;
    while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok() {
        swept += 1;
    }
    println!("swept={swept}\nearly.after={}", state(early));
    Ok(())
}
