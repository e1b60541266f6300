//! When a signal is sent and what it interrupts, how handlers are called and what they leave behind.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use client::ps;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SaFlags, SigHandler, SigSet, Signal, kill, raise, signal};
use nix::sys::signalfd::SignalFd;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{dup2_stdout, getpid, pause, pipe, pipe2, write};
use procfs::process::Status;

use crate::common::{Handler, collect, dispose, leave_with};
use crate::{child, end, see_die, state, wait_until};

/// What a child can do to have its parent sent a SIGCHLD, whose `si_code`, sigaction(2), tells
/// which. And a wait that comes before leaves the signal where it is.
pub(crate) fn sigchld_causes() -> io::Result<()> {
    // Blocked, it waits until it is fetched, and none is lost: the next comes after the fetch.
    let sigchld = SigSet::from(Signal::SIGCHLD);
    sigchld.thread_block()?;
    let told = SignalFd::new(&sigchld)?;
    let child = child(pause)?;
    for signal in [Signal::SIGSTOP, Signal::SIGCONT, Signal::SIGKILL] {
        kill(child, signal)?;
        if signal == Signal::SIGKILL {
            waitpid(child, None)?;
            println!("waited for={}", state(child));
        }
        let cause = match told.read_signal()?.map(|info| info.ssi_code) {
            Some(libc::CLD_STOPPED) => "stopped",
            Some(libc::CLD_CONTINUED) => "continued",
            Some(libc::CLD_KILLED) => "killed",
            _ => "another",
        };
        println!("{signal}={cause}");
    }
    Ok(())
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
    let child = child(|| match call(&listener, &connection) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::Interrupted => leave_with(1),
        Err(_) => leave_with(2),
    })?;
    wait_until("a child that waits", || (state(child) == "S").then_some(()))?;
    kill(child, signal)?;
    if signal == Signal::SIGSTOP {
        wait_until("a child that is stopped", || (state(child) == "T").then_some(()))?;
        kill(child, Signal::SIGCONT)?;
    }
    wait_until("a child that has taken the signal", || {
        ps::status(child.as_raw()).ok().filter(|it| it.sigpnd | it.shdpnd == 0)
    })?;
    client.write_all(b"x")?;
    let _newcomer = TcpStream::connect(addr)?;
    Ok(match waitpid(child, None)? {
        WaitStatus::Exited(_, 0) => "restarts",
        WaitStatus::Exited(_, 1) => "EINTR",
        _ => "fails",
    })
}

/// A call fails, a handler runs, and only then the program asks why the call has failed. A handler
/// that reaps in a loop leaves its own ECHILD in errno, unless it puts back what it found.
pub(crate) fn errno_in_handler() -> io::Result<()> {
    let sigchld = SigSet::from(Signal::SIGCHLD);
    let handlers: [(&str, Handler); 2] = [("careless", careless), ("careful", careful)];
    for (name, handler) in handlers {
        dispose(Signal::SIGCHLD, SigHandler::Handler(handler), SaFlags::SA_RESTART)?;
        sigchld.thread_block()?;
        see_die(child(|| {})?)?; // so the signal is pending
        // SAFETY: there is no descriptor -1 to close.
        unsafe { libc::close(-1) };
        sigchld.thread_unblock()?; // the handler runs here, and the call itself doesn't fail
        println!("{name}={:?}", Errno::last());
    }
    Ok(())
}

extern "C" fn careless(_signal: libc::c_int) {
    while collect() > 0 {}
}

/// As lesson 3 does it.
pub(crate) extern "C" fn careful(signal: libc::c_int) {
    let errno = Errno::last_raw();
    careless(signal);
    Errno::set_raw(errno);
}

static ONE: AtomicI32 = AtomicI32::new(0);
static THREE: AtomicI32 = AtomicI32::new(0);
static SENDER: AtomicI32 = AtomicI32::new(0);

extern "C" fn one(signal: libc::c_int) {
    ONE.store(signal, Relaxed);
}

extern "C" fn three(signal: libc::c_int, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    THREE.store(signal, Relaxed);
    // SAFETY: with SA_SIGINFO the kernel passes a siginfo; one sent by raise(3) has a sender.
    SENDER.store(unsafe { (*info).si_pid() }, Relaxed);
}

/// Handlers with one parameter and with three; and whether that of signal(2) has SA_RESTART.
pub(crate) fn handler_shapes() -> io::Result<()> {
    dispose(Signal::SIGUSR1, SigHandler::Handler(one), SaFlags::empty())?;
    dispose(Signal::SIGUSR2, SigHandler::SigAction(three), SaFlags::SA_SIGINFO)?;
    raise(Signal::SIGUSR1)?;
    raise(Signal::SIGUSR2)?;
    println!("one={}\nthree={}", ONE.load(Relaxed), THREE.load(Relaxed));
    println!("me={}\nsender={}", getpid(), SENDER.load(Relaxed));

    // SAFETY: the handler only stores to an atomic.
    unsafe { signal(Signal::SIGUSR1, SigHandler::Handler(one)) }?;
    let installed = dispose(Signal::SIGUSR1, SigHandler::SigDfl, SaFlags::empty())?;
    println!("restarts={}", installed.flags().contains(SaFlags::SA_RESTART));
    Ok(())
}

static CALLS: [AtomicU32; 2] = [const { AtomicU32::new(0) }; 2];

/// Two handlers that count how often they are called.
extern "C" fn count<const WHICH: usize>(_signal: libc::c_int) {
    CALLS[WHICH].fetch_add(1, Relaxed);
}

/// A handler for SIGCHLD that is installed late: of the death before it nobody is told, and that
/// child stays a zombie until somebody looks. A second handler in its place is told from then on.
pub(crate) fn late_handler() -> io::Result<()> {
    let early = child(|| {})?;
    see_die(early)?;
    dispose(Signal::SIGCHLD, SigHandler::Handler(count::<0>), SaFlags::SA_RESTART)?;
    let told = |handler: usize| CALLS[handler].load(Relaxed);
    println!("early.told={}\nearly.state={}", told(0), state(early));

    // A signal is sent before the death can be seen, and delivered before the call returns.
    see_die(child(|| {})?)?;
    println!("later.told={}", told(0));

    dispose(Signal::SIGCHLD, SigHandler::Handler(count::<1>), SaFlags::SA_RESTART)?;
    see_die(child(|| {})?)?;
    println!("last.told_first={}\nlast.told_second={}", told(0), told(1));

    let swept = std::iter::repeat_with(collect).take_while(|child| *child > 0).count();
    println!("swept={swept}\nearly.after={}", state(early));
    Ok(())
}

static LOCK: Mutex<()> = Mutex::new(());
static PIPE: OnceLock<(OwnedFd, OwnedFd)> = OnceLock::new();

/// What the code that a handler interrupts may hold: stdout's buffer, a lock, a pipe that is full.
pub(crate) fn in_a_handler() -> io::Result<()> {
    show("println!", print, print_on)?;
    show("lock", lock, while_locked)?;
    show("try_lock", try_lock, while_locked)?;
    show("write, full pipe", byte, || fill(OFlag::empty()))?;
    show("same with O_NONBLOCK", byte, || fill(OFlag::O_NONBLOCK))
}

/// Tells how a child fares in whose `work` the `handler` runs.
fn show(name: &str, handler: Handler, work: fn()) -> io::Result<()> {
    let child = child(|| {
        std::panic::set_hook(Box::new(|_| {})); // what it dies of is told below
        let _ = setrlimit(Resource::RLIMIT_CORE, 0, 0);
        let _ = dispose(Signal::SIGUSR1, SigHandler::Handler(handler), SaFlags::empty());
        work();
    })?;
    let in_handler = |it: Status| it.sigblk & client::signals::bit(libc::SIGUSR1) != 0;
    let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    let fate = wait_until("what becomes of it", || match waitid(Id::Pid(child), look) {
        Ok(WaitStatus::Exited(..)) => Some("returns".to_owned()),
        Ok(WaitStatus::Signaled(_, signal, _)) => Some(format!("the process dies: {signal}")),
        _ if state(child) != "S" => None,
        // The signal is blocked for as long as its handler runs.
        _ if ps::status(child.as_raw()).is_ok_and(in_handler) => Some("never returns".to_owned()),
        _ => kill(child, Signal::SIGUSR1).err().map(|errno| errno.to_string()), // while it works
    });
    end(child)?;
    println!("{name:<20} = {}", fate?);
    Ok(())
}

/// Prints until nobody takes it any more, and so is interrupted in the middle of a line.
fn print_on() {
    let Ok((_reader, writer)) = pipe() else { return };
    while dup2_stdout(&writer).is_ok() {
        println!("on and on");
    }
}

extern "C" fn print(_signal: libc::c_int) {
    println!();
}

fn while_locked() {
    let _guard = LOCK.lock();
    let _ = raise(Signal::SIGUSR1);
}

extern "C" fn lock(_signal: libc::c_int) {
    drop(LOCK.lock());
}

extern "C" fn try_lock(_signal: libc::c_int) {
    drop(LOCK.try_lock());
}

/// Signals until the pipe is full, and once more.
fn fill(flags: OFlag) {
    let Ok(pipe) = pipe2(flags) else { return };
    // A page, if it may: less than the default of 16.
    let _ = fcntl(&pipe.1, FcntlArg::F_SETPIPE_SZ(4096));
    let size = fcntl(&pipe.1, FcntlArg::F_GETPIPE_SZ).unwrap_or(0);
    let _ = PIPE.set(pipe);
    for _ in 0..=size {
        let _ = raise(Signal::SIGUSR1);
    }
}

extern "C" fn byte(_signal: libc::c_int) {
    let errno = Errno::last_raw();
    if let Some((_, writer)) = PIPE.get() {
        let _ = write(writer, b"c");
    }
    Errno::set_raw(errno);
}
