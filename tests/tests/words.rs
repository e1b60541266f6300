//! What a test says when it fails or can't be made: one line with the reason.

use std::env;
use std::process::{Command, Output};

use harness::Error;

#[test]
fn a_failed_unwrap_prints_an_error_as_it_reads() {
    let error = Error::new("cannot fork: resource temporarily unavailable");
    assert_eq!(format!("{error:?}"), "cannot fork: resource temporarily unavailable");
}

/// The test that can't be made. It is only run by the others, as a program of its own.
#[test]
#[ignore = "run by the other tests"]
fn skipped() {
    harness::skip("there is no moon tonight");
}

fn run_skipped(setting: Option<&str>) -> Output {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "skipped", "--ignored"]).env_remove("HARNESS_NO_SKIPS");
    command.envs(setting.map(|value| ("HARNESS_NO_SKIPS", value))).output().unwrap()
}

#[test]
fn a_test_that_cannot_be_made_says_so_and_passes() {
    let output = run_skipped(None);
    assert!(output.status.success(), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(stderr, "SKIPPED: there is no moon tonight\n");
}

#[test]
fn where_nothing_may_be_skipped_it_fails() {
    let output = run_skipped(Some("1"));
    assert_eq!(output.status.code(), Some(101), "{output:?}");
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("HARNESS_NO_SKIPS is set: there is no moon tonight"), "{said}");
}
