//! The other roads: none leaves a zombie, and each gives up something else for it.

use std::thread;

use harness::burst::Burst;
use harness::exam::{Examinee, Outcome, Terms};
use harness::experiment;
use harness::hold::Hold;
use harness::ps::{self, SIGCHLD_BIT};
use harness::server::{ANYWHERE, Inherited, Launch, Server, Stdout, own_addr};
use harness::{PATIENCE, eventually, lessons, skip};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

const ROADS: [&str; 5] = ["ignore", "nocldwait", "double_fork", "signalfd", "pidfd"];

fn launch(road: &str) -> Launch {
    Launch::lesson(lessons::road(road).unwrap(), ANYWHERE)
}

fn start(road: &str) -> Server {
    launch(road).start().unwrap()
}

/// The pids that serve a burst's clients.
fn serving(server: &Server, burst: &Burst) -> Vec<i32> {
    burst.clients().iter().flat_map(|client| server.serving(client).unwrap()).collect()
}

/// `nocldwait` is told of one of the five, `signalfd` reaps them all behind one bit, and `pidfd`
/// needs no signal.
#[test]
fn five_that_die_together_leave_no_zombie_on_any_road() {
    for (road, dead, pending, word, lines) in [
        ("ignore", "none", None, "reaped", 0),
        ("nocldwait", "none", Some("SIGCHLD pending: 5 deaths, 1 bit"), "gone", 1),
        ("signalfd", "Z Z Z Z Z", Some("SIGCHLD pending: 5 deaths, 1 bit"), "reaped", 5),
        ("pidfd", "Z Z Z Z Z", None, "reaped", 5),
    ] {
        let server = start(road);
        let (story, tally) = experiment::held_still(&server, 5).unwrap();
        story.show();
        let text = story.normalised();
        assert!(text.contains(&format!("  all said Bye           T  {dead}\n")), "{text}");
        assert_eq!(story.pending(), pending, "{text}");
        assert_eq!((tally.reaped, tally.zombies), (5, 0), "{text}");
        server.log().wait_for(word, lines);
        let log = server.log().stdout();
        assert_eq!(log.matches(word).count(), lines, "{road}: {log}");
    }
}

#[test]
fn whatever_a_road_does_about_sigchld_its_children_have_the_default() {
    for (road, expected) in ROADS.into_iter().zip(["ignored", "caught", "", "blocked", ""]) {
        let server = start(road);
        let burst = Burst::connect(&server, 1).unwrap();
        let sigchld_is = |pid| -> String {
            let it = ps::status(pid).unwrap();
            let masks = [("ignored", it.sigign), ("caught", it.sigcgt), ("blocked", it.sigblk)];
            masks.iter().filter(|it| it.1 & SIGCHLD_BIT != 0).map(|it| it.0).collect()
        };
        assert_eq!(sigchld_is(server.pid()), expected, "{road}");
        assert_eq!(sigchld_is(serving(&server, &burst)[0]), "", "{road}, its child");
    }
}

#[test]
fn a_child_that_the_server_did_not_make_stays_a_zombie_on_two_roads() {
    for road in ROADS {
        // An orphan comes to PID 1 or a subreaper just so: a child of which the server knows nothing.
        let shell = Launch::new("/bin/sh").arg("-c").arg("sleep 1000 & exec \"$@\"").arg("sh");
        let program = shell.arg(lessons::road(road).unwrap());
        let server = program.arg("--delay").arg("0").arg("127.0.0.1:0").start().unwrap();
        let stranger = server.members().into_iter().find(|pid| *pid != server.pid()).unwrap();
        kill(Pid::from_raw(stranger), Signal::SIGKILL).unwrap();
        if matches!(road, "double_fork" | "pidfd") {
            assert!(ps::dies(stranger, PATIENCE), "{road}");
            experiment::one_after_another(&server, 1).unwrap(); // by then it would be reaped
            assert_eq!(ps::state(stranger), Some('Z'), "{road} has reaped it");
        } else {
            eventually(&format!("{road} to reap it"), || ps::state(stranger), Option::is_none);
        }
    }
}

#[test]
fn with_nocldwait_a_death_is_told_but_not_a_stop_or_a_stray_sigchld() {
    let server = start("nocldwait");
    let burst = Burst::connect(&server, 1).unwrap();
    let child = serving(&server, &burst)[0];
    server.signal(Signal::SIGCHLD).unwrap();
    let taken = |what| server.wait_for(what, |family| !family.sigchld_pending).unwrap();
    taken("the stray signal to be delivered");
    Hold::still(child).unwrap().release();
    server.wait_for("the child to go on", |family| family.children[0].state == 'S').unwrap();
    taken("the child's signal to be delivered");
    burst.leave().unwrap();
    server.settled().unwrap();
    // One pipe keeps the order: a line for the stop or the stray signal would be there by now.
    server.log().wait_for("gone", 1);
    let log = server.log().stdout();
    let gone: Vec<&str> = log.lines().filter(|line| line.contains("gone")).collect();
    assert_eq!(gone, [format!("[SIGCHLD] gone: child {child:>8}")]);
}

#[test]
fn after_a_double_fork_the_statuses_go_to_whoever_inherits_the_orphans() {
    let server = start("double_fork");
    let burst = Burst::connect(&server, 5).unwrap();
    server.wait_for("the first children to be reaped", |it| it.children.is_empty()).unwrap();
    let grandchildren = serving(&server, &burst);
    for pid in &grandchildren {
        // The harness asks for the orphans among its descendants; without that PID 1 had them.
        assert_eq!(ps::status(*pid).unwrap().ppid, getpid().as_raw(), "grandchild {pid}");
    }
    let hold = server.hold().unwrap();
    burst.leave().unwrap();
    for pid in grandchildren.iter().map(|pid| Pid::from_raw(*pid)) {
        assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 0)));
    }
    hold.release();
    let left = server.settled().unwrap();
    assert!(left.children.is_empty(), "{left}");
    server.log().wait_for("reaped", 5);
    let log = server.log().stdout();
    assert_eq!(log.matches("reaped").count(), 5, "{log}");
}

#[test]
fn pidfds_tell_how_a_child_ended_even_if_sigchld_was_ignored_at_the_start() {
    let server = launch("pidfd").sigchld(Inherited::Ignored).start().unwrap();
    experiment::one_after_another(&server, 1).unwrap();
    server.log().wait_for("reaped", 1);
}

#[test]
fn a_hundred_pidfds_are_the_servers_and_no_childs() {
    let server = start("pidfd");
    let before = server.open_files().unwrap();
    let burst = Burst::connect(&server, 100).unwrap();
    let children = serving(&server, &burst);
    assert_eq!(server.open_files().unwrap().len(), before.len() + 100);
    // A table has room for 64 descriptors, or for a power of two that was enough when it was made.
    assert!(ps::status(server.pid()).unwrap().fdsize > 64);
    for child in children {
        let room = ps::status(child).unwrap().fdsize;
        assert_eq!((room, ps::files(child).unwrap().count()), (64, 4), "child {child}");
    }
    burst.leave().unwrap();
    let left = server.settled().unwrap();
    assert!(left.children.is_empty(), "{left}");
    let open = || server.open_files().unwrap();
    eventually("the pidfds to be closed", open, |files| *files == before);
}

#[test]
fn none_of_the_roads_minds_a_lost_stdout() {
    for road in ROADS {
        for stdout in [Stdout::Closed, Stdout::Full, Stdout::Broken] {
            let server = launch(road).stdout(stdout).start().unwrap();
            let tally = experiment::one_after_another(&server, 1).unwrap();
            assert_eq!(tally.zombies, 0, "{road}, {stdout:?}");
        }
    }
}

/// Needs a limit on processes that binds. Root is spared, so root needs CAP_SETUID, to start the
/// server as another user.
#[test]
fn a_refused_fork_ends_that_connection_in_good_order() {
    if !experiment::refuses_a_fork(1).unwrap() {
        return skip(experiment::ROOT_IS_SPARED);
    }
    // The first fork of two may succeed and the second be refused.
    for (road, processes) in ROADS.map(|road| (road, 1)).into_iter().chain([("double_fork", 2)]) {
        let server = launch(road).processes(processes).start().unwrap();
        for _ in 0..2 {
            let client = server.connect().unwrap();
            client.hear_end().unwrap();
            let peer = client.local_addr().unwrap();
            server.log().wait_for(&format!("{road}: cannot fork for {peer}: try again"), 1);
        }
    }
}

#[test]
fn no_road_fails_a_question_of_the_exam() {
    let sit = |road: &str| {
        let addr = own_addr().unwrap();
        let program = lessons::road(road).unwrap();
        let command = [program.into(), "--delay".into(), "0".into(), addr.to_string().into()];
        let examinee = Examinee::meet(&command, &[addr.into()], &Terms::default()).unwrap();
        let report = examinee.sit(&mut |_, _| {});
        let mut unasked = report.numbers(Outcome::CannotBeAsked);
        unasked.retain(|number| *number != 18); // unless a limit on processes binds it
        // Whoever serves isn't the server's child: what concerns its children can't be asked.
        let grandchildren: &[usize] = &[2, 3, 4, 6, 7, 11, 17, 19];
        let expected = if road == "double_fork" { grandchildren } else { &[19] };
        let seen = (&*report.numbers(Outcome::Fails), &*unasked);
        assert_eq!(seen, (&[][..], expected), "{road}: {:#?}", report.answers);
    };
    thread::scope(|scope| {
        for road in ROADS {
            scope.spawn(move || sit(road));
        }
    });
}
