//! The tour as a program: what it prints, and how it ends.

use std::io::{self, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio, id};

use client::ps::children_of;
use harness::eventually;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use terminal::OnTerminal;

mod terminal;

fn tour(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tour"));
    command.args(args).stdin(Stdio::null());
    command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").env_remove("CLICOLOR");
    command
}

/// What five clients leave, README.md shows, and the tests of the pages play it. No terminal, no colours.
#[test]
fn other_numbers_of_clients_follow_the_same_rule() {
    let output = tour(&["--clients", "2"]).output().unwrap();
    let summary = b"lesson-01  2  0  2\nlesson-02  2  1  1\nlesson-03  2  2  0\n";
    assert!(output.status.success() && output.stdout.ends_with(summary), "{output:?}");
}

#[test]
fn who_predicts_before_the_server_runs_on_is_told_right_or_wrong_and_where_to_read_why() {
    for (no_color, four) in [("", "\x1b[31m4\x1b[0m"), ("1", "4")] {
        let mut command = tour(&["--ask"]);
        command.env("NO_COLOR", no_color);
        let (mut tour, mut screen) = (OnTerminal::start(command), String::new());
        for (answer, lesson) in [("5", 1), ("many", 2), ("6", 2), ("0", 2), ("0", 3)] {
            let question = format!("and lesson-0{lesson} runs again.\n  How many zombies stay? ");
            screen += &tour.wait_past(&question);
            answer.bytes().chain([b'\n']).for_each(|key| tour.press(key));
        }
        let (status, rest) = tour.end();
        screen += &rest;
        assert!(status.success() && screen.contains("You predicted 2 of 3."), "{screen}");
        assert_eq!(screen.matches("A number from 0 to 5, please.").count(), 2, "{screen}");
        assert!(screen.contains(&format!("lesson-02  5  1  {four}\n")), "{screen:?}");
        assert_eq!(screen.contains("\x1b[3"), no_color.is_empty(), "{screen:?}");
        let verdicts: Vec<&str> = screen.lines().filter(|it| it.contains("Read docs/")).collect();
        assert_eq!(
            verdicts,
            [
                "  Right: lesson-01 never waits. Read docs/lesson-01.md",
                "  No: lesson-02 waits once per SIGCHLD, and 5 deaths set one bit. \
                 Read docs/lesson-02.md",
                "  Right: lesson-03 waits until no dead child is left, and 5 deaths set one bit. \
                 Read docs/lesson-03.md",
            ]
        );
    }
}

#[test]
fn a_question_that_nobody_answers_is_a_plain_error() {
    for (answers, lesson) in [("", "lesson-01"), ("5\n4", "lesson-03")] {
        let mut command = tour(&["--ask"]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tour = command.spawn().unwrap();
        tour.stdin.take().unwrap().write_all(answers.as_bytes()).unwrap();
        let output = tour.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let [stdout, stderr] =
            [output.stdout, output.stderr].map(|it| String::from_utf8(it).unwrap());
        let line = stderr.lines().last().unwrap();
        assert!(line.starts_with(&format!("tour: no answer for {lesson}: ")), "{stderr}");
        // What comes by a pipe shows nowhere else.
        let first = answers.lines().next().unwrap_or_default();
        assert!(stdout.contains(&format!("How many zombies stay? {first}\n")), "{stdout}");
    }
}

#[test]
fn a_race_on_a_terminal_shows_how_far_it_is_and_its_rounds_add_up() {
    let (status, screen) = OnTerminal::start(tour(&["--race", "3"])).end();
    assert!(status.success() && screen.contains("/9 rounds"), "three of each lesson: {screen:?}");
    let (_, told) = screen.split_once("zombies left in 3 rounds\n").expect(&screen);
    let histograms: Vec<&str> = told.split("lesson-0").skip(1).collect();
    assert_eq!(histograms.len(), 3, "{told}");
    for (histogram, expected) in histograms.iter().zip([5..=5, 0..=4, 0..=0]) {
        let mut sum = 0;
        for row in histogram.lines().skip(1) {
            let words: Vec<&str> = row.split_whitespace().collect();
            let [zombies, here] =
                [words[0], words[words.len() - 1]].map(|it| it.parse::<usize>().expect(row));
            assert!(here > 0, "a row for what was not seen: {told}");
            assert!(expected.contains(&zombies), "lesson-0{histogram}");
            assert_eq!(row.matches('█').count(), (here * 20).div_ceil(3), "20 are all: {told}");
            let colour = if zombies == 0 { "\x1b[32m" } else { "\x1b[31m" };
            assert!(words[1].starts_with(&format!("{colour}█")), "{row:?}");
            sum += here;
        }
        assert_eq!(sum, 3, "{told}");
    }
}

#[test]
fn control_c_or_sigterm_ends_a_race_and_all_that_belongs_to_it() {
    set_child_subreaper(true).unwrap(); // what it leaves behind comes to us
    let lessons_of = |pid: u32| {
        let mut children = children_of(pid.cast_signed()).unwrap();
        children.retain(|it| it.name.starts_with("lesson-0") || it.name == "guardian");
        children
    };
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let mut race = OnTerminal::start(tour(&["--race", "100000"]));
        let pid = race.process.id();
        let lessons = || lessons_of(pid);
        eventually("a server", lessons, |all| all.iter().any(|it| it.name != "guardian"));
        match signal {
            Signal::SIGINT => race.press(0x03),
            _ => kill(Pid::from_raw(pid.cast_signed()), signal).unwrap(),
        }
        let (status, screen) = race.end();
        assert_eq!(status.signal(), Some(signal as i32), "{status}: {screen}");
        assert_eq!(lessons_of(id()), []);
    }
}

#[test]
fn a_closed_stdout_is_no_reason_to_panic() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader); // as head(1) does when it has seen enough
    let output = tour(&[]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"), "{output:?}");
}

#[test]
fn wrong_usage_is_told_apart_from_failure() {
    for args in [&["--clients", "0"][..], &["--clients", "1001"], &["--race", "0"], &["lesson-01"]]
    {
        let output = tour(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {output:?}");
    }
}

#[test]
fn a_limit_on_open_files_is_named_with_the_way_out() {
    let limited = ["-c", "ulimit -n 64 && exec \"$0\" --clients 1000", env!("CARGO_BIN_EXE_tour")];
    let output = Command::new("/bin/sh").args(limited).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let line = stderr.lines().last().unwrap();
    assert!(line.starts_with("tour: cannot connect to 127.0.0.1:"), "{stderr}");
    let way_out = "no more than 64 files may be open; ask for fewer clients, or raise the limit \
                   (ulimit -n)";
    assert!(line.ends_with(way_out), "{stderr}");
}
