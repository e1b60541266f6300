//! What lesson 3 leaves behind: nothing, however many die at once.
//!
//! The held-still tests fail when somebody makes the loop a single wait.

use harness::experiment;
use harness::server::Server;

fn server() -> Server {
    Server::lesson(env!("CARGO_BIN_EXE_lesson-03")).unwrap()
}

/// Runs the held-still burst, shows its story, and returns it with the pids taken out.
fn held_still(clients: usize) -> String {
    let (story, _) = experiment::held_still(&server(), clients).unwrap();
    story.show();
    story.normalised()
}

#[test]
fn one_client_leaves_no_zombie() {
    let tally = experiment::one_after_another(&server(), 1).unwrap();
    assert_eq!(tally.zombies, 0, "{tally:?}");
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
    insta::assert_snapshot!(held_still(5), @"
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
    insta::assert_snapshot!(held_still(2), @"
    lesson-03, pid PID
    2 clients leave while it is held still
                        server  children
      2 clients served       S  S S
      SIGSTOP                T  S S
      all said Bye           T  Z Z
        SIGCHLD pending: 2 deaths, 1 bit
      SIGCONT                S  none
      2 reaped, 0 zombies
    ");
}

#[test]
fn fifty_deaths_one_signal_and_a_loop_leave_no_zombie() {
    insta::assert_snapshot!(held_still(50), @"
    lesson-03, pid PID
    50 clients leave while it is held still
                         server  children
      50 clients served       S  50 S
      SIGSTOP                 T  50 S
      all said Bye            T  50 Z
        SIGCHLD pending: 50 deaths, 1 bit
      SIGCONT                 S  none
      50 reaped, 0 zombies
    ");
}
