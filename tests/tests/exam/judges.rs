//! The exam on trial: what it says of servers of every shape, right ones and leaky ones; in a /proc
//! with much in it and in one with next to nothing.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output};
use std::thread;

use harness::exam::{Cause, Examinee, Outcome, Report, Terms};
use harness::lessons::example;
use harness::server::{Goodbye, Talk, own_addr};
use harness::story::Paint;
use nix::errno::Errno;
use serde_json::json;

/// The command of a misfit, and where it listens. In `words` stands its name, and a number for
/// those that take one.
fn misfit(words: &str) -> (Vec<OsString>, SocketAddr) {
    let addr = own_addr().unwrap();
    let (name, number) = words.split_once(' ').unwrap_or((words, ""));
    let mut command: Vec<OsString> = vec![example("misfits").unwrap().into(), name.into()];
    command.push(addr.to_string().into());
    command.extend(number.split_whitespace().map(OsString::from));
    (command, addr)
}

fn sit_on(words: &str, terms: &Terms) -> Report {
    let (command, addr) = misfit(words);
    let examinee = Examinee::meet(&command, &[addr.into()], terms).unwrap();
    let report = examinee.sit(&mut |_, _| {});
    for (answer, number) in report.answers.iter().zip(1..) {
        print!("{}", answer.row(number, Paint::Plain));
    }
    println!("{words}: {}", report.verdict.line);
    report
}

fn sit(words: &str) -> Report {
    sit_on(words, &Terms::default())
}

/// What is right has no zombie, whatever its shape, and fails no question but those named.
#[track_caller]
fn is_right(report: &Report, lesson: Option<u8>, fails: &[usize]) {
    let verdict = &report.verdict;
    assert_eq!((verdict.leaks, verdict.lesson), (Some(false), lesson), "{}", verdict.line);
    assert_eq!(report.numbers(Outcome::Fails), fails, "{}", verdict.line);
}

/// What leaks says so, and why.
#[track_caller]
fn leaks(report: &Report, lesson: Option<u8>, cause: Cause) {
    let verdict = &report.verdict;
    assert_eq!(
        (verdict.leaks, verdict.lesson, verdict.cause),
        (Some(true), lesson, Some(cause)),
        "{}",
        verdict.line
    );
    let hints = report.answers.iter().filter(|it| it.outcome == Outcome::Fails);
    assert!(hints.clone().count() > 0 && hints.clone().all(|it| it.hint.is_some()));
}

/// Has all of these sit, a few at a time.
fn each<T: Sync>(servers: &[T], sit: impl Fn(&T) + Sync) {
    for some in servers.chunks(8) {
        thread::scope(|scope| {
            for server in some {
                scope.spawn(|| sit(server));
            }
        });
    }
}

#[test]
fn right_servers_of_every_shape_hold() {
    let servers: [(&str, Option<u8>, &[usize]); 11] = [
        ("at-most 4", Some(3), &[]),
        ("pool 4", None, &[]),
        ("looks-late 500", Some(3), &[]),
        ("supervised-reaps", Some(3), &[]),
        ("no-reuse", Some(3), &[13]), // it can't start again at once
        ("lingers 700", Some(3), &[]),
        ("starts-late 700", Some(3), &[]),
        ("farewell", Some(3), &[]),
        ("sheds-load", Some(3), &[]),
        ("reads-lines", Some(3), &[]),
        ("listens-late", Some(3), &[]),
    ];
    each(&servers, |(words, lesson, fails)| is_right(&sit(words), *lesson, fails));
}

#[test]
fn leaky_servers_are_told_why() {
    let servers = [
        ("stays-blocked", None, Cause::Blocked),
        ("bounded-loop 20", None, Cause::Bounded),
        ("helper-on-a-timer 1000", None, Cause::ServedNobody),
        ("starts-cat", Some(1), Cause::NeverWaits),
    ];
    each(&servers, |(words, lesson, cause)| leaks(&sit(words), *lesson, *cause));
}

/// It relies on whoever starts it: to be noted, and no failure.
#[test]
fn who_does_not_unblock_is_told_so() {
    let report = sit("no-unblock");
    is_right(&report, Some(3), &[]);
    assert_eq!(report.numbers(Outcome::Noted), [17]);
    assert!(report.answers[16].hint.is_some() && report.answers[16].evidence.contains("3 of 3"));
}

#[test]
fn orphans_that_children_leave_are_told() {
    let report = sit("leaves-orphans");
    is_right(&report, Some(3), &[]);
    let evidence = &report.answers[4].evidence;
    assert!(evidence.contains("orphans") && evidence.contains("as PID 1"), "{evidence}");
}

/// Servers that answer something else than what they are sent.
#[test]
fn who_does_not_echo_can_be_asked_once_it_is_told_how_it_talks() {
    let text = |text: &str| text.as_bytes().to_vec();
    let talks = [
        (
            "banner",
            Talk {
                greeting: Some(text("220 ")),
                says: text("NOOP\r\n"),
                hears: Some(text("250 NOOP")),
            },
            Some(Goodbye::Words(text("QUIT\r\n"))),
        ),
        ("prefix", Talk { hears: Some(text("you: hello")), ..Talk::default() }, None),
        (
            "one-answer",
            Talk {
                greeting: None,
                says: text("GET / HTTP/1.0\r\n\r\n"),
                hears: Some(text("200 OK")),
            },
            None,
        ),
    ];
    each(&talks, |(name, talk, goodbye)| {
        let (talk, goodbye) = (talk.clone(), goodbye.clone());
        is_right(&sit_on(name, &Terms { talk, goodbye, ..Terms::default() }), Some(3), &[]);
    });
}

#[test]
fn children_of_another_user_are_looked_into_by_whoever_may() {
    let report = sit("other-user");
    assert_eq!(report.verdict.leaks, Some(false), "{}", report.verdict.line);
    assert!(report.numbers(Outcome::Fails).is_empty(), "{}", report.verdict.line);
}

/// It says that it may not look, and guesses nothing.
#[test]
fn whoever_may_not_look_into_children_says_so() {
    const CAP_SYS_PTRACE: libc::c_ulong = 19;
    if !nix::unistd::getuid().is_root() {
        return harness::skip("only root can start children of another user");
    }
    let (command, addr) = misfit("other-user");
    let mut exam = Command::new(env!("CARGO_BIN_EXE_exam"));
    exam.args(["--json", "--addr", &addr.to_string(), "--"]).args(command);
    let drop_capability = || {
        // SAFETY: prctl takes numbers here. Without the capability root has still all others.
        let dropped = unsafe { libc::prctl(libc::PR_CAPBSET_DROP, CAP_SYS_PTRACE, 0, 0, 0) };
        Ok(Errno::result(dropped).map(drop)?)
    };
    // SAFETY: the closure makes a system call and nothing else.
    unsafe { exam.pre_exec(drop_capability) };
    let output = match exam.output() {
        Ok(output) => output,
        Err(error) => return harness::skip(format!("only root may drop a capability: {error}")),
    };
    let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let serves = object["serves"].as_str().unwrap();
    assert_eq!(serves, "serves with processes that this user may not look into", "{object:#}");
    assert_eq!((&object["lesson"], &object["cause"]), (&().into(), &().into()), "{object:#}");
    assert_eq!(output.status.code(), Some(0), "{object:#}");
}

// Others in a PID namespace, where /proc is small and so a look at it takes next to no time.

/// Runs the exam on a misfit as the only one in a PID namespace; `None` where there can be none.
fn sit_alone(words: &str) -> Option<Output> {
    let (command, addr) = misfit(words);
    let namespaces = ["--user", "--map-current-user", "--pid", "--fork", "--mount-proc"];
    let mut unshare = Command::new("unshare");
    unshare.args(namespaces).arg(env!("CARGO_BIN_EXE_exam"));
    unshare.args(["--json", "--addr", &addr.to_string(), "--"]).args(command);
    let output = match unshare.output() {
        Ok(output) => output,
        Err(error) => {
            harness::skip(format!("no unshare(1) to make a PID namespace with: {error}"));
            return None;
        }
    };
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("unshare: ") {
        harness::skip(format!("no PID namespace can be made here: {}", said.trim()));
        return None;
    }
    Some(output)
}

#[test]
fn in_a_small_proc_the_verdicts_are_as_right() {
    let servers = [
        ("looks-late 50", None, Some(3)),
        ("late-helper 20", None, Some(3)),
        ("leader-leaves", None, Some(3)),
        ("pool-of-one", None, Some(3)),
        ("supervised-leaks", Some("never waits"), Some(1)),
        ("one-shot-handler", Some("handler gone"), None),
        ("lost-wake-up 20", Some("lost wake-up"), None),
        ("helper-on-a-timer 50", Some("served nobody"), None),
        ("pool-never-reaps 4", Some("worker"), None),
    ];
    each(&servers, |&(words, cause, lesson)| {
        let Some(output) = sit_alone(words) else { return };
        let stdout = String::from_utf8(output.stdout).unwrap();
        let object: serde_json::Value = serde_json::from_str(&stdout)
            .unwrap_or_else(|_| panic!("{words}: {}", String::from_utf8_lossy(&output.stderr)));
        let verdict = [&object["leaks"], &object["cause"], &object["lesson"]];
        let leaks = cause.is_some();
        let expected = [json!(leaks), json!(cause), json!(lesson)];
        assert_eq!(verdict, expected.each_ref(), "{words}: {object:#}");
        assert_eq!(output.status.code(), Some(leaks.into()), "{words}: {object:#}");
    });
}

// Goodbyes.

/// Real servers know no `Bye`: with it in place of a half-close, their children would live on.
#[test]
fn who_knows_no_bye_is_left_by_a_half_close() {
    for (words, goodbye) in [("reads-lines", Goodbye::HalfClose), ("no-unblock", Goodbye::Bye)] {
        let (command, addr) = misfit(words);
        let examinee = Examinee::meet(&command, &[addr.into()], &Terms::default()).unwrap();
        assert_eq!(examinee.start().unwrap().manner().goodbye, goodbye, "{words}");
    }
}
