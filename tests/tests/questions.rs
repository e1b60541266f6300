//! Questions that people ask, docs/questions.md: the experiments that no other test makes, and a
//! look that each answer names one that exists.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use harness::lessons::{example, root};
use harness::server::Launch;
use nix::sys::wait::WaitStatus;

/// What a program of tests/examples/subjects tells in lines of `name=value`.
#[track_caller]
fn facts(args: &[&str]) -> BTreeMap<String, String> {
    let launch = Launch::new(example("subjects").unwrap());
    let launch = args.iter().copied().fold(launch, Launch::arg);
    let (status, log) = launch.run().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}: {}", log.text());
    let lines = log.stdout();
    let pairs = lines.lines().filter_map(|line| line.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

#[test]
fn a_handler_spoils_errno_for_the_code_it_interrupts_unless_it_puts_it_back() {
    let facts = facts(&["errno-in-handler"]);
    assert_eq!(facts["careless"], "ECHILD", "{facts:?}");
    assert_eq!(facts["careful"], "EBADF", "{facts:?}");
}

#[test]
fn a_program_started_with_sigchld_ignored_cannot_wait_for_its_own_child() {
    let plain = facts(&["starts-a-program"]);
    assert_eq!(plain["wait"], "exit status: 0", "{plain:?}");
    let ignored = facts(&["starts-a-program", "--ignored"]);
    assert_eq!(ignored["wait"], "ECHILD", "{ignored:?}");
}

#[test]
fn waitpid_minus_one_takes_the_child_that_a_library_waits_for() {
    let facts = facts(&["starts-a-program", "--reaps"]);
    assert_eq!(facts["wait"], "ECHILD", "{facts:?}");
}

#[test]
fn a_lock_that_another_thread_held_at_the_fork_is_never_unlocked_in_the_child() {
    let facts = facts(&["fork-with-threads"]);
    if facts["child"] == "secret" {
        return harness::skip("this kernel doesn't tell in which system call a child sleeps");
    }
    assert_eq!(facts["parent"], "unlocked", "{facts:?}");
    assert_eq!(facts["child"], "waits for the lock", "{facts:?}");
    assert_eq!(facts["child.threads"], "1", "{facts:?}");
}

/// Needs a PID namespace: root, or a kernel that lets anybody make user namespaces.
#[test]
fn a_pid_1_that_never_waits_keeps_an_orphan_as_a_zombie() {
    let facts = facts(&["pid-one"]);
    if let Some(why) = facts.get("skipped") {
        return harness::skip(why);
    }
    assert_eq!(facts["pid_inside"], "1", "{facts:?}");
    assert_eq!([&*facts["before"], &*facts["after"]], ["Z", "gone"], "{facts:?}");
}

#[test]
fn exit_in_a_child_writes_the_parents_unfinished_line_once_more() {
    let facts = facts(&["leave-twice"]);
    assert_eq!(facts["exit"], "begun exit=begun ", "{facts:?}");
    assert_eq!(facts["_exit"], "begun ", "{facts:?}");
}

// The page.

const PAGE: &str = "docs/questions.md";

/// What begins the line of an answer that says where to see it.
const SEE: &str = "**See it:** ";

#[test]
fn each_answer_names_an_experiment_that_exists() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let tests = tests();
    let answers: Vec<&str> = page.split("\n## ").skip(1).collect();
    assert_eq!(answers.len(), 15, "the questions of {PAGE}");
    for answer in answers {
        let question = answer.lines().next().unwrap();
        assert!(question.ends_with('?'), "{PAGE}: {question:?} is no question");
        let see = answer.split_once(SEE).map(|(_, see)| see);
        let see = see.unwrap_or_else(|| panic!("{PAGE}, {question:?}: no line begins with {SEE}"));
        let see = see.split("\n\n").next().unwrap();
        // The odd pieces are those between backticks; the tests' names among them are single words.
        let named: Vec<&str> =
            see.split('`').skip(1).step_by(2).filter(|it| it.contains('_')).collect();
        assert!(!named.is_empty(), "{PAGE}, {question:?} names no test");
        for name in named {
            assert!(tests.contains(name), "{PAGE}, {question:?}: there is no test {name}");
        }
    }
}

/// The names of the workspace's tests: functions, and the claims of `survival` and `wrong_fixes`.
fn tests() -> BTreeSet<String> {
    let folders = ["tests/tests", "client/tests", "lesson-01-fork-no-reap/tests"];
    let more = ["lesson-02-sigchld-single-wait/tests", "lesson-03-waitpid-loop/tests"];
    let mut names = BTreeSet::new();
    for folder in folders.iter().chain(&more) {
        gather(&root().join(folder), &mut names);
    }
    names
}

fn gather(folder: &Path, names: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            gather(&path, names);
            continue;
        }
        let source = fs::read_to_string(&path).unwrap();
        let mut is_test = false;
        for line in source.lines() {
            let line = line.trim();
            let function = line.strip_prefix("fn ").and_then(|rest| rest.split_once("() {"));
            let claim = line.split_once(':').filter(|(name, lessons)| {
                let lessons = lessons.trim_start();
                (lessons.is_empty() || lessons.starts_with("lesson_0"))
                    && name.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
            });
            match (function, claim) {
                (Some((name, _)), _) if is_test => drop(names.insert(name.to_owned())),
                (None, Some((name, _))) => drop(names.insert(name.to_owned())),
                _ => {}
            }
            is_test = line.starts_with("#[") && (is_test || line == "#[test]");
        }
    }
}
