//! Statements about wait and waitpid.

use std::process::Command;

use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::facts::Facts;

/// What wait-or-not tells, where the kernel tells where a process sleeps.
fn wait_or_not() -> Option<Facts> {
    let facts = Facts::of("wait-or-not");
    if facts.get("one lives, wait sleeps in") == "secret" {
        harness::skip("this kernel keeps secret where a process sleeps (/proc/PID/wchan)");
        return None;
    }
    Some(facts)
}

/// waitpid returns a child's pid and how it ended.
///
/// Verdict: true.
#[test]
fn c09_waitpid_tells_pid_and_exit_status_or_signal() {
    let start = |script| Command::new("/bin/sh").args(["-c", script]).spawn().unwrap();
    let [chooses, killed] =
        ["exit 7", "kill -TERM $$"].map(|script| Pid::from_raw(start(script).id().cast_signed()));
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
    let Some(facts) = wait_or_not() else { return };
    facts.are([("WNOHANG", "1")]);
    facts.are([("one lives, wait sleeps in", "do_wait"), ("and then returns", "that one")]);
}

/// With WNOHANG waitpid does not block while no child has ended.
///
/// Verdict: true.
#[test]
fn c12_wnohang_returns_0_while_all_live_and_echild_when_there_is_none() {
    let facts = Facts::of("wait-or-not");
    facts.are([("one lives, WNOHANG", "0"), ("no child, WNOHANG", "ECHILD")]);
}

/// wait blocks until a child has ended.
///
/// Verdict: half-true.
#[test]
fn c24_wait_blocks_while_all_live_and_fails_at_once_when_there_is_none() {
    let Some(facts) = wait_or_not() else { return };
    facts.are([("one lives, wait sleeps in", "do_wait"), ("no child, wait", "ECHILD")]);
    facts.are([("one lives and one is dead, wait", "the dead")]);
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
