//! What a test says when it fails, can't be made, or has a story to tell.
//!
//! Some of it goes past the test runner's capture; so this program is run again for it, with one
//! of the tests that are ignored otherwise.

use std::env;
use std::process::Command;

use client::ps::Family;
use harness::Error;
use harness::story::Story;
use nix::unistd::getpid;

#[test]
fn a_failed_unwrap_prints_an_error_as_it_reads() {
    let error = Error::new("cannot fork: resource temporarily unavailable");
    assert_eq!(format!("{error:?}"), "cannot fork: resource temporarily unavailable");
}

/// Runs one of the ignored tests; returns its exit status, stdout and stderr.
fn run(test: &str, variables: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env::current_exe().unwrap());
    for variable in ["HARNESS_NO_SKIPS", "NO_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(variable);
    }
    command.args(["--exact", test, "--ignored"]).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
#[ignore = "run by the other tests"]
fn skipped() {
    harness::skip("there is no moon tonight");
}

#[test]
fn a_test_that_cannot_be_made_says_so_and_passes_where_that_is_allowed() {
    let (status, stdout, stderr) = run("skipped", &[]);
    assert_eq!((status, &*stderr), (Some(0), "SKIPPED: there is no moon tonight\n"), "{stdout}");
    let (status, stdout, stderr) = run("skipped", &[("HARNESS_NO_SKIPS", "1")]);
    assert_eq!(status, Some(101), "{stdout}{stderr}");
    let why = "HARNESS_NO_SKIPS is set: there is no moon tonight";
    assert!((stdout + &stderr).contains(why), "{stderr}");
}

#[test]
#[ignore = "run by the other tests"]
fn tells_a_story() {
    let mut story = Story::new("a look at itself");
    story.step("looked", &Family::of(getpid().as_raw()).unwrap(), 0);
    story.show();
}

#[test]
fn a_story_is_seen_although_its_test_passes() {
    for (variables, coloured) in [
        (&[][..], false), // stderr is no terminal
        (&[("CLICOLOR_FORCE", "1")], true),
        (&[("CLICOLOR_FORCE", "0")], false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
    ] {
        let (status, stdout, stderr) = run("tells_a_story", variables);
        assert_eq!(status, Some(0), "{stdout}{stderr}");
        assert!(stderr.contains("\na look at itself\n"), "{variables:?}: {stderr}");
        assert_eq!(stderr.contains('\x1b'), coloured, "{variables:?}: {stderr:?}");
    }
}
