//! Lesson 3's server, for clients whose network may break.
//!
//! Two options of a socket, tcp(7), because each sees only half. SO_KEEPALIVE asks when nothing
//! is under way; TCP_USER_TIMEOUT bounds how long something may be under way. For a client that
//! is there and does nothing, a read and a write may have a timeout. Each of the four ends a read
//! or a write of the child with an error, the child ends, and the parent reaps it.

#[path = "common/mod.rs"]
mod common;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use common::{answer, complain, fork_each, handle_sigchld, listen, reap_all};
use nix::sys::signal::SaFlags;
use nix::sys::socket::{setsockopt, sockopt};

/// An echo server that notices when the network to a client is broken
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Milliseconds to wait before each echo
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    delay: u64,
    /// Ask a client that has been silent for so many seconds, and again after as many
    #[arg(long, value_name = "S")]
    keepalive: Option<u32>,
    /// How many such questions may stay unanswered
    #[arg(long, value_name = "N", default_value_t = 3)]
    questions: u32,
    /// Milliseconds that an echo may stay unacknowledged
    #[arg(long, value_name = "MS")]
    user_timeout: Option<u32>,
    /// Milliseconds that a client may be silent
    #[arg(long, value_name = "MS")]
    read_timeout: Option<u64>,
    /// Milliseconds that a client may leave no room for an echo
    #[arg(long, value_name = "MS")]
    write_timeout: Option<u64>,
    /// Address to listen on, as IP:PORT; port 0 picks a free one
    #[arg(default_value = "127.0.0.1:5555")]
    addr: SocketAddr,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let ready = handle_sigchld(reap_all, SaFlags::SA_RESTART).and_then(|()| listen("", args.addr));
    let listener = match ready {
        Ok(listener) => listener,
        Err(error) => return complain(&format!("cannot listen on {}", args.addr), error),
    };
    fork_each(listener, |connection| {
        let peer = connection.peer_addr().unwrap_or(args.addr);
        let echo = |message: &[u8]| {
            sleep(Duration::from_millis(args.delay));
            message.to_vec()
        };
        let served = watch_over(&connection, &args).and_then(|()| answer(connection, echo));
        if let Err(error) = served {
            complain(&format!("lost {peer}"), error);
        }
    })
}

/// Has the kernel watch over the connection, and fail our calls when the client is lost.
fn watch_over(connection: &TcpStream, args: &Args) -> io::Result<()> {
    if let Some(seconds) = args.keepalive {
        setsockopt(connection, sockopt::TcpKeepIdle, &seconds)?; // the default: 2 hours
        setsockopt(connection, sockopt::TcpKeepInterval, &seconds)?; // 75 seconds
        setsockopt(connection, sockopt::TcpKeepCount, &args.questions)?; // 9
        setsockopt(connection, sockopt::KeepAlive, &true)?;
    }
    if let Some(milliseconds) = args.user_timeout {
        setsockopt(connection, sockopt::TcpUserTimeout, &milliseconds)?;
    }
    connection.set_read_timeout(args.read_timeout.map(Duration::from_millis))?;
    connection.set_write_timeout(args.write_timeout.map(Duration::from_millis))
}
