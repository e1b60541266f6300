//! Statements about SIGCHLD and other signals.

use std::iter;
use std::mem::zeroed;
use std::ptr::null_mut;

use harness::hold::Hold;
use harness::server::ANYWHERE;
use harness::{complain, experiment, or_skip, syscall};
use nix::sys::signal::Signal;

use crate::facts::Facts;
use crate::subject::{articles_server, lesson, served, wait_for_refusal};

/// The handler must be installed before the first fork, and only once.
///
/// Verdict: half-true.
#[test]
fn c15_a_late_handler_misses_earlier_deaths_and_a_second_one_takes_over() {
    let facts = Facts::of("late-handler");
    facts.are([("early.told", "0"), ("early.state", "Z"), ("later.told", "1")]);
    facts.are([("last.told_first", "1"), ("last.told_second", "1")]);
    facts.are([("swept", "3"), ("early.after", "gone")]);
}

/// SIGCHLD means that a child has ended or stopped.
///
/// Verdict: half-true.
#[test]
fn c16_sigchld_also_tells_that_a_child_goes_on() {
    let causes = [("SIGSTOP", "stopped"), ("SIGCONT", "continued"), ("SIGKILL", "killed")];
    Facts::of("sigchld-causes").are(causes);
}

/// The parent's wait or waitpid catches the signal.
///
/// Verdict: false.
#[test]
fn c17_wait_collects_the_child_and_leaves_its_signal_pending() {
    // The wait comes between the death and the fetch of its signal.
    Facts::of("sigchld-causes").are([("waited for", "gone"), ("SIGKILL", "killed")]);
}

/// The improved server leaves no zombies.
///
/// Verdict: false.
#[test]
fn c18_the_articles_second_server_leaks_four_of_five() {
    let server = articles_server("second", ANYWHERE).start().unwrap();
    let (story, tally) = experiment::held_still(&server, 5).unwrap();
    story.show();
    assert_eq!(tally.zombies, 4, "{tally:?}");
}

/// With one wait per signal, five deaths very probably end with fewer than five children collected.
///
/// Verdict: true.
#[test]
fn c19_one_wait_per_signal_reaps_fewer_than_five_of_five() {
    const ROUNDS: usize = 20;
    let mut rounds = [0; 5];
    for _ in 0..ROUNDS {
        // One that has zombies already would reap those first.
        let tally = experiment::on_their_own(&lesson("lesson-02"), 5).unwrap();
        rounds[tally.zombies] += 1;
    }
    let table = format!("\nzombies left of five     0  1  2  3  4\nrounds out of {ROUNDS}        ");
    let counts: String = rounds.iter().map(|count| format!("{count:>3}")).collect();
    complain(format_args!("{table}{counts}"));
    // On their own the scheduler decides; held still, it is certain: lesson 2's own tests.
    assert!(rounds[0] < ROUNDS, "no round left a zombie");
}

/// The first signal blocks in wait while the others arrive.
///
/// Verdict: false.
#[test]
fn c20_a_dead_child_does_not_make_wait_block_but_a_stopped_one_hangs_the_server() {
    // After five deaths the handler has returned: the server stands in accept, not in wait.
    let server = lesson("lesson-02");
    let Some(()) = or_skip(syscall::readable(server.pid())) else { return };
    experiment::held_still(&server, 5).unwrap();
    syscall::wait_for_sleep_in(server.pid(), libc::SYS_accept4).unwrap();

    // A child that stops sends the same signal, and there is nobody to collect. (`survival` tells the
    // rest: nobody else is served then, a stray SIGCHLD does the same, and lesson 3 bears both.)
    let server = lesson("lesson-02");
    let (_client, child) = served(&server);
    let _stopped = Hold::still(child).unwrap();
    syscall::wait_for_sleep_in(server.pid(), libc::SYS_wait4).unwrap();
    let blocked = server.census().unwrap().sigchld_blocked;
    assert!(blocked, "a handler runs, so SIGCHLD is held back");
}

/// Unix signals do not queue.
///
/// Verdict: half-true.
#[test]
fn c21_five_standard_signals_become_one_and_five_real_time_signals_stay_five() {
    for (signal, arrive) in [(libc::SIGUSR1, 1), (libc::SIGRTMIN(), 5)] {
        // SAFETY: the set and the time are ours, and zeros are an empty set. Blocked and fetched in
        // this thread, to which raise sends, no signal is anybody else's.
        let fetched = unsafe {
            let mut set = zeroed();
            libc::sigaddset(&raw mut set, signal);
            libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, null_mut());
            assert_eq!([(); 5].map(|()| libc::raise(signal)), [0; 5]);
            let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
            let fetch = || libc::sigtimedwait(&raw const set, null_mut(), &raw const now);
            iter::repeat_with(fetch).take_while(|fetched| *fetched == signal).count()
        };
        assert_eq!(fetched, arrive, "signal {signal}");
    }
}

/// SIGCHLD comes only from a child of one's own.
///
/// Verdict: false.
#[test]
fn c33_a_stray_sigchld_ends_the_articles_server_when_it_has_no_child() {
    let server = articles_server("second", ANYWHERE).start().unwrap();
    let _client = server.greet().unwrap();
    server.signal(Signal::SIGCHLD).unwrap();
    server.wait_for("the signal to be delivered", |family| !family.sigchld_pending).unwrap();
    let _newcomer = server.greet().unwrap(); // a child lives: waitpid says 0, and the server goes on

    let server = articles_server("second", ANYWHERE).start().unwrap();
    server.signal(Signal::SIGCHLD).unwrap();
    server.log().wait_for("waitpid: no child processes", 1);
    wait_for_refusal(&server);
}
