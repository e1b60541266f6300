//! Reaps correctly, but the parent never closes its copy of a connection.
//!
//! Wrong: TCP says goodbye when the last copy is closed, and the parent runs out of open files.

use std::net::TcpListener;

use nix::sys::signal::SaFlags;
use nix::unistd::ForkResult;

use crate::common::{Never, accept, echo, fork_for, handle_sigchld, leave, reap_all};

pub(crate) fn serve(listener: TcpListener) -> Never {
    handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
    loop {
        let connection = accept(&listener);
        if let Some(ForkResult::Child) = fork_for(&connection) {
            drop(listener);
            echo(connection);
            leave();
        }
        std::mem::forget(connection); // Rust would close it; in C one forgets to
    }
}
