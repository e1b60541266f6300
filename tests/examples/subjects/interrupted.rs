//! What a signal does to a call that waits. With SA_RESTART the kernel makes most calls again, but
//! none on a socket with a timeout, and never epoll_wait. std makes some again by itself.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SaFlags, SigHandler, Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use procfs::process::Process;

use crate::{child, dispose, state, wait_until};

/// A call that waits for something from the client.
type Call = fn(&TcpListener, &TcpStream) -> io::Result<()>;

pub(crate) fn run() -> io::Result<()> {
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
    dispose(Signal::SIGUSR1, SigHandler::Handler(do_nothing), flags)?;
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

extern "C" fn do_nothing(_signal: libc::c_int) {}

/// Whether a signal has been sent to `process` and not been delivered.
fn pending(process: Pid) -> bool {
    let status = Process::new(process.as_raw()).and_then(|it| it.status());
    status.is_ok_and(|it| it.sigpnd | it.shdpnd != 0)
}
