//! Ignores SIGCHLD and also waits after each fork: two remedies must be better than one.
//!
//! Wrong: wait(2) then blocks until the *last* child is gone, so clients are served one by one.

use std::net::TcpListener;

use nix::sys::signal::{SaFlags, SigHandler, Signal};
use nix::sys::wait::wait;
use nix::unistd::ForkResult;

use crate::common::{Never, accept, complain, dispose, echo, fork_for, leave};

pub(crate) fn serve(listener: TcpListener) -> Never {
    dispose(Signal::SIGCHLD, SigHandler::SigIgn, SaFlags::empty())?;
    loop {
        let connection = accept(&listener);
        if let Some(ForkResult::Child) = fork_for(&connection) {
            drop(listener);
            echo(connection);
            leave();
        }
        drop(connection);
        if let Err(errno) = wait() {
            complain("cannot wait", errno.into());
        }
    }
}
