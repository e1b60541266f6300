//! Programs for statements about fork, wait and signals: each is short, does one thing, and tells
//! what the kernel made of it in lines of `name=value`.
//!
//! The servers among them make a mistake that no lesson makes, or do without a fork for each client.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::process::exit;
use std::time::Duration;

use clap::Parser;
use client::{poll, ps};
use common::{bare_listener, child};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::Backlog;
use nix::sys::wait::{Id, WaitPidFlag, waitid, waitpid};
use nix::unistd::Pid;

#[path = "../common/mod.rs"]
mod common;

mod articles_server;
mod forks;
mod parents;
mod pidfd_copied;
mod servers;
mod signals;
mod waits;

/// Short programs that show what the kernel does, one thing each
#[derive(Parser)]
#[command(version)]
enum Subject {
    /// The article's two servers, with their mistakes
    ArticlesServer {
        /// Which of the two
        edition: articles_server::Edition,
        /// Milliseconds to wait before each echo
        delay: u64,
        #[command(flatten)]
        at: At,
    },
    /// One process and one thread for all clients
    EpollServer(At),
    /// A handler that spoils errno for the code that it interrupts, and one that doesn't
    ErrnoInHandler,
    /// A child that waits for a lock that nobody is left to unlock
    ForkWithThreads,
    /// A handler with one parameter and one with three
    HandlerShapes,
    /// What a handler may do to the code that it interrupts, and what not
    InAHandler,
    /// Which calls go on after a signal, and which fail
    Interrupted,
    /// A handler that is installed after the first death, and replaced after the second
    LateHandler,
    /// A child that stays a zombie until its parent waits
    LateWait,
    /// A child that leaves by exit, and one that leaves by _exit, in the middle of a line
    LeaveTwice,
    /// What nix makes of a child that a real-time signal has killed
    NixStatus,
    /// Three ways to have children and leave no zombie without waiting
    NobodyWaits,
    /// A server that doesn't fork, with a backlog of five
    OneAtATime(At),
    /// A child that panics, and one that catches it
    PanicInChild,
    /// A parent with a zombie that stays
    Parent { reason: parents::Reason },
    /// A server with a pidfd for each child, of all of which each child gets a copy
    PidfdCopied(At),
    /// A server that forks its children before there are clients
    Prefork {
        /// How many children
        workers: usize,
        #[command(flatten)]
        at: At,
    },
    /// Five children that die in the reverse order of their birth
    ReapOrder,
    /// What a child can do to have its parent sent a SIGCHLD
    SigchldCauses,
    /// A library's wait for the program that it has started
    StartsAProgram {
        /// Is executed by a process that ignores SIGCHLD
        #[arg(long)]
        ignored: bool,
        /// Has lesson 3's handler in the process
        #[arg(long)]
        reaps: bool,
    },
    /// A stand-in for PID 1: runs a program and waits for its orphans
    Subreaper {
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// A server with a thread for each client
    ThreadEach(At),
    /// When wait and waitpid block, when they don't, and whom they pick
    WaitOrNot,
}

#[derive(clap::Args)]
struct At {
    /// Address to listen on, as IP:PORT
    addr: SocketAddr,
}

fn main() {
    let done = match Subject::parse() {
        Subject::ArticlesServer { edition, delay, at } => {
            articles_server::run(edition, delay, at.addr)
        }
        Subject::EpollServer(At { addr }) => servers::epoll_server(addr),
        Subject::ErrnoInHandler => signals::errno_in_handler(),
        Subject::ForkWithThreads => forks::fork_with_threads(),
        Subject::HandlerShapes => signals::handler_shapes(),
        Subject::InAHandler => signals::in_a_handler(),
        Subject::Interrupted => signals::interrupted(),
        Subject::LateHandler => signals::late_handler(),
        Subject::LateWait => waits::late_wait(),
        Subject::LeaveTwice => forks::leave_twice(),
        Subject::NixStatus => waits::nix_status(),
        Subject::NobodyWaits => waits::nobody_waits(),
        Subject::OneAtATime(At { addr }) => servers::one_at_a_time(addr),
        Subject::PanicInChild => forks::panic_in_child(),
        Subject::Parent { reason } => parents::run(reason),
        Subject::PidfdCopied(At { addr }) => pidfd_copied::run(addr),
        Subject::Prefork { workers, at } => servers::prefork(workers, at.addr),
        Subject::ReapOrder => waits::reap_order(),
        Subject::SigchldCauses => signals::sigchld_causes(),
        Subject::StartsAProgram { ignored, reaps } => waits::starts_a_program(ignored, reaps),
        Subject::Subreaper { command } => waits::subreaper(&command),
        Subject::ThreadEach(At { addr }) => servers::thread_each(addr),
        Subject::WaitOrNot => waits::wait_or_not(),
    };
    if let Err(error) = done {
        eprintln!("subjects: {error}");
        exit(1);
    }
}

/// Waits until `child` is dead, and leaves it to be collected.
fn see_die(child: Pid) -> nix::Result<()> {
    waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).map(drop)
}

/// Kills `child` and collects it.
fn end(child: Pid) -> nix::Result<()> {
    kill(child, Signal::SIGKILL)?;
    waitpid(child, None).map(drop)
}

/// The state letter of a process in proc(5), or `gone`.
fn state(process: Pid) -> String {
    ps::state(process.as_raw()).map_or("gone".to_owned(), String::from)
}

/// Looks until `look` finds what is waited for.
fn wait_until<T>(what: &str, look: impl FnMut() -> Option<T>) -> io::Result<T> {
    let found = poll::until(Duration::from_secs(30), look);
    found.ok_or_else(|| io::Error::other(format!("waited in vain for {what}")))
}

/// A listener like the article's, with its backlog of five.
fn articles_listener(addr: SocketAddr) -> nix::Result<TcpListener> {
    bare_listener(addr, Backlog::new(5)?)
}
