//! The tour as a program: what it prints, and how it ends.

use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, Output, Stdio, id};

use client::ps::children_of;
use harness::{PATIENCE, poll};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::resource::{Resource, setrlimit};
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

/// What a tour that goes well has printed.
#[track_caller]
fn stdout(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[test]
fn five_clients_leave_five_four_and_no_zombies() {
    let text = stdout(&tour(&[]).output().unwrap());
    let lines: Vec<&str> = text.lines().collect();
    let (story, summary) = lines.split_at(lines.len() - 3);
    assert_eq!(summary, ["lesson-01  5  0  5", "lesson-02  5  1  4", "lesson-03  5  5  0"]);
    let story = story.join("\n");
    assert_eq!(story.matches("children: Z Z Z Z Z  SIGCHLD pending (5 deaths, 1 bit)").count(), 2);
    assert!(!text.contains('\x1b'), "colours, though this is no terminal: {text}");
}

#[test]
fn other_numbers_of_clients_follow_the_same_rule() {
    let text = stdout(&tour(&["--clients", "2"]).output().unwrap());
    let summary = "lesson-01  2  0  2\nlesson-02  2  1  1\nlesson-03  2  2  0\n";
    assert!(text.ends_with(summary), "{text}");
}

#[test]
fn the_rounds_of_a_race_add_up_in_each_histogram() {
    let text = stdout(&tour(&["--race", "3"]).output().unwrap());
    let mut rounds = [0; 3];
    for row in text.lines().skip(2) {
        let numbers: Vec<u32> = row.split_whitespace().filter_map(|it| it.parse().ok()).collect();
        let [zombies, histograms @ ..] = &numbers[..] else { panic!("an empty row in {text}") };
        assert_eq!(histograms.len(), 3, "side by side: {text}");
        assert!(histograms.iter().any(|it| *it > 0), "a row for what was not seen: {text}");
        assert!(histograms[0] == 0 || *zombies == 5, "lesson-01 reaped: {text}");
        assert!(histograms[1] == 0 || *zombies <= 4, "lesson-02 reaped none: {text}");
        assert!(histograms[2] == 0 || *zombies == 0, "lesson-03 left one: {text}");
        let bars: u32 = histograms.iter().map(|here| (here * 16).div_ceil(3)).sum();
        assert_eq!(row.matches('█').count(), bars as usize, "16 blocks are all rounds: {text}");
        for (sum, here) in rounds.iter_mut().zip(histograms) {
            *sum += here;
        }
    }
    assert_eq!(rounds, [3, 3, 3], "{text}");
    assert!(text.starts_with("zombies left in 3 rounds"), "{text}");
}

#[test]
fn a_race_on_a_terminal_shows_how_far_it_is_and_is_red_where_zombies_stay() {
    let (status, screen) = OnTerminal::start(tour(&["--race", "2"])).end();
    assert!(status.success(), "{screen}");
    assert!(screen.contains("/6 rounds"), "two rounds of three lessons: {screen:?}");
    let row = |zombies| {
        let rows = screen.lines().filter(|row| row.contains('█'));
        rows.map(str::trim_start).find(|row| row.starts_with(zombies)).expect("its row is there")
    };
    let (none, five) = (row("0 "), row("5 "));
    assert!(none.contains("\x1b[32m██") && !none.contains("\x1b[31m"), "{screen:?}");
    assert!(five.contains("\x1b[31m██") && !five.contains("\x1b[32m"), "{screen:?}");
}

#[test]
fn a_terminal_gets_colours_unless_no_color_is_set() {
    let (status, screen) = OnTerminal::start(tour(&[])).end();
    assert!(status.success(), "{screen}");
    assert!(screen.contains("lesson-02  5  1  \x1b[31m4\x1b[0m\n"), "{screen:?}");

    let mut command = tour(&[]);
    command.env("NO_COLOR", "1");
    let (status, screen) = OnTerminal::start(command).end();
    assert!(status.success(), "{screen}");
    assert!(screen.contains("lesson-02  5  1  4\n"), "{screen}");
    assert!(!screen.contains("\x1b[3"), "{screen:?}");
}

/// Interrupts a race in the middle, and checks that nothing is left of it.
fn interrupted_race_leaves_nothing(signal: Signal, interrupt: impl FnOnce(&mut OnTerminal)) {
    set_child_subreaper(true).unwrap(); // what it leaves behind comes to us
    let mut race = OnTerminal::start(tour(&["--race", "100000"]));
    let pid = race.process.id().cast_signed();
    let racing = || {
        let children = children_of(pid).unwrap();
        children.iter().any(|child| child.name.starts_with("lesson-0")).then_some(())
    };
    poll::until(PATIENCE, racing).expect("a server runs");
    interrupt(&mut race);
    let (status, screen) = race.end();
    assert_eq!(status.signal(), Some(signal as i32), "{status}: {screen}");
    let mut left = children_of(id().cast_signed()).unwrap();
    left.retain(|it| it.name.starts_with("lesson-0") || it.name == "guardian");
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn control_c_ends_a_race_and_all_that_belongs_to_it() {
    interrupted_race_leaves_nothing(Signal::SIGINT, |race| race.press(0x03));
}

#[test]
fn sigterm_ends_a_race_and_all_that_belongs_to_it() {
    interrupted_race_leaves_nothing(Signal::SIGTERM, |race| {
        kill(Pid::from_raw(race.process.id().cast_signed()), Signal::SIGTERM).unwrap();
    });
}

#[test]
fn a_closed_stdout_is_no_reason_to_panic() {
    let (reader, writer) = io::pipe().unwrap();
    drop(reader); // as head(1) does when it has seen enough
    let output = tour(&[]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {stderr}", output.status);
    assert!(!stderr.contains("panicked"), "{stderr}");
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
    let mut command = tour(&["--clients", "1000"]);
    let limit = || Ok(setrlimit(Resource::RLIMIT_NOFILE, 64, 64)?);
    // SAFETY: setrlimit is a system call, which neither allocates nor takes a lock.
    unsafe { command.pre_exec(limit) };
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let stderr = String::from_utf8(output.stderr).unwrap();
    let line = stderr.lines().last().unwrap();
    assert!(line.starts_with("tour: cannot connect to 127.0.0.1:"), "{stderr}");
    let way_out = "no more than 64 files may be open; ask for fewer clients, or raise the limit \
                   (ulimit -n)";
    assert!(line.ends_with(way_out), "{stderr}");
}
