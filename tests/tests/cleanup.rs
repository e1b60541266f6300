//! What the harness promises: whatever becomes of a test, its servers and their children end
//! with it, and not even a zombie is left.
//!
//! The tests that must see a process die start this program again as their *victim*: it runs
//! the one test `victim`, which starts a server with three children, one of them a zombie, and
//! then does what it is told.

use std::io::{self, BufRead, BufReader};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::Instant;
use std::{env, thread};

use client::ps::{self, children_of};
use client::signals::bit;
use client::ss;
use harness::burst::Burst;
use harness::experiment;
use harness::hold::Hold;
use harness::lessons::{example, program};
use harness::server::{ANYWHERE, Launch, Server, own_addr};
use harness::{PATIENCE, eventually, skip};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, killpg, signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getuid};
use procfs::net::TcpState;
use procfs::process::Stat;

/// Tells the victim what to do, and where its server's program is.
const DEED: &str = "HARNESS_VICTIM";
const PROGRAM: &str = "HARNESS_VICTIM_PROGRAM";

/// The victim's part. It does nothing unless another test has started it.
#[test]
#[ignore = "run by the other tests"]
fn victim() {
    let (Ok(deed), Ok(program)) = (env::var(DEED), env::var(PROGRAM)) else { return };
    let (status, _) = shell("exit 7").run().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 7)), "{status:?}");
    let lesson = Launch::lesson(&program, ANYWHERE);
    let launch = match &*deed {
        "limited" => lesson.processes(20),
        // What is ignored stays ignored across exec and fork.
        "deaf" => shell("trap '' INT TERM HUP; exec \"$0\" --delay 0 127.0.0.1:0").arg(program),
        _ => lesson,
    };
    let server = launch.start().unwrap();
    let burst = Burst::connect(&server, 3).unwrap();
    burst.clients()[0].bye().unwrap();
    server.wait_for("one zombie of three", |it| it.zombies() == 1 && it.alive() == 2).unwrap();
    let mut holds = Vec::new();
    if deed == "held" {
        holds.push(server.hold().unwrap());
        let living = server.census().unwrap().children.into_iter().filter(|it| !it.is_zombie());
        holds.extend(living.map(|child| Hold::still(child.pid).unwrap()));
    }
    println!("\nready");
    let _ = io::stdin().read_line(&mut String::new()); // until it has been looked at
    assert_ne!(deed, "fail", "as it was told");
}

/// A victim that is ready, and all that it has started.
struct Victim {
    process: Child,
    server: i32,
    /// The server, its guardian and its children.
    pids: Vec<i32>,
    /// Open until the victim has ended: else it could not say how its test went.
    _stdout: BufReader<ChildStdout>,
}

impl Victim {
    fn start(deed: &str) -> Victim {
        set_child_subreaper(true).unwrap(); // what the victim leaves behind comes to us
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "victim", "--ignored", "--nocapture"]);
        command.env(DEED, deed).env(PROGRAM, program("lesson-01").unwrap());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let ignoring = if deed == "ignoring" { SigHandler::SigIgn } else { SigHandler::SigDfl };
        let dispositions = move || {
            // This test itself may be run in the background, where shells ignore SIGINT.
            for (each, handler) in [
                (Signal::SIGINT, SigHandler::SigDfl),
                (Signal::SIGTERM, SigHandler::SigDfl),
                (Signal::SIGHUP, ignoring),
                (Signal::SIGCHLD, ignoring),
            ] {
                // SAFETY: neither runs any code of ours.
                unsafe { signal(each, handler) }?;
            }
            // Nor may the mask that it inherits keep it from anything.
            Ok(SigSet::all().thread_set_mask()?)
        };
        // SAFETY: both calls are on signal-safety(7)'s list.
        unsafe { command.process_group(0).pre_exec(dispositions) };
        let mut process = command.spawn().unwrap();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        let pid = process.id().cast_signed();
        // Dead or alive, its pids are known from here on, so that all can be ended.
        let ready = (&mut stdout).lines().any(|line| line.is_ok_and(|line| line == "ready"));
        let mut all = children_of(pid).unwrap();
        let server = all.iter().find(|it| it.name != "guardian").map_or(0, |it| it.pid);
        all.extend(children_of(server).unwrap());
        assert!(ready && all.len() == 5, "a server, its guardian and three children: {all:?}");
        let pids = all.iter().map(|it| it.pid).collect();
        Victim { process, server, pids, _stdout: stdout }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    /// How the victim ended. It must do so by itself, and soon.
    #[track_caller]
    fn end(&mut self) -> ExitStatus {
        let look = || (self.process.try_wait().unwrap(), self.seen());
        eventually("the victim to end", look, |it| it.0.is_some()).0.unwrap()
    }

    /// What is there of the victim's processes, zombies included.
    fn seen(&self) -> String {
        let there = self.pids.iter().filter_map(|pid| ps::stat(*pid));
        let tell = |it: Stat| format!("{} {} {} (parent {}); ", it.comm, it.pid, it.state, it.ppid);
        there.map(tell).collect()
    }
}

impl Drop for Victim {
    /// A test that has failed is to leave nothing either.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        for pid in &self.pids {
            if ps::stat(*pid).is_some_and(|stat| stat.ppid == std::process::id().cast_signed()) {
                let _ = kill(Pid::from_raw(*pid), Signal::SIGKILL);
                let _ = waitpid(Pid::from_raw(*pid), None);
            }
        }
    }
}

#[test]
fn a_test_that_ends_or_is_interrupted_leaves_no_process() {
    for (deed, signal, code) in [
        ("succeed", None, Some(0)),
        ("fail", None, Some(101)),
        ("wait", Some(Signal::SIGHUP), None),
        ("held", Some(Signal::SIGINT), None),
        ("deaf", Some(Signal::SIGTERM), None),
    ] {
        let mut victim = Victim::start(deed);
        match signal {
            None => drop(victim.process.stdin.take()),
            Some(signal) => victim.signal(signal),
        }
        let status = victim.end();
        let expected = (code, signal.map(|it| it as i32));
        assert_eq!((status.code(), status.signal()), expected, "{deed}: {status}");
        assert_eq!(victim.seen(), "", "{deed}");
    }
}

/// As nohup(1) asks. The victim has run a program to its end by now: had it left SIGCHLD ignored,
/// the kernel would have reaped that at once, and there would have been nobody to wait for.
#[test]
fn a_hang_up_that_is_ignored_stays_ignored_except_by_servers() {
    let mut victim = Victim::start("ignoring");
    let server = ps::status(victim.server).unwrap();
    let (hang_up, child) = (bit(libc::SIGHUP), bit(libc::SIGCHLD));
    assert_eq!((server.sigign & (hang_up | child), server.sigblk), (0, 0), "{server:?}");
    victim.signal(Signal::SIGHUP);
    victim.signal(Signal::SIGTERM);
    // The lower number is delivered first, so SIGHUP (1) has had its chance by now.
    assert_eq!(victim.end().signal(), Some(Signal::SIGTERM as i32));
    assert_eq!(victim.seen(), "");
}

/// The victim is killed as nobody can prepare for, with its whole process group, as timeout(1) does.
/// Its server and what was left of the server's children are killed too. Their new parent has to
/// reap them: here that is us.
#[test]
fn sigkill_takes_along_what_is_held_still_what_ignores_signals_and_what_has_another_user() {
    let mut deeds = vec!["held", "deaf"];
    let lesson = Launch::lesson(program("lesson-01").unwrap(), ANYWHERE);
    let user_of_its_own = lesson.processes(1).start().unwrap();
    if ps::status(user_of_its_own.pid()).unwrap().ruid == getuid().as_raw() {
        skip("only root, with CAP_SETUID, can start a server as another user");
    } else {
        deeds.push("limited");
    }
    for deed in deeds {
        let mut victim = Victim::start(deed);
        killpg(Pid::from_raw(victim.process.id().cast_signed()), Signal::SIGKILL).unwrap();
        assert_eq!(victim.end().signal(), Some(Signal::SIGKILL as i32));
        for pid in &victim.pids {
            let wait = || waitpid(Pid::from_raw(*pid), Some(WaitPidFlag::WNOHANG)).unwrap();
            let look = || (wait(), victim.seen());
            eventually(&format!("all of {deed} to end"), look, |it| it.0 != WaitStatus::StillAlive);
        }
    }
}

/// Ends the server, and checks that nothing is left of these processes of its.
#[track_caller]
fn end(server: Server, pids: &[i32]) {
    drop(server);
    for pid in pids {
        assert_eq!(ps::state(*pid), None, "process {pid} is still there");
    }
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let lesson = program("lesson-01").unwrap();
    let server = thread::spawn(move || Server::lesson(lesson)).join().unwrap().unwrap();
    // One that dies with the thread may be dying only now: so let it do something.
    experiment::on_their_own(&server, 1).unwrap();
}

#[test]
fn a_dead_server_keeps_its_pid_and_its_orphans_until_it_is_dropped() {
    let server = Server::lesson(program("lesson-01").unwrap()).unwrap();
    let burst = Burst::connect(&server, 3).unwrap();
    let pid = server.pid();
    server.kill().unwrap();
    assert_eq!(ps::state(pid), Some('Z'), "its pid could be somebody else's by now");
    let error = server.census().unwrap_err().to_string();
    assert!(error.contains("the server is dead"), "{error}");
    assert!(server.kill().is_err(), "it was killed twice");
    let orphans = server.members();
    assert_eq!(orphans.len(), 3, "{orphans:?}");
    end(server, &[&[pid], &*orphans].concat());
    burst.close();
}

#[test]
fn a_child_that_has_left_its_process_group_ends_too() {
    let init = Launch::new(example("subjects").unwrap()).arg("subreaper").arg("--");
    let lesson = program("lesson-01").unwrap();
    let server = init.arg(lesson).arg("--delay").arg("0").arg("127.0.0.1:0").start().unwrap();
    let stat = ps::stat(server.pid()).unwrap();
    assert_ne!(stat.pgrp, stat.session, "no group of its own");
    let members = server.members();
    assert_eq!(members.len(), 2, "the stand-in for PID 1 and the server: {members:?}");
    end(server, &members);
}

/// As `setsid env -i …` does: nothing is left of it but the pipes that it writes to.
#[test]
fn a_daemon_that_has_left_session_and_environment_ends_too() {
    let addr = own_addr().unwrap();
    let script = "unset HARNESS_SESSION; exec \"$0\" daemon \"$1\"";
    let launch = shell(script).arg(example("misfits").unwrap()).arg(addr.to_string());
    let server = launch.start().unwrap();
    let pid = server.pid();
    assert_ne!(ps::stat(pid).unwrap().session, server.command(), "it has left its session");
    end(server, &[pid]);
}

#[test]
fn a_burst_that_is_dropped_leaves_no_time_wait() {
    let server = Server::lesson(program("lesson-01").unwrap()).unwrap();
    let time_waits = || {
        let mut all = ss::tcp_sockets(ss::HERE).unwrap();
        all.retain(|it| [it.local_address, it.remote_address].contains(&server.addr()));
        all.iter().filter(|it| it.state == TcpState::TimeWait).count()
    };
    let before = time_waits(); // somebody else's, who had the port then
    drop(Burst::connect(&server, 3).unwrap());
    server.wait_for("the children to end", |it| it.zombies() == 3).unwrap();
    let left = time_waits();
    assert!(left <= before, "{left} in TIME_WAIT, {before} before");
}

fn shell(script: &str) -> Launch {
    Launch::new("/bin/sh").arg("-c").arg(script)
}

#[test]
fn a_server_that_cannot_start_is_told_why_or_with_its_last_words() {
    // A failed unwrap prints an error by its Debug, which reads like its Display.
    let error = format!("{:?}", Launch::new("/nowhere/lesson-04").start().unwrap_err());
    assert!(error.starts_with("cannot start /nowhere/lesson-04: No such file"), "{error}");
    for (script, fate) in [
        ("echo so; echo no >&2; exit 3", "with exit status 3; it said:\nso\nno\n"),
        ("echo no port; kill -KILL $$", "by SIGKILL; it said: no port"),
        ("echo no port; kill -40 $$", "by a real-time signal; it said: no port"),
    ] {
        let error = shell(script).start().unwrap_err().to_string();
        assert_eq!(error, format!("no server: /bin/sh ended at once {fate}"));
    }
}

#[test]
fn what_was_cut_and_what_was_kept_of_a_flooded_log_add_up() {
    let double = "x=$x$x; ".repeat(23);
    let start = Instant::now();
    let script = format!("x=x; sleep 1000 & {double} printf first%slast $x; echo oops >&2");
    let (_, log) = shell(&script).run().unwrap();
    let stdout = log.stdout();
    let (head, rest) = stdout.split_once("\n[harness: ").unwrap();
    let (cut, tail) = rest.split_once(" bytes cut]\n").unwrap();
    assert!(head.starts_with("firstxxx") && tail.ends_with("xxxlast"), "the ends are there");
    let kept = head.len() + tail.len();
    assert!(kept < 600_000, "{kept} bytes kept");
    assert_eq!(kept + cut.parse::<usize>().unwrap(), (1 << 23) + "firstlast".len());
    assert_eq!(log.stderr(), "oops\n");
    // The end of the shell's child was the end of its log: nothing was left to wait for.
    assert!(start.elapsed() < PATIENCE / 4, "took {:?}", start.elapsed());
}

#[test]
fn all_threads_of_a_held_process_are_stopped_for_certain_and_run_on_afterwards() {
    let two_threads = Launch::new(example("gallery").unwrap()).arg("sigwait-thread");
    let server = two_threads.arg("127.0.0.1:0").start().unwrap();
    for _ in 0..20 {
        let hold = server.hold().unwrap();
        assert_eq!(ps::thread_states(server.pid()), "TT");
        drop(hold);
        server.wait_for("the server to sleep again", |it| it.parent.state == 'S').unwrap();
    }
    experiment::on_their_own(&server, 1).unwrap();

    server.kill().unwrap();
    let start = Instant::now();
    let error = server.hold().unwrap_err().to_string();
    assert!(error.contains("did not stop; seen last: \"Z"), "{error}");
    assert!(start.elapsed() < PATIENCE / 2, "the dead cannot be held: {:?}", start.elapsed());
}
