//! The lessons' server in pieces, without the delay, so that a subject can put one of them in
//! wrongly and leave the rest right.

#![allow(dead_code, reason = "each program uses a part of it")]

use std::convert::Infallible;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use colored::Colorize;
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::socket::{
    self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, bind, socket,
};
use nix::unistd::{ForkResult, Pid, close, fork, getpid};

/// What a server returns, if it returns at all.
pub(crate) type Never = io::Result<Infallible>;

/// A handler of signals.
pub(crate) type Handler = extern "C" fn(libc::c_int);

/// The program that this is compiled into, such as `gallery`.
const PROGRAM: &str = env!("CARGO_CRATE_NAME");

/// Listens on `addr` and says so in a lesson's words.
pub(crate) fn listen(name: &str, addr: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(addr)?;
    let addr = listener.local_addr()?;
    log(&format!("{PROGRAM} {name} listening on {addr}, pid {}", getpid()));
    Ok(listener)
}

/// A listener without SO_REUSEADDR, which std sets.
pub(crate) fn bare_listener(addr: SocketAddr, backlog: Backlog) -> nix::Result<TcpListener> {
    let listener = socket(AddressFamily::Inet, SockType::Stream, SockFlag::empty(), None)?;
    bind(listener.as_raw_fd(), &SockaddrStorage::from(addr))?;
    socket::listen(&listener, backlog)?;
    Ok(listener.into())
}

/// Accepts the next connection, however long it takes.
pub(crate) fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept() {
            Ok((connection, _)) => return connection,
            Err(error) => {
                complain("cannot accept", error);
                sleep(Duration::from_millis(100)); // the lack may pass; no pause would spin
            }
        }
    }
}

/// Forks a child to serve `connection`. `None` if there can't be one: the client will read
/// end-of-file.
pub(crate) fn fork_for(connection: &TcpStream) -> Option<ForkResult> {
    // SAFETY: every caller has one thread, or others that take no lock; so the child inherits
    // none that stays held.
    let forked = unsafe { fork() };
    match forked {
        Ok(ForkResult::Parent { child }) => log(&format!("forked child {child}")),
        Ok(ForkResult::Child) => {}
        Err(errno) => {
            complain("cannot fork", errno.into());
            let _ = connection.shutdown(Shutdown::Write);
        }
    }
    forked.ok()
}

/// Forks a child that runs `serve` on `connection`, which the parent closes. Returns the child's
/// pid; `None` if there can't be one.
pub(crate) fn serve_in_child(
    listener: &TcpListener,
    connection: TcpStream,
    serve: impl Fn(TcpStream),
) -> Option<Pid> {
    match fork_for(&connection)? {
        ForkResult::Child => {
            let _ = close(listener.as_raw_fd()); // the child never comes back to it
            serve(connection);
            leave();
        }
        ForkResult::Parent { child } => Some(child),
    }
}

/// Accepts and forks as the lessons do; each child runs `serve` on its connection.
pub(crate) fn fork_each(listener: TcpListener, serve: impl Fn(TcpStream)) -> ! {
    loop {
        serve_in_child(&listener, accept(&listener), &serve);
    }
}

/// The same, with `handler` for SIGCHLD.
pub(crate) fn serve_with(
    handler: Handler,
    listener: TcpListener,
    serve: impl Fn(TcpStream),
) -> Never {
    handle_sigchld(handler, SaFlags::SA_RESTART)?;
    fork_each(listener, serve)
}

/// Accepts one client, and forks a child that echoes.
pub(crate) fn serve_next(listener: &TcpListener) -> Option<Pid> {
    serve_in_child(listener, accept(listener), echo)
}

/// Forks a child that does `work` and leaves; returns its pid to the parent.
pub(crate) fn child(work: impl FnOnce()) -> nix::Result<Pid> {
    // SAFETY: no other thread takes a lock that `work` needs, so the child inherits none that
    // stays held. (Only `fork_with_threads` has one that does, to show such a lock.)
    match unsafe { fork() }? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            work();
            leave();
        }
    }
}

/// Ends a child.
pub(crate) fn leave() -> ! {
    leave_with(0)
}

/// Ends it with a status.
pub(crate) fn leave_with(status: libc::c_int) -> ! {
    // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
    unsafe { libc::_exit(status) }
}

/// Ends a server from its handler, with a line on stderr.
pub(crate) fn die(line: &[u8]) -> ! {
    // SAFETY: write is on signal-safety(7)'s list; pointer and length are those of `line`.
    unsafe { libc::write(libc::STDERR_FILENO, line.as_ptr().cast(), line.len()) };
    leave_with(1)
}

/// Echoes until the client says `Bye` or is gone.
pub(crate) fn echo(connection: TcpStream) {
    let _ = answer(connection, <[u8]>::to_vec); // a reset, say, is another way to leave
}

/// Sends what `reply` makes of each message, until the client says `Bye`, leaves, or is lost.
pub(crate) fn answer(
    mut connection: TcpStream,
    reply: impl Fn(&[u8]) -> Vec<u8>,
) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let length = match connection.read(&mut buffer) {
            // With a timeout a read ends at any signal, and even when we were stopped.
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Ok(0) => return Ok(()), // end-of-file: the client has left
            read => read?,
        };
        let message = &buffer[..length];
        log(&format!("received {:?}", String::from_utf8_lossy(message)));
        if message == b"Bye" {
            return Ok(());
        }
        connection.write_all(&reply(message))?;
    }
}

/// Sets what becomes of `signal`, and returns what became of it before. Neither blocks nor unblocks
/// it. A handler must keep to what signal-safety(7) lists.
pub(crate) fn dispose(signal: Signal, how: SigHandler, flags: SaFlags) -> nix::Result<SigAction> {
    // SAFETY: the handlers here call only what signal-safety(7) lists, or show what comes of more.
    unsafe { sigaction(signal, &SigAction::new(how, flags, SigSet::empty())) }
}

/// Has `handler` called for SIGCHLD, and unblocks it.
pub(crate) fn handle_sigchld(handler: Handler, flags: SaFlags) -> io::Result<()> {
    dispose(Signal::SIGCHLD, SigHandler::Handler(handler), flags)?;
    Ok(SigSet::from(Signal::SIGCHLD).thread_unblock()?)
}

/// Lesson 3's handler, the right one.
pub(crate) extern "C" fn reap_all(_signal: libc::c_int) {
    let errno = Errno::last_raw(); // what we interrupt may be about to read it
    while let child @ 1.. = collect() {
        log_reaped(child);
    }
    Errno::set_raw(errno);
}

/// Collects one dead child and returns its pid: 0 when all live, -1 when there is none at all.
pub(crate) fn collect() -> libc::pid_t {
    wait_for(-1, libc::WNOHANG)
}

/// waitpid(2), without a status.
pub(crate) fn wait_for(child: libc::pid_t, flags: libc::c_int) -> libc::pid_t {
    // SAFETY: waitpid is on signal-safety(7)'s list; a null status is allowed.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), flags) }
}

/// `log` for handlers, with write(2) alone: the other one allocates and takes a lock.
pub(crate) fn log_reaped(child: libc::pid_t) {
    let mut line = *b"[SIGCHLD] reaped child         \n";
    let _ = write!(&mut line[22..31], "{child:>9}"); // into memory that is there: no allocation
    // SAFETY: write is on signal-safety(7)'s list; pointer and length are those of `line`.
    unsafe { libc::write(libc::STDOUT_FILENO, line.as_ptr().cast(), line.len()) };
}

/// One event, one line, one write.
pub(crate) fn log(line: &str) {
    let who = format!("[{}]", getpid()).cyan();
    let _ = io::stdout().write_all(format!("{who} {line}\n").as_bytes()); // lost, not fatal
}

/// One plain line on stderr; returns the exit status of a server that cannot go on.
pub(crate) fn complain(what: &str, error: io::Error) -> ExitCode {
    let reason = match error.raw_os_error() {
        Some(errno) => Errno::from_raw(errno).desc().to_lowercase(),
        None => error.to_string(),
    };
    let _ = io::stderr().write_all(format!("{PROGRAM}: {what}: {reason}\n").as_bytes());
    ExitCode::FAILURE
}
