//! Another road: the same loop of waits, but in no handler. SIGCHLD is read from a descriptor.
//!
//! The signal is blocked, so that it interrupts nothing and stays pending; signalfd(2) makes a
//! descriptor that can be read while it is. epoll(7) sleeps over that descriptor and the
//! listener, and the main loop does one thing after the other: reap, accept, fork. So this code
//! may allocate, lock and log as it likes, where a handler may do next to nothing.
//!
//! What it doesn't change: signals of one kind do not queue, in a descriptor no more than in a
//! handler. Five deaths may be one read, and without the loop this would be lesson 2 again.
//! Given up: portability. signalfd is Linux's own. Everywhere else the same is done with the
//! *self-pipe*: a handler that writes a byte into a pipe, and poll(2) over its reader. Both ends
//! must be non-blocking. A full pipe that blocks hangs the handler, and with it the server.
//! Broken: a mask survives fork and exec, so a child has to unblock SIGCHLD for itself. And as in
//! lesson 3, to wait for -1 takes the status of children that a library has started.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::{ForkResult, fork, getpid};

/// An echo server that forks a child per connection and reads SIGCHLD from a descriptor
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
    let signals = match read_sigchld() {
        Ok(signals) => signals,
        Err(errno) => return complain("cannot read SIGCHLD", errno.into()),
    };
    let listener = match TcpListener::bind(args.addr) {
        Ok(listener) => listener,
        Err(error) => return complain(&format!("cannot listen on {}", args.addr), error),
    };
    let epoll = match watch(&listener, &signals) {
        Ok(epoll) => epoll,
        Err(error) => return complain("cannot watch the listener", error),
    };
    let addr = listener.local_addr().unwrap_or(args.addr);
    log(format_args!("signalfd listening on {addr}, pid {}", getpid()));
    loop {
        // Which of the two it is doesn't matter: to ask both costs little, and neither blocks.
        // Nor does an error: EINTR comes without any handler, from SIGSTOP and SIGCONT.
        let _ = epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::NONE);
        reap(&signals);
        let (connection, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
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
                drop((epoll, signals)); // and what else is only the parent's
                // It may have children of its own, and so may a program that it executes.
                let _ = SigSet::from(Signal::SIGCHLD).thread_unblock();
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

/// Blocks SIGCHLD and opens a descriptor to read it from.
fn read_sigchld() -> nix::Result<SignalFd> {
    // Whoever started us may have left it ignored; then it wouldn't even become pending.
    let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
    // SAFETY: the default disposition runs no code of ours.
    unsafe { sigaction(Signal::SIGCHLD, &default) }?;
    let sigchld = SigSet::from(Signal::SIGCHLD);
    sigchld.thread_block()?;
    SignalFd::with_flags(&sigchld, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
}

/// One descriptor to sleep on until there is a connection to accept, or a SIGCHLD to read.
fn watch(listener: &TcpListener, signals: &SignalFd) -> io::Result<Epoll> {
    // It is asked after every wake-up, whether or not there is a connection.
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    epoll.add(signals, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
    Ok(epoll)
}

/// Takes the signal, if there is one, and then every child that is dead by now. In this order:
/// a child that dies in between sends a new signal, and is found by the next round.
fn reap(signals: &SignalFd) {
    if let Ok(Some(_)) = signals.read_signal() {
        while let child @ 1.. = collect() {
            log(format_args!("reaped child {child}"));
        }
    }
}

/// Collects one dead child and returns its pid: 0 when all live, -1 when there is none at all.
fn collect() -> libc::pid_t {
    // SAFETY: a null status is allowed. (nix's waitpid reports some deaths as an error.)
    unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG) }
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
    let _ = io::stderr().write_all(format!("signalfd: {what}: {reason}\n").as_bytes());
    ExitCode::FAILURE
}
