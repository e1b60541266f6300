//! Another road: say that nobody will ever wait, by ignoring SIGCHLD.
//!
//! Being ignored is SIGCHLD's default already. Yet to *say* so, with SIG_IGN, tells the kernel
//! more: that it may reap this process's children itself. They never become zombies, and nothing
//! here has to be run, or woken, when one dies.
//!
//! Given up: how a child ended. Its exit status is thrown away, and that it died isn't told.
//! Broken: whatever else in this process starts a program and waits for it. system(3),
//! pclose(3) and `std::process::Child::wait` return only when the program has ended, and then say
//! ECHILD. And SIG_IGN survives fork and exec, so a child has to take it back for itself.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{ForkResult, fork, getpid};

/// An echo server that forks a child per connection and has the kernel reap the dead
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
    // Before the first fork: a child that is dead by then stays a zombie all the same.
    if let Err(errno) = set_sigchld(SigHandler::SigIgn) {
        return complain("cannot ignore SIGCHLD", errno.into());
    }
    let listener = match TcpListener::bind(args.addr) {
        Ok(listener) => listener,
        Err(error) => return complain(&format!("cannot listen on {}", args.addr), error),
    };
    let addr = listener.local_addr().unwrap_or(args.addr);
    log(format_args!("ignore listening on {addr}, pid {}", getpid()));
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
                // It may want to wait for children of its own, and so may a program it executes.
                let _ = set_sigchld(SigHandler::SigDfl);
                echo(connection, Duration::from_millis(args.delay));
                // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
                unsafe { libc::_exit(0) }
            }
            Ok(ForkResult::Parent { child }) => log(format_args!("child {child} serves {peer}")),
            Err(errno) => {
                complain(&format!("cannot fork for {peer}"), errno.into());
                let _ = connection.shutdown(Shutdown::Write); // so it reads end-of-file
            }
        }
        drop(connection); // parent closes its copy: only the child's is left
    }
}

/// The whole life of a child: echo until the client says `Bye` or is gone.
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

/// Sets what becomes of SIGCHLD, and with it of the children. That somebody may have left the
/// signal blocked doesn't matter: the kernel looks at the disposition alone.
fn set_sigchld(disposition: SigHandler) -> nix::Result<()> {
    let action = SigAction::new(disposition, SaFlags::empty(), SigSet::empty());
    // SAFETY: neither SIG_IGN nor SIG_DFL runs any code of ours.
    unsafe { sigaction(Signal::SIGCHLD, &action) }.map(drop)
}

/// One event, one line, one write: the lines of parent and children stay whole.
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
    let _ = io::stderr().write_all(format!("ignore: {what}: {reason}\n").as_bytes());
    ExitCode::FAILURE
}
