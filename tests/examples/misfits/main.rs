//! Misfits: programs that whoever examines servers may be handed and must not stumble over. The
//! servers among them reap as lesson 3 does; what is odd about each is something else.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::{Parser, ValueEnum};
use common::{
    Never, accept, converse, echo, fork_each, fork_for, handle_sigchld, leave, listen, reap_all,
};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::unistd::{ForkResult, daemon, pause};

#[path = "../common/mod.rs"]
mod common;

/// Programs that are not the well-behaved echo server that was expected
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Which program
    name: Name,
    /// Address to listen on, as IP:PORT; port 0 picks a free one
    #[arg(default_value = "127.0.0.1:5555")]
    addr: SocketAddr,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// Ends at once, with a word on stderr and exit status 1
    ExitsAtOnce,
    /// Runs, but never listens
    NeverListens,
    /// Listens on another port of the same address
    ListensElsewhere,
    /// Binds the address for UDP only
    UdpOnly,
    /// Listens after a second
    ListensLate,
    /// Writes 2 MiB to stdout and stderr each before it listens, 128 KiB for each client
    FloodsOutput,
    /// Ignores SIGTERM and SIGINT
    IgnoresSigterm,
    /// Forks into the background: the process that was started ends with status 0
    Daemon,
    /// Asks again at once, and again, when accept is refused
    SpinsWhenRefused,
    /// Accepts and closes at once
    ClosesAtOnce,
    /// Accepts and reads, but never answers
    Mute,
    /// Answers in capital letters
    Upper,
    /// Says something before it is spoken to, then echoes
    Greets,
    /// Echoes whole lines only, and has never heard of Bye
    ReadsLines,
}

fn main() -> ExitCode {
    let Args { name, addr } = Args::parse();
    match run(name, addr) {
        Err(error) => common::complain(&format!("cannot serve on {addr}"), error),
    }
}

fn run(name: Name, addr: SocketAddr) -> Never {
    let shown = name.to_possible_value().expect("no name is hidden");
    let listen = |addr| listen(shown.get_name(), addr);
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
            ignore(Signal::SIGTERM)?;
            ignore(Signal::SIGINT)?;
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
    }
}

/// Lesson 3 in all but what it says to its clients.
fn serve(listener: TcpListener, talk: impl Fn(TcpStream)) -> Never {
    handle_sigchld(reap_all, SaFlags::SA_RESTART)?;
    fork_each(listener, talk)
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

fn ignore(signal: Signal) -> nix::Result<()> {
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: an ignored signal runs no code of ours.
    unsafe { sigaction(signal, &ignore) }.map(drop)
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
