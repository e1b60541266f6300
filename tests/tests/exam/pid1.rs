//! `exam --pid1` on trial: what it says of the lessons as PID 1, and of one that waits for its own.

use std::process::Command;

use harness::lessons::{LESSONS, example};
use harness::or_skip;
use harness::server::can_be_inside;
use serde_json::Value;

use crate::{each, run};

/// The exit status, stdout and stderr of `exam --pid1` with these words.
fn exam(words: &[&str]) -> (Option<i32>, String, String) {
    run(Command::new(env!("CARGO_BIN_EXE_exam")).arg("--pid1").args(words))
}

#[test]
fn as_pid_1_the_lessons_reap_orphans_as_they_reap_their_own() {
    let Some(()) = or_skip(can_be_inside()) else { return };
    let [first, second, third] = LESSONS.each_ref().map(|it| it.program().unwrap());
    let candidates = [
        (first, &[][..], "nobody"),
        (second, &[], "one per signal"),
        (third, &[], "everybody"),
        (example("subjects").unwrap(), &["parent", "stuck"], "its own"),
    ];
    each(&candidates, |(program, args, reaps)| {
        let (status, json, stderr) =
            exam(&[&["--json", program.to_str().unwrap()], *args].concat());
        let object: Value = serde_json::from_str(&json).unwrap_or_default();
        // Of SIGTERM none of them makes anything, and by default a PID 1 is spared.
        assert_eq!((&object["reaps"], status), (&(*reaps).into(), Some(1)), "{json}{stderr}");
        let outcome = |number: usize| &object["questions"][number - 1]["outcome"];
        assert_eq!([outcome(8), outcome(9)], ["fails", "can't be asked"], "{json}");
    });
}

#[test]
fn who_cannot_be_pid_1_is_refused_in_a_line() {
    let Some(()) = or_skip(can_be_inside()) else { return };
    for (words, why) in [
        (&["/nonexistent"][..], "cannot start /nonexistent: No such file or directory"),
        (&["false"], "it ended at once with exit status 1"),
        (&["--addr", "127.0.0.1:1", "sleep", "9"], "cannot be used with"),
    ] {
        let (status, stdout, stderr) = exam(words);
        assert!(status == Some(2) && stderr.contains(why), "{words:?}: {stdout}{stderr}");
    }
}
