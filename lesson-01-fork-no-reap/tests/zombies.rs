//! What lesson 1 leaves behind: every child, whenever and in whatever company it died.
//!
//! These tests are about a bug. All fail when somebody has the server wait at each death; the one in
//! which clients come one after another also when it waits before the next client.

use harness::experiment;
use harness::server::Server;

fn server() -> Server {
    Server::lesson(env!("CARGO_BIN_EXE_lesson-01")).unwrap()
}

/// Runs the held-still burst, shows its story, and returns it with the pids taken out.
fn held_still(clients: usize) -> String {
    let (story, _) = experiment::held_still(&server(), clients).unwrap();
    story.show();
    story.normalised()
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
    insta::assert_snapshot!(held_still(5), @"
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
    insta::assert_snapshot!(held_still(2), @"
    lesson-01, pid PID
    2 clients leave while it is held still
                        server  children
      2 clients served       S  S S
      SIGSTOP                T  S S
      all said Bye           T  Z Z
      SIGCONT                S  Z Z
      0 reaped, 2 zombies:
        PID PID
    ");
}

#[test]
fn fifty_deaths_and_no_wait_leave_fifty_zombies() {
    insta::assert_snapshot!(held_still(50), @"
    lesson-01, pid PID
    50 clients leave while it is held still
                         server  children
      50 clients served       S  50 S
      SIGSTOP                 T  50 S
      all said Bye            T  50 Z
      SIGCONT                 S  50 Z
      0 reaped, 50 zombies
    ");
}
