//! The exam on trial: what it says of the three lessons, and of commands that are no server at
//! all. What it says of each wrong fix in the gallery is in `wrong_fixes`, of servers of every shape
//! in [`judges`].

mod judges;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::thread;

use harness::Result;
use harness::exam::{Answer, Disposition, Examinee, Kind, Outcome, QUESTIONS, Report, Terms};
use harness::lessons::{LESSONS, example, road};
use harness::server::{Address, own_addr};
use harness::story::Paint;
use procfs::process::Process;

/// What the exam found: the numbers of the questions by outcome. What is chance for a server that
/// waits once per signal is left out for those; so is whether a limit on processes binds, which is
/// up to the user.
fn sit(command: &[OsString], addr: SocketAddr) -> String {
    let examinee = Examinee::meet(command, &[addr.into()], &Terms::default()).unwrap();
    let report = examinee.sit(&mut |_, _| {});
    for (answer, number) in report.answers.iter().zip(1..) {
        print!("{}", answer.row(number, Paint::Plain));
    }
    let mut told = format!("it {}\n", examinee.kind().describe());
    for outcome in [Outcome::Holds, Outcome::Fails, Outcome::CannotBeAsked] {
        let mut numbers = report.numbers(outcome);
        let chance: &[usize] =
            if report.verdict.lesson == Some(2) { &[3, 15, 17, 18] } else { &[18] };
        numbers.retain(|number| !chance.contains(number));
        let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
        if !numbers.is_empty() {
            told += &format!("{}: {}\n", outcome.name(), numbers.join(" "));
        }
    }
    told + report.verdict.line.split("; ").next().unwrap_or_default()
}

fn lesson(number: usize) -> String {
    let addr = own_addr().unwrap();
    let program = LESSONS[number - 1].program().unwrap();
    sit(&command(program, addr), addr)
}

/// What starts a lesson, or one of the other roads, without delay.
fn command(program: PathBuf, addr: SocketAddr) -> [OsString; 4] {
    [program.into(), "--delay".into(), "0".into(), addr.to_string().into()]
}

#[test]
fn lesson_1_never_waits() {
    insta::assert_snapshot!(lesson(1), @"
    it forks a child for each connection
    holds: 1 7 8 9 10 11 12 13 14 16
    fails: 2 3 4 5 6 15
    can't be asked: 17 19
    lesson 1 of 3: no wait follows a death
    ");
}

#[test]
fn lesson_2_waits_once_and_hangs_on_a_stopped_child_or_a_stray_signal() {
    insta::assert_snapshot!(lesson(2), @"
    it forks a child for each connection
    holds: 1 2 9 10 11 12 13 14 16
    fails: 4 5 6 7 8
    can't be asked: 19
    lesson 2 of 3: one wait per signal
    ");
}

#[test]
fn lesson_3_holds_on_every_question() {
    insta::assert_snapshot!(lesson(3), @"
    it forks a child for each connection
    holds: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17
    can't be asked: 19
    lesson 3 of 3: no zombie stayed in any question
    ");
}

/// Runs the exam as a person would; returns its exit status, stdout and stderr.
fn exam(args: &[&str], addr: SocketAddr) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_exam"))
        .args(["--addr", &addr.to_string()])
        .args(args)
        .env_remove("CLICOLOR_FORCE")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

/// The processes that have `addr` among their arguments.
fn left_behind(addr: SocketAddr) -> Vec<i32> {
    let has_addr = |pid: i32| {
        let words = Process::new(pid).and_then(|process| process.cmdline());
        words.is_ok_and(|words| words.contains(&addr.to_string()))
    };
    let all = client::ps::find(|_| true).unwrap();
    all.into_iter().map(|stat| stat.pid).filter(|pid| has_addr(*pid)).collect()
}

/// Gets to know a lesson or one of the other roads.
fn meet(program: Result<PathBuf>) -> Examinee {
    let addr = own_addr().unwrap();
    Examinee::meet(&command(program.unwrap(), addr), &[addr.into()], &Terms::default()).unwrap()
}

/// Gets to know one of this package's examples, which take the address last.
fn meet_example(program: &str, words: &[&str]) -> Examinee {
    let addr = own_addr().unwrap();
    let mut command: Vec<OsString> = vec![example(program).unwrap().into()];
    command.extend(words.iter().map(OsString::from));
    command.push(addr.to_string().into());
    Examinee::meet(&command, &[addr.into()], &Terms::default()).unwrap()
}

#[test]
fn what_a_server_does_about_sigchld_is_told() {
    assert_eq!(meet(LESSONS[0].program()).ways().sigchld, Disposition::Default);
    assert_eq!(meet(LESSONS[2].program()).ways().sigchld, Disposition::Caught);
    assert_eq!(meet(road("ignore")).ways().sigchld, Disposition::Ignored);
    assert_eq!(meet(road("signalfd")).ways().sigchld, Disposition::Blocked);
}

#[test]
fn children_that_were_forked_in_advance_are_a_pool() {
    assert_eq!(meet_example("subjects", &["prefork", "3"]).kind(), Kind::Pool);
}

#[test]
fn a_server_that_hangs_in_wait_is_found_there() {
    let examinee = meet(LESSONS[1].program());
    let server = examinee.start().unwrap();
    server.rest();
    if Process::new(server.pid()).unwrap().wchan().is_ok_and(|wchan| wchan == "0") {
        return harness::skip("this kernel doesn't tell where a process sleeps");
    }
    drop(server);
    let stopped = QUESTIONS.iter().find(|it| it.name.starts_with("a child is stopped")).unwrap();
    let Answer { outcome, evidence, .. } = examinee.ask(stopped);
    assert_eq!(outcome, Outcome::Fails, "{evidence}");
    assert!(evidence.ends_with("; server S in do_wait"), "{evidence}");
}

/// What a person sees: who was asked, then two lines for each question, then the verdict.
#[test]
fn the_table_names_the_server_and_gives_each_question_its_outcome_and_evidence() {
    let addr = own_addr().unwrap();
    let program = LESSONS[0].program().unwrap();
    let words = [program.to_str().unwrap(), "--delay", "0", &addr.to_string()].map(str::to_owned);
    let args: Vec<&str> = words.iter().map(String::as_str).collect();
    let (status, stdout, stderr) = exam(&args, addr);
    assert_eq!((status, stderr.as_str()), (Some(1), ""), "{stdout}");
    let lines: Vec<&str> = stdout.lines().collect();
    let forks = "it forks a child for each connection";
    let head = format!("{} on {addr}: {forks}; SIGCHLD is at its default", words.join(" "));
    assert_eq!(lines[0], head, "{stdout}");
    let mut rest = lines[1..].iter().copied();
    for (question, number) in QUESTIONS.iter().zip(1..) {
        let outcome = match number {
            2..=6 | 15 => "fails",
            17 | 19 => "-    ",
            _ => "holds",
        };
        let row = rest.next().unwrap_or_default();
        let or_not = format!("{number:>2}  -      {}", question.name);
        let row_wanted = format!("{number:>2}  {outcome}  {}", question.name);
        assert!(row == row_wanted || number == 18 && row == or_not, "{row}\n{stdout}");
        let evidence = rest.next().unwrap_or_default().strip_prefix("           ");
        assert!(evidence.is_some_and(|it| !it.is_empty() && !it.starts_with(' ')), "{stdout}");
        if outcome == "fails" {
            let hint = rest.next().unwrap_or_default();
            assert!(hint.starts_with("           hint: ") && hint.contains("? docs/"), "{stdout}");
        }
    }
    let verdict: Vec<&str> = rest.collect();
    let [empty, verdict] = verdict[..] else { panic!("more than the verdict: {stdout}") };
    let line = "lesson 1 of 3: no wait follows a death; 5 of 5 and 100 of 100 stayed; 6 of ";
    assert!(
        empty.is_empty() && verdict.starts_with(line) && verdict.ends_with(" fail"),
        "{stdout}"
    );
}

#[test]
fn without_a_count_of_zombies_there_is_no_lesson() {
    let forks = meet(LESSONS[2].program());
    let verdict = Report::of(forks.ways(), Vec::new()).verdict;
    assert_eq!((verdict.lesson, verdict.leaks, verdict.cause), (None, None, None));

    let serves_itself = meet_example("subjects", &["epoll-server"]);
    let line = format!("no lesson: it {}", serves_itself.kind().describe());
    assert!(Report::of(serves_itself.ways(), Vec::new()).verdict.line.starts_with(&line));
}

/// The server is right in all else.
#[test]
fn a_server_that_asks_again_at_once_fails_for_the_core_that_it_takes() {
    let examinee = meet_example("misfits", &["spins-when-refused"]);
    let question = QUESTIONS.iter().find(|it| it.name.starts_with("out of descriptors")).unwrap();
    let Answer { outcome, evidence, .. } = examinee.ask(question);
    assert_eq!(outcome, Outcome::Fails, "{evidence}");
    let wanted = evidence.strip_prefix("refused, it needed a core ");
    let percent = wanted.and_then(|it| it.split_once('%')?.0.parse::<f64>().ok());
    let percent = percent.unwrap_or_else(|| panic!("{evidence}"));
    assert!((80.0..=120.0).contains(&percent), "{evidence}");
}

/// What is no server to examine gets one line and exit status 2.
#[test]
fn a_command_that_is_no_echo_server_is_refused_in_one_line() {
    let cases = [
        ("exits-at-once", "ended at once with exit status 1; it said"),
        ("never-listens", "did not listen within 10 s"),
        ("listens-elsewhere", "instead"),
        ("udp-only", "did not listen within 10 s"),
        ("upper", "and said \"HELLO\\n\"; say how it talks by --send for what to send"),
        ("mute", "did not answer for 20 s"),
        (
            "greets",
            "and speaks first: said \"Hello, stranger!\\nhello\\n\"; say how it talks by --first",
        ),
        ("banner", "said \"220 ready\\r\\n250 hello\\n\""),
        ("prefix", "said \"you: hello\\n\""),
        ("one-answer", "said \"HTTP/1.0 400 Bad Request\\r\\n"),
        ("closes-at-once", "no echo server"), // by end-of-file, or by a reset if we spoke first
    ];
    let program = example("misfits").unwrap();
    let program = program.to_str().unwrap();
    thread::scope(|scope| {
        for (name, reason) in cases {
            scope.spawn(move || {
                let addr = own_addr().unwrap();
                let (status, stdout, stderr) =
                    exam(&["--", program, name, &addr.to_string()], addr);
                assert_eq!(status, Some(2), "{name}: {stderr}");
                assert_eq!((stdout.as_str(), stderr.lines().count()), ("", 1), "{name}: {stderr}");
                assert!(
                    stderr.starts_with("exam: ") && stderr.contains(reason),
                    "{name}: {stderr}"
                );
                assert_eq!(left_behind(addr), Vec::<i32>::new(), "{name}");
            });
        }
    });
}

#[test]
fn a_command_that_does_not_exist_is_named() {
    let (status, _, stderr) = exam(&["--", "/nowhere/server"], own_addr().unwrap());
    assert_eq!(status, Some(2));
    assert!(stderr.contains("/nowhere/server") && stderr.lines().count() == 1, "{stderr}");
}

/// `cargo run --bin exam -- python3 server.py`: cargo takes the dashes for itself.
#[test]
fn a_command_may_stand_without_dashes_before_it() {
    for dashes in [&[][..], &["--"]] {
        let args = [dashes, &["/bin/sh", "-c", "echo --json; exit 3"]].concat();
        let (status, _, stderr) = exam(&args, own_addr().unwrap());
        assert_eq!(status, Some(2), "{stderr}");
        assert!(
            stderr.contains("/bin/sh ended at once with exit status 3; it said: --json"),
            "{stderr}"
        );
    }
}

#[test]
fn wrong_usage_is_exit_status_2() {
    assert_eq!(exam(&[], own_addr().unwrap()).0, Some(2));
}

#[test]
fn an_address_that_is_taken_is_refused() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap();
    let (status, _, stderr) = exam(&["--host-network", "--", "true"], taken);
    assert_eq!(status, Some(2));
    assert!(stderr.contains("already") && stderr.lines().count() == 1, "{stderr}");
}

/// Behind a wrapper, in the background, deaf to SIGTERM or noisy: a right server stays right.
#[test]
fn odd_ways_to_run_a_right_server_leave_the_verdict_and_no_process() {
    let program = example("misfits").unwrap();
    let program = program.to_str().unwrap();
    thread::scope(|scope| {
        for name in ["floods-output", "ignores-sigterm", "daemon"] {
            scope.spawn(move || {
                let addr = own_addr().unwrap();
                let script = "\"$0\" \"$@\"; true"; // with a shell above it
                let command = ["/bin/sh", "-c", script, program, name, &addr.to_string()];
                let (status, stdout, stderr) =
                    exam(&[&["--json", "--"], &command[..]].concat(), addr);
                assert_eq!(status, Some(0), "{name}: {stdout}{stderr}");
                let object: serde_json::Value = serde_json::from_str(&stdout).unwrap();
                assert_eq!(object["lesson"], 3, "{name}: {object}");
                assert_eq!((&object["schema"], &object["leaks"]), (&1.into(), &false.into()));
                assert!(object["cause"].is_null(), "{name}: {object}");
                let questions = object["questions"].as_array().unwrap();
                assert_eq!(questions.len(), QUESTIONS.len());
                for (question, number) in questions.iter().zip(1..) {
                    let unasked = number >= 18 && question["outcome"] == "can't be asked";
                    assert!(question["outcome"] == "holds" || unasked, "{name}: {question}");
                }
                assert_eq!(left_behind(addr), Vec::<i32>::new(), "{name}");
            });
        }
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

/// Everything in this machine's own network, one question after the other.
#[test]
fn on_the_hosts_network_a_right_server_holds_too() {
    let addr = own_addr().unwrap();
    let program = LESSONS[2].program().unwrap();
    let words = [program.to_str().unwrap(), "--delay", "0", &addr.to_string()].map(str::to_owned);
    let args =
        ["--host-network", "--json", "--"].into_iter().chain(words.iter().map(String::as_str));
    let (status, stdout, stderr) = exam(&args.collect::<Vec<_>>(), addr);
    assert_eq!((status, stderr.as_str()), (Some(0), ""), "{stdout}");
    let object: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(object["lesson"], 3, "{object:#}");
    assert_eq!(left_behind(addr), Vec::<i32>::new());
}

/// What couldn't be asked in time is no success.
#[test]
fn without_time_nothing_is_said_to_hold() {
    let addr = own_addr().unwrap();
    let program = LESSONS[0].program().unwrap();
    let words = ["--time", "0", "--", program.to_str().unwrap(), "--delay", "0"];
    let (status, _, stderr) = exam(&[&words[..], &[&addr.to_string()]].concat(), addr);
    assert_eq!(status, Some(2), "{stderr}");
    assert!(stderr.contains("--time gives it more"), "{stderr}");
}

/// Gets to know lesson 3 behind a wrapper, which is given its command as arguments.
fn meet_wrapped(wrapper: &[&str]) -> Examinee {
    let addr = own_addr().unwrap();
    let lesson = command(LESSONS[2].program().unwrap(), addr);
    let words: Vec<OsString> = wrapper.iter().map(OsString::from).chain(lesson).collect();
    Examinee::meet(&words, &[addr.into()], &Terms::default()).unwrap()
}

#[test]
fn a_server_that_its_supervisor_starts_again_is_not_started_twice() {
    let forever = ["/bin/sh", "-c", "while :; do \"$0\" \"$@\"; done"];
    let Answer { outcome, evidence, .. } = meet_wrapped(&forever).ask(&QUESTIONS[12]);
    assert_eq!(outcome, Outcome::Holds, "{evidence}");
    assert!(evidence.contains("its supervisor has started it again after"), "{evidence}");
}

/// What is stopped under strace isn't in state `T`.
#[test]
fn a_traced_server_cannot_be_held_still() {
    if Command::new("strace").arg("--version").output().is_err() {
        return harness::skip("no strace here");
    }
    let examinee = meet_wrapped(&["strace", "-f", "-o", "/dev/null"]);
    let Answer { outcome, evidence, .. } = examinee.ask(&QUESTIONS[3]);
    assert_eq!(outcome, Outcome::CannotBeAsked, "{evidence}");
    assert!(evidence.contains("is traced by"), "{evidence}");
}

/// A fork server on a path, in Python: `loop` or `once` in its handler.
const ON_A_PATH: &str = r"
import os, signal, socket, sys
def reap(*_):
    try:
        while os.waitpid(-1, os.WNOHANG)[0] and sys.argv[2] == 'loop': pass
    except ChildProcessError: pass
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(64)
signal.signal(signal.SIGCHLD, reap)
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
    let python = "/usr/bin/python3";
    if !PathBuf::from(python).exists() {
        return harness::skip("no python3 to write a server in");
    }
    for (reaps, stay) in [("loop", [0, 0]), ("once", [4, 99])] {
        let name = format!("exam-{}-{reaps}.sock", std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        if path.as_os_str().len() > 107 {
            return harness::skip("a socket's path can't be as long as that of this folder");
        }
        let words = [python, "-c", ON_A_PATH, path.to_str().unwrap(), reaps].map(OsString::from);
        let place = Address::Unix(path.clone());
        let examinee = Examinee::meet(&words, &[place], &Terms::default()).unwrap();
        let Answer { seen, evidence, .. } = examinee.ask(&QUESTIONS[3]);
        let zombies: Vec<usize> = seen.held.iter().map(|tally| tally.zombies).collect();
        assert_eq!(zombies, stay, "{reaps}: {evidence}");
        let listener = examinee.ask(&QUESTIONS[11]);
        assert_eq!(listener.outcome, Outcome::Holds, "{reaps}: {}", listener.evidence);
        std::fs::remove_file(&path).unwrap();
    }
}
