//! The other roads: none leaves a zombie, and each gives up something else for it.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread;

use harness::burst::Burst;
use harness::exam::{Examinee, Outcome, Terms};
use harness::experiment;
use harness::hold::Hold;
use harness::server::{Inherited, Launch, Server, Stdout, own_addr};
use harness::{PATIENCE, eventually, lessons, poll, skip};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getpid};

const ROADS: [&str; 5] = ["ignore", "nocldwait", "double_fork", "signalfd", "pidfd"];

fn launch(road: &str) -> Launch {
    let anywhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Launch::lesson(lessons::road(road).unwrap(), anywhere)
}

fn start(road: &str) -> Server {
    launch(road).start().unwrap()
}

/// The pids that serve a burst's clients.
fn serving(server: &Server, burst: &Burst) -> Vec<i32> {
    let holders = server.holders_of(burst.clients()).unwrap();
    let child = |pids: &Vec<i32>| pids.iter().copied().find(|pid| *pid != server.pid());
    holders.iter().map(|pids| child(pids).expect("a child serves each client")).collect()
}

/// A line of /proc/PID/status, proc(5).
fn status(pid: i32, field: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let value = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(":\t"));
    value.unwrap_or_else(|| panic!("no {field} in {status}")).to_owned()
}

/// Whether SIGCHLD is in one of the masks of /proc/PID/status: `SigIgn`, `SigBlk`, `SigCgt`.
fn has_sigchld(pid: i32, mask: &str) -> bool {
    u64::from_str_radix(&status(pid, mask), 16).unwrap() & 1 << (libc::SIGCHLD - 1) != 0
}

/// The lines on a server's stdout that contain `word`, once there are `count`.
fn logged(server: &Server, word: &str, count: usize) -> Vec<String> {
    eventually(&format!("{count} times {word:?}"), || {
        let log = server.log().stdout();
        let lines = log.lines().filter(|line| line.contains(word)).map(str::to_owned);
        let lines: Vec<String> = lines.collect();
        if lines.len() >= count { Ok(lines) } else { Err(server.log().text()) }
    })
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
        assert_eq!(logged(&server, word, lines).len(), lines, "{road}: {}", server.log().text());
    }
}

#[test]
fn whatever_a_road_does_about_sigchld_its_children_have_the_default() {
    for (road, mask) in ROADS.into_iter().zip(["SigIgn", "SigCgt", "", "SigBlk", ""]) {
        let server = start(road);
        let burst = Burst::connect(&server, 1).unwrap();
        let child = serving(&server, &burst)[0];
        for each in ["SigIgn", "SigCgt", "SigBlk"] {
            assert_eq!(has_sigchld(server.pid(), each), each == mask, "{road}: {each}");
            assert!(!has_sigchld(child, each), "{road}, child {child}: {each}");
        }
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
        let stat = || fs::read_to_string(format!("/proc/{stranger}/stat")).ok();
        if matches!(road, "double_fork" | "pidfd") {
            poll::until(PATIENCE, || stat().filter(|it| it.contains(") Z ")));
            experiment::one_after_another(&server, 1).unwrap(); // by then it would be reaped
            assert!(stat().is_some(), "{road} has reaped it");
        } else {
            eventually(&format!("{road} to reap it"), || stat().map_or(Ok(()), Err));
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
    let lines = logged(&server, "gone", 1);
    assert_eq!(lines, [format!("[SIGCHLD] gone: child {child:>8}")]);
}

#[test]
fn after_a_double_fork_the_statuses_go_to_whoever_inherits_the_orphans() {
    let server = start("double_fork");
    let burst = Burst::connect(&server, 5).unwrap();
    server.wait_for("the first children to be reaped", |it| it.children.is_empty()).unwrap();
    let grandchildren = serving(&server, &burst);
    for pid in &grandchildren {
        // The harness asks for the orphans among its descendants; without that PID 1 had them.
        assert_eq!(status(*pid, "PPid"), getpid().to_string(), "grandchild {pid}");
    }
    let hold = server.hold().unwrap();
    burst.leave().unwrap();
    for pid in grandchildren.iter().map(|pid| Pid::from_raw(*pid)) {
        assert_eq!(waitpid(pid, None), Ok(WaitStatus::Exited(pid, 0)));
    }
    hold.release();
    let left = server.settled().unwrap();
    assert!(left.children.is_empty(), "{left}");
    assert_eq!(logged(&server, "reaped", 5).len(), 5, "{}", server.log().text());
}

#[test]
fn pidfds_tell_how_a_child_ended_even_if_sigchld_was_ignored_at_the_start() {
    let server = launch("pidfd").sigchld(Inherited::Ignored).start().unwrap();
    experiment::one_after_another(&server, 1).unwrap();
    logged(&server, "reaped", 1);
}

#[test]
fn a_hundred_pidfds_are_the_servers_and_no_childs() {
    let server = start("pidfd");
    let before = server.open_files().unwrap();
    let burst = Burst::connect(&server, 100).unwrap();
    let children = serving(&server, &burst);
    assert_eq!(server.open_files().unwrap().len(), before.len() + 100);
    // A table has room for 64 descriptors, or for a power of two that was enough when it was made.
    assert!(status(server.pid(), "FDSize").parse::<u32>().unwrap() > 64);
    for child in children {
        let files = fs::read_dir(format!("/proc/{child}/fd")).unwrap().count();
        assert_eq!((status(child, "FDSize").as_str(), files), ("64", 4), "child {child}");
    }
    burst.leave().unwrap();
    let left = server.settled().unwrap();
    assert!(left.children.is_empty(), "{left}");
    eventually("the pidfds to be closed", || match server.open_files() {
        Ok(open) if open == before => Ok(()),
        open => Err(open),
    });
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
            let line = format!("{road}: cannot fork for {peer}: try again\n");
            eventually(&line, || match server.log().stderr() {
                said if said.contains(&line) => Ok(()),
                said => Err(said),
            });
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
        let fails = report.numbers(Outcome::Fails);
        assert!(fails.is_empty(), "{road}: {fails:?} of {:#?}", report.answers);
        (report.numbers(Outcome::CannotBeAsked), report.answers)
    };
    thread::scope(|scope| {
        let exams = ROADS.map(|road| (road, scope.spawn(move || sit(road))));
        for (road, exam) in exams {
            let (mut unasked, answers) = exam.join().unwrap();
            unasked.retain(|number| *number != 18); // unless a limit on processes binds it
            // Whoever serves isn't the server's child: what concerns its children can't be asked.
            let grandchildren: &[usize] = &[2, 3, 4, 6, 7, 11, 17, 19];
            let expected = if road == "double_fork" { grandchildren } else { &[19] };
            assert_eq!(unasked, expected, "{road}: {answers:#?}");
        }
    });
}
