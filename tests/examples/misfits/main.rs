//! Misfits: programs that whoever examines servers may be handed and must not stumble over. The
//! servers in this file reap as lesson 3 does; what is odd about each is something else.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use common::{
    Never, accept, converse, echo, fork_each, fork_for, handle_sigchld, leave, listen, reap_all,
};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{ForkResult, Pid, close, daemon, pause};

use crate::name::Name;

mod children;
#[path = "../common/mod.rs"]
mod common;
mod name;
mod shape;
mod talk;

/// Programs that are not the well-behaved echo server that was expected
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Which program
    name: Name,
    /// Address to listen on, as IP:PORT; port 0 picks a free one
    #[arg(default_value = "127.0.0.1:5555")]
    addr: SocketAddr,
    /// Milliseconds, or how many, for those that take a number
    number: Option<u64>,
}

fn main() -> ExitCode {
    let Args { name, addr, number } = Args::parse();
    match run(name, addr, number) {
        Err(error) => common::complain(&format!("cannot serve on {addr}"), error),
    }
}

fn run(name: Name, addr: SocketAddr, number: Option<u64>) -> Never {
    let shown = name.to_possible_value().expect("no name is hidden");
    let listen = |addr| listen(shown.get_name(), addr);
    let many = |default| number.unwrap_or(default);
    let ms = |default| Duration::from_millis(many(default));
    match name {
        Name::ExitsAtOnce => Err(io::Error::other("its configuration is missing")),
        Name::NeverListens => loop {
            pause();
        },
        Name::ListensElsewhere => serve(listen(SocketAddr::new(addr.ip(), 0))?, echo),
        Name::UdpOnly => echo_datagrams(&UdpSocket::bind(addr)?),
        Name::ListensLate => {
            sleep(Duration::from_secs(1));
            serve(listen(addr)?, echo)
        }
        Name::FloodsOutput => {
            flood(2 << 20);
            serve(listen(addr)?, |connection| {
                flood(128 << 10);
                echo(connection);
            })
        }
        Name::IgnoresSigterm => {
            dispose(Signal::SIGTERM, SigHandler::SigIgn)?;
            dispose(Signal::SIGINT, SigHandler::SigIgn)?;
            serve(listen(addr)?, echo)
        }
        Name::Daemon => {
            daemon(false, true)?; // stdout and stderr stay, for the log
            serve(listen(addr)?, echo)
        }
        Name::SpinsWhenRefused => {
            handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
            let listener = listen(addr)?;
            loop {
                let Ok((connection, _)) = listener.accept() else { continue };
                if let Some(ForkResult::Child) = fork_for(&connection) {
                    drop(listener);
                    echo(connection);
                    leave();
                }
            }
        }
        Name::ClosesAtOnce => {
            let listener = listen(addr)?;
            loop {
                drop(accept(&listener));
            }
        }
        Name::Mute => serve(listen(addr)?, |connection| converse(connection, |_| Vec::new())),
        Name::Upper => {
            serve(listen(addr)?, |connection| converse(connection, <[u8]>::to_ascii_uppercase))
        }
        Name::Greets => serve(listen(addr)?, |mut connection| {
            let _ = connection.write_all(b"Hello, stranger!\n"); // who is gone will be noticed soon
            echo(connection);
        }),
        Name::ReadsLines => serve(listen(addr)?, echo_lines),
        Name::OneShotHandler => children::one_shot_handler(listen(addr)?),
        Name::StaysBlocked => children::stays_blocked(&listen(addr)?),
        Name::NoUnblock => children::no_unblock(listen(addr)?),
        Name::LostWakeUp => children::lost_wake_up(&listen(addr)?, ms(20)),
        Name::AtMost => children::at_most(&listen(addr)?, many(4)),
        Name::BoundedLoop => children::bounded_loop(listen(addr)?, many(20)),
        Name::HelperOnATimer => children::helper_on_a_timer(&listen(addr)?, ms(1000)),
        Name::LooksLate => children::looks_late(&listen(addr)?, ms(50)),
        Name::StartsCat => children::starts_cat(&listen(addr)?),
        Name::LeavesOrphans => children::leaves_orphans(listen(addr)?),
        Name::LateHelper => shape::late_helper(listen(addr)?, number.map(Duration::from_millis)),
        Name::Pool => shape::pool(&listen(addr)?, many(4), u64::MAX),
        Name::PoolNeverReaps => shape::pool_never_reaps(&listen(addr)?, many(4)),
        Name::PoolOfOne => shape::pool(&listen(addr)?, many(24), 1),
        Name::LeaderLeaves => shape::leader_leaves(listen(addr)?),
        Name::SupervisedLeaks => shape::supervised(listen(addr)?, false),
        Name::SupervisedReaps => shape::supervised(listen(addr)?, true),
        Name::NoReuse => serve(shape::without_reuse(shown.get_name(), addr)?, echo),
        Name::ShedsLoad => shape::sheds_load(listen(addr)?),
        Name::OtherUser => serve(listen(addr)?, |connection| {
            shape::become_nobody();
            echo(connection);
        }),
        Name::Lingers => serve(listen(addr)?, |connection| {
            echo(connection);
            sleep(ms(7000));
        }),
        Name::StartsLate => serve(listen(addr)?, |connection| {
            sleep(ms(12000));
            echo(connection);
        }),
        Name::Farewell => serve(listen(addr)?, talk::farewell),
        Name::Banner => serve(listen(addr)?, talk::banner),
        Name::Prefix => serve(listen(addr)?, talk::prefix),
        Name::OneAnswer => serve(listen(addr)?, talk::one_answer),
    }
}

/// Lesson 3 in all but what it says to its clients.
fn serve(listener: TcpListener, talk: impl Fn(TcpStream)) -> Never {
    handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
    fork_each(listener, talk)
}

/// Accepts one client and forks a child for it. `None` if there can't be one.
fn serve_next(listener: &TcpListener) -> Option<Pid> {
    let connection = accept(listener);
    match fork_for(&connection)? {
        ForkResult::Child => {
            let _ = close(listener.as_raw_fd()); // the child never comes back to it
            echo(connection);
            leave();
        }
        ForkResult::Parent { child } => Some(child),
    }
}

/// Whether a client comes within that time, `None` for ever. A handler that runs ends it sooner.
fn comes(listener: &TcpListener, within: Option<Duration>) -> bool {
    let mut poll = libc::pollfd { fd: listener.as_raw_fd(), events: libc::POLLIN, revents: 0 };
    let ms = within.map_or(-1, |it| it.as_millis().try_into().unwrap_or(libc::c_int::MAX));
    // SAFETY: the pointer is that of one pollfd, which outlives the call.
    unsafe { libc::poll(&raw mut poll, 1, ms) > 0 }
}

/// Waits for that child, -1 for any, and returns its pid: -1 when there is none.
fn wait_for(child: libc::pid_t) -> libc::pid_t {
    // SAFETY: a null status is allowed.
    unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }
}

fn echo_datagrams(socket: &UdpSocket) -> Never {
    let mut buffer = [0; 1024];
    loop {
        let (length, client) = socket.recv_from(&mut buffer)?;
        socket.send_to(&buffer[..length], client)?;
    }
}

/// Writes `length` bytes to stdout and as many to stderr. A pipe holds 64 KiB, pipe(7): if
/// nobody reads, this blocks for ever.
fn flood(length: usize) {
    let lines = "all work and no play\n".repeat(length.div_ceil(21));
    let _ = io::stdout().write_all(lines.as_bytes()); // lost, not fatal
    let _ = io::stderr().write_all(lines.as_bytes());
}

/// Neither blocks nor unblocks the signal. A handler must keep to what signal-safety(7) lists.
fn dispose(signal: Signal, how: SigHandler) -> nix::Result<()> {
    let action = SigAction::new(how, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the one handler here, reap_all, calls only functions that signal-safety(7) lists.
    unsafe { sigaction(signal, &action) }.map(drop)
}

/// What is left without an end of line when the client has closed its side is echoed as it is.
fn echo_lines(connection: TcpStream) {
    let mut line = Vec::new();
    let mut lines = BufReader::new(&connection);
    while let Ok(1..) = lines.read_until(b'\n', &mut line) {
        if (&connection).write_all(&line).is_err() {
            break;
        }
        line.clear();
    }
}
