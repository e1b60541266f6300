//! The exam on trial: what it says of the three lessons, and of commands that are no server at
//! all. What it says of each wrong fix in the gallery is in `wrong_fixes`, of servers of every shape
//! in [`judges`], of a PID 1 in [`pid1`].

mod judges;
mod pid1;

use std::ffi::OsString;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use harness::exam::{Answer, Examinee, Outcome, QUESTIONS, Report, Terms};
use harness::lessons::{LESSONS, example};
use harness::server::{Address, own_addr};
use harness::story::Paint;
use procfs::process::Process;
use serde_json::{Value, json};

/// What starts a server, and where it then listens.
type Start = (Vec<OsString>, SocketAddr);

/// Starts one of the lessons without delay.
fn lesson(number: usize) -> Start {
    let (program, addr) = (LESSONS[number - 1].program().unwrap(), own_addr().unwrap());
    let words = [program.into(), "--delay".into(), "0".into(), addr.to_string().into()];
    (words.into(), addr)
}

/// Starts a misfit.
fn misfit(name: &str) -> Start {
    let addr = own_addr().unwrap();
    let words = [example("misfits").unwrap().into(), name.into(), addr.to_string().into()];
    (words.into(), addr)
}

/// Starts it through other words, which are given its command as arguments.
fn behind(words: &[&str], (command, addr): Start) -> Start {
    (words.iter().map(OsString::from).chain(command).collect(), addr)
}

fn meet((command, addr): &Start, terms: &Terms) -> Examinee {
    Examinee::meet(command, &[(*addr).into()], terms).unwrap()
}

/// Has a server sit the exam, and prints what a person would see.
fn sit(examinee: &Examinee) -> Report {
    let report = examinee.sit(&mut |number, answer| {
        print!("{}", answer.row(number, QUESTIONS[number - 1].name, Paint::Plain));
    });
    println!("{}", report.verdict.line);
    report
}

/// A program's exit status, and what it prints on stdout and on stderr.
fn run(program: &mut Command) -> (Option<i32>, String, String) {
    let output = program.env_remove("CLICOLOR_FORCE").output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The exam as a person would run it, through `words`, and with time enough for a busy machine unless
/// told otherwise. Its options stand before the server's command.
fn exam(words: &[&str], (command, addr): &Start) -> (Option<i32>, String, String) {
    let mut exam = Command::new("env");
    exam.args(words).args([env!("CARGO_BIN_EXE_exam"), "--addr", &addr.to_string()]);
    if !command.iter().any(|word| word == "--time") {
        exam.args(["--time", "600"]);
    }
    run(exam.args(command))
}

/// Whether a program can be started through these words; a test that needs them is skipped if not.
fn can_run(words: &[&str]) -> bool {
    let tried = run(Command::new("env").args(words).arg("true"));
    let can = tried.0 == Some(0);
    if !can {
        harness::skip(format!("cannot run {words:?}: {tried:?}"));
    }
    can
}

/// The same exam, through `words`: its exit status, and what it prints for programs.
fn judged(words: &[&str], start: &Start) -> (Option<i32>, Value) {
    let (status, stdout, stderr) = exam(words, &behind(&["--json"], start.clone()));
    if words.is_empty() {
        assert_eq!(stderr, "", "{start:?}: {stdout}");
    }
    let object = serde_json::from_str(&stdout);
    (status, object.unwrap_or_else(|error| panic!("{start:?}: {error}: {stdout}{stderr}")))
}

fn verdict(object: &Value) -> [&Value; 3] {
    ["leaks", "lesson", "cause"].map(|field| &object[field])
}

/// What is found of this question, which must come out so.
#[track_caller]
fn evidence(start: &Start, number: usize, expected: Outcome) -> String {
    let answer = meet(start, &Terms::default()).ask(&QUESTIONS[number - 1]);
    assert_eq!(answer.outcome, expected, "{}", answer.evidence);
    answer.evidence
}

/// Has all of these tried, a few at a time.
fn each<T: Sync>(servers: &[T], try_out: impl Fn(&T) + Sync) {
    for some in servers.chunks(8) {
        thread::scope(|scope| {
            for server in some {
                scope.spawn(|| try_out(server));
            }
        });
    }
}

/// The processes that have `addr` among their arguments.
fn left_behind(addr: SocketAddr) -> Vec<i32> {
    let words = |pid| Process::new(pid).and_then(|process| process.cmdline()).unwrap_or_default();
    let found = client::ps::find(|stat| words(stat.pid).contains(&addr.to_string())).unwrap();
    found.into_iter().map(|stat| stat.pid).collect()
}

#[test]
fn lesson_2_waits_once_and_hangs_on_a_stopped_child_or_a_stray_signal() {
    let report = sit(&meet(&lesson(2), &Terms::default()));
    // The others are up to the scheduler, and question 18 to a limit on processes that binds.
    let mut certain = report.numbers(Outcome::Fails);
    certain.retain(|number| ![3, 15, 17, 18].contains(number));
    assert_eq!(certain, [4, 5, 6, 7, 8]);
    let line = report.verdict.line;
    assert!(line.starts_with("lesson 2 of 3: one wait per signal; "), "{line}");
}

/// What a person sees: who was asked, then the questions with what stands below each, then the
/// verdict.
#[test]
fn lesson_1_never_waits_and_the_table_says_so_question_by_question() {
    let start @ (command, addr) = &lesson(1);
    let (status, stdout, stderr) = exam(&[], start);
    assert_eq!((status, stderr.as_str()), (Some(1), ""), "{stdout}");
    let (table, verdict) = stdout.split_once("\n\n").unwrap();
    let (below, rows): (Vec<&str>, Vec<&str>) =
        table.lines().partition(|line| line.starts_with("           "));
    let command: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let forks = "it forks a child for each connection";
    let head = format!("{} on {addr}: {forks}; SIGCHLD is at its default", command.join(" "));
    let expected = QUESTIONS.iter().zip(1..).map(|(question, number)| {
        let outcome = match number {
            2..=6 | 15 => "fails",
            17 | 19 => "-    ",
            18 if rows[number].contains("  -  ") => "-    ", // no limit on processes binds root
            _ => "holds",
        };
        format!("{number:>2}  {outcome}  {}", question.name)
    });
    assert_eq!(rows, [head].into_iter().chain(expected).collect::<Vec<_>>());
    let hints = below.iter().filter(|it| it.contains("hint: ") && it.contains("? docs/")).count();
    assert_eq!((below.len(), hints), (QUESTIONS.len() + 6, 6), "{stdout}");
    let line = "lesson 1 of 3: no wait follows a death; 5 of 5 and 100 of 100 stayed; 6 of ";
    assert!(verdict.starts_with(line) && verdict.ends_with(" fail\n"), "{stdout}");
}

/// The server is right in all else.
#[test]
fn a_server_that_asks_again_at_once_fails_for_the_core_that_it_takes() {
    let evidence = evidence(&misfit("spins-when-refused"), 14, Outcome::Fails);
    let wanted = evidence.strip_prefix("refused, it needed a core ");
    let percent = wanted.and_then(|it| it.split_once('%')?.0.parse::<f64>().ok());
    assert!(percent.is_some_and(|it| (80.0..=120.0).contains(&it)), "{evidence}");
}

/// What is no server to examine gets one line and exit status 2.
#[test]
fn a_command_that_is_no_echo_server_is_refused_in_one_line() {
    let misfits = [
        ("exits-at-once", "ended at once with exit status 1; it said"),
        ("listens-elsewhere", "instead"),
        ("udp-only", "did not listen within 20 s"),
        ("mute", "did not answer for 20 s"),
        (
            "banner",
            "and speaks first: said \"220 ready\\r\\n250 hello\\r\\n\"; say how it talks by --first",
        ),
        ("prefix", "and said \"you: hello\\n\"; say how it talks by --send for what to send"),
        ("one-answer", "said \"HTTP/1.0 400 Bad Request\\r\\n"),
        ("closes-at-once", "no echo server"), // by end-of-file, or by a reset if we spoke first
    ]
    .map(|(name, reason)| (behind(&["--"], misfit(name)), reason));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let somewhere = || (Vec::new(), own_addr().unwrap());
    let shell = ["/bin/sh", "-c", "echo --json; exit 3"];
    let ends = "/bin/sh ended at once with exit status 3; it said: --json";
    let others = [
        (behind(&["--host-network", "true"], (Vec::new(), taken)), "already"),
        (behind(&["/nowhere/server"], somewhere()), "/nowhere/server"),
        (behind(&[&["--"][..], &shell].concat(), somewhere()), ends),
        // `cargo run --bin exam -- python3 server.py`: cargo takes the dashes for itself.
        (behind(&shell, somewhere()), ends),
    ];
    each(&[&misfits[..], &others].concat(), |(start, reason)| {
        let (status, stdout, stderr) = exam(&[], start);
        let told = format!("{start:?}: {stderr}");
        assert_eq!((status, stdout.as_str(), stderr.lines().count()), (Some(2), "", 1), "{told}");
        assert!(stderr.starts_with("exam: ") && stderr.contains(reason), "{told}");
        assert_eq!(left_behind(start.1), Vec::<i32>::new(), "{told}");
    });
    assert_eq!(exam(&[], &somewhere()).0, Some(2), "no command at all");
}

/// Behind a wrapper, in the background or noisy, or in this machine's own network with one question
/// after the other: a right server holds on every question, as lesson 3 does by itself.
#[test]
fn odd_ways_to_run_a_right_server_leave_the_verdict_and_no_process() {
    let in_shell = ["--", "/bin/sh", "-c", "\"$0\" \"$@\"; true"];
    let misfits = ["floods-output", "daemon"];
    let [noisy, daemon] = misfits.map(|name| behind(&in_shell, misfit(name)));
    let on_host = behind(&["--host-network", "--"], lesson(3));
    each(&[noisy, daemon, on_host, lesson(3)], |start| {
        let (status, object) = judged(&[], start);
        assert_eq!((status, &object["schema"]), (Some(0), &json!(1)), "{start:?}: {object:#}");
        let right = [&json!(false), &json!(3), &Value::Null];
        assert_eq!(verdict(&object), right, "{start:?}: {object:#}");
        let questions = object["questions"].as_array().unwrap();
        assert_eq!(questions.len(), QUESTIONS.len());
        for (question, number) in questions.iter().zip(1..) {
            let unasked = number >= 18 && question["outcome"] == "can't be asked";
            assert!(question["outcome"] == "holds" || unasked, "{start:?}: {question}");
        }
        assert_eq!(left_behind(start.1), Vec::<i32>::new(), "{start:?}");
    });
}

#[test]
fn an_address_is_given_in_any_of_the_usual_ways() {
    let tcp = |text: &str| Address::Tcp(text.parse().unwrap());
    for (text, first) in [
        ("127.0.0.1:5555", tcp("127.0.0.1:5555")),
        ("[::1]:5555", tcp("[::1]:5555")),
        ("localhost:5555", tcp("127.0.0.1:5555")),
        ("5555", tcp("127.0.0.1:5555")),
        ("0.0.0.0:5555", tcp("127.0.0.1:5555")),
        ("unix:/tmp/socket", Address::Unix("/tmp/socket".into())),
    ] {
        assert_eq!(Address::parse(text).unwrap()[0], first, "{text}");
    }
    for text in ["", "localhost", "127.0.0.1", "unix:", "0", "host.example:80", "99999"] {
        let error = Address::parse(text).unwrap_err();
        assert!(error.contains("127.0.0.1:5555") && error.contains("unix:PATH"), "{text}: {error}");
    }
}

/// What couldn't be asked in time is no success, and without a count of zombies there is no lesson.
#[test]
fn without_time_nothing_is_said_to_hold() {
    let start = behind(&["--time", "0", "--json", "--"], lesson(3));
    let (status, stdout, stderr) = exam(&[], &start);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("--time gives it more"), "{stderr}");
    let object: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(verdict(&object), [&Value::Null; 3], "{object:#}");
    let line = "no lesson: it forks a child for each connection; nothing could be asked";
    assert_eq!(object["verdict"], line);
}

#[test]
fn a_server_that_its_supervisor_starts_again_is_not_started_twice() {
    let forever = ["/bin/sh", "-c", "while :; do \"$0\" \"$@\"; done"];
    let supervised = behind(&forever, lesson(3));
    let evidence = evidence(&supervised, 13, Outcome::Holds);
    assert!(evidence.contains("its supervisor has started it again after"), "{evidence}");
}

/// What is stopped under strace isn't in state `T`.
#[test]
fn a_traced_server_cannot_be_held_still() {
    let strace = ["strace", "-f", "-o", "/dev/null"];
    if can_run(&strace) {
        let traced = behind(&strace, lesson(3));
        let evidence = evidence(&traced, 4, Outcome::CannotBeAsked);
        assert!(evidence.contains("is traced by"), "{evidence}");
    }
}

/// A fork server on a path, in Python, that waits once per signal.
const ON_A_PATH: &str = r"
import os, signal, socket, sys
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(64)
signal.signal(signal.SIGCHLD, lambda *_: os.waitpid(-1, os.WNOHANG))
while True:
    c, _ = s.accept()
    if os.fork() == 0:
        s.close()
        while data := c.recv(1024): c.sendall(data)
        os._exit(0)
    c.close()
";

#[test]
fn a_server_may_listen_on_a_path() {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let path = path.join(format!("exam-{}.sock", std::process::id()));
    if path.as_os_str().len() > 107 {
        return harness::skip("a socket's path can't be as long as that of this folder");
    }
    if !can_run(&["python3", "-c", ""]) {
        return;
    }
    let server = ["python3", "-c", ON_A_PATH, path.to_str().unwrap()].map(OsString::from);
    let place = Address::Unix(path.clone());
    let examinee = Examinee::meet(&server, &[place], &Terms::default()).unwrap();
    let Answer { seen, evidence, .. } = examinee.ask(&QUESTIONS[3]);
    let zombies: Vec<usize> = seen.held.iter().map(|tally| tally.zombies).collect();
    assert_eq!(zombies, [4, 99], "{evidence}");
    let listener = examinee.ask(&QUESTIONS[11]);
    assert_eq!(listener.outcome, Outcome::Holds, "{}", listener.evidence);
    std::fs::remove_file(&path).unwrap();
}
