//! The article asks what happens if the server's process crashes, and doesn't answer.
//!
//! This process is the subreaper of every server that the harness starts, so orphans come to
//! it, whatever PID 1 is; and it waits for nobody unless a test says so.

use client::ps;
use harness::server::{HELLO, own_addr};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;

use crate::subject::{
    articles_server, cannot_listen, example, lesson, lesson_at, served, unaccepted,
    wait_for_refusal,
};
use crate::zombies::outlive_their_parent;

/// What if one of the children crashes?
///
/// Verdict: answered.
#[test]
fn c34_a_killed_child_ends_its_own_conversation_and_no_other() {
    let server = lesson("lesson-03");
    let (client, child) = served(&server);
    let others = [(); 2].map(|()| server.greet().unwrap());
    kill(Pid::from_raw(child), Signal::SIGKILL).unwrap();
    client.hear_end().unwrap();
    server.wait_for("the killed child to be reaped", |family| family.children.len() == 2).unwrap();
    others.iter().chain([&server.greet().unwrap()]).for_each(|it| it.say(HELLO).unwrap());
}

/// What if the parent crashes while clients are connected?
///
/// Verdict: answered.
#[test]
fn c34_when_the_parent_is_killed_its_children_talk_on_and_newcomers_are_refused() {
    let server = lesson("lesson-03");
    let (clients, children): (Vec<_>, Vec<_>) = (0..3).map(|_| served(&server)).unzip();
    let parent = |child: &i32| ps::stat(*child).unwrap().ppid;
    let parents = || children.iter().map(parent).collect::<Vec<_>>();
    assert_eq!(parents(), [server.pid(); 3]);

    server.kill().unwrap();
    assert_eq!(parents(), [Pid::this().as_raw(); 3], "the nearest subreaper is the new parent");
    clients.iter().for_each(|client| client.say(HELLO).unwrap());
    wait_for_refusal(&server);

    clients.iter().for_each(|client| client.part().unwrap());
}

/// As systemd does with what is left of a service whose main process has died, systemd.kill(5).
#[test]
fn a_server_that_is_killed_with_its_group_takes_the_conversations_along() {
    let server = lesson("lesson-03");
    let clients = [(); 3].map(|()| server.greet().unwrap());
    killpg(Pid::from_raw(server.pid()), Signal::SIGKILL).unwrap();
    clients.iter().for_each(|client| client.hear_end().unwrap());
    wait_for_refusal(&server);
}

/// What becomes of its zombies then?
///
/// Verdict: answered.
#[test]
fn c34_zombies_of_a_killed_parent_are_the_subreapers_and_go_when_it_waits() {
    outlive_their_parent(3);
}

/// What if a child had kept the listener?
///
/// Verdict: answered.
#[test]
fn c34_an_orphan_that_kept_the_listener_lets_newcomers_connect_to_nobody() {
    let addr = own_addr().unwrap();
    let server = example("gallery", "child-keeps-listener", addr).start().unwrap();
    let (client, child) = served(&server);
    server.kill().unwrap();

    let newcomer = unaccepted(&server);
    client.say(HELLO).unwrap(); // the orphan is busy with its own client, and will never accept
    cannot_listen(lesson_at("lesson-03", addr), "SO_REUSEADDR does not help against a listener");

    client.part().unwrap();
    waitpid(Pid::from_raw(child), None).unwrap();
    assert!(newcomer.hear_end().is_err_and(|error| !error.is_silent()), "its end is a reset");
    lesson_at("lesson-03", addr).start().unwrap();
}

/// Can the server be started again at once?
///
/// Verdict: answered.
#[test]
fn c34_a_restart_at_once_needs_so_reuseaddr_in_the_server_that_died_too() {
    // A conversation that outlives its server keeps the port, unless both servers have the option.
    for option in [true, false] {
        let addr = own_addr().unwrap();
        let with = || lesson_at("lesson-03", addr);
        let without = || articles_server("first", addr);
        let server = if option { with() } else { without() }.start().unwrap();
        let old = server.greet().unwrap();
        server.kill().unwrap();
        cannot_listen(without(), "the new one lacks SO_REUSEADDR");
        if option {
            with().start().unwrap().greet().unwrap();
        } else {
            cannot_listen(with(), "the old one lacks SO_REUSEADDR");
        }
        old.say(HELLO).unwrap();
    }
}
