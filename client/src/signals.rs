//! What a process inherits about signals, put back to what its own code expects.

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

/// Sets SIGCHLD to its default and unblocks every signal. Nothing else: an ignored SIGHUP or
/// SIGINT stays ignored, as nohup(1) and shells with a `&` ask.
///
/// A disposition of SIG_IGN and a blocked mask survive exec (signal(7)). With SIGCHLD ignored the
/// kernel reaps each child itself, and every wait, that of [`std::process::Command`] too, fails
/// with ECHILD. The mask belongs to the calling thread; threads it starts later inherit it.
pub extern "C" fn reset() {
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default disposition runs no code of ours.
    let _ = unsafe { sigaction(Signal::SIGCHLD, &default) }; // fails for no valid signal but KILL and STOP
    let _ = SigSet::empty().thread_set_mask(); // fails for no valid set
}

/// The bit of a signal in the masks of /proc/PID/status (proc_pid_status(5)), which count from 0.
#[must_use]
pub const fn bit(signal: i32) -> u64 {
    1 << (signal - 1)
}

/// Has the program that this expands into [`reset`] its signals before `main`: a test has no
/// `main` of its own, and the test runner's threads inherit the mask of the first.
#[macro_export]
macro_rules! reset_signals_at_start {
    () => {
        // SAFETY: the C library calls what .init_array lists, once, before there are threads.
        #[used]
        #[unsafe(link_section = ".init_array")]
        static RESET_SIGNALS: extern "C" fn() = $crate::signals::reset;
    };
}
