//! A gallery of wrong fixes: fork servers that look right, each with one mistake that people really
//! make, and a few servers that don't fork at all. docs/wrong-fixes.md tells why each looks right.

use std::net::{SocketAddr, TcpListener};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use common::Never;

mod blocking_loop;
mod child_keeps_listener;
#[path = "../common/mod.rs"]
mod common;
mod counts_signals;
mod dies_of_eintr;
mod double_fork;
mod exit_on_echild;
mod forgotten_middle;
mod ignore;
mod ignore_and_wait;
mod ignores_end_of_file;
mod iterative;
mod kills_zombies;
mod mutex_in_handler;
mod one_waitpid;
mod parent_keeps_connection;
mod poll;
mod prints_in_handler;
mod reap_before_accept;
mod sigwait_thread;
mod spinning_loop;
mod stops_at_odd_status;
mod threads;
mod wait_after_fork;
mod while_return;

/// Echo servers that are wrong in one way each
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Which server
    name: Name,
    /// Address to listen on, as IP:PORT; port 0 picks a free one
    #[arg(default_value = "127.0.0.1:5555")]
    addr: SocketAddr,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Name {
    /// Waits once per SIGCHLD: deaths that share a signal leave zombies
    OneWaitpid,
    /// The article's: a loop that returns in its first round, so it waits once per SIGCHLD
    WhileReturn,
    /// Counts signals and waits that often: deaths that share a signal count once
    CountsSignals,
    /// A thread takes SIGCHLD with sigwait and waits once: deaths that share a signal leave zombies
    SigwaitThread,
    /// Sends each zombie a SIGKILL, which does nothing
    KillsZombies,
    /// Loops on wait() without WNOHANG: the handler blocks as long as a child lives
    BlockingLoop,
    /// Loops until waitpid fails: with WNOHANG it spins in the handler as long as a child lives
    SpinningLoop,
    /// Ends when waitpid fails: a SIGCHLD from somebody else ends it
    ExitOnEchild,
    /// Its loop ends early at a child that died of a signal without a name in nix
    StopsAtOddStatus,
    /// No handler: reaps twice a second, so zombies stay up to half a second
    Poll,
    /// No handler: reaps before each accept, so zombies stay until the next client comes
    ReapBeforeAccept,
    /// Waits for each child right after the fork: one client after the other
    WaitAfterFork,
    /// Prints in its handler: aborts when that interrupts a print
    PrintsInHandler,
    /// Takes a lock in its handler: hangs when that interrupts the code that holds it
    MutexInHandler,
    /// Its handler interrupts accept, and it ends at that error: the first death ends it
    DiesOfEintr,
    /// The parent keeps its copy of each connection: no client reads end-of-file
    ParentKeepsConnection,
    /// The children keep their copy of the listener: no restart while one of them lives
    ChildKeepsListener,
    /// The children don't know end-of-file: a client that leaves without Bye leaves one behind
    IgnoresEndOfFile,
    /// Ignores SIGCHLD: no zombies, and no way to learn how a child ended
    Ignore,
    /// Ignores SIGCHLD and also waits: one client after the other
    IgnoreAndWait,
    /// Forks twice and doesn't wait for the child in between: a zombie for each client
    ForgottenMiddle,
    /// Forks twice, so that others reap: the server doesn't know its own children
    DoubleFork,
    /// Doesn't fork: one client after the other
    Iterative,
    /// Doesn't fork: a thread for each connection
    Threads,
}

fn main() -> ExitCode {
    let Args { name, addr } = Args::parse();
    let server: fn(TcpListener) -> Never = match name {
        Name::OneWaitpid => one_waitpid::serve,
        Name::WhileReturn => while_return::serve,
        Name::BlockingLoop => blocking_loop::serve,
        Name::ExitOnEchild => exit_on_echild::serve,
        Name::StopsAtOddStatus => stops_at_odd_status::serve,
        Name::Poll => poll::serve,
        Name::ReapBeforeAccept => reap_before_accept::serve,
        Name::WaitAfterFork => wait_after_fork::serve,
        Name::DiesOfEintr => dies_of_eintr::serve,
        Name::ParentKeepsConnection => parent_keeps_connection::serve,
        Name::ChildKeepsListener => child_keeps_listener::serve,
        Name::IgnoresEndOfFile => ignores_end_of_file::serve,
        Name::KillsZombies => kills_zombies::serve,
        Name::SpinningLoop => spinning_loop::serve,
        Name::CountsSignals => counts_signals::serve,
        Name::SigwaitThread => sigwait_thread::serve,
        Name::PrintsInHandler => prints_in_handler::serve,
        Name::MutexInHandler => mutex_in_handler::serve,
        Name::ForgottenMiddle => forgotten_middle::serve,
        Name::IgnoreAndWait => ignore_and_wait::serve,
        Name::Ignore => ignore::serve,
        Name::DoubleFork => double_fork::serve,
        Name::Iterative => iterative::serve,
        Name::Threads => threads::serve,
    };
    let shown = name.to_possible_value().expect("no name is hidden");
    let listener = match common::listen(shown.get_name(), addr) {
        Ok(listener) => listener,
        Err(error) => return common::complain(&format!("cannot listen on {addr}"), error),
    };
    match server(listener) {
        Err(error) => common::complain("cannot go on", error),
    }
}
