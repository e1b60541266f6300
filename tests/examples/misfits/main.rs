//! Misfits: programs that an examiner of servers may be handed and must not stumble over. The
//! servers in this file reap as lesson 3 does; what is odd about each is something else.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use common::{
    Never, accept, answer, bare_listener, dispose, echo, handle_sigchld, listen, reap_all,
    serve_in_child, serve_with,
};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SaFlags, SigHandler, Signal};
use nix::sys::socket::Backlog;
use nix::unistd::{daemon, pause};

mod children;
#[path = "../common/mod.rs"]
mod common;
mod shape;
mod talk;

/// Programs that are not the well-behaved echo server that was expected
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Which program
    name: String,
    /// Address to listen on, as IP:PORT; port 0 picks a free one
    #[arg(default_value = "127.0.0.1:5555")]
    addr: SocketAddr,
}

fn main() -> ExitCode {
    let Args { name, addr } = Args::parse();
    match run(&name, addr) {
        Err(error) => common::complain(&format!("cannot serve on {addr}"), error),
    }
}

fn run(name: &str, mut addr: SocketAddr) -> Never {
    dispose(Signal::SIGCHLD, SigHandler::SigDfl, SaFlags::empty())?; // our parent may have ignored it
    match name {
        "exits-at-once" => return Err(io::Error::other("its configuration is missing")),
        "udp-only" => {
            let _socket = UdpSocket::bind(addr)?;
            sleep_on()
        }
        "listens-elsewhere" => addr.set_port(0),
        "listens-late" => sleep(Duration::from_secs(1)),
        "floods-output" => flood(2 << 20),
        "daemon" => daemon(false, true)?, // stdout and stderr stay, for the log
        "no-reuse" => return serve(bare_listener(addr, Backlog::MAXCONN)?, echo),
        _ => {}
    }
    serve_as(name, listen(name, addr)?)
}

fn serve_as(name: &str, listener: TcpListener) -> Never {
    const A_WHILE: Duration = Duration::from_millis(700);
    match name {
        "listens-elsewhere" | "listens-late" | "daemon" => serve(listener, echo),
        "floods-output" => serve(listener, |connection| {
            flood(128 << 10);
            echo(connection);
        }),
        // Asks again at once, and again, when accept is refused
        "spins-when-refused" => {
            handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
            loop {
                let Ok((connection, _)) = listener.accept() else { continue };
                serve_in_child(&listener, connection, echo);
            }
        }
        "closes-at-once" => loop {
            drop(accept(&listener));
        },
        "lingers" => serve(listener, |connection| {
            echo(connection);
            sleep(A_WHILE);
        }),
        "starts-late" => serve(listener, |connection| {
            sleep(A_WHILE);
            echo(connection);
        }),
        "other-user" => serve(listener, |connection| {
            shape::become_nobody();
            echo(connection);
        }),
        "mute" => serve(listener, |connection| drop(answer(connection, |_| Vec::new()))),
        "reads-lines" => serve(listener, talk::echo_lines), // and has never heard of Bye
        "farewell" => serve(listener, talk::farewell),
        "banner" => serve(listener, talk::banner),
        "prefix" => serve(listener, talk::prefix),
        "one-answer" => serve(listener, talk::one_answer),
        "one-shot-handler" => children::one_shot_handler(listener),
        "stays-blocked" => children::stays_blocked(&listener),
        "no-unblock" => children::no_unblock(listener),
        "lost-wake-up" => children::lost_wake_up(&listener),
        "at-most" => children::looks_late(&listener, 4),
        // Its handler reaps twenty per signal, and no more
        "bounded-loop" => serve_with(children::reap_some, listener, echo),
        "helper-each-50-ms" => children::helper_on_a_timer(&listener, Duration::from_millis(50)),
        "helper-each-second" => children::helper_on_a_timer(&listener, Duration::from_secs(1)),
        "looks-late" => children::looks_late(&listener, usize::MAX),
        "starts-cat" => children::starts_cat(&listener),
        "leaves-orphans" => children::leaves_orphans(listener),
        "late-helper" => shape::late_helper(listener),
        "pool" => shape::pool(&listener, 4, u64::MAX),
        "pool-of-one" => shape::pool(&listener, 24, 1),
        "pool-never-reaps" => shape::pool_never_reaps(&listener),
        "leader-leaves" => shape::leader_leaves(listener),
        "supervised-leaks" => shape::supervised(listener, false),
        "supervised-reaps" => shape::supervised(listener, true),
        "sheds-load" => shape::sheds_load(&listener),
        _ => Err(io::Error::other(format!("there is no misfit {name}"))),
    }
}

/// Lesson 3 in all but what it says to its clients.
fn serve(listener: TcpListener, talk: impl Fn(TcpStream)) -> Never {
    serve_with(reap_all, listener, talk)
}

fn sleep_on() -> ! {
    loop {
        pause();
    }
}

/// Whether a client comes within that time, `None` for ever. A handler that runs ends it sooner.
fn comes(listener: &TcpListener, within: Option<Duration>) -> bool {
    let timeout = within.map_or(PollTimeout::NONE, |it| it.try_into().unwrap_or(PollTimeout::MAX));
    let mut ends = [PollFd::new(listener.as_fd(), PollFlags::POLLIN)];
    poll(&mut ends, timeout).is_ok_and(|ready| ready > 0)
}

/// Writes `length` bytes to stdout and as many to stderr. A pipe holds 64 KiB, pipe(7): if
/// nobody reads, this blocks for ever.
fn flood(length: usize) {
    let lines = "all work and no play\n".repeat(length.div_ceil(21));
    let _ = io::stdout().write_all(lines.as_bytes()); // lost, not fatal
    let _ = io::stderr().write_all(lines.as_bytes());
}
