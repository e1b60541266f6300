//! What the article says about the price of processes, and about its alternative.

use std::io::{self, Write};

use client::ps::{self, Family};
use harness::burst::{Burst, HELLO};
use harness::server::Launch;
use harness::{census, lessons, syscall};
use nix::sys::resource::{Resource, getrlimit};

use crate::kernel::child_of;
use crate::subject::{anywhere, lesson, subject};

/// A process is so expensive that a thousand of them, for a thousand clients, are unrealistic.
///
/// Verdict: opinion.
#[test]
fn c27_a_thousand_children_live_at_once_and_share_most_of_their_memory() {
    let server = lesson("lesson-03");
    if !may_open_thousands_of_files() {
        return;
    }
    let mut clients = Vec::new();
    let mut own_share = 1.0;
    let mut table = "\nchildren  resident each  own share each  page tables each\n".to_owned();
    for step in [1, 10, 100, 1_000] {
        while clients.len() < step {
            match server.greet() {
                Ok(client) => clients.push(client),
                Err(_) if server.log().stderr().contains("cannot fork") => {
                    return harness::skip(format!("{} children may be had", clients.len()));
                }
                Err(error) => panic!("{error}"),
            }
        }
        let family = server.census().unwrap();
        assert_eq!(family.alive(), step, "{family}");
        let sums = census::memory(family.children.iter().map(|child| child.pid)).unwrap();
        let [resident, share, tables] = sums.map(|sum| sum / step as u64);
        table += &format!("{step:>8}  {resident:>9} KiB  {share:>10} KiB  {tables:>12} KiB\n");
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
    if let Err(why) = syscall::readable(server.pid()) {
        return harness::skip(why);
    }
    let clients = [(); 2].map(|()| server.greet().unwrap());
    syscall::wait_for_sleep_in(server.pid(), libc::SYS_accept4).unwrap();
    for client in &clients {
        syscall::wait_for_sleep_in(child_of(&server, client), libc::SYS_recvfrom).unwrap();
    }
}

/// Multiplexing is about not blocking, concurrency about doing things at once: they are two things.
///
/// Verdict: true.
#[test]
fn c36_one_process_talks_to_a_thousand_clients_and_five_processes_work_at_once() {
    let multiplexer = subject("epoll-server").arg(anywhere().to_string()).start().unwrap();
    if !may_open_thousands_of_files() {
        return;
    }
    let _clients = Burst::connect(&multiplexer, 1_000).unwrap();
    let family = multiplexer.census().unwrap();
    assert!(family.children.is_empty(), "{family}");
    assert_eq!(ps::stat(multiplexer.pid()).unwrap().num_threads, 1);

    // Five children in the midst of their work, at one moment.
    let program = lessons::program("lesson-03").unwrap();
    let forker = Launch::new(program).arg("--delay").arg("60000").arg(anywhere().to_string());
    let forker = forker.start().unwrap();
    if let Err(why) = syscall::readable(forker.pid()) {
        return harness::skip(why);
    }
    let clients = [(); 5].map(|()| forker.connect().unwrap());
    clients.iter().for_each(|client| client.send(HELLO).unwrap());
    let at_work = |child: &ps::Process| {
        let call = syscall::sleeps_in(child.pid);
        matches!(call, Some(libc::SYS_clock_nanosleep | libc::SYS_nanosleep))
    };
    let all_five = |it: &Family| it.children.iter().filter(|child| at_work(child)).count() == 5;
    forker.wait_for("five children to work at once", all_five).unwrap();
}

/// Whether this process may have the clients of two tests open side by side, a thousand each.
/// Starting a server has raised the soft limit as far as it may be.
fn may_open_thousands_of_files() -> bool {
    let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    if soft < 3_000 {
        harness::skip(format!("no more than {soft} files may be open here (ulimit -Hn)"));
    }
    soft >= 3_000
}
