//! The lab on a terminal: however it ends, the terminal is as it was, and no process is left.

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};

use harness::ps::{self, children_of};
use harness::server::send;
use harness::{PATIENCE, poll};
use terminal::OnTerminal;

#[path = "../../tests/terminal/mod.rs"]
mod terminal;

const LAB: &str = env!("CARGO_BIN_EXE_lab");

/// All descendants of a process.
fn descendants(pid: u32) -> Vec<i32> {
    let children = children_of(pid.cast_signed()).unwrap().into_iter().map(|it| it.pid);
    children.flat_map(|it| [vec![it], descendants(it.cast_unsigned())].concat()).collect()
}

#[track_caller]
fn gone(pids: &[i32]) {
    let all = poll::until(PATIENCE, || pids.iter().all(|it| !ps::lives(*it)).then_some(()));
    assert!(all.is_some(), "{:?}", pids.iter().map(|it| ps::stat(*it)).collect::<Vec<_>>());
}

#[test]
fn however_it_ends_the_terminal_is_put_back_and_no_process_is_left() {
    for end in ["q", "Ctrl-C", "SIGTERM", "SIGHUP", "kill -9"] {
        let mut shell = Command::new("sh");
        shell.args(["-c", "\"$0\" --lesson 3; stty -a", LAB]);
        shell.env("NO_COLOR", if end == "q" { "" } else { "1" });
        let mut terminal = OnTerminal::start(shell);
        let drawn = terminal.wait_past("quit");
        assert!(drawn.contains("\x1b[2mb Bye"), "what makes no sense now isn't dim: {drawn:?}");
        for key in *b"5sb" {
            terminal.press(key);
        }
        let drawn = terminal.wait_past("■");
        assert_eq!(drawn.contains("8;5;"), end == "q", "{end}: colours: {drawn:?}");
        terminal.resize(60);
        terminal.wait_past(&format!("H{}\x1b", "─".repeat(54)));
        let processes = descendants(terminal.process.id());
        assert!(processes.len() >= 7, "{processes:?}");
        let signal = |number| send(processes[0], number).unwrap();
        match end {
            "q" => terminal.press(b'q'),
            "Ctrl-C" => terminal.press(3),
            "SIGTERM" => signal(libc::SIGTERM),
            "SIGHUP" => signal(libc::SIGHUP),
            _ => signal(libc::SIGKILL),
        }
        let (_, screen) = terminal.end();
        if end != "kill -9" {
            let (_, after) = screen.split_once("\x1b[?1049l").expect("it leaves the second screen");
            for seen in ["\x1b[?25h", " icanon ", " echo "] {
                assert!(after.contains(seen), "{end}: no {seen:?} in {screen:?}");
            }
        }
        gone(&processes);
    }
}

#[test]
fn a_closed_window_ends_it_and_its_server() {
    let mut terminal = OnTerminal::start(Command::new(LAB));
    terminal.wait_past("quit");
    let processes = descendants(terminal.process.id());
    let status = terminal.close();
    assert_ne!(status.signal(), Some(libc::SIGABRT), "it panics");
    gone(&processes);
}

#[test]
fn without_a_terminal_it_names_the_tour() {
    let output = Command::new(LAB).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.starts_with("lab: ") && error.contains("cargo run --bin tour"), "{error}");
    assert_eq!(output.status.code(), Some(1));
}
