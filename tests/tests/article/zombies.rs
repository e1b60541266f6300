//! Statements about zombies, who gets rid of them, and how: wait and waitpid.

use std::fs;
use std::process::Command;

use client::ps;
use harness::burst::Burst;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::facts::Facts;
use crate::subject::lesson;

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
    server.greet().unwrap().part().unwrap();
    let zombie = server.settled().unwrap().children[0].pid;

    let status = ps::status(zombie).unwrap();
    assert_eq!((&*status.state, status.vmsize), ("Z (zombie)", None), "its memory is gone");
    let command = fs::read_to_string(format!("/proc/{zombie}/cmdline")).unwrap();
    assert_eq!(command, "", "its command line is gone with its memory");
    // Only root may look, for a zombie is nobody's process any more.
    let open = ps::files(zombie).map_or(0, Iterator::count);
    assert_eq!(open, 0, "it has open files");

    kill(Pid::from_raw(zombie), Signal::SIGKILL).unwrap(); // which succeeds, and does nothing
    assert_eq!(ps::state(zombie), Some('Z'));
}

/// waitpid returns a child's pid and how it ended.
///
/// Verdict: true.
#[test]
fn c09_waitpid_tells_pid_and_exit_status_or_signal() {
    let start = |script| Command::new("/bin/sh").args(["-c", script]).spawn().unwrap().id();
    let [chooses, killed] =
        ["exit 7", "kill -TERM $$"].map(|script| Pid::from_raw(start(script).cast_signed()));
    assert_eq!(waitpid(chooses, None), Ok(WaitStatus::Exited(chooses, 7)));
    assert_eq!(waitpid(killed, None), Ok(WaitStatus::Signaled(killed, Signal::SIGTERM, false)));
}

/// With -1 waitpid waits for the child that ended first.
///
/// Verdict: false.
#[test]
fn c10_minus_one_waits_for_any_child_and_the_first_to_die_is_not_the_first_reaped() {
    let facts = Facts::of("reap-order");
    // The last born has died first. No manual promises any order of the waits; this one is that of
    // the kernel's list of children, oldest first.
    let born: Vec<&str> = facts.get("born").split(' ').collect();
    let died: Vec<&str> = facts.get("died").split(' ').rev().collect();
    assert_eq!((born.len(), born), (5, died), "{facts:?}");
    facts.are([("reaped", facts.get("born"))]);
}

/// WNOHANG is 0, the default of waitpid's last argument.
///
/// Verdict: false.
#[test]
fn c11_wnohang_is_1_and_0_blocks() {
    let facts = Facts::of("wait-or-not");
    facts.are([("WNOHANG", "1"), ("and then returns", "that one")]);
    slept_in_wait(&facts);
}

/// With WNOHANG waitpid does not block while no child has ended.
///
/// Verdict: true.
#[test]
fn c12_wnohang_returns_0_while_all_live_and_echild_when_there_is_none() {
    let facts = Facts::of("wait-or-not");
    facts.are([("one lives, WNOHANG", "0"), ("no child, WNOHANG", "ECHILD")]);
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
    for zombie in family.children {
        let stat = ps::stat(zombie.pid).unwrap();
        assert_eq!((stat.ppid, stat.state), (Pid::this().as_raw(), 'Z'), "{zombie:?}");
        let child = Pid::from_raw(zombie.pid);
        assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
        assert_eq!(ps::state(zombie.pid), None);
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
    let subreaper = Pid::this().to_string();
    facts.are([("fork twice, new parent", &subreaper), ("fork twice, wait", "ECHILD")]);
}

/// wait blocks until a child has ended.
///
/// Verdict: half-true.
#[test]
fn c24_wait_blocks_while_all_live_and_fails_at_once_when_there_is_none() {
    let facts = Facts::of("wait-or-not");
    facts.are([("no child, wait", "ECHILD"), ("one lives and one is dead, wait", "the dead")]);
    slept_in_wait(&facts);
}

/// That a process which waited for a live child slept, where the kernel tells (/proc/PID/wchan).
#[track_caller]
fn slept_in_wait(facts: &Facts) {
    match facts.get("one lives, wait sleeps in") {
        "secret" => harness::skip("this kernel keeps secret where a process sleeps"),
        place => assert_eq!(place, "do_wait", "{facts:?}"),
    }
}

/// waitpid can wait for one pid, and can be told not to block.
///
/// Verdict: true.
#[test]
fn c25_waitpid_picks_one_of_two_dead_children_and_does_not_block_for_a_live_one() {
    let facts = Facts::of("wait-or-not");
    facts.are([("two are dead, the second's pid", "the second"), ("and the first is", "Z")]);
    facts.are([("one lives, WNOHANG and its pid", "0")]);
}
