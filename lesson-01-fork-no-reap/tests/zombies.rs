//! What lesson 1 leaves behind: every child, whenever and in whatever company it died.
//!
//! These tests are about a bug. All fail when somebody has the server wait at each death; the one in
//! which clients come one after another also when it waits before the next client.

use harness::experiment;
use harness::server::Server;
use harness::story::{Story, Tally};

fn server() -> Server {
    Server::lesson(env!("CARGO_BIN_EXE_lesson-01")).unwrap()
}

/// Runs the held-still burst and shows its story.
fn held_still(clients: usize) -> (Story, Tally) {
    let seen = experiment::held_still(&server(), clients).unwrap();
    seen.0.show();
    seen
}

#[test]
fn one_client_leaves_one_zombie() {
    let tally = experiment::one_after_another(&server(), 1).unwrap();
    assert_eq!(tally.zombies, 1, "{tally:?}");
}

#[test]
fn clients_that_leave_one_after_another_all_leave_zombies() {
    let tally = experiment::one_after_another(&server(), 4).unwrap();
    assert_eq!(tally.zombies, 4, "{tally:?}");
}

#[test]
fn five_that_leave_on_their_own_leave_five_zombies() {
    let tally = experiment::on_their_own(&server(), 5).unwrap();
    assert_eq!(tally.zombies, 5, "{tally:?}");
}

#[test]
fn five_deaths_and_no_wait_leave_five_zombies() {
    insta::assert_snapshot!(held_still(5).0.normalised(), @"
    lesson-01, pid PID
    5 clients leave while it is held still
                        server  children
      5 clients served       S  S S S S S
      SIGSTOP                T  S S S S S
      all said Bye           T  Z Z Z Z Z
      SIGCONT                S  Z Z Z Z Z
      0 reaped, 5 zombies:
        PID PID PID PID PID
    ");
}

#[test]
fn two_deaths_and_no_wait_leave_two_zombies() {
    let (_, tally) = held_still(2);
    assert_eq!(tally.zombies, 2, "{tally:?}");
}

#[test]
fn fifty_deaths_and_no_wait_leave_fifty_zombies() {
    let (_, tally) = held_still(50);
    assert_eq!(tally.zombies, 50, "{tally:?}");
}
