//! Waits for each child right after it has been forked.
//!
//! It looks right because there is a fork for each connection, and no zombie, ever.
//!
//! Wrong: wait(2) blocks until the child has served its client. The next client connects, for
//! the kernel sees to that, and stands in line: an iterative server at the price of a fork.

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
                let _ = waitpid(child, None); // a status that nix can't name is no matter here
                log(&format!("reaped child {child}"));
            }
            None => {}
        }
    }
}
