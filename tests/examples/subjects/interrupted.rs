//! What a signal does to a call that waits. With SA_RESTART the kernel makes most calls again, but
//! none on a socket with a timeout, and never epoll_wait. std makes some again by itself.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use client::poll;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use procfs::process::Process;

use crate::{child, state};

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
    io::stdout().flush()?; // or the child would have what is in the buffer
    let ((mut heard, tell), (mut answer, answers)) = (io::pipe()?, io::pipe()?);
    let child = child(|| {
        let action = SigAction::new(SigHandler::Handler(do_nothing), flags, SigSet::empty());
        // SAFETY: the handler does nothing.
        let ready = unsafe { sigaction(Signal::SIGUSR1, &action) }.is_ok();
        if ready && (&tell).write_all(b"r").is_ok() {
            let told = match call(&listener, &connection) {
                Ok(()) => b"o",
                Err(error) if error.kind() == ErrorKind::Interrupted => b"i",
                Err(_) => b"e",
            };
            let _ = (&answers).write_all(told);
        }
    })?;
    drop((tell, answers));
    heard.read_exact(&mut [0])?;
    see(|| "S" == state(child), "to wait")?;
    kill(child, signal)?;
    if signal == Signal::SIGSTOP {
        see(|| "T" == state(child), "to stop")?;
        kill(child, Signal::SIGCONT)?;
    }
    see(|| !pending(child), "to take the signal")?;
    client.write_all(b"x")?;
    let _newcomer = TcpStream::connect(addr)?;
    let mut told = [0];
    answer.read_exact(&mut told)?;
    waitpid(child, None)?;
    Ok(match &told {
        b"o" => "restarts",
        b"i" => "EINTR",
        _ => "fails",
    })
}

extern "C" fn do_nothing(_signal: libc::c_int) {}

fn see(look: impl Fn() -> bool, what: &str) -> io::Result<()> {
    poll::until(Duration::from_secs(30), || look().then_some(()))
        .ok_or_else(|| io::Error::other(format!("the child doesn't come {what}")))
}

/// Whether a signal has been sent to `process` and not been delivered.
fn pending(process: Pid) -> bool {
    let status = Process::new(process.as_raw()).and_then(|it| it.status());
    status.is_ok_and(|it| it.sigpnd | it.shdpnd != 0)
}
