//! Lesson 2: the same server, and a handler that waits once for each SIGCHLD.
//!
//! It looks right, and with one client at a time it is. But signals of one kind do not queue:
//! when several children die before the handler runs, one SIGCHLD stands for all of them.

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

/// An echo server that forks a child per connection and reaps one at every SIGCHLD
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
    // Before the first fork: nobody would be told of an earlier death.
    if let Err(errno) = handle_sigchld() {
        return complain("cannot handle SIGCHLD", errno.into());
    }
    let listener = match TcpListener::bind(args.addr) {
        Ok(listener) => listener,
        Err(error) => return complain(&format!("cannot listen on {}", args.addr), error),
    };
    let addr = listener.local_addr().unwrap_or(args.addr);
    log(format_args!("lesson-02 listening on {addr}, pid {}", getpid()));
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

/// Installs the handler and unblocks SIGCHLD: our parent may have left it blocked.
fn handle_sigchld() -> nix::Result<()> {
    let handler = SigHandler::Handler(on_sigchld);
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler calls only functions that signal-safety(7) lists.
    unsafe { sigaction(Signal::SIGCHLD, &action) }?;
    SigSet::from(Signal::SIGCHLD).thread_unblock()
}

/// Interrupts the code above, wherever it is, to collect the child that died.
extern "C" fn on_sigchld(_signal: libc::c_int) {
    let errno = Errno::last_raw(); // what we interrupt may be about to read it
    if let child @ 1.. = collect() {
        log_reaped(child);
    }
    Errno::set_raw(errno);
}

/// Collects one dead child and returns its pid: blocks when all live, -1 when there is none.
fn collect() -> libc::pid_t {
    // SAFETY: wait is on signal-safety(7)'s list; a null status is allowed.
    unsafe { libc::wait(std::ptr::null_mut()) }
}

/// `log` for the handler, with write(2) alone: the other one takes a lock.
fn log_reaped(child: libc::pid_t) {
    let mut line = *b"[SIGCHLD] reaped child         \n";
    let (mut rest, mut digits) = (child, line.iter_mut().rev().skip(1));
    while rest > 0
        && let Some(digit) = digits.next()
    {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
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
    let _ = io::stderr().write_all(format!("lesson-02: {what}: {reason}\n").as_bytes());
    ExitCode::FAILURE
}
