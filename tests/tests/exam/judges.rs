//! The exam on trial: what it says of servers of every shape, right ones and leaky ones; in a /proc
//! with much in it and in one with next to nothing.

use harness::exam::Outcome::{self, Fails, Holds, Noted};
use harness::exam::{Report, Terms};
use harness::server::{Goodbye, Talk};
use serde_json::{Value, json};

use crate::{can_run, each, judged, meet, misfit, sit, verdict};

/// What is to be said of a question: its number, the outcome, and a part of the evidence.
type Remark = (usize, Outcome, &'static str);

/// What is right has no zombie, whatever its shape; it fails nothing, and nothing is noted, but what
/// is among the `remarks`.
#[track_caller]
fn is_right(report: &Report, lesson: Option<u8>, remarks: &[Remark]) {
    let Report { answers, verdict } = report;
    assert_eq!((verdict.leaks, verdict.lesson), (Some(false), lesson), "{}", verdict.line);
    for outcome in [Fails, Noted] {
        let numbers = remarks.iter().filter(|it| it.1 == outcome).map(|(number, ..)| *number);
        assert_eq!(report.numbers(outcome), numbers.collect::<Vec<_>>(), "{}", verdict.line);
    }
    for (number, outcome, evidence) in remarks {
        let answer = &answers[number - 1];
        let hinted = answer.hint.is_some() == (*outcome != Holds);
        assert!(answer.evidence.contains(evidence) && hinted, "{number}: {answer:?}");
    }
}

#[test]
fn right_servers_of_every_shape_hold() {
    let servers: [(&str, Option<u8>, &[Remark]); 12] = [
        ("at-most", Some(3), &[]),
        ("pool", None, &[]),
        ("supervised-reaps", Some(3), &[]),
        ("no-reuse", Some(3), &[(13, Fails, "it can't start again")]),
        ("lingers", Some(3), &[]),
        ("starts-late", Some(3), &[]),
        ("farewell", Some(3), &[]),
        ("sheds-load", Some(3), &[]),
        ("reads-lines", Some(3), &[]),
        ("listens-late", Some(3), &[]),
        // It relies on the program that starts it: to be noted, and no failure.
        ("no-unblock", Some(3), &[(17, Noted, "3 of 3")]),
        ("leaves-orphans", Some(3), &[(5, Holds, "which it would have to reap itself as PID 1")]),
    ];
    each(&servers, |(name, lesson, remarks)| {
        let examinee = meet(&misfit(name), &Terms::default());
        // Real servers know no `Bye`: with it in place of a half-close, their children would live on.
        let goodbye = if *name == "reads-lines" { Goodbye::HalfClose } else { Goodbye::Bye };
        assert_eq!(examinee.start().unwrap().manner().goodbye, goodbye, "{name}");
        is_right(&sit(&examinee), *lesson, remarks);
    });
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
    let report = sit(&meet(&misfit("other-user"), &Terms::default()));
    is_right(&report, report.verdict.lesson, &[]);
}

/// It says that it may not look, and guesses nothing.
#[test]
fn whoever_may_not_look_into_children_says_so() {
    let without_ptrace = ["setpriv", "--bounding-set=-sys_ptrace"];
    if !nix::unistd::getuid().is_root() {
        return harness::skip("only root can start children of another user");
    }
    if !can_run(&without_ptrace) {
        return;
    }
    let (status, object) = judged(&without_ptrace, &misfit("other-user"));
    let [_, lesson, cause] = verdict(&object);
    let serves = json!("serves with processes that this user may not look into");
    let nothing = &Value::Null;
    assert_eq!([&object["serves"], lesson, cause], [&serves, nothing, nothing], "{object:#}");
    assert_eq!(status, Some(0), "{object:#}");
}

/// Has a misfit sit the exam, which is started through `words`. What has a cause leaks.
#[track_caller]
fn is_judged(words: &[&str], name: &str, lesson: Option<u8>, cause: Option<&str>) {
    let (status, object) = judged(words, &misfit(name));
    let expected = [json!(cause.is_some()), json!(lesson), json!(cause)];
    assert_eq!(verdict(&object), expected.each_ref(), "{name}: {object:#}");
    assert_eq!(status, Some(cause.is_some().into()), "{name}: {object:#}");
}

#[test]
fn leaky_servers_are_told_why() {
    let servers = [
        ("stays-blocked", None, "blocked"),
        ("bounded-loop", None, "bounded loop"),
        ("helper-each-second", None, "served nobody"),
        ("starts-cat", Some(1), "never waits"),
    ];
    each(&servers, |(name, lesson, cause)| is_judged(&[], name, *lesson, Some(cause)));
}

/// Each as the only one in a PID namespace, where /proc is small and so a look at it takes next to
/// no time.
#[test]
fn in_a_small_proc_the_verdicts_are_as_right() {
    let servers = [
        ("looks-late", Some(3), None),
        ("late-helper", Some(3), None),
        ("leader-leaves", Some(3), None),
        ("pool-of-one", Some(3), None),
        ("supervised-leaks", Some(1), Some("never waits")),
        ("one-shot-handler", None, Some("handler gone")),
        ("lost-wake-up", None, Some("lost wake-up")),
        ("helper-each-50-ms", None, Some("served nobody")),
        ("pool-never-reaps", None, Some("worker")),
    ];
    let unshare = ["unshare", "--user", "--map-current-user", "--pid", "--fork", "--mount-proc"];
    if can_run(&unshare) {
        each(&servers, |(name, lesson, cause)| is_judged(&unshare, name, *lesson, *cause));
    }
}
