//! What a lesson must survive besides what `exam` asks of each: rude clients, tight limits, lost
//! output, death on either side.
//!
//! Each claim is a function, put to every lesson that the list below names for it:
//! `cargo test -p harness --test survival -- lesson_02` puts all of them to one lesson,
//! `… -- a_refused_fork` one of them to all.

use std::net::TcpListener;
use std::thread;
use std::time::{Duration, Instant};

use client::Conversation;
use client::ps::{self, Family, SIGCHLD_BIT};
use client::ss::{self, Listener};
use harness::hold::Hold;
use harness::lessons::{LESSONS, Lesson};
use harness::server::{ANYWHERE, Inherited, Launch, Server, Stdout, own_addr, send};
use harness::{PATIENCE, eventually, experiment, limits, or_skip, skip, syscall};
use nix::sys::resource::Resource;
use nix::sys::wait::WaitStatus;

macro_rules! claims {
    ($($claim:ident: $($lesson:ident)+;)+) => {$(
        mod $claim {
            $(
                #[test]
                fn $lesson() {
                    super::$claim(super::lesson(stringify!($lesson)));
                }
            )+
        }
    )+};
}

claims! {
    what_is_not_bye_alone_comes_back_as_it_went: lesson_01 lesson_02 lesson_03;
    an_echo_takes_its_delay_and_five_wait_side_by_side: lesson_01 lesson_02 lesson_03;
    four_open_files_are_too_few_five_are_enough_and_nothing_is_lost: lesson_01 lesson_02 lesson_03;
    a_refused_fork_ends_that_connection_in_good_order: lesson_01 lesson_02 lesson_03;
    a_lost_output_is_not_fatal: lesson_01 lesson_02 lesson_03;
    an_event_is_a_plain_line_on_stdout_cut_to_2048_bytes: lesson_01 lesson_02 lesson_03;
    a_taken_port_is_said_in_one_line: lesson_01 lesson_02 lesson_03;
    the_help_names_the_defaults: lesson_01 lesson_02 lesson_03;
    the_children_of_a_killed_server_serve_on_and_leave_its_port: lesson_01 lesson_02 lesson_03;
    a_killed_child_ends_its_own_conversation_alone: lesson_01 lesson_02 lesson_03;
    a_child_has_sigchld_at_its_default_and_never_accepts: lesson_01 lesson_02 lesson_03;
    a_stopped_child_hangs_lesson_2_alone_until_one_dies: lesson_01 lesson_02 lesson_03;
    a_stray_sigchld_hangs_lesson_2_alone_while_a_child_lives: lesson_01 lesson_02 lesson_03;
    an_inherited_block_of_sigchld_keeps_nobody_from_reaping: lesson_02 lesson_03;
}

fn lesson(name: &str) -> &'static Lesson {
    LESSONS.iter().find(|lesson| lesson.name.replace('-', "_") == name).unwrap()
}

// What the claims are made of.

fn launch(lesson: &Lesson) -> Launch {
    Launch::lesson(lesson.program().unwrap(), ANYWHERE)
}

#[track_caller]
fn start(lesson: &Lesson) -> Server {
    launch(lesson).start().unwrap()
}

/// Waits until the server has settled after `deaths` of its children, which came one by one.
#[track_caller]
fn settle(lesson: &Lesson, server: &Server, deaths: usize) {
    let family = server.settled().unwrap();
    let zombies = deaths * lesson.zombies_when_held_still(1);
    assert_eq!(family.zombies(), zombies, "after {deaths} deaths: {family}");
}

/// The one child of the server has ended, and the next client is served as if nothing had been.
#[track_caller]
fn goes_on(lesson: &Lesson, server: &Server) {
    settle(lesson, server, 1);
    server.greet().unwrap().part().unwrap();
    settle(lesson, server, 2);
    assert_eq!(server.log().stderr(), "", "{} complained", lesson.name);
}

/// Waits until `pid` stands in the system call of that number, where the kernel tells.
#[track_caller]
fn stands_in(pid: i32, number: i64) {
    if or_skip(syscall::readable(pid)).is_some() {
        syscall::wait_for_sleep_in(pid, number).unwrap();
    }
}

// Clients.

fn what_is_not_bye_alone_comes_back_as_it_went(lesson: &Lesson) {
    let server = start(lesson);
    let client = server.connect().unwrap();
    let every_byte: Vec<u8> = (0..=u8::MAX).collect();
    for word in [&*every_byte, b"\xff", b"\0", b"helloBye", b"Bye-bye", b"bye"] {
        client.say(word).unwrap();
    }
    let megabyte: Vec<u8> = (0..1 << 20).map(|at: u32| (at % 251) as u8).collect();
    thread::scope(|scope| {
        scope.spawn(|| client.send(&megabyte).unwrap());
        client.expect(&megabyte).unwrap();
    });
    client.send(b"the last word").unwrap();
    client.close_half().unwrap();
    client.expect(b"the last word").unwrap();
    client.hear_end().unwrap();
    goes_on(lesson, &server);
}

fn an_echo_takes_its_delay_and_five_wait_side_by_side(lesson: &Lesson) {
    const DELAY: Duration = Duration::from_millis(200);
    let start = |delay: Duration| {
        let launch = Launch::new(lesson.program().unwrap()).arg("--delay");
        launch.arg(delay.as_millis().to_string()).arg(ANYWHERE.to_string()).start().unwrap()
    };
    let server = start(DELAY);
    let asked = Instant::now();
    server.greet().unwrap();
    let taken = asked.elapsed();
    assert!(taken >= DELAY, "{taken:?}");

    let server = start(Duration::from_secs(3600));
    let clients: Vec<Conversation> = (0..5).map(|_| server.connect().unwrap()).collect();
    clients.iter().for_each(|client| client.send(b"hello").unwrap());
    // All five are heard in the hour before the first is answered.
    server.log().wait_for("received \"hello\"", 5);
    let family = server.census().unwrap();
    assert_eq!(family.alive(), 5, "{family}");
    for child in family.children {
        stands_in(child.pid, libc::SYS_clock_nanosleep);
    }
}

// Limits.

fn four_open_files_are_too_few_five_are_enough_and_nothing_is_lost(lesson: &Lesson) {
    const PAUSE: Duration = Duration::from_millis(100);
    let before = Instant::now();
    let server = launch(lesson).open_files(4).start().unwrap();
    let client = server.connect().unwrap();
    client.send(b"hello").unwrap();
    server.log().wait_for("cannot accept", 5);
    let reports = server.log().stderr();
    let taken = before.elapsed();
    let report = format!("{}: cannot accept: too many open files", lesson.name);
    assert!(reports.lines().all(|line| line == report), "{reports}");
    // Between one report and the next lies a pause; however slow the machine, it is no shorter.
    let pauses = reports.lines().count() as u32 - 1;
    assert!(taken >= PAUSE * pauses, "{pauses} pauses in {taken:?}: it spins");

    limits::set(server.pid(), Resource::RLIMIT_NOFILE, 5).unwrap();
    client.expect(b"hello").unwrap();
    let reports = server.log().stderr();
    server.greet().unwrap().part().unwrap();
    client.part().unwrap();
    server.settled().unwrap();
    assert_eq!(server.log().stderr(), reports);
}

/// Needs a limit on processes that binds. Root is spared, so root needs CAP_SETUID, to start the
/// server as another user.
fn a_refused_fork_ends_that_connection_in_good_order(lesson: &Lesson) {
    if !experiment::refuses_a_fork(1).unwrap() {
        return skip(experiment::ROOT_IS_SPARED);
    }
    let server = launch(lesson).processes(1).start().unwrap();
    let files = server.open_files().unwrap();
    let hold = server.hold().unwrap();
    let silent = server.connect().unwrap();
    let speaker = server.connect().unwrap();
    speaker.send(b"hello").unwrap();
    hold.release();
    let expected: String = [&silent, &speaker]
        .map(|client| client.local_addr().unwrap())
        .map(|peer| format!("{}: cannot fork for {peer}: try again\n", lesson.name))
        .concat();
    eventually("a line for each refusal", || server.log().stderr(), |said| *said == expected);
    eventually("the server to drop both", || server.open_files().unwrap(), |open| *open == files);
    // A close answers unread bytes with a reset, which is no good order: the end comes before it.
    silent.hear_end().unwrap();
    speaker.hear_end().unwrap();

    limits::set(server.pid(), Resource::RLIMIT_NPROC, 10_000).unwrap();
    server.greet().unwrap().part().unwrap();
    settle(lesson, &server, 1);
}

// Output.

fn a_lost_output_is_not_fatal(lesson: &Lesson) {
    for stdout in [Stdout::Closed, Stdout::Full, Stdout::Broken] {
        let server = launch(lesson).stdout(stdout).start().unwrap();
        server.greet().unwrap().part().unwrap();
        goes_on(lesson, &server);

        let server = launch(lesson).stdout(stdout).stderr_too().open_files(4).start().unwrap();
        let client = server.connect().unwrap();
        // It pauses only after it has complained.
        stands_in(server.pid(), libc::SYS_clock_nanosleep);
        limits::set(server.pid(), Resource::RLIMIT_NOFILE, 64).unwrap();
        client.say(b"hello").unwrap();
        client.part().unwrap();
        settle(lesson, &server, 1);
    }
}

fn an_event_is_a_plain_line_on_stdout_cut_to_2048_bytes(lesson: &Lesson) {
    let server = start(lesson);
    let client = server.greet().unwrap();
    let peer = client.local_addr().unwrap();
    let (pid, child) = (server.pid(), server.serving(&client).unwrap()[0]);
    // A read takes 1024 bytes: the Bye behind them stands alone.
    client.send(&[&[1; 1024], client::BYE].concat()).unwrap();
    client.expect(&[1; 1024]).unwrap();
    client.hear_end().unwrap();
    settle(lesson, &server, 1);

    let first = format!("[{pid}] {} listening on {}, pid {pid}", lesson.name, server.addr());
    let mut long = format!("[{child}] received {:?}", "\u{1}".repeat(1024));
    long.truncate(2048 - "\n".len());
    let mut expected = vec![
        first.clone(),
        format!("[{pid}] child {child} serves {peer}"),
        format!("[{child}] received \"hello\\n\""),
        long,
        format!("[{child}] received \"Bye\""),
    ];
    if lesson.zombies_when_held_still(1) == 0 {
        expected.push(format!("[SIGCHLD] reaped child {child:>8}"));
    }
    server.log().wait_for("", expected.len());
    let said = server.log().stdout();
    assert_eq!(said.lines().next(), Some(&*first));
    // The parent's lines and the child's come in either order.
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    expected.sort();
    assert_eq!(lines, expected, "{said}");
    assert_eq!(server.log().stderr(), "");
}

// Coming and going.

fn a_taken_port_is_said_in_one_line(lesson: &Lesson) {
    let holder = TcpListener::bind(ANYWHERE).unwrap();
    let addr = holder.local_addr().unwrap();
    let (status, log) = Launch::lesson(lesson.program().unwrap(), addr).run().unwrap();
    let line = format!("{}: cannot listen on {addr}: address already in use\n", lesson.name);
    assert_eq!((log.stdout(), log.stderr()), (String::new(), line));
    assert!(matches!(status, WaitStatus::Exited(_, 1)), "{status:?}");
}

fn the_help_names_the_defaults(lesson: &Lesson) {
    let (status, log) = Launch::new(lesson.program().unwrap()).arg("--help").run().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
    for default in ["[default: 127.0.0.1:5555]", "[default: 1000]"] {
        assert!(log.stdout().contains(default), "no {default} in: {}", log.stdout());
    }
}

fn the_children_of_a_killed_server_serve_on_and_leave_its_port(lesson: &Lesson) {
    let addr = own_addr().unwrap();
    let program = lesson.program().unwrap();
    let server = Launch::lesson(&program, addr).start().unwrap();
    let clients: Vec<Conversation> = (0..2).map(|_| server.greet().unwrap()).collect();
    let orphans = server.census().unwrap().children;
    assert_eq!(orphans.len(), clients.len());

    server.kill().unwrap();
    clients.iter().for_each(|client| client.say(b"still there?").unwrap());
    assert_eq!(ss::listener(addr).unwrap(), Listener::Elsewhere, "children {orphans:?}");
    let newcomer = Conversation::connect(addr, PATIENCE);
    assert!(newcomer.as_ref().is_err_and(client::Error::is_refused), "{newcomer:?}");

    let next = Launch::lesson(&program, addr).start().unwrap();
    next.greet().unwrap().part().unwrap();
    clients.iter().for_each(|client| client.say(b"and now?").unwrap());
    clients.iter().for_each(|client| client.part().unwrap());
    let states = || -> String { orphans.iter().filter_map(|it| ps::state(it.pid)).collect() };
    eventually("both orphans to end", states, |seen| seen == "ZZ");
}

// Processes.

fn a_killed_child_ends_its_own_conversation_alone(lesson: &Lesson) {
    let server = start(lesson);
    let client = server.greet().unwrap();
    let other = server.greet().unwrap();
    send(server.serving(&client).unwrap()[0], libc::SIGKILL).unwrap();
    client.hear_end().unwrap();
    let zombies = lesson.zombies_when_held_still(1);
    let counts = |it: &Family| it.alive() == 1 && it.zombies() == zombies;
    server.wait_for("the death to count like any other", counts).unwrap();
    other.say(b"still there?").unwrap();
    server.greet().unwrap().part().unwrap();
    other.part().unwrap();
}

/// With its parent's handler, a child could collect a program that it starts and waits for, and a
/// stray SIGCHLD could interrupt its read.
fn a_child_has_sigchld_at_its_default_and_never_accepts(lesson: &Lesson) {
    let server = start(lesson);
    let client = server.greet().unwrap();
    let status = ps::status(server.serving(&client).unwrap()[0]).unwrap();
    let masks = [status.sigcgt, status.sigign, status.sigblk];
    let is_default = masks.iter().all(|mask| mask & SIGCHLD_BIT == 0);
    assert!(is_default, "caught, ignored, blocked: {masks:x?}");
    client.part().unwrap();
    drop(server.greet().unwrap());
    server.greet().unwrap().reset().unwrap();
    let hold = server.hold().unwrap();
    server.connect().unwrap().reset().unwrap(); // Linux hands out a connection that is no more, too
    hold.release();
    let left = server.settled().unwrap();
    let zombies: Vec<i32> = left.children.iter().map(|child| child.pid).collect();
    let mut descendants = server.members();
    descendants.retain(|pid| *pid != server.pid());
    descendants.sort_unstable();
    assert_eq!(descendants, zombies, "{left}");
    for pid in zombies {
        assert_eq!(ps::stat(pid).unwrap().exit_code, Some(0), "{left}");
    }
    assert_eq!(server.log().stderr(), "");
}

// Children that don't die, and signals.

/// Whether a SIGCHLD without a death hangs it: its wait blocks.
fn can_hang(lesson: &Lesson) -> bool {
    lesson == &LESSONS[1]
}

/// A newcomer who is served, or else stands in the queue of those to be accepted: the kernel makes
/// the connection, and the server stands in wait. Either has one more word to be answered.
#[track_caller]
fn newcomer(lesson: &Lesson, server: &Server) -> Conversation {
    if can_hang(lesson) {
        stands_in(server.pid(), libc::SYS_wait4);
    }
    let newcomer = server.connect().unwrap();
    if can_hang(lesson) {
        let queued = || ss::queued(ss::HERE, server.addr()).unwrap();
        eventually("the newcomer to stand in the queue", queued, |all| *all == 1);
    } else {
        newcomer.say(b"I am served").unwrap();
    }
    newcomer.send(b"hello").unwrap();
    newcomer
}

fn a_stopped_child_hangs_lesson_2_alone_until_one_dies(lesson: &Lesson) {
    let server = start(lesson);
    let client = server.greet().unwrap();
    let hold = Hold::still(server.serving(&client).unwrap()[0]).unwrap();
    let newcomer = newcomer(lesson, &server);
    hold.release();
    client.say(b"I go on").unwrap();
    if can_hang(lesson) {
        // The child runs again, but a wait ends with a death and nothing less.
        stands_in(server.pid(), libc::SYS_wait4);
        assert_eq!(server.census().unwrap().alive(), 1);
    }
    client.part().unwrap();
    newcomer.expect(b"hello").unwrap();
    newcomer.part().unwrap();
    settle(lesson, &server, 2);
}

fn a_stray_sigchld_hangs_lesson_2_alone_while_a_child_lives(lesson: &Lesson) {
    let server = start(lesson);
    send(server.pid(), libc::SIGCHLD).unwrap();
    server.greet().unwrap().part().unwrap();
    settle(lesson, &server, 1);
    send(server.pid(), libc::SIGCHLD).unwrap();
    let client = server.greet().unwrap();
    send(server.pid(), libc::SIGCHLD).unwrap();
    let newcomer = newcomer(lesson, &server);
    client.say(b"I live").unwrap();
    client.part().unwrap();
    newcomer.expect(b"hello").unwrap();
    newcomer.part().unwrap();
    settle(lesson, &server, 3);
}

fn an_inherited_block_of_sigchld_keeps_nobody_from_reaping(lesson: &Lesson) {
    let server = launch(lesson).sigchld(Inherited::Blocked).start().unwrap();
    server.greet().unwrap().part().unwrap();
    goes_on(lesson, &server);
}
