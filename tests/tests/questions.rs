//! Questions that people ask, docs/questions.md: what the programs tell that it has you run. What a
//! page prints of them, `docs` holds.

#[path = "facts/mod.rs"]
mod facts;

use std::fs;

use facts::Facts;
use harness::lessons::root;

#[test]
fn waitpid_minus_one_takes_the_child_that_a_library_waits_for() {
    Facts::of("starts-a-program").are([("wait", "exit status: 0")]);
    Facts::of("starts-a-program --reaps").are([("wait", "ECHILD")]);
}

#[test]
fn a_panic_in_a_child_does_what_is_the_parents_unless_it_is_caught() {
    let panic = "guard dropped, exit hook run, exit status 101";
    Facts::of("panic-in-child").are([("panic", panic), ("catch_unwind", "exit status 1")]);
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
            None => assert!(command.starts_with("cargo run -q --bin "), "{question:?}: {command}"),
        }
    }
}
