//! Another road: have the kernel reap the children, and be told of it: SA_NOCLDWAIT.
//!
//! The flag, set together with a handler for SIGCHLD, says what SIG_IGN says in `ignore`: nobody
//! will wait. No child becomes a zombie. But the handler still runs, and the signal brings the
//! pid and the exit status of the child that it is about.
//!
//! Given up: to be told of *every* child. Signals of one kind do not queue. Of five deaths behind
//! one SIGCHLD the kernel keeps the details of the first, and here no wait can make up for the
//! rest. Whether the signal is sent at all is left open by POSIX; Linux sends it.
//! Broken: the same as in `ignore`. system(3), pclose(3) and `std::process::Child::wait` say
//! ECHILD. Handler and flag survive fork, so a child has to take them back; exec clears both.

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

/// An echo server that forks a child per connection and is told of some deaths while the kernel reaps all
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
    if let Err(errno) = handle_sigchld() {
        return complain("cannot handle SIGCHLD", errno.into());
    }
    let listener = match TcpListener::bind(args.addr) {
        Ok(listener) => listener,
        Err(error) => return complain(&format!("cannot listen on {}", args.addr), error),
    };
    let addr = listener.local_addr().unwrap_or(args.addr);
    log(format_args!("nocldwait listening on {addr}, pid {}", getpid()));
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
    let handler = SigHandler::SigAction(on_sigchld);
    let flags = SaFlags::SA_NOCLDWAIT | SaFlags::SA_RESTART;
    let action = SigAction::new(handler, flags, SigSet::empty());
    // SAFETY: the handler calls only functions that signal-safety(7) lists.
    unsafe { sigaction(Signal::SIGCHLD, &action) }?;
    SigSet::from(Signal::SIGCHLD).thread_unblock()
}

/// Interrupts the code above, wherever it is, to tell of a child that is gone already.
extern "C" fn on_sigchld(_: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    let errno = Errno::last_raw(); // what we interrupt may be about to read it
    // SAFETY: the kernel passes a valid siginfo to a handler that was installed as SigAction.
    let info = unsafe { &*info };
    // Other codes: a child was stopped or goes on; or it is a kill(2), with its sender's pid.
    if let libc::CLD_EXITED | libc::CLD_KILLED | libc::CLD_DUMPED = info.si_code {
        // SAFETY: a siginfo with one of these codes is a SIGCHLD's, which has a pid.
        log_gone(unsafe { info.si_pid() });
    }
    Errno::set_raw(errno);
}

/// `log` for the handler, with write(2) alone: the other one takes a lock.
fn log_gone(child: libc::pid_t) {
    let mut line = *b"[SIGCHLD] gone: child         \n";
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
    let _ = io::stderr().write_all(format!("nocldwait: {what}: {reason}\n").as_bytes());
    ExitCode::FAILURE
}
