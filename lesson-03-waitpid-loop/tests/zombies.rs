//! What lesson 3 leaves behind: nothing, however many die at once.
//!
//! The held-still tests fail when somebody makes the loop a single wait.

use harness::experiment;
use harness::server::Server;
use harness::story::{Story, Tally};

fn server() -> Server {
    Server::lesson(env!("CARGO_BIN_EXE_lesson-03")).unwrap()
}

/// Runs the held-still burst and shows its story.
fn held_still(clients: usize) -> (Story, Tally) {
    let seen = experiment::held_still(&server(), clients).unwrap();
    seen.0.show();
    seen
}

#[test]
fn clients_that_leave_one_after_another_leave_no_zombie() {
    let tally = experiment::one_after_another(&server(), 4).unwrap();
    assert_eq!(tally.zombies, 0, "{tally:?}");
}

#[test]
fn five_that_leave_on_their_own_leave_no_zombie() {
    let tally = experiment::on_their_own(&server(), 5).unwrap();
    assert_eq!(tally.zombies, 0, "{tally:?}");
}

#[test]
fn five_deaths_one_signal_and_a_loop_leave_no_zombie() {
    insta::assert_snapshot!(held_still(5).0.normalised(), @"
    lesson-03, pid PID
    5 clients leave while it is held still
                        server  children
      5 clients served       S  S S S S S
      SIGSTOP                T  S S S S S
      all said Bye           T  Z Z Z Z Z
        SIGCHLD pending: 5 deaths, 1 bit
      SIGCONT                S  none
      5 reaped, 0 zombies
    ");
}

#[test]
fn two_deaths_one_signal_and_a_loop_leave_no_zombie() {
    let (_, tally) = held_still(2);
    assert_eq!(tally.zombies, 0, "{tally:?}");
}

#[test]
fn fifty_deaths_one_signal_and_a_loop_leave_no_zombie() {
    let (_, tally) = held_still(50);
    assert_eq!(tally.zombies, 0, "{tally:?}");
}
