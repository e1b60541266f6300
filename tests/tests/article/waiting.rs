//! Statements about wait and waitpid.

use crate::facts::Facts;

/// waitpid returns a child's pid and how it ended.
///
/// Verdict: true.
#[test]
fn c09_waitpid_tells_pid_and_exit_status_or_signal() {
    let facts = Facts::of("wait-status");
    assert_eq!(facts.get("exited"), facts.get("chooses"), "{facts:?}");
    assert_eq!(facts.get("status"), "7", "{facts:?}");
    assert_eq!(facts.get("signaled"), facts.get("killed"), "{facts:?}");
    assert_eq!(facts.get("signal"), "SIGTERM", "{facts:?}");
}

/// With -1 waitpid waits for the child that ended first.
///
/// Verdict: false.
#[test]
fn c10_minus_one_waits_for_any_child_and_the_first_to_die_is_not_the_first_reaped() {
    let facts = Facts::of("reap-order");
    let [died, reaped]: [Vec<&str>; 2] =
        ["died", "reaped"].map(|order| facts.get(order).split(' ').collect());
    assert_eq!(reaped.len(), 5, "{facts:?}");
    assert_ne!(reaped[0], died[0], "{facts:?}");
    // No manual promises any order. This one is the kernel's list of children, oldest first.
    assert_eq!(facts.get("reaped"), facts.get("born"), "{facts:?}");
}

/// WNOHANG is 0, the default of waitpid's last argument.
///
/// Verdict: false.
#[test]
fn c11_wnohang_is_1_and_0_blocks() {
    let facts = Facts::of("wait-or-not");
    if facts.get("one lives, wait sleeps in") == "secret" {
        return harness::skip("this kernel keeps secret where a process sleeps (/proc/PID/wchan)");
    }
    assert_eq!(facts.get("WNOHANG"), "1", "{facts:?}");
    assert_eq!(facts.get("one lives, wait sleeps in"), "do_wait", "{facts:?}");
    assert_eq!(facts.get("and then returns"), "that one", "{facts:?}");
}

/// With WNOHANG waitpid does not block while no child has ended.
///
/// Verdict: true.
#[test]
fn c12_wnohang_returns_0_while_all_live_and_echild_when_there_is_none() {
    let facts = Facts::of("wait-or-not");
    assert_eq!(facts.get("one lives, WNOHANG"), "0", "{facts:?}");
    assert_eq!(facts.get("no child, WNOHANG"), "ECHILD", "{facts:?}");
}

/// wait blocks until a child has ended.
///
/// Verdict: half-true.
#[test]
fn c24_wait_blocks_while_all_live_and_fails_at_once_when_there_is_none() {
    let facts = Facts::of("wait-or-not");
    if facts.get("one lives, wait sleeps in") == "secret" {
        return harness::skip("this kernel keeps secret where a process sleeps (/proc/PID/wchan)");
    }
    assert_eq!(facts.get("one lives, wait sleeps in"), "do_wait", "{facts:?}");
    assert_eq!(facts.get("one lives and one is dead, wait"), "the dead", "{facts:?}");
    assert_eq!(facts.get("no child, wait"), "ECHILD", "{facts:?}");
}

/// waitpid can wait for one pid, and can be told not to block.
///
/// Verdict: true.
#[test]
fn c25_waitpid_picks_one_of_two_dead_children_and_does_not_block_for_a_live_one() {
    let facts = Facts::of("wait-or-not");
    assert_eq!(facts.get("two are dead, the second's pid"), "the second", "{facts:?}");
    assert_eq!(facts.get("and the first is"), "Z", "{facts:?}");
    assert_eq!(facts.get("one lives, WNOHANG and its pid"), "0", "{facts:?}");
}
