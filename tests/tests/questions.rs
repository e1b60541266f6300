//! Questions that people ask, docs/questions.md: what the programs show that it has you run.

#[path = "facts/mod.rs"]
mod facts;

use std::fs;

use facts::Facts;
use harness::lessons::root;

#[test]
fn a_handler_spoils_errno_for_the_code_it_interrupts_unless_it_puts_it_back() {
    Facts::of("errno-in-handler").are([("careless", "ECHILD"), ("careful", "EBADF")]);
}

#[test]
fn a_program_started_with_sigchld_ignored_cannot_wait_for_its_own_child() {
    Facts::of("starts-a-program").are([("wait", "exit status: 0")]);
    Facts::of("starts-a-program --ignored").are([("wait", "ECHILD")]);
}

#[test]
fn waitpid_minus_one_takes_the_child_that_a_library_waits_for() {
    Facts::of("starts-a-program --reaps").are([("wait", "ECHILD")]);
}

#[test]
fn a_signal_ends_reads_with_a_timeout_and_epoll_wait_whatever_sa_restart_says() {
    // With SA_RESTART, without it, and stopped and continued without any handler.
    Facts::of("interrupted").are([
        ("accept", "restarts    restarts  restarts"), // std tries again
        ("read", "restarts    EINTR     restarts"),   // and here it doesn't
        ("read_exact", "restarts    restarts  restarts"),
        ("read, timeout", "EINTR       EINTR     EINTR"),
        ("epoll_wait", "EINTR       EINTR     EINTR"),
    ]);
}

#[test]
fn a_handler_must_not_print_lock_or_write_into_a_full_pipe_that_blocks() {
    Facts::of("in-a-handler").are([
        ("println!", "the process dies: SIGABRT"),
        ("lock", "never returns"),
        ("try_lock", "returns"),
        ("write, full pipe", "never returns"),
        ("same with O_NONBLOCK", "returns"),
    ]);
}

#[test]
fn a_lock_that_another_thread_held_at_the_fork_is_never_unlocked_in_the_child() {
    let facts = Facts::of("fork-with-threads");
    if facts.get("child") == "secret" {
        return harness::skip("this kernel doesn't tell in which system call a child sleeps");
    }
    facts.are([("parent", "unlocked"), ("child", "waits for the lock"), ("child.threads", "1")]);
}

/// Needs a PID namespace: root, or a kernel that lets anybody make user namespaces.
#[test]
fn a_pid_1_that_never_waits_keeps_an_orphan_as_a_zombie() {
    let facts = Facts::of("pid-one");
    if let Some(why) = facts.find("skipped") {
        return harness::skip(why);
    }
    facts.are([("first process inside, pid", "1")]);
    facts.are([("its orphan has ended", "Z"), ("it waits once", "gone")]);
}

#[test]
fn exit_in_a_child_writes_the_parents_unfinished_line_once_more() {
    Facts::of("leave-twice").are([("exit", "begun exit=begun"), ("_exit", "begun")]);
}

#[test]
fn a_panic_in_a_child_does_what_is_the_parents_unless_it_is_caught() {
    let facts = Facts::of("panic-in-child");
    facts.are([("panic", "guard dropped, exit hook run, exit status 101")]);
    facts.are([("catch_unwind", "exit status 1")]);
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
