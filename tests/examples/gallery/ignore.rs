//! Ignores SIGCHLD, so the kernel removes dead children by itself, sigaction(2).
//!
//! Wrong as soon as somebody wants to know how a child ended, a program that a child executes too.

use std::net::TcpListener;

use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use crate::common::{Never, echo, fork_each};

pub(crate) fn serve(listener: TcpListener) -> Never {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: an ignored signal runs no code of ours.
    unsafe { sigaction(Signal::SIGCHLD, &ignore) }?;
    fork_each(listener, echo)
}
