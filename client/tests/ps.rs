//! What is read from /proc, of processes that are really there.

use std::net::{SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Command, id};
use std::thread;

use client::ps::{self, Family, Process};
use client::ss::{self, Listener};
use nix::sys::signal::{SigSet, Signal};

client::reset_signals_at_start!();

#[test]
fn processes_that_vanish_in_mid_scan_are_no_error() {
    thread::scope(|scope| {
        let vanishing = scope.spawn(|| {
            for _ in 0..200 {
                Command::new("true").status().unwrap();
            }
        });
        while !vanishing.is_finished() {
            ps::children_of(1).unwrap();
        }
    });
}

#[test]
fn a_listener_on_all_addresses_listens_on_those_of_this_machine_alone() {
    let listener = TcpListener::bind("0.0.0.0:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let found = |ip: [u8; 4]| ss::listener(SocketAddr::from((ip, port))).unwrap();
    assert!(matches!(found([127, 1, 2, 3]), Listener::Held(_)), "{:?}", found([127, 1, 2, 3]));
    // An address that is for documents only: no machine has it, least of all this one.
    assert_eq!(found([192, 0, 2, 1]), Listener::Elsewhere);
}

#[test]
fn a_family_settles_when_its_parent_sleeps_and_no_sigchld_can_be_delivered() {
    let process = |pid, state| Process { pid, name: "any".to_owned(), state };
    let family = |state, sigchld_pending, sigchld_blocked, children| Family {
        parent: process(1, state),
        sigchld_pending,
        sigchld_blocked,
        children,
    };
    let settled = |pending, blocked| family('S', pending, blocked, vec![]).is_settled();
    assert!(settled(false, false) && settled(false, true) && settled(true, true));
    assert!(!settled(true, false));
    let stopped = family('T', false, false, vec![]);
    assert!(!stopped.is_settled(), "a stopped parent has yet to act");
    assert_eq!(stopped.to_string(), "any 1 T, SIGCHLD not pending, children: none");
    let parent = family('S', false, false, vec![process(2, 'Z'), process(3, 'S')]);
    assert!(!parent.is_settled(), "one lives");
    assert_eq!((parent.zombies(), parent.alive()), (1, 1));
    assert_eq!(parent.to_string(), "any 1 S, SIGCHLD not pending, children: 2 Z 3 S");
}

#[test]
fn a_blocked_sigchld_is_seen_in_the_mask() {
    let mut command = Command::new("sleep");
    // SAFETY: sigprocmask is on signal-safety(7)'s list.
    unsafe { command.pre_exec(|| Ok(SigSet::from(Signal::SIGCHLD).thread_block()?)) };
    let mut sleeper = command.arg("1000").spawn().unwrap();
    let pid = sleeper.id().cast_signed();
    let family = Family::of(pid);
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    assert!(family.unwrap().sigchld_blocked);
    assert!(Family::of(pid).is_err(), "it is gone");
    assert!(!Family::of(id().cast_signed()).unwrap().sigchld_blocked, "in none of our threads");
}
