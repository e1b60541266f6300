//! Another road: fork twice, and let somebody else wait.
//!
//! The first child does nothing but fork again and end; the grandchild serves. Now the
//! grandchild's parent is dead, so it gets another one: the nearest ancestor that has asked for
//! orphans (a subreaper: systemd for your session, say), or else PID 1. That one has promised to
//! wait. The server waits too, but for the first child alone, by its pid, and at once.
//!
//! Given up: the grandchild. Its pid is known, but not how it ends: the exit status goes to
//! whoever inherits it. Where that one never waits (a container whose PID 1 is just some
//! program), the zombies pile up there instead of here; where that is this server, as PID 1 or a
//! subreaper, they are here again. And each client costs two forks.
//! Broken: nothing. No handler, no disposition, and no wait for anybody else's child.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use nix::errno::Errno;
use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, getpid};

/// An echo server that forks twice per connection, so that init inherits who serves it
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Milliseconds to wait before each echo
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    delay: u64,
    /// Address to listen on, as IP:PORT; port 0 picks a free one
    #[arg(default_value = "127.0.0.1:5555")]
    addr: SocketAddr,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let listener = match TcpListener::bind(args.addr) {
        Ok(listener) => listener,
        Err(error) => return complain(&format!("cannot listen on {}", args.addr), error),
    };
    let addr = listener.local_addr().unwrap_or(args.addr);
    log(format_args!("double_fork listening on {addr}, pid {}", getpid()));
    loop {
        let (connection, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) => {
                complain("cannot accept", error);
                sleep(Duration::from_millis(100)); // the lack may pass; no pause would spin
                continue;
            }
        };
        // SAFETY: the process has one thread, so the child inherits no lock that stays held.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                drop(listener); // child closes its copy of the listener
                fork_again(connection, peer, Duration::from_millis(args.delay));
                // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
                unsafe { libc::_exit(0) }
            }
            Ok(ForkResult::Parent { child }) => reap(child),
            Err(errno) => {
                complain(&format!("cannot fork for {peer}"), errno.into());
                let _ = connection.shutdown(Shutdown::Write); // so it reads end-of-file
            }
        }
        drop(connection); // parent closes its copy: only the grandchild's is left
    }
}

/// The whole life of a child: fork the one that serves, and be gone. To end is what matters: it
/// makes the grandchild an orphan.
fn fork_again(connection: TcpStream, peer: SocketAddr, delay: Duration) {
    // SAFETY: the process has one thread, so the child inherits no lock that stays held.
    match unsafe { fork() } {
        Ok(ForkResult::Child) => echo(connection, delay),
        Ok(ForkResult::Parent { child }) => log(format_args!("grandchild {child} serves {peer}")),
        Err(errno) => {
            complain(&format!("cannot fork for {peer}"), errno.into());
            let _ = connection.shutdown(Shutdown::Write); // so it reads end-of-file
        }
    }
}

/// Waits for this one child. That blocks, but not for long: all it does is to fork.
fn reap(child: Pid) {
    while waitpid(child, None) == Err(Errno::EINTR) {}
    log(format_args!("reaped child {child}"));
}

/// The whole life of a grandchild: echo until the client says `Bye` or is gone.
fn echo(mut connection: TcpStream, delay: Duration) {
    let mut buffer = [0; 1024];
    // 0 is end-of-file; like an error (a reset, say), it means that the client has left.
    while let Ok(length @ 1..) = connection.read(&mut buffer) {
        let message = &buffer[..length];
        log(format_args!("received {:?}", String::from_utf8_lossy(message)));
        if message == b"Bye" {
            break;
        }
        sleep(delay);
        if connection.write_all(message).is_err() {
            break;
        }
    }
}

/// One event, one line, one write: the lines of all processes stay whole.
fn log(event: fmt::Arguments) {
    let mut line = [b'\n'; 2048]; // not on the heap: a page written to after a fork is copied
    let mut room = &mut line[..2047];
    let _ = write!(room, "[{}] {event}", getpid()); // what is too long is cut
    let length = 2048 - room.len();
    let _ = io::stdout().write_all(&line[..length]); // lost, not fatal
}

/// One plain line on stderr; returns the exit status of a server that cannot go on.
fn complain(what: &str, error: io::Error) -> ExitCode {
    let reason = Errno::from_raw(error.raw_os_error().unwrap_or(0)).desc().to_lowercase();
    let _ = io::stderr().write_all(format!("double_fork: {what}: {reason}\n").as_bytes());
    ExitCode::FAILURE
}
