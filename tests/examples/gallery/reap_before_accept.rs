//! No handler: collects all dead children before each accept, like programs that descend from
//! TCPEchoServer-Fork.c (Donahoo and Calvert, *TCP/IP Sockets in C*).
//!
//! Wrong: accept(2) blocks until a client comes, and children that die meanwhile stay zombies.

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
