//! The exam on trial: what it says of servers of every shape, right ones and leaky ones; in a /proc
//! with much in it and in one with next to nothing.

use std::os::unix::process::CommandExt;
use std::process::Command;

use harness::exam::{Cause, Outcome, Report, Terms};
use harness::server::{Goodbye, Talk};
use nix::errno::Errno;
use serde_json::{Value, json};

use crate::{each, exam, meet, misfit, parse, run, sit};

fn sit_as(words: &str) -> Report {
    sit(&meet(&misfit(words), &Terms::default()))
}

/// What is right has no zombie, whatever its shape, and fails no question but those named.
#[track_caller]
fn is_right(report: &Report, lesson: Option<u8>, fails: &[usize]) {
    let verdict = &report.verdict;
    assert_eq!((verdict.leaks, verdict.lesson), (Some(false), lesson), "{}", verdict.line);
    assert_eq!(report.numbers(Outcome::Fails), fails, "{}", verdict.line);
}

#[test]
fn right_servers_of_every_shape_hold() {
    let servers: [(&str, Option<u8>, &[usize]); 10] = [
        ("at-most", Some(3), &[]),
        ("pool", None, &[]),
        ("supervised-reaps", Some(3), &[]),
        ("no-reuse", Some(3), &[13]), // it can't start again at once
        ("lingers", Some(3), &[]),
        ("starts-late", Some(3), &[]),
        ("farewell", Some(3), &[]),
        ("sheds-load", Some(3), &[]),
        ("reads-lines", Some(3), &[]),
        ("listens-late", Some(3), &[]),
    ];
    each(&servers, |(words, lesson, fails)| is_right(&sit_as(words), *lesson, fails));
}

#[test]
fn leaky_servers_are_told_why() {
    let servers = [
        ("stays-blocked", None, Cause::Blocked),
        ("bounded-loop", None, Cause::Bounded),
        ("helper-on-a-timer 1000", None, Cause::ServedNobody),
        ("starts-cat", Some(1), Cause::NeverWaits),
    ];
    each(&servers, |(words, lesson, cause)| {
        let Report { answers, verdict } = sit_as(words);
        let found = (verdict.leaks, verdict.lesson, verdict.cause);
        assert_eq!(found, (Some(true), *lesson, Some(*cause)), "{}", verdict.line);
        let mut fails = answers.iter().filter(|it| it.outcome == Outcome::Fails).peekable();
        assert!(fails.peek().is_some() && fails.all(|it| it.hint.is_some()), "{}", verdict.line);
    });
}

/// It relies on the program that starts it: to be noted, and no failure.
#[test]
fn who_does_not_unblock_is_told_so() {
    let report = sit_as("no-unblock");
    is_right(&report, Some(3), &[]);
    assert_eq!(report.numbers(Outcome::Noted), [17]);
    assert!(report.answers[16].hint.is_some() && report.answers[16].evidence.contains("3 of 3"));
}

#[test]
fn orphans_that_children_leave_are_told() {
    let report = sit_as("leaves-orphans");
    is_right(&report, Some(3), &[]);
    let evidence = &report.answers[4].evidence;
    assert!(evidence.contains("orphans") && evidence.contains("as PID 1"), "{evidence}");
}

/// Servers that answer something else than what they are sent.
#[test]
fn who_does_not_echo_can_be_asked_once_it_is_told_how_it_talks() {
    let talk = |greeting: Option<&str>, says: &str, hears: &str| Talk {
        greeting: greeting.map(Into::into),
        says: says.into(),
        hears: Some(hears.into()),
    };
    let quit = Goodbye::Words(b"QUIT\r\n".to_vec());
    let servers = [
        ("banner", talk(Some("220 "), "NOOP\r\n", "250 NOOP"), Some(quit)),
        ("prefix", talk(None, "hello\n", "you: hello"), None),
        ("one-answer", talk(None, "GET / HTTP/1.0\r\n\r\n", "200 OK"), None),
    ];
    each(&servers, |(name, talk, goodbye)| {
        let (talk, goodbye) = (talk.clone(), goodbye.clone());
        let terms = Terms { talk, goodbye, ..Terms::default() };
        is_right(&sit(&meet(&misfit(name), &terms)), Some(3), &[]);
    });
}

#[test]
fn children_of_another_user_are_looked_into_by_whoever_may() {
    let report = sit_as("other-user");
    is_right(&report, report.verdict.lesson, &[]);
}

/// It says that it may not look, and guesses nothing.
#[test]
fn whoever_may_not_look_into_children_says_so() {
    const CAP_SYS_PTRACE: libc::c_ulong = 19;
    if !nix::unistd::getuid().is_root() {
        return harness::skip("only root can start children of another user");
    }
    let mut exam = exam(&["--json", "--"], &misfit("other-user"));
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
    let object = parse(&String::from_utf8_lossy(&output.stdout));
    let found = ["serves", "lesson", "cause"].map(|field| &object[field]);
    let serves = json!("serves with processes that this user may not look into");
    assert_eq!(found, [&serves, &Value::Null, &Value::Null], "{object:#}");
    assert_eq!(output.status.code(), Some(0), "{object:#}");
}

/// Each as the only one in a PID namespace, where /proc is small and so a look at it takes next to
/// no time.
#[test]
fn in_a_small_proc_the_verdicts_are_as_right() {
    let servers = [
        ("looks-late", None, Some(3)),
        ("late-helper", None, Some(3)),
        ("leader-leaves", None, Some(3)),
        ("pool-of-one", None, Some(3)),
        ("supervised-leaks", Some("never waits"), Some(1)),
        ("one-shot-handler", Some("handler gone"), None),
        ("lost-wake-up", Some("lost wake-up"), None),
        ("helper-on-a-timer", Some("served nobody"), None),
        ("pool-never-reaps", Some("worker"), None),
    ];
    let unshare = || {
        let mut unshare = Command::new("unshare");
        unshare.args(["--user", "--map-current-user", "--pid", "--fork", "--mount-proc"]);
        unshare
    };
    match unshare().arg("true").output() {
        Ok(output) if output.status.success() => {}
        refused => return harness::skip(format!("no PID namespace can be made: {refused:?}")),
    }
    each(&servers, |&(words, cause, lesson)| {
        let exam = exam(&["--json", "--"], &misfit(words));
        let mut alone = unshare();
        alone.arg(exam.get_program()).args(exam.get_args());
        let (status, stdout, stderr) = run(alone);
        assert!(!stdout.is_empty(), "{words}: {stderr}");
        let object = parse(&stdout);
        let verdict = ["leaks", "cause", "lesson"].map(|field| &object[field]);
        let expected = [json!(cause.is_some()), json!(cause), json!(lesson)];
        assert_eq!(verdict, expected.each_ref(), "{words}: {object:#}");
        assert_eq!(status, Some(cause.is_some().into()), "{words}: {object:#}");
    });
}

/// Real servers know no `Bye`: with it in place of a half-close, their children would live on.
#[test]
fn who_knows_no_bye_is_left_by_a_half_close() {
    for (words, goodbye) in [("reads-lines", Goodbye::HalfClose), ("no-unblock", Goodbye::Bye)] {
        let examinee = meet(&misfit(words), &Terms::default());
        assert_eq!(examinee.start().unwrap().manner().goodbye, goodbye, "{words}");
    }
}
