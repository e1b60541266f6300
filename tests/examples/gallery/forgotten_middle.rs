//! Forks twice, so that others reap the child that serves, and doesn't wait for the one between.
//!
//! Wrong: that one is the server's own child. `double-fork` waits for it, which takes no time.

use std::net::TcpListener;

use crate::common::{Never, echo, fork_each, fork_for};
use nix::unistd::ForkResult;

pub(crate) fn serve(listener: TcpListener) -> Never {
    fork_each(listener, |connection| {
        if let Some(ForkResult::Child) = fork_for(&connection) {
            echo(connection);
        }
    })
}
