//! What a test says when it can't be made, or has a story to tell. It goes past the test runner's
//! capture; so this program is run again for it, with the test that is ignored otherwise.

use std::env;
use std::process::Command;

use client::ps::Family;
use harness::story::Story;
use nix::unistd::getpid;

#[test]
#[ignore = "run by the other test"]
fn tells_a_story_and_skips() {
    let mut story = Story::new("a look at itself");
    story.step("looked", &Family::of(getpid().as_raw()).unwrap(), 0);
    story.show();
    harness::skip("there is no moon tonight");
}

#[test]
fn a_story_and_a_skip_are_seen_although_their_test_passes() {
    for (variables, coloured, passes) in [
        (&[][..], false, true), // stderr is no terminal
        (&[("CLICOLOR_FORCE", "1")], true, true),
        (&[("CLICOLOR_FORCE", "0")], false, true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false, true),
        (&[("HARNESS_NO_SKIPS", "1")], false, false),
    ] {
        let mut command = Command::new(env::current_exe().unwrap());
        for variable in ["HARNESS_NO_SKIPS", "NO_COLOR", "CLICOLOR_FORCE"] {
            command.env_remove(variable);
        }
        command.args(["--exact", "tells_a_story_and_skips", "--ignored"]);
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        let said = format!("{variables:?}: {stdout}{stderr:?}");
        assert_eq!(output.status.code(), Some(if passes { 0 } else { 101 }), "{said}");
        assert!(stderr.starts_with('\n') && stderr.contains("\na look at itself\n"), "{said}");
        assert_eq!(stderr.contains('\x1b'), coloured, "{said}");
        assert_eq!(stderr.ends_with("\nSKIPPED: there is no moon tonight\n"), passes, "{said}");
        let why = "HARNESS_NO_SKIPS is set: there is no moon tonight";
        assert_eq!(said.contains(why), !passes, "{said}");
    }
}
