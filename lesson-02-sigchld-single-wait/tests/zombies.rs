//! What lesson 2 leaves behind: nothing as long as its children die one by one, and all but one
//! of those that die together.
//!
//! The held-still tests are about a bug: they fail once somebody fixes it with a loop.

use harness::experiment;
use harness::server::Server;
use harness::story::{Story, Tally};

fn server() -> Server {
    Server::lesson(env!("CARGO_BIN_EXE_lesson-02")).unwrap()
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
fn five_that_leave_on_their_own_leave_at_most_four_zombies() {
    let tally = experiment::on_their_own(&server(), 5).unwrap();
    // Which of the five deaths fall together is the scheduler's choice; the first signal always
    // finds somebody to reap, so five zombies can't be.
    assert!(tally.zombies <= 4, "{tally:?}");
}

#[test]
fn five_deaths_one_signal_leave_four_zombies() {
    insta::assert_snapshot!(held_still(5).0.normalised(), @"
    lesson-02, pid PID
    5 clients leave while it is held still
                        server  children
      5 clients served       S  S S S S S
      SIGSTOP                T  S S S S S
      all said Bye           T  Z Z Z Z Z
        SIGCHLD pending: 5 deaths, 1 bit
      SIGCONT                S  Z Z Z Z
      1 reaped, 4 zombies:
        PID PID PID PID
    ");
}

#[test]
fn two_deaths_one_signal_leave_one_zombie() {
    let (_, tally) = held_still(2);
    assert_eq!(tally.zombies, 1, "{tally:?}");
}

#[test]
fn fifty_deaths_one_signal_leave_forty_nine_zombies() {
    insta::assert_snapshot!(held_still(50).0.normalised(), @"
    lesson-02, pid PID
    50 clients leave while it is held still
                         server  children
      50 clients served       S  50 S
      SIGSTOP                 T  50 S
      all said Bye            T  50 Z
        SIGCHLD pending: 50 deaths, 1 bit
      SIGCONT                 S  49 Z
      1 reaped, 49 zombies
    ");
}
