//! Questions that people ask, docs/questions.md: what the programs show that it has you run.

#[path = "facts/mod.rs"]
mod facts;

use std::fs;

use facts::Facts;
use harness::lessons::root;

#[test]
fn a_handler_spoils_errno_for_the_code_it_interrupts_unless_it_puts_it_back() {
    let facts = Facts::of("errno-in-handler");
    assert_eq!([facts.get("careless"), facts.get("careful")], ["ECHILD", "EBADF"], "{facts:?}");
}

#[test]
fn a_program_started_with_sigchld_ignored_cannot_wait_for_its_own_child() {
    assert_eq!(Facts::of("starts-a-program").get("wait"), "exit status: 0");
    assert_eq!(Facts::of("starts-a-program --ignored").get("wait"), "ECHILD");
}

#[test]
fn waitpid_minus_one_takes_the_child_that_a_library_waits_for() {
    assert_eq!(Facts::of("starts-a-program --reaps").get("wait"), "ECHILD");
}

#[test]
fn a_signal_ends_reads_with_a_timeout_and_epoll_wait_whatever_sa_restart_says() {
    let facts = Facts::of("interrupted");
    // With SA_RESTART, without it, and stopped and continued without any handler.
    for (call, fates) in [
        ("accept", ["restarts", "restarts", "restarts"]), // std tries again
        ("read", ["restarts", "EINTR", "restarts"]),      // and here it doesn't
        ("read_exact", ["restarts", "restarts", "restarts"]),
        ("read, timeout", ["EINTR", "EINTR", "EINTR"]),
        ("epoll_wait", ["EINTR", "EINTR", "EINTR"]),
    ] {
        let seen: Vec<&str> = facts.get(call).split_whitespace().collect();
        assert_eq!(seen, fates, "{call}: {facts:?}");
    }
}

#[test]
fn a_handler_must_not_print_lock_or_write_into_a_full_pipe_that_blocks() {
    let facts = Facts::of("in-a-handler");
    for (act, fate) in [
        ("println!", "the process dies: SIGABRT"),
        ("lock", "never returns"),
        ("try_lock", "returns"),
        ("write, full pipe", "never returns"),
        ("same with O_NONBLOCK", "returns"),
    ] {
        assert_eq!(facts.get(act), fate, "{act}: {facts:?}");
    }
}

#[test]
fn a_lock_that_another_thread_held_at_the_fork_is_never_unlocked_in_the_child() {
    let facts = Facts::of("fork-with-threads");
    if facts.get("child") == "secret" {
        return harness::skip("this kernel doesn't tell in which system call a child sleeps");
    }
    assert_eq!(facts.get("parent"), "unlocked", "{facts:?}");
    assert_eq!(facts.get("child"), "waits for the lock", "{facts:?}");
    assert_eq!(facts.get("child.threads"), "1", "{facts:?}");
}

/// Needs a PID namespace: root, or a kernel that lets anybody make user namespaces.
#[test]
fn a_pid_1_that_never_waits_keeps_an_orphan_as_a_zombie() {
    let facts = Facts::of("pid-one");
    if let Some(why) = facts.find("skipped") {
        return harness::skip(why);
    }
    assert_eq!(facts.get("first process inside, pid"), "1", "{facts:?}");
    assert_eq!(facts.get("its orphan has ended"), "Z", "{facts:?}");
    assert_eq!(facts.get("it waits once"), "gone", "{facts:?}");
}

#[test]
fn exit_in_a_child_writes_the_parents_unfinished_line_once_more() {
    let facts = Facts::of("leave-twice");
    assert_eq!([facts.get("exit"), facts.get("_exit")], ["begun exit=begun", "begun"], "{facts:?}");
}

#[test]
fn a_panic_in_a_child_does_what_is_the_parents_unless_it_is_caught() {
    let facts = Facts::of("panic-in-child");
    assert_eq!(facts.get("panic"), "guard dropped, exit hook run, exit status 101", "{facts:?}");
    assert_eq!(facts.get("catch_unwind"), "exit status 1", "{facts:?}");
}

#[test]
fn each_answer_has_a_command_that_can_be_run() {
    let page = fs::read_to_string(root().join("docs/questions.md")).unwrap();
    for answer in page.split("\n## ").skip(1) {
        let question = answer.lines().next().unwrap();
        let see = answer.split_once("**See it:** `").and_then(|(_, see)| see.split_once('`'));
        let (command, _) = see.unwrap_or_else(|| panic!("{question:?} has nothing to see"));
        match command.strip_prefix("cargo run -qp harness --example subjects -- ") {
            Some(subject) => drop(Facts::of(subject)),
            None => {
                assert!(command.starts_with("cargo run -q --bin tour"), "{question:?}: {command}");
            }
        }
    }
}
