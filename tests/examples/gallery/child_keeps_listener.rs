//! Reaps correctly, but the children never close their copy of the listener.
//!
//! Wrong: the socket listens as long as anybody holds it, which is in the way of a restart.

use std::net::TcpListener;

use nix::sys::signal::SaFlags;
use nix::unistd::ForkResult;

use crate::common::{Never, accept, echo, fork_for, handle_sigchld, leave, reap_all};

pub(crate) fn serve(listener: TcpListener) -> Never {
    handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
    loop {
        let connection = accept(&listener);
        if let Some(ForkResult::Child) = fork_for(&connection) {
            echo(connection);
            leave();
        }
    }
}
