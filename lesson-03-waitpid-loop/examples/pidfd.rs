//! Another road: a descriptor for each child, a *pidfd*, which is readable once the child is dead.
//!
//! epoll(7) sleeps over the listener and all pidfds and says who is dead; waitid(2) with P_PIDFD
//! collects that one and nobody else. No signal is needed, so none can be lost. And nobody
//! searches through the children, however many live: since Linux 5.13, not even the kernel.
//!
//! Given up: a descriptor per child, and portability (Linux 5.9 for all that is used here). A
//! child that it didn't make stays a zombie: don't make this PID 1, or a subreaper.
//! Broken: nothing. No handler, and no wait for anybody else's child.
//!
//! The trap: fork copies the table of descriptors. With 10,000 children each new one gets 10,000
//! pidfds, which makes a short life five times as long. Worse, while a copy of a pidfd is open
//! anywhere, the parent's own close doesn't take it out of epoll, which tells of that death over
//! and over. So a child here gets no copy: it starts out with the *same* table as its parent
//! (CLONE_FILES), and then takes a table of its own that ends before the first pidfd.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::unistd::{Pid, getpid, pipe2, read, write};

/// An echo server that forks a child per connection and watches a pidfd of each
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
    // The program that started us may have left SIGCHLD ignored: then the kernel would reap the
    // children, and no wait could tell how they ended.
    // SAFETY: the default disposition runs no code of ours.
    unsafe { libc::signal(libc::SIGCHLD, libc::SIG_DFL) };
    let listener = match TcpListener::bind(args.addr) {
        Ok(listener) => listener,
        Err(error) => return complain(&format!("cannot listen on {}", args.addr), error),
    };
    let (epoll, (told, tell)) = match prepare(&listener) {
        Ok(prepared) => prepared,
        Err(error) => return complain("cannot watch the listener", error),
    };
    let addr = listener.local_addr().unwrap_or(args.addr);
    log(format_args!("pidfd listening on {addr}, pid {}", getpid()));
    let mut children = HashMap::new();
    loop {
        let mut events = [EpollEvent::empty(); 64];
        // An error is no event: EINTR comes without any handler, from SIGSTOP and SIGCONT.
        let ready = epoll.wait(&mut events, EpollTimeout::NONE).unwrap_or(0);
        for event in &events[..ready] {
            if children.get(&event.data()).is_some_and(collect) {
                children.remove(&event.data()); // and so it is closed, and out of epoll
            }
        }
        let (connection, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => {
                complain("cannot accept", error);
                sleep(Duration::from_millis(100)); // the lack may pass; no pause would spin
                continue;
            }
        };
        // SAFETY: the process has one thread, so the child inherits no lock that stays held. The
        // child closes nothing before `leave_table`, nor do we before `wait_until_left`.
        match unsafe { fork_in_one_table() } {
            Ok(None) => {
                if let Err(errno) = leave_table(&connection, &tell) {
                    complain("cannot leave the parent's descriptors", errno.into());
                    // SAFETY: _exit has no precondition; what we share, it leaves to the parent.
                    unsafe { libc::_exit(1) }
                }
                drop((listener, epoll, told, tell)); // child closes its copies of the parent's
                echo(connection, Duration::from_millis(args.delay));
                // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
                unsafe { libc::_exit(0) }
            }
            Ok(Some((child, pidfd))) => {
                log(format_args!("child {child} serves {peer}"));
                let key = pidfd.as_raw_fd() as u64;
                if let Err(errno) = epoll.add(&pidfd, EpollEvent::new(EpollFlags::EPOLLIN, key)) {
                    complain(&format!("cannot watch child {child}"), errno.into());
                }
                wait_until_left(&told, &pidfd);
                children.insert(key, pidfd);
            }
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

/// Opens the descriptor to sleep on, and a pipe by which a child tells that it has left our table.
fn prepare(listener: &TcpListener) -> io::Result<(Epoll, (OwnedFd, OwnedFd))> {
    // It is asked after every wake-up, whether or not there is a connection.
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    // No pidfd has the key u64::MAX, so nobody is collected for this one.
    epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, u64::MAX))?;
    Ok((epoll, pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?))
}

/// Collects a dead child; true when there is nothing to wait for any more.
fn collect(pidfd: &OwnedFd) -> bool {
    // SAFETY: zero is valid for every field of a siginfo.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    let (id, how) = (pidfd.as_raw_fd() as libc::id_t, libc::WEXITED | libc::WNOHANG);
    // SAFETY: `info` is a siginfo to write to.
    if unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, how) } < 0 {
        return true; // ECHILD: somebody else has collected it
    }
    // SAFETY: waitid has set the pid, or left it 0: the child's tracer has yet to see it dead.
    let child = unsafe { info.si_pid() };
    if child != 0 {
        log(format_args!("reaped child {child}"));
    }
    child != 0
}

/// fork(2), but with one table of descriptors for both. Returns the child's pid and its pidfd to
/// the parent, and None to the child.
///
/// # Safety
/// Until the child has left the table, what one of them closes is closed for the other too. The C
/// library doesn't learn of the fork: only one thread may exist, as for fork, and the child may
/// not ask the library which thread it is.
unsafe fn fork_in_one_table() -> nix::Result<Option<(Pid, OwnedFd)>> {
    let mut pidfd: RawFd = -1;
    let flags = libc::c_long::from(libc::CLONE_FILES | libc::CLONE_PIDFD | libc::SIGCHLD);
    // SAFETY: without CLONE_VM a null stack means a copy of ours; the third argument is where to
    // put the pidfd. (On s390x the first two change places.)
    let pid =
        unsafe { libc::syscall(libc::SYS_clone, flags, 0_usize, &raw mut pidfd, 0_usize, 0_usize) };
    if Errno::result(pid)? == 0 {
        return Ok(None);
    }
    // SAFETY: the kernel has just opened this descriptor for us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    Ok(Some((Pid::from_raw(pid as libc::pid_t), pidfd)))
}

/// In the child: takes a table of its own, without what comes after `connection`, and says so.
/// The connection has the lowest number that was free and the pidfds were opened beside it, so
/// they all come after it, and none of them is copied.
fn leave_table(connection: &TcpStream, tell: &OwnedFd) -> nix::Result<()> {
    let first = connection.as_raw_fd() + 1;
    // SAFETY: close_range touches no memory; what it closes, it closes in the new table.
    Errno::result(unsafe {
        libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_UNSHARE)
    })?;
    write(tell, &[0]).map(drop)
}

/// In the parent: waits until the child has left our table, or is dead.
fn wait_until_left(told: &OwnedFd, pidfd: &OwnedFd) {
    let mut either = [told, pidfd].map(|it| PollFd::new(it.as_fd(), PollFlags::POLLIN));
    while poll(&mut either, PollTimeout::NONE) == Err(Errno::EINTR) {}
    let _ = read(told, &mut [0]); // whichever it was: one that is dead may have told us before
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
    let _ = io::stderr().write_all(format!("pidfd: {what}: {reason}\n").as_bytes());
    ExitCode::FAILURE
}
