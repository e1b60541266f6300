//! When a signal is sent, and what it interrupts.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SaFlags, SigHandler, SigSet, Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, pause};
use procfs::process::Process;

use crate::handlers::count;
use crate::{child, dispose, state, wait_until};

/// What a child can do to have its parent sent a SIGCHLD: it stops, it goes on, it ends. The
/// signal's own words (`si_code` of sigaction(2)) tell which. And a wait that comes before leaves
/// the signal where it is.
pub(crate) fn sigchld_causes() -> io::Result<()> {
    // Blocked, it waits until it is fetched, and none is lost: the next comes after the fetch.
    SigSet::from(Signal::SIGCHLD).thread_block()?;
    let child = child(pause)?;
    for signal in [Signal::SIGSTOP, Signal::SIGCONT, Signal::SIGKILL] {
        kill(child, signal)?;
        if signal == Signal::SIGKILL {
            waitpid(child, None)?;
            println!("waited for={}", state(child));
        }
        println!("{signal}={}", fetch()?);
    }
    Ok(())
}

/// Waits for a SIGCHLD and returns the cause that it names.
fn fetch() -> io::Result<&'static str> {
    let sigchld = SigSet::from(Signal::SIGCHLD);
    // SAFETY: a siginfo is plain numbers and pointers, for which zeros are values.
    let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set and the siginfo are ours, and there.
    if unsafe { libc::sigwaitinfo(sigchld.as_ref(), &raw mut info) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(match info.si_code {
        libc::CLD_STOPPED => "stopped",
        libc::CLD_CONTINUED => "continued",
        libc::CLD_KILLED => "killed",
        _ => "another",
    })
}

/// A call that waits for something from the client.
type Call = fn(&TcpListener, &TcpStream) -> io::Result<()>;

/// What a signal does to a call that waits. With SA_RESTART the kernel makes most calls again, but
/// none on a socket with a timeout, and never epoll_wait. std makes some again by itself.
pub(crate) fn interrupted() -> io::Result<()> {
    let calls: [(&str, Call); 5] = [
        ("accept", |listener, _| listener.accept().map(drop)),
        ("read", |_, mut connection| connection.read(&mut [0]).map(drop)),
        ("read_exact", |_, mut connection| connection.read_exact(&mut [0])),
        ("read, timeout", |_, mut connection| {
            connection.set_read_timeout(Some(Duration::from_secs(60)))?;
            connection.read(&mut [0]).map(drop)
        }),
        ("epoll_wait", |_, connection| {
            let epoll = Epoll::new(EpollCreateFlags::empty())?;
            epoll.add(connection, EpollEvent::new(EpollFlags::EPOLLIN, 0))?;
            Ok(epoll.wait(&mut [EpollEvent::empty()], EpollTimeout::NONE).map(drop)?)
        }),
    ];
    println!("                SA_RESTART  without   SIGSTOP, SIGCONT");
    for (name, call) in calls {
        print!("{name:<13} = ");
        for (flags, signal, width) in [
            (SaFlags::SA_RESTART, Signal::SIGUSR1, 12),
            (SaFlags::empty(), Signal::SIGUSR1, 10),
            (SaFlags::empty(), Signal::SIGSTOP, 0),
        ] {
            print!("{:<width$}", interrupt(call, flags, signal)?);
        }
        println!();
    }
    Ok(())
}

/// Has a child make `call`, sends it `signal` meanwhile, and then what the call waits for.
fn interrupt(call: Call, flags: SaFlags, signal: Signal) -> io::Result<&'static str> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let addr = listener.local_addr()?;
    let mut client = TcpStream::connect(addr)?;
    let (connection, _) = listener.accept()?;
    dispose(Signal::SIGUSR1, SigHandler::Handler(count::<0>), flags)?;
    let child = child(|| {
        let failed = match call(&listener, &connection) {
            Ok(()) => return,
            Err(error) => error.kind() != ErrorKind::Interrupted,
        };
        // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
        unsafe { libc::_exit(if failed { 2 } else { 1 }) }
    })?;
    wait_until("a child that waits", || (state(child) == "S").then_some(()))?;
    kill(child, signal)?;
    if signal == Signal::SIGSTOP {
        wait_until("a child that is stopped", || (state(child) == "T").then_some(()))?;
        kill(child, Signal::SIGCONT)?;
    }
    wait_until("a child that has taken the signal", || (!pending(child)).then_some(()))?;
    client.write_all(b"x")?;
    let _newcomer = TcpStream::connect(addr)?;
    Ok(match waitpid(child, None)? {
        WaitStatus::Exited(_, 0) => "restarts",
        WaitStatus::Exited(_, 1) => "EINTR",
        _ => "fails",
    })
}

/// Whether a signal has been sent to `process` and not been delivered.
fn pending(process: Pid) -> bool {
    let status = Process::new(process.as_raw()).and_then(|it| it.status());
    status.is_ok_and(|it| it.sigpnd | it.shdpnd != 0)
}
