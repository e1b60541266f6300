//! Lesson 3's server, for clients whose network may break: it asks after silent clients, and
//! gives up on one that doesn't acknowledge what it was sent.
//!
//! Two options of a socket, tcp(7), because each sees only half. SO_KEEPALIVE asks when nothing
//! is under way; TCP_USER_TIMEOUT bounds how long something may be under way. For a client that
//! is there and does nothing, a read and a write may have a timeout. Each of the four ends a read
//! or a write of the child with an error, the child ends, and the parent reaps it.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{setsockopt, sockopt};
use nix::unistd::{ForkResult, fork, getpid};

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
    // Before the first fork: nobody would be told of an earlier death.
    if let Err(errno) = handle_sigchld() {
        return complain("cannot handle SIGCHLD", errno.into());
    }
    let listener = match TcpListener::bind(args.addr) {
        Ok(listener) => listener,
        Err(error) => return complain(&format!("cannot listen on {}", args.addr), error),
    };
    let addr = listener.local_addr().unwrap_or(args.addr);
    log(format_args!("subject_keepalive listening on {addr}, pid {}", getpid()));
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
                // SAFETY: the default runs no code. Our handler is not for what the child starts.
                unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
                let served = watch_over(&connection, &args)
                    .and_then(|()| echo(connection, Duration::from_millis(args.delay)));
                if let Err(error) = served {
                    complain(&format!("lost {peer}"), error);
                }
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

/// The whole life of a child: echo until the client says `Bye`, is gone, or can't be reached.
fn echo(mut connection: TcpStream, delay: Duration) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let length = match connection.read(&mut buffer) {
            // With a timeout a read ends at any signal, and even when we were stopped.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(0) => return Ok(()), // end-of-file: the client has left
            other => other?,
        };
        let message = &buffer[..length];
        log(format_args!("received {:?}", String::from_utf8_lossy(message)));
        if message == b"Bye" {
            return Ok(());
        }
        sleep(delay);
        connection.write_all(message)?;
    }
}

/// Installs the handler and unblocks SIGCHLD: our parent may have left it blocked.
fn handle_sigchld() -> nix::Result<()> {
    let handler = SigHandler::Handler(on_sigchld);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler calls only functions that signal-safety(7) lists.
    unsafe { sigaction(Signal::SIGCHLD, &action) }?;
    SigSet::from(Signal::SIGCHLD).thread_unblock()
}

/// Interrupts the code above, wherever it is, to collect every child that is dead by now.
extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw(); // what we interrupt may be about to read it
    while let child @ 1.. = collect() {
        log_reaped(child);
    }
    Errno::set_raw(errno);
}

/// Collects one dead child and returns its pid: 0 when all live, -1 when there is none at all.
fn collect() -> libc::pid_t {
    // SAFETY: waitpid is on signal-safety(7)'s list; a null status is allowed.
    unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) }
}

/// `log` for the handler, with write(2) alone: the other one takes a lock.
fn log_reaped(child: libc::pid_t) {
    let mut line = *b"[SIGCHLD] reaped child         \n";
    let mut rest = child;
    for byte in line.iter_mut().rev().skip(1) {
        *byte = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    // SAFETY: write is on signal-safety(7)'s list; pointer and length are those of `line`.
    unsafe { libc::write(libc::STDOUT_FILENO, line.as_ptr().cast(), line.len()) };
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
    let _ = io::stderr().write_all(format!("subject_keepalive: {what}: {reason}\n").as_bytes());
    ExitCode::FAILURE
}
