//! The lab without a terminal: real servers, key by key, and what is then on the screen.

use std::env;
use std::net::TcpStream;
use std::process::Command;
use std::time::Instant;

use harness::server::send;
use harness::{PATIENCE, poll, ps};
use insta::assert_snapshot;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

use crate::model::Lab;
use crate::{on_terminal, screen};
use terminal::OnTerminal;

#[path = "../../tests/terminal/mod.rs"]
mod terminal;

/// A lab in which these keys have been pressed.
fn lab(lesson: usize, keys: &str) -> Lab {
    let mut lab = Lab::new(lesson).unwrap();
    press(&mut lab, keys);
    lab
}

/// Presses keys, each once nobody runs and no signal is on its way.
fn press(lab: &mut Lab, keys: &str) {
    for key in keys.chars() {
        lab.press(key);
        wait(lab, "rest", |Lab { family, clients, .. }| {
            let due = family.sigchld_pending && !family.sigchld_blocked;
            let mut states = clients.iter().filter_map(|it| it.state).chain([family.parent.state]);
            states.all(|it| it != 'R') && (!due || "TZ".contains(family.parent.state))
        });
    }
}

#[track_caller]
fn wait(lab: &mut Lab, what: &str, mut seen: impl FnMut(&Lab) -> bool) {
    let found = poll::until(PATIENCE, || {
        lab.look();
        seen(lab).then_some(())
    });
    assert!(found.is_some(), "no {what}: {}", shown(lab, 80, 60, false));
}

/// What is on a screen of this size, the same for every run.
fn shown(lab: &mut Lab, width: u16, height: u16, help: bool) -> String {
    lab.clients.iter_mut().for_each(|it| it.since = Instant::now());
    if lab.wchan != "do_wait" {
        lab.wchan.clear(); // kernels name it differently
    }
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| screen::draw(frame, lab, help)).unwrap();
    let port = lab.server.addr().port().to_string();
    let mut text = terminal.backend().to_string().replace(&port, "PORT");
    let mut pids: Vec<i32> = lab.clients.iter().map(|it| it.child).chain([lab.pid()]).collect();
    pids.sort_by_key(|pid| -pid); // a short one may begin a longer one
    for pid in pids {
        text = text.replace(&format!("{pid:>8}"), "     PID");
        for before in ["pid ", "child ", "proc/", "-p ", "-STOP ", "-CONT "] {
            text = text.replace(&format!("{before}{pid}"), &format!("{before}PID"));
        }
    }
    text.lines().map(|line| line.trim_matches('"').trim_end().to_owned() + "\n").collect()
}

#[test]
fn each_moment_of_five_deaths_and_one_bit_is_on_the_screen() {
    let mut lab = lab(2, "5");
    assert_snapshot!("served", shown(&mut lab, 80, 24, false));
    press(&mut lab, "s");
    assert_snapshot!("stopped", shown(&mut lab, 80, 24, false));
    press(&mut lab, "B");
    wait(&mut lab, "five zombies", |lab| lab.zombies() == 5 && lab.family.sigchld_pending);
    assert_snapshot!("dead", shown(&mut lab, 80, 24, false));
    press(&mut lab, "g");
    assert_snapshot!("asked", shown(&mut lab, 60, 24, false));
    press(&mut lab, "4");
    wait(&mut lab, "line of its log", |lab| lab.reaped == 1);
    assert_snapshot!("gone_on", shown(&mut lab, 80, 24, false));
    press(&mut lab, "55");
    assert_snapshot!("help", shown(&mut lab, 80, 24, true));
}

/// What is pressed, which ends are reached, and what is told.
const PLAYS: [(usize, &str, &[usize], &str); 22] = [
    (2, "5sBg4s!g3", &[0, 2], "Right: 3 zombies stay. lesson-02 waits once per SIGCHLD. Read"),
    (2, "csbg1", &[], "No: 0 zombies stay. lesson-02 waits once per SIGCHLD, and 1 death"),
    (2, "55sBg", &[2], "the server goes on"), // ten are no digit
    (1, "5sBg5", &[], "Right: 5 zombies stay. lesson-01 never waits. Read docs/lesson-01.md"),
    (3, "5sBg\n", &[2, 3], "the server goes on"),
    (3, "csbg0", &[3], "Right: 0 zombies stay"),
    (3, "csbK", &[], "the lab adopts its children"),
    (2, "c!", &[1], "the server waits for a child that lives"),
    (2, "c!!!!", &[1, 2], "SIGCHLD is pending"),
    (3, "c!!!s!!", &[], "SIGCHLD is pending"),
    (3, "cs!!!", &[2], "a stray SIGCHLD is sent"),
    (3, "cstt!", &[2], "goes on"),
    (1, "ckckckck", &[], "is dead: a zombie"),
    (1, "ckk", &[4], "is sent SIGKILL, and still a zombie"),
    (1, "cK", &[], "the server is dead, a zombie of the lab's"),
    (1, "cKc", &[5], "is answered by"),
    (1, "cKb", &[], "is dead; the lab has reaped it"),
    (1, "3g", &[], "g: it isn't stopped"),
    (3, "sc", &[], "c: the server is stopped and accepts nobody"),
    (3, "b", &[], "b: no client is there"),
    (3, "K5", &[], "5: it is dead"),
    (1, "csbgc", &[], "c: a digit, please"),
];

#[test]
fn keys_do_what_is_told_and_reach_their_ends_and_no_others() {
    for (lesson, keys, reached, told) in PLAYS {
        let mut lab = lab(lesson, keys);
        let expected: Vec<bool> = (0..6).map(|it| reached.contains(&it)).collect();
        wait(&mut lab, keys, |lab| lab.events.iter().any(|it| it.what.contains(told)));
        wait(&mut lab, keys, |lab| lab.won[..] == expected);
    }
}

#[test]
fn what_others_do_to_the_server_is_seen() {
    let mut lab = lab(3, "c");
    let _client = TcpStream::connect(lab.server.addr()).unwrap();
    wait(&mut lab, "child of another client", |lab| lab.clients.iter().any(|it| it.number == 0));
    send(lab.pid(), libc::SIGSTOP).unwrap();
    wait(&mut lab, "stop", |lab| lab.is_stopped());
    press(&mut lab, "bg");
    assert!(lab.asks, "{:?}", lab.events);
    send(lab.pid(), libc::SIGCONT).unwrap();
    wait(&mut lab, "end without a zombie", |lab| lab.won[3] && !lab.asks);
    send(lab.pid(), libc::SIGKILL).unwrap();
    wait(&mut lab, "death", |lab| lab.killed);
}

#[test]
#[ignore = "the test below runs it, on a terminal"]
fn panics() {
    let mut lab = lab(3, "5");
    let _ = on_terminal(|terminal| {
        terminal.draw(|frame| screen::draw(frame, &lab, false))?;
        lab.press('s');
        panic!("in the middle");
    });
}

#[test]
fn a_panic_puts_the_terminal_back_and_leaves_no_process() {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", "\"$0\" --ignored --exact tests::panics; stty -a"])
        .arg(env::current_exe().unwrap());
    let (_, screen) = OnTerminal::start(shell).end();
    let (before, after) = screen.split_once("\x1b[?1049l").expect("it leaves the second screen");
    for seen in ["\x1b[?25h", "in the middle", " icanon ", " echo "] {
        assert!(after.contains(seen), "no {seen:?}: {screen:?}");
    }
    let (_, server) = before.split_once("lesson-03, pid ").expect("it is drawn");
    let server: String = server.chars().take_while(char::is_ascii_digit).collect();
    assert_eq!(ps::state(server.parse().unwrap()), None, "{screen:?}");
}
