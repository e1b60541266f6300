//! Forks twice: the child ends at once and is waited for, the grandchild serves.
//!
//! Wrong as soon as the grandchild is the server's business: it can't end it or learn how it ended.
//! And somebody must still reap it: in many a container PID 1 never waits.

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
                if let Some(ForkResult::Child) = fork_for(&connection) {
                    echo(connection);
                }
                leave();
            }
            Some(ForkResult::Parent { child }) => {
                let _ = waitpid(child, None); // it only forks and ends
                log(&format!("reaped child {child}"));
            }
            None => {}
        }
    }
}
