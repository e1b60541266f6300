//! What the article says about the price of processes, and about its alternative.

use std::io::{self, Write};

use client::ps;
use harness::burst::Burst;
use harness::server::{ANYWHERE, HELLO, Launch};
use harness::{census, lessons, or_skip, syscall};
use nix::sys::resource::{Resource, getrlimit};

use crate::subject::{example, lesson, served};

/// A process is so expensive that a thousand of them, for a thousand clients, are unrealistic.
///
/// Verdict: opinion.
#[test]
fn c27_a_thousand_children_live_at_once_and_share_most_of_their_memory() {
    let server = lesson("lesson-03");
    if !may_open_thousands_of_files() {
        return;
    }
    let mut bursts = Vec::new();
    let mut own_share = 1.0;
    let mut table = "\nchildren  resident each  own share each  page tables each\n".to_owned();
    for (more, all) in [(1, 1), (9, 10), (90, 100), (900, 1_000)] {
        match Burst::connect(&server, more) {
            Ok(burst) => bursts.push(burst),
            Err(_) if server.log().stderr().contains("cannot fork") => {
                return harness::skip(format!("no {all} children may be had"));
            }
            Err(error) => panic!("{error}"),
        }
        let family = server.census().unwrap();
        assert_eq!(family.alive(), all, "{family}");
        let sums = census::memory(family.children.iter().map(|child| child.pid)).unwrap();
        let [resident, share, tables] = sums.map(|sum| sum / all as u64);
        table += &format!("{all:>8}  {resident:>9} KiB  {share:>10} KiB  {tables:>12} KiB\n");
        own_share = share as f64 / resident as f64;
    }
    let _ = io::stderr().write_all(table.as_bytes());
    assert!(own_share < 0.25, "{table}");
}

/// With a process for each client, each process still blocks inside.
///
/// Verdict: true.
#[test]
fn c28_the_parent_blocks_in_accept_and_each_child_in_recv() {
    let server = lesson("lesson-03");
    let Some(()) = or_skip(syscall::readable(server.pid())) else { return };
    let (_clients, children): (Vec<_>, Vec<_>) = (0..2).map(|_| served(&server)).unzip();
    syscall::wait_for_sleep_in(server.pid(), libc::SYS_accept4).unwrap();
    for child in children {
        syscall::wait_for_sleep_in(child, libc::SYS_recvfrom).unwrap();
    }
}

/// Multiplexing is about not blocking, concurrency about doing things at once: they are two things.
///
/// Verdict: true.
#[test]
fn c36_one_process_talks_to_a_thousand_clients_and_five_processes_work_at_once() {
    let multiplexer = example("subjects", "epoll-server", ANYWHERE).start().unwrap();
    if !may_open_thousands_of_files() {
        return;
    }
    let _clients = Burst::connect(&multiplexer, 1_000).unwrap();
    let family = multiplexer.census().unwrap();
    assert!(family.children.is_empty(), "{family}");
    assert_eq!(ps::stat(multiplexer.pid()).unwrap().num_threads, 1);

    // Five children in the midst of their work: all are heard before one of them answers.
    let forker = Launch::new(lessons::program("lesson-03").unwrap()).arg("--delay").arg("3600000");
    let forker = forker.arg(ANYWHERE.to_string()).start().unwrap();
    let clients = [(); 5].map(|()| forker.connect().unwrap());
    clients.iter().for_each(|client| client.send(HELLO).unwrap());
    forker.log().wait_for("received \"hello", 5);
    let family = forker.census().unwrap();
    assert_eq!(family.alive(), 5, "{family}");
}

/// Whether two tests may have a thousand clients each, side by side. Starting a server has raised
/// the soft limit as far as it may be.
fn may_open_thousands_of_files() -> bool {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if soft < 3_000 {
        harness::skip(format!("no more than {soft} files may be open here (ulimit -Hn)"));
    }
    soft >= 3_000
}
