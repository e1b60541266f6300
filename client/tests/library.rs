//! What the library does with servers that don't answer, which would keep the program half a
//! minute; how it waits; and what it reads from /proc, of processes that are really there.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Command, id};
use std::thread;
use std::time::{Duration, Instant};

use client::ps::{self, Family, Process};
use client::ss::{self, Listener};
use client::{Conversation, poll};
use nix::sys::signal::{SigSet, Signal};

client::reset_signals_at_start!();

#[test]
fn silence_is_borne_as_long_as_patience_lasts() {
    const PATIENCE: Duration = Duration::from_millis(50);
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap(); // accepts nobody
    let addr = nobody.local_addr().unwrap();
    let client = Conversation::connect(addr, PATIENCE).unwrap();
    let start = Instant::now();
    let error = client.say(b"hello").unwrap_err();
    assert!(start.elapsed() >= PATIENCE, "{:?}", start.elapsed());
    assert_eq!(error.to_string(), format!("{addr} did not answer for 0.05 s"));
    assert!(error.is_silent());
    // More than the buffers of both ends may grow to: net.ipv4.tcp_wmem and tcp_rmem, tcp(7).
    let error = client.send(&vec![0; 64 << 20]).unwrap_err();
    assert!(error.is_silent(), "it does not read: {error}");
}

#[test]
fn a_connection_that_cannot_be_made_is_told_with_the_kernels_reason() {
    // 255.255.255.255 is everybody, and TCP talks to one: connect(2) fails before a packet leaves.
    let everybody = SocketAddr::from((Ipv4Addr::BROADCAST, 9));
    let error = Conversation::connect(everybody, Duration::from_secs(30)).unwrap_err();
    let line = error.to_string();
    assert!(!error.is_refused(), "{line}");
    assert!(line.starts_with("cannot connect to 255.255.255.255:9: "), "{line}");
    assert!(!line.contains("ulimit"), "{line}");
    assert_eq!(format!("{error:?}"), line);
}

#[test]
fn polling_looks_at_least_once_and_keeps_no_core_busy() {
    // A quarter of a millisecond, doubled up to twenty: seven pauses, then four of twenty.
    for (millis, expected) in [(0, 1..=1), (100, 2..=20)] {
        let patience = Duration::from_millis(millis);
        let (start, mut looks) = (Instant::now(), 0);
        let seen: Option<()> = poll::until(patience, || {
            looks += 1;
            None
        });
        assert_eq!(seen, None);
        assert!(start.elapsed() >= patience, "{:?}", start.elapsed());
        assert!(expected.contains(&looks), "{looks} looks in {patience:?}");
    }
}

#[test]
fn processes_that_vanish_in_mid_scan_are_no_error() {
    thread::scope(|scope| {
        let run = |_| Command::new("true").status().unwrap().success();
        let processes = scope.spawn(move || (0..200).all(run));
        while !processes.is_finished() {
            ps::children_of(1).unwrap();
        }
        assert!(processes.join().unwrap());
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
