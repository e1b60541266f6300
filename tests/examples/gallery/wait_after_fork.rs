//! Waits for each child right after the fork.
//!
//! Wrong: wait(2) blocks until the child has served its client, and the next client waits: an
//! iterative server at the price of a fork.

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
