//! What the harness promises: whatever becomes of a test, its servers and their children end
//! with it, and not even a zombie is left.
//!
//! The tests that must see a process die start this program again as their *victim*: it runs
//! the one test `victim`, which starts a server with three children, one of them a zombie, and
//! then does what it is told.

use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::panic::catch_unwind;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, thread};

use client::ps::{self, children_of};
use client::signals::bit;
use harness::burst::Burst;
use harness::experiment;
use harness::hold::Hold;
use harness::lessons::{example, program};
use harness::server::{Goodbye, Launch, Server, own_addr};
use harness::story::Paint;
use harness::{PATIENCE, poll, skip};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, killpg, signal};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getuid};
use procfs::net::TcpState;
use procfs::process::{Process, all_processes};

/// Tells the victim what to do, and where its server's program is.
const DEED: &str = "HARNESS_VICTIM";
const PROGRAM: &str = "HARNESS_VICTIM_PROGRAM";

/// The victim's part. It does nothing unless another test has started it.
#[test]
#[ignore = "run by the other tests"]
fn victim() {
    let (Ok(deed), Ok(program)) = (env::var(DEED), env::var(PROGRAM)) else { return };
    let mut launch = Launch::lesson(program, "127.0.0.1:0".parse().unwrap());
    match deed.as_str() {
        "limited" => launch = launch.processes(20),
        "deaf" => {
            // What is ignored stays ignored across exec and fork.
            let shell = "trap '' INT TERM HUP; exec \"$0\" --delay 0 127.0.0.1:0";
            let program = env::var(PROGRAM).unwrap();
            launch = Launch::new("/bin/sh").arg("-c").arg(shell).arg(program);
        }
        _ => {}
    }
    let server = launch.start().unwrap();
    let burst = Burst::connect(&server, 3).unwrap();
    Goodbye::Bye.say(&burst.clients()[0]).unwrap();
    server.wait_for("one zombie of three", |it| it.zombies() == 1 && it.alive() == 2).unwrap();
    let mut holds = Vec::new();
    if deed == "held" {
        holds.push(server.hold().unwrap());
        let living = server.census().unwrap().children.into_iter().filter(|it| !it.is_zombie());
        holds.extend(living.map(|child| Hold::still(child.pid).unwrap()));
    }
    if deed == "run" {
        let (status, _) = shell("exit 7").run().unwrap();
        assert!(matches!(status, WaitStatus::Exited(_, 7)), "{status:?}");
    }
    println!("\nready");
    let _ = io::stdin().read_line(&mut String::new()); // until it has been looked at
    assert_ne!(deed, "fail", "as it was told");
}

/// A victim that is ready, and all that it has started.
struct Victim {
    process: Child,
    server: Pid,
    guardian: Pid,
    children: Vec<Pid>,
    /// Open until the victim has ended: else it could not say how its test went.
    _stdout: BufReader<ChildStdout>,
}

impl Victim {
    fn start(deed: &str) -> Victim {
        Victim::start_ignoring(deed, None)
    }

    /// Starts a victim that was told before its exec to ignore a signal.
    fn start_ignoring(deed: &str, ignored: Option<Signal>) -> Victim {
        set_child_subreaper(true).unwrap(); // what the victim leaves behind comes to us
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "victim", "--ignored", "--nocapture"]);
        command.env(DEED, deed).env(PROGRAM, program("lesson-01").unwrap());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let dispositions = move || {
            // This test itself may be run in the background, where shells ignore SIGINT.
            for each in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGCHLD] {
                let ignore = ignored == Some(each);
                let handler = if ignore { SigHandler::SigIgn } else { SigHandler::SigDfl };
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
        let (mut server, mut guardian, mut children) = (None, None, Vec::new());
        for child in children_of(pid).unwrap() {
            if child.name == "guardian" {
                guardian = Some(Pid::from_raw(child.pid));
            } else {
                server = Some(Pid::from_raw(child.pid));
                children = children_of(child.pid).unwrap();
            }
        }
        let (Some(server), Some(guardian)) = (server, guardian) else {
            panic!("ready: {ready}, server {server:?}, guardian {guardian:?}");
        };
        assert_eq!(children.len(), 3, "children of server {server}: {children:?}");
        let children = children.into_iter().map(|child| Pid::from_raw(child.pid)).collect();
        Victim { process, server, guardian, children, _stdout: stdout }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.process.id().cast_signed()), signal).unwrap();
    }

    /// Lets the victim do its deed.
    fn go_on(&mut self) {
        drop(self.process.stdin.take());
    }

    /// How the victim ended. It must do so by itself, and soon.
    fn end(&mut self) -> ExitStatus {
        let ended = poll::until(PATIENCE, || self.process.try_wait().unwrap());
        ended.unwrap_or_else(|| panic!("the victim lives on: {}", self.seen()))
    }

    fn all(&self) -> impl Iterator<Item = Pid> {
        [self.server, self.guardian].into_iter().chain(self.children.iter().copied())
    }

    /// What is there of the victim's processes, zombies included.
    fn seen(&self) -> String {
        let mut seen = String::new();
        for pid in self.all() {
            if let Some(stat) = ps::stat(pid.as_raw()) {
                let _ = write!(seen, "{} {pid} {} (parent {}); ", stat.comm, stat.state, stat.ppid);
            }
        }
        seen
    }

    /// How `pid`, an orphan that has come to us, ended.
    #[track_caller]
    fn ended(&self, pid: Pid) -> WaitStatus {
        let flags = Some(nix::sys::wait::WaitPidFlag::WNOHANG);
        poll::until(PATIENCE, || match waitpid(pid, flags) {
            Ok(WaitStatus::StillAlive) => None,
            Ok(status) => Some(status),
            Err(errno) => panic!("cannot wait for {pid}: {errno}; {}", self.seen()),
        })
        .unwrap_or_else(|| panic!("{pid} lives on: {}", self.seen()))
    }
}

impl Drop for Victim {
    /// A test that has failed is to leave nothing either.
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        for pid in self.all() {
            let ours = ps::stat(pid.as_raw());
            if ours.is_some_and(|stat| stat.ppid == std::process::id().cast_signed()) {
                let _ = kill(pid, Signal::SIGKILL);
                let _ = waitpid(pid, None);
            }
        }
    }
}

#[test]
fn success_leaves_no_process() {
    let mut victim = Victim::start("succeed");
    victim.go_on();
    assert!(victim.end().success());
    assert_eq!(victim.seen(), "");
}

#[test]
fn a_failed_test_leaves_no_process() {
    let mut victim = Victim::start("fail");
    victim.go_on();
    assert_eq!(victim.end().code(), Some(101));
    assert_eq!(victim.seen(), "");
}

#[test]
fn a_caught_panic_leaves_no_process() {
    let server = Server::lesson(program("lesson-01").unwrap()).unwrap();
    let pid = server.pid();
    let panicked = catch_unwind(|| {
        let _server = server;
        panic!("on purpose");
    });
    assert!(panicked.is_err());
    assert!(Process::new(pid).is_err(), "process {pid} is still there");
}

#[test]
fn an_interrupt_leaves_no_process_and_still_kills() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let mut victim = Victim::start("wait");
        victim.signal(signal);
        let status = victim.end();
        assert_eq!(status.signal(), Some(signal as i32), "{status}");
        assert_eq!(victim.seen(), "", "after {signal}");
    }
}

#[test]
fn an_interrupt_ends_servers_that_are_held_still() {
    let mut victim = Victim::start("held");
    victim.signal(Signal::SIGINT);
    assert_eq!(victim.end().signal(), Some(Signal::SIGINT as i32));
    assert_eq!(victim.seen(), "");
}

#[test]
fn an_interrupt_ends_servers_that_ignore_it() {
    let mut victim = Victim::start("deaf");
    victim.signal(Signal::SIGTERM);
    assert_eq!(victim.end().signal(), Some(Signal::SIGTERM as i32));
    assert_eq!(victim.seen(), "");
}

#[test]
fn a_hang_up_that_is_ignored_stays_ignored_except_by_servers() {
    let mut victim = Victim::start_ignoring("wait", Some(Signal::SIGHUP));
    let server = Process::new(victim.server.as_raw()).and_then(|it| it.status()).unwrap();
    let (hang_up, child) = (bit(libc::SIGHUP), bit(libc::SIGCHLD));
    assert_eq!((server.sigign & (hang_up | child), server.sigblk), (0, 0), "{server:?}");
    victim.signal(Signal::SIGHUP);
    victim.signal(Signal::SIGTERM);
    // The lower number is delivered first, so SIGHUP (1) has had its chance by now.
    assert_eq!(victim.end().signal(), Some(Signal::SIGTERM as i32));
    assert_eq!(victim.seen(), "");
}

#[test]
fn an_ignored_sigchld_does_not_rob_the_harness_of_its_children() {
    // Else the kernel would reap them at once, and there would be nobody to wait for.
    let mut victim = Victim::start_ignoring("run", Some(Signal::SIGCHLD));
    victim.go_on();
    assert!(victim.end().success());
    assert_eq!(victim.seen(), "");
}

/// Kills the victim as nobody can prepare for, and checks that its server and what was left of
/// the server's children are killed too. Their new parent has to reap them: here that is us.
fn killed_victim_takes_its_server_along(deed: &str, kill: impl FnOnce(&Victim)) {
    let mut victim = Victim::start(deed);
    kill(&victim);
    assert_eq!(victim.end().signal(), Some(Signal::SIGKILL as i32));
    let server = victim.ended(victim.server);
    assert!(matches!(server, WaitStatus::Signaled(_, Signal::SIGKILL, _)), "server: {server:?}");
    for child in &victim.children {
        // Killed, or ended by itself since its client is gone.
        victim.ended(*child);
    }
    let guardian = victim.ended(victim.guardian);
    assert!(matches!(guardian, WaitStatus::Exited(_, 0)), "guardian: {guardian:?}");
    assert_eq!(victim.seen(), "");
}

#[test]
fn sigkill_takes_the_server_along() {
    killed_victim_takes_its_server_along("wait", |it| it.signal(Signal::SIGKILL));
}

#[test]
fn sigkill_takes_along_a_server_and_children_that_are_held_still() {
    killed_victim_takes_its_server_along("held", |it| it.signal(Signal::SIGKILL));
}

#[test]
fn sigkill_takes_along_what_ignores_every_other_signal() {
    killed_victim_takes_its_server_along("deaf", |it| it.signal(Signal::SIGKILL));
}

/// Needs root, who may give a server another user.
#[test]
fn sigkill_takes_along_a_server_with_a_user_id_of_its_own() {
    let lesson = Launch::lesson(program("lesson-01").unwrap(), "127.0.0.1:0".parse().unwrap());
    let server = lesson.processes(1).start().unwrap();
    let user = Process::new(server.pid()).and_then(|it| it.status()).unwrap().ruid;
    if user == getuid().as_raw() {
        return skip("only root, with CAP_SETUID, can start a server as another user");
    }
    killed_victim_takes_its_server_along("limited", |it| it.signal(Signal::SIGKILL));
}

#[test]
fn sigkill_of_the_whole_process_group_takes_the_server_along() {
    // As timeout(1) and other minders do it.
    killed_victim_takes_its_server_along("wait", |victim| {
        killpg(Pid::from_raw(victim.process.id().cast_signed()), Signal::SIGKILL).unwrap();
    });
}

/// The negative control of the five before: nothing else than the guardian does it.
#[test]
fn without_its_guardian_a_server_survives_sigkill() {
    let mut victim = Victim::start("held");
    kill(victim.guardian, Signal::SIGKILL).unwrap();
    victim.signal(Signal::SIGKILL);
    victim.end();
    victim.ended(victim.guardian);
    let left = victim.seen();
    assert_eq!(left.matches(" T (").count(), 3, "the server and two children: {left}");
}

#[test]
fn a_server_outlives_the_thread_that_started_it() {
    let lesson = program("lesson-01").unwrap();
    let server = thread::spawn(move || Server::lesson(lesson)).join().unwrap().unwrap();
    // One that dies with the thread may be dying only now: so let it do something.
    experiment::on_their_own(&server, 1).unwrap();
}

#[test]
fn a_dead_server_keeps_its_pid_until_it_is_dropped() {
    let server = Server::lesson(program("lesson-01").unwrap()).unwrap();
    let pid = server.pid();
    server.kill().unwrap();
    let stat = ps::stat(pid).unwrap();
    assert_eq!(stat.state, 'Z', "its pid could be somebody else's by now");
    assert!(server.members().is_empty(), "{:?}", server.members());
    let error = server.census().unwrap_err().to_string();
    assert!(error.contains("the server is dead"), "{error}");
    assert!(server.kill().is_err(), "it was killed twice");
    drop(server);
    assert!(Process::new(pid).is_err(), "process {pid} is still there");
}

#[test]
fn orphans_of_a_killed_server_end_with_it() {
    let server = Server::lesson(program("lesson-01").unwrap()).unwrap();
    let burst = Burst::connect(&server, 3).unwrap();
    server.kill().unwrap();
    let orphans = server.members();
    assert_eq!(orphans.len(), 3, "{orphans:?}");
    drop(server);
    for pid in orphans {
        assert!(Process::new(pid).is_err(), "process {pid} is still there");
    }
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
    drop(server);
    for pid in members {
        assert!(Process::new(pid).is_err(), "process {pid} is still there");
    }
}

/// As `setsid env -i …` does: nothing is left of it but the pipes that it writes to.
#[test]
fn a_daemon_that_has_left_session_and_environment_ends_too() {
    let addr = own_addr().unwrap();
    let script = "unset HARNESS_SESSION; exec \"$0\" daemon \"$1\"";
    let launch = shell(script).arg(example("misfits").unwrap()).arg(addr.to_string());
    let server = launch.start().unwrap();
    let (pid, command) = (server.pid(), server.command());
    let session = ps::stat(pid).unwrap().session;
    assert_ne!(session, command, "it has left its session");
    drop(server);
    assert!(!client::ps::lives(pid), "{pid} lives on");
}

#[test]
fn a_burst_that_is_dropped_leaves_no_time_wait() {
    let server = Server::lesson(program("lesson-01").unwrap()).unwrap();
    let time_waits = || {
        let mut all = procfs::net::tcp().unwrap();
        all.retain(|it| it.state == TcpState::TimeWait && it.local_address.ip().is_loopback());
        all.retain(|it| [it.local_address, it.remote_address].contains(&server.addr()));
        all.into_iter().map(|it| (it.local_address, it.remote_address)).collect::<Vec<_>>()
    };
    let before = time_waits(); // somebody else's, who had the port then
    drop(Burst::connect(&server, 3).unwrap());
    server.wait_for("the children to end", |it| it.zombies() == 3).unwrap();
    let mut left = time_waits();
    left.retain(|it| !before.contains(it));
    assert!(left.is_empty(), "in TIME_WAIT: {left:?}");
}

/// The processes with `word` on their command line.
fn processes_with(word: &str) -> Vec<i32> {
    let on_command_line = |process: &Process| {
        process.cmdline().is_ok_and(|words| words.iter().any(|it| it.contains(word)))
    };
    all_processes()
        .unwrap()
        .filter_map(Result::ok)
        .filter(on_command_line)
        .map(|it| it.pid)
        .collect()
}

fn shell(script: &str) -> Launch {
    Launch::new("/bin/sh").arg("-c").arg(script)
}

#[track_caller]
fn cannot_start(launch: Launch) -> String {
    match launch.start() {
        Ok(server) => panic!("it started: {server:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_program_that_does_not_exist_is_named() {
    let error = cannot_start(Launch::new("/nowhere/lesson-04"));
    assert!(error.starts_with("cannot start /nowhere/lesson-04: No such file"), "{error}");
}

#[test]
fn a_server_that_ends_at_once_is_told_with_its_last_words() {
    for (script, fate) in [
        (
            "echo so long; echo no port >&2; exit 3",
            "with exit status 3; it said:\nso long\nno port\n",
        ),
        ("echo no port; kill -KILL $$", "by SIGKILL; it said: no port"),
        ("echo no port; kill -40 $$", "by a real-time signal; it said: no port"),
    ] {
        let error = cannot_start(shell(script));
        assert_eq!(error, format!("no server: /bin/sh ended at once {fate}"));
    }
}

#[test]
fn a_server_that_never_listens_is_given_up_and_ended() {
    let client = program("client").unwrap();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap(); // accepts nobody
    let word = nobody.local_addr().unwrap().to_string();
    let addr = own_addr().unwrap();
    let launch =
        Launch::new(&client).arg(&word).listening_on(&[addr.into()], Duration::from_millis(200));
    let error = cannot_start(launch);
    let client = client.display();
    assert_eq!(error, format!("no server on {addr}: {client} did not listen within 0.2 s"));
    assert_eq!(processes_with(&word), Vec::<i32>::new());
}

#[test]
fn a_program_that_runs_to_its_end_takes_its_children_along() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap(); // accepts nobody
    let word = nobody.local_addr().unwrap().to_string();
    let start = Instant::now();
    let launch = shell("\"$0\" \"$1\" & echo started").arg(program("client").unwrap()).arg(&word);
    let (status, log) = launch.run().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
    assert_eq!(log.text(), "started\n");
    // The end of its children was the end of its log: nothing was left to wait for.
    assert!(start.elapsed() < PATIENCE / 4, "took {:?}", start.elapsed());
    assert_eq!(processes_with(&word), Vec::<i32>::new());
}

#[test]
fn a_server_that_floods_its_log_serves_on() {
    let server = Server::lesson(program("lesson-03").unwrap()).unwrap();
    let burst = Burst::connect(&server, 1).unwrap();
    // Each message is logged; a pipe that nobody reads would be full after 64 of them.
    let message = [b'x'; 1024];
    for _ in 0..1000 {
        burst.clients()[0].say(&message).unwrap();
    }
    burst.leave().unwrap();
    server.settled().unwrap();
    let said_bye = || server.log().stdout().contains("received \"Bye\"").then_some(());
    poll::until(PATIENCE, said_bye).expect("the end of the log is there");
    let log = server.log().stdout();
    let first = log.lines().next().unwrap();
    assert!(first.contains("listening on"), "the beginning of the log is there: {first}");
    let cut = log.lines().filter(|line| line.starts_with("[harness: ")).count();
    assert_eq!(cut, 1, "one line says how much was cut");
    assert!(log.len() < 600_000, "{} bytes kept", log.len());
}

#[test]
fn what_was_cut_and_what_was_kept_of_a_log_add_up() {
    let double = "x=$x$x; ".repeat(23);
    let (_, log) = shell(&format!("x=x; {double} printf %s $x; echo oops >&2")).run().unwrap();
    let stdout = log.stdout();
    let (head, rest) = stdout.split_once("\n[harness: ").unwrap();
    let (cut, tail) = rest.split_once(" bytes cut]\n").unwrap();
    let cut: usize = cut.parse().unwrap();
    assert_eq!(head.len() + cut + tail.len(), 1 << 23);
    assert_eq!(log.stderr(), "oops\n");
}

#[test]
fn a_held_process_is_stopped_for_certain_and_runs_on_afterwards() {
    let server = Server::lesson(program("lesson-01").unwrap()).unwrap();
    for _ in 0..20 {
        let hold = server.hold().unwrap();
        assert_eq!(server.census().unwrap().parent.state, 'T');
        drop(hold);
        server.wait_for("the server to sleep again", |it| it.parent.state == 'S').unwrap();
    }
    experiment::on_their_own(&server, 1).unwrap();
}

#[test]
fn all_threads_of_a_held_process_are_stopped() {
    let mut victim = Victim::start("wait");
    let pid = victim.process.id().cast_signed();
    let hold = Hold::still(pid).unwrap();
    let threads = Process::new(pid).unwrap().tasks().unwrap();
    let states: String = threads.map(|thread| thread.unwrap().stat().unwrap().state).collect();
    assert!(states.len() > 2 && states.chars().all(|state| state == 'T'), "{states}");
    hold.release();
    victim.signal(Signal::SIGTERM);
    victim.end();
}

#[test]
fn the_dead_cannot_be_held() {
    let server = Server::lesson(program("lesson-01").unwrap()).unwrap();
    server.kill().unwrap();
    let start = Instant::now();
    let error = server.hold().unwrap_err().to_string();
    assert!(error.contains("did not stop; seen last: \"Z\""), "{error}");
    assert!(start.elapsed() < PATIENCE / 2, "took {:?}", start.elapsed());
}

/// `text` without its escape sequences.
fn stripped(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let mut stripped = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        stripped += piece.split_once('m').expect("a colour ends in m").1;
    }
    stripped
}

#[test]
fn a_story_is_one_text_with_or_without_colours_and_pids() {
    let server = Server::lesson(program("lesson-02").unwrap()).unwrap();
    let (story, _) = experiment::held_still(&server, 4).unwrap();
    let plain = story.text(Paint::Plain);
    let coloured = story.text(Paint::Coloured);
    assert!(!plain.contains('\x1b'), "{plain}");
    assert!(coloured.contains('\x1b'), "{coloured}");
    assert_eq!(stripped(&coloured), plain);
    let mut normalised = plain.replace(&server.pid().to_string(), "PID");
    let left = server.census().unwrap().children;
    assert_eq!(left.len(), 3, "{left:?}");
    for zombie in left {
        assert!(plain.contains(&zombie.pid.to_string()), "zombie {} in {plain}", zombie.pid);
        normalised = normalised.replace(&zombie.pid.to_string(), "PID");
    }
    assert_eq!(normalised, story.normalised());
}

#[test]
fn more_than_ten_children_are_told_as_numbers() {
    let told = |clients| {
        let server = Server::lesson(program("lesson-02").unwrap()).unwrap();
        experiment::held_still(&server, clients).unwrap().0.normalised()
    };
    let ten = told(11);
    assert!(ten.contains("  T  11 Z\n    SIGCHLD pending: 11 deaths, 1 bit\n"), "{ten}");
    assert!(ten.contains("  S  Z Z Z Z Z Z Z Z Z Z\n"), "{ten}");
    assert!(ten.ends_with(&format!("1 reaped, 10 zombies:\n   {}\n", " PID".repeat(10))), "{ten}");
    let eleven = told(12);
    assert!(eleven.ends_with("  S  11 Z\n  1 reaped, 11 zombies\n"), "{eleven}");
}
