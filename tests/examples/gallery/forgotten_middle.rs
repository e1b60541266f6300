//! Forks twice, so that others reap whoever serves; nobody waits for the child in between.
//!
//! It looks right because the trick is known to work: the grandchild is an orphan at once, and
//! whoever inherits it reaps it.
//!
//! Wrong: the child in the middle is the server's own, and it dies too. It becomes a zombie as soon
//! as a client comes. `double-fork` waits for it, which takes no time.

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
