//! `zombies` on trial: parents whose zombies stay for a reason that is known, and what it says of
//! each of them.

use std::process::Command;
use std::time::Duration;

use harness::experiment::{held_still, held_still_until};
use harness::lessons::{LESSONS, example};
use harness::server::{Launch, Role, Server, can_be_inside};
use harness::zombies::look;
use harness::{eventually, or_skip};
use serde_json::{Value, json};

/// What is said for programs of those of a server's processes that have zombies.
fn parents(server: &Server) -> Vec<Value> {
    let report = look(&[], Duration::from_millis(300)).unwrap().json();
    let members = server.members();
    let ours = |it: &&Value| members.iter().any(|pid| it["pid"] == *pid);
    report["parents"].as_array().unwrap().iter().filter(ours).cloned().collect()
}

/// A subject in a PID namespace, and what is said of it once that is `cause`.
#[track_caller]
fn subject(reason: &str, role: Role, cause: &str) -> Value {
    let launch = Launch::new(example("subjects").unwrap()).arg("parent").arg(reason);
    let server = launch.start_inside(role).unwrap();
    let is = |seen: &Vec<Value>| seen.last().is_some_and(|it| it["cause"] == cause);
    eventually(&format!("{reason} to be {cause}"), || parents(&server), is).pop().unwrap()
}

#[test]
fn lesson_1_never_waits_lesson_2_waits_once_per_signal_and_lesson_3_is_stopped() {
    for (lesson, cause) in LESSONS.iter().zip(["never waits", "one per signal", ""]) {
        let server = Server::lesson(lesson.program().unwrap()).unwrap();
        let stopped = held_still_until(&server, 5, |_| {
            let parents = parents(&server);
            assert_eq!(parents[0]["cause"], "stopped", "{parents:?}");
            Ok(())
        });
        stopped.unwrap();
        let parents = parents(&server);
        let [parent] = &parents[..] else {
            assert!(lesson == &LESSONS[2] && parents.is_empty(), "{parents:?}");
            continue;
        };
        let found = ["cause", "zombies", "trend", "has_waited"].map(|it| &parent[it]);
        let waits = cause == "one per signal";
        let zombies = 5 - u8::from(waits);
        assert_eq!(json!(found), json!([cause, zombies, "constant", waits]), "{parent:?}");
    }
}

#[test]
fn who_blocks_is_stuck_late_traced_or_has_inherited_is_told_apart() {
    let Some(()) = or_skip(can_be_inside()) else { return };
    for reason in ["blocked", "late", "stuck", "traced"] {
        subject(reason, Role::Child, reason);
    }
    let threads = subject("threads", Role::Child, "never waits");
    assert!(threads["diagnosis"].to_string().contains("in 1 of 2 threads"), "{threads:?}");
    assert_eq!(subject("thread-left", Role::Child, "thread left")["zombies"], 0);
    for role in [Role::Child, Role::Pid1] {
        let parent = subject("inherited", role, "inherited");
        let found = ["pid1", "has_waited"].map(|it| &parent[it]);
        assert_eq!(json!(found), json!([role == Role::Pid1, false]), "{parent:?}");
    }
}

/// The program: by the pid of a zombie, for programs, and with the exit status that tells.
#[test]
fn a_zombie_that_is_named_stands_for_its_parent() {
    let server = Server::lesson(LESSONS[0].program().unwrap()).unwrap();
    let (story, _) = held_still(&server, 3).unwrap();
    let zombie = story.seen().last().unwrap().children[0].pid.to_string();
    let zombies = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_zombies")).args(args).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (status, json, _) = zombies(&["--json", "--again", "1", &zombie]);
    let object: Value = serde_json::from_str(&json).unwrap();
    let parent = &object["parents"][0];
    assert_eq!((status, &parent["pid"]), (Some(1), &server.pid().into()), "{json}");
    assert_eq!((&object["schema"], &parent["zombies"]), (&1.into(), &3.into()), "{json}");
    assert_eq!(parent["cause"], "never waits", "{json}");
    let (status, text, _) = zombies(&["--again", "1", &server.pid().to_string()]);
    assert!(status == Some(1) && text.contains(": 3 zombies\n"), "{text}");
    let (status, text, _) = zombies(&["--again", "1", &std::process::id().to_string()]);
    assert!(status == Some(0) && text.starts_with("no zombies\n"), "{text}");
    let (status, _, stderr) = zombies(&["2000000000"]);
    assert_eq!((status, stderr.lines().count()), (Some(2), 1), "{stderr}");
}
