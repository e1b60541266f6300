//! Statements about zombies and who gets rid of them.

use std::fs;

use client::ps;
use harness::burst::Burst;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::facts::Facts;
use crate::kernel::{own_pid, parent};
use crate::subject::{lesson, part};

/// A zombie stays until its parent exits.
///
/// Verdict: half-true.
#[test]
fn c07_a_zombie_stays_until_somebody_waits_for_it() {
    Facts::of("late-wait").are([("dead", "Z"), ("after wait", "gone")]);
}

/// The Z that ps shows means zombie.
///
/// Verdict: true.
#[test]
fn c08_a_zombie_has_a_pid_and_a_state_and_nothing_else_left_to_kill() {
    let server = lesson("lesson-01");
    part(&server.greet().unwrap());
    let zombie = server.settled().unwrap().children[0].pid;

    let status = fs::read_to_string(format!("/proc/{zombie}/status")).unwrap();
    assert!(status.contains("\nState:\tZ (zombie)\n"), "{status}");
    assert!(!status.contains("VmSize"), "it has memory: {status}");
    let command = fs::read_to_string(format!("/proc/{zombie}/cmdline")).unwrap();
    assert_eq!(command, "", "its command line is gone with its memory");
    // Only root may look, for a zombie is nobody's process any more.
    let open = fs::read_dir(format!("/proc/{zombie}/fd")).map_or(0, Iterator::count);
    assert_eq!(open, 0, "it has open files");

    kill(Pid::from_raw(zombie), Signal::SIGKILL).unwrap(); // which succeeds, and does nothing
    assert_eq!(ps::state(zombie), Some('Z'));
}

/// init or systemd adopts zombies and waits for them.
///
/// Verdict: half-true.
#[test]
fn c22_a_zombie_is_adopted_when_its_parent_dies_and_by_the_nearest_subreaper() {
    outlive_their_parent(1);
}

/// Has a server die before its zombies: then they are this process's, the nearest subreaper's, until
/// it waits.
#[track_caller]
pub(crate) fn outlive_their_parent(count: usize) {
    let server = lesson("lesson-01");
    Burst::connect(&server, count).unwrap().leave().unwrap();
    let family = server.settled().unwrap();
    assert_eq!(family.zombies(), count, "{family}");

    server.kill().unwrap();
    for zombie in family.children.iter().map(|child| child.pid) {
        assert_eq!((parent(zombie), ps::state(zombie)), (own_pid(), Some('Z')), "process {zombie}");
        let child = Pid::from_raw(zombie);
        assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
        assert_eq!(ps::state(zombie), None);
    }
}

/// If you fork children, you must wait for them, or they become zombies.
///
/// Verdict: half-true.
#[test]
fn c23_without_waiting_no_zombie_stays_if_sigchld_is_ignored_or_the_fork_is_double() {
    let facts = Facts::of("nobody-waits");
    facts.are([("default, dead child", "Z"), ("default, wait", "the child")]);
    facts.are([("SIG_IGN, dead child", "gone"), ("SIG_IGN, wait", "ECHILD")]);
    facts.are([("SA_NOCLDWAIT, dead child", "gone"), ("SA_NOCLDWAIT, wait", "ECHILD")]);
    let subreaper = own_pid().to_string();
    facts.are([("fork twice, new parent", &subreaper), ("fork twice, wait", "ECHILD")]);
}
