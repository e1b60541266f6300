//! No handler: collects all dead children before each accept. Programs that descend from
//! TCPEchoServer-Fork.c (Donahoo and Calvert, *TCP/IP Sockets in C*) do this.
//!
//! It looks right because the loop is the right one, and on a busy server it runs all the time.
//!
//! Wrong: accept(2) blocks until somebody comes. Whoever dies meanwhile stays a zombie: the last
//! children of a busy hour all night, those of a server that nobody visits any more for ever.

use std::net::TcpListener;

use nix::unistd::ForkResult;

use crate::common::{Never, accept, collect, echo, fork_for, leave, log};

pub(crate) fn serve(listener: TcpListener) -> Never {
    loop {
        while let child @ 1.. = collect() {
            log(&format!("reaped child {child}"));
        }
        let connection = accept(&listener);
        if let Some(ForkResult::Child) = fork_for(&connection) {
            drop(listener);
            echo(connection);
            leave();
        }
    }
}
