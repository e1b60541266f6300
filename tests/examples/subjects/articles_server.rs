//! The article's two servers in Rust, with their mistakes:
//!
//! - The listener has no SO_REUSEADDR.
//! - Lines for the log wait in a buffer that each child inherits and writes again.
//! - A message must be UTF-8, and no client may leave without `Bye`.
//! - What goes wrong in a child sends it back into the loop that accepts, as the article's
//!   `except` does, with a listener that it has closed.
//! - The second edition waits once per SIGCHLD, by a `while` that returns in its first turn, and
//!   takes a failure of waitpid for the end: in Python it is an exception that nobody catches.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, FromRawFd, IntoRawFd};
use std::thread::sleep;
use std::time::Duration;

use clap::ValueEnum;
use nix::sys::signal::{SaFlags, SigHandler, Signal};
use nix::sys::socket::accept;
use nix::unistd::{ForkResult, close, fork, getpid};

use crate::articles_listener;
use crate::common::{collect, die, dispose, leave};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Edition {
    /// Never waits
    First,
    /// Waits once per SIGCHLD
    Second,
}

pub(crate) fn run(edition: Edition, delay: u64, addr: SocketAddr) -> io::Result<()> {
    // std's own stdout writes line by line; this does what Python's does in front of a file.
    let stdout = io::stdout().as_fd().try_clone_to_owned()?;
    let mut log = BufWriter::new(File::from(stdout));
    // A bare number, as in Python: it can be used after it is closed.
    let listener = articles_listener(addr)?.into_raw_fd();
    if edition == Edition::Second {
        dispose(Signal::SIGCHLD, SigHandler::Handler(on_sigchld), SaFlags::SA_RESTART)?;
    }
    writeln!(log, "waiting for clients ...")?;
    loop {
        let accepted = accept(listener).map_err(|errno| {
            io::Error::other(format!("{} cannot accept: {}", getpid(), io::Error::from(errno)))
        })?;
        // SAFETY: accept has just returned it, so it is open and nobody else's.
        let connection = unsafe { TcpStream::from_raw_fd(accepted) };
        // SAFETY: the process has one thread, so the child inherits no lock that stays held.
        match unsafe { fork() } {
            Ok(ForkResult::Child) => {
                close(listener)?;
                match echo(&connection, Duration::from_millis(delay), &mut log) {
                    Ok(()) => {
                        log.flush()?;
                        leave(); // without a word to the connection: the kernel closes it
                    }
                    Err(error) => writeln!(log, "{error}")?,
                }
            }
            Ok(ForkResult::Parent { .. }) => drop(connection),
            Err(errno) => writeln!(log, "{errno}")?,
        }
    }
}

fn echo(mut connection: &TcpStream, delay: Duration, log: &mut impl Write) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let length = connection.read(&mut buffer)?; // 0 is end-of-file, and taken for a message
        let message = str::from_utf8(&buffer[..length]).map_err(io::Error::other)?;
        writeln!(log, "message: {message}")?;
        if message == "Bye" {
            return Ok(());
        }
        sleep(delay);
        connection.write_all(message.as_bytes())?;
    }
}

extern "C" fn on_sigchld(_signal: libc::c_int) {
    let child = collect();
    if child == -1 {
        die(b"subjects: waitpid: no child processes\n");
    }
    #[expect(clippy::never_loop, clippy::while_immutable_condition, reason = "the mistake")]
    while child > 0 {
        return;
    }
}
