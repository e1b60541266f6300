//! Waits for each child right after the fork.
//!
//! Wrong: the next client waits until this one has left, as in `iterative`, and pays for a fork.

use std::net::TcpListener;

use nix::sys::wait::waitpid;
use nix::unistd::ForkResult;

use crate::common::{Never, accept, echo, fork_for, leave, log};

pub(crate) fn serve(listener: TcpListener) -> Never {
    loop {
        let connection = accept(&listener);
        match fork_for(&connection) {
            Some(ForkResult::Child) => {
                drop(listener);
                echo(connection);
                leave();
            }
            Some(ForkResult::Parent { child }) => {
                drop(connection);
                let _ = waitpid(child, None); // how it ended doesn't matter
                log(&format!("reaped child {child}"));
            }
            None => {}
        }
    }
}
