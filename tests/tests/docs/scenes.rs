//! What the pages' transcripts show, run for real: each scene is a function that does what its
//! page tells a reader to do and returns what is printed.
//!
//! A reader has other pids and ports than the page, and so has each run: `numbers` pairs them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use client::Conversation;
use client::ss::{self, Listener};
use harness::burst::Burst;
use harness::exam::{Examinee, QUESTIONS, Terms};
use harness::hold::Hold;
use harness::lessons::{LESSONS, example, program, road};
use harness::server::{Launch, Server, own_addr, send};
use harness::story::Paint;
use harness::{PATIENCE, experiment, poll, syscall};
use nix::sys::signal::Signal;
use nix::unistd::getuid;

/// What a scene shows, by the names of its parts.
pub(crate) type Parts = BTreeMap<&'static str, String>;

/// The name for the whole of it.
pub(crate) const ALL: &str = "all";

/// Why a scene shows nothing.
#[derive(Debug)]
pub(crate) enum Why {
    /// It needs what isn't here.
    Missing(String),
    /// It went wrong.
    Failed(String),
}

impl<E: std::error::Error> From<E> for Why {
    fn from(error: E) -> Why {
        Why::Failed(error.to_string())
    }
}

/// Runs the scene of this name.
pub(crate) fn play(name: &str) -> Result<Parts, Why> {
    let whole = match name {
        "cargo run --bin tour" => return the_tour(),
        "one client of lesson-01" => return one_client(),
        "lesson-02 sits the exam" => return exam(),
        // A short one: enough to tell the look of the table.
        "cargo run --bin tour -- --race" => {
            run(Command::new(env!("CARGO_BIN_EXE_tour")).args(["--race", "3"]))
        }
        "lesson-01 with room for eight processes" => room_for_eight(),
        "lesson-02 held still by hand" => held_by_hand(),
        "a handler interrupts accept" => interrupted_accept(),
        "nobody answers" => nobody_answers(),
        "lesson-03 under strace" => traced_loop(),
        "five deaths with ignore" => ignored(),
        "five deaths with nocldwait" => nocldwait(),
        _ => match name.split_whitespace().collect::<Vec<_>>()[..] {
            ["cargo", "run", "-p", "harness", "--example", program, ref args @ ..] => {
                run(Command::new(example(program)?).args(args.iter().filter(|it| **it != "--")))
            }
            ["exam", ref questions @ .., "on", "gallery", server] => {
                exam_of_gallery(questions, server)
            }
            _ => Err(Why::Failed(format!("there is no scene {name:?}"))),
        },
    };
    Ok(Parts::from([(ALL, whole?)]))
}

/// What a program prints that ends by itself.
fn run(program: &mut Command) -> Result<String, Why> {
    let output = program.env("NO_COLOR", "1").env("LC_ALL", "C").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Some(127) => Err(Why::Missing(format!("{program:?}: {said}"))), // no such program, sh(1)
        _ => Err(Why::Failed(format!("{program:?}: {}: {said}", output.status))),
    }
}

/// What a command of the shell's prints.
fn shell(command: &str) -> Result<String, Why> {
    run(Command::new("/bin/sh").args(["-c", command]))
}

/// The same after the command itself, as on a terminal.
fn typed(command: &str) -> Result<String, Why> {
    Ok(format!("$ {command}\n{}", shell(command)?))
}

/// The lines of a text that have this in them.
fn lines_with(text: &str, part: &str) -> String {
    text.split_inclusive('\n').filter(|line| line.contains(part)).collect()
}

/// What ps(1) prints of a server and its children after the command itself.
///
/// The second letter of STAT and the command line depend on how the server was started: by a
/// shell, in the foreground or not, for a reader; by the harness here.
fn ps_of(server: &Server, foreground: &str) -> Result<String, Why> {
    let (name, own) = (server.census()?.parent.name, server.pid().to_string());
    let command = format!("ps -o pid,ppid,stat,command -p {own} --ppid {own}");
    let row = |line: &str| {
        let stat = line.split_whitespace().nth(2).unwrap_or_default();
        let (columns, _) = line.split_once(stat).unwrap_or_default();
        let dead = format!("[{name}] <defunct>");
        let command = if line.ends_with(&dead) { dead } else { format!("target/debug/{name}") };
        format!("{columns}{:<4} {command}\n", format!("{}{foreground}", &stat[..1]))
    };
    let printed = shell(&command)?;
    let (head, rows) = printed.split_once('\n').unwrap_or_default();
    let mut rows: Vec<String> = rows.lines().map(row).collect();
    // By its pid a child may come first: pids begin again after the highest.
    rows.sort_by_key(|row| row.split_whitespace().next() != Some(&own));
    Ok(format!("$ {command}\n{head}\n{}", rows.concat()))
}

fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> Result<T, Why> {
    poll::until(PATIENCE, look).ok_or_else(|| Why::Failed(format!("waited too long for {what}")))
}

/// The tour, with one part for each lesson.
fn the_tour() -> Result<Parts, Why> {
    let all = run(&mut Command::new(env!("CARGO_BIN_EXE_tour")))?;
    let part = |text: &str| {
        let lesson = LESSONS.iter().find(|it| text.starts_with(&format!("{}, pid", it.name)));
        (lesson.map_or("summary", |it| it.name), text.trim_end().to_owned() + "\n")
    };
    let mut parts: Parts = all.split("\n\n").map(part).collect();
    parts.insert(ALL, all);
    Ok(parts)
}

/// Lesson 1's page: one client, its child and its zombie, seen from all sides.
fn one_client() -> Result<Parts, Why> {
    // The child is held still in the middle of its delay: so the conversation lasts as long as it
    // takes to look at it, and nothing is under way.
    let launch = Launch::new(program("lesson-01")?).arg("--delay").arg("500").arg("127.0.0.1:0");
    let server = launch.start()?;
    server.rest(); // of one that is about to run, procfs can't read where it sleeps
    syscall::readable(server.pid()).map_err(|why| Why::Missing(why.to_string()))?;
    let addr = server.addr().to_string();
    let mut client = Command::new(program("client")?);
    client.args(["--messages", "3", &addr]).stdin(Stdio::null()).stdout(Stdio::piped());
    let conversation = client.env("NO_COLOR", "1").spawn()?;
    let child = wait_for("a child", || Some(server.census().ok()?.children.first()?.pid))?;
    syscall::wait_for_sleep_in(child, libc::SYS_clock_nanosleep)?;
    let hold = Hold::still(child)?;
    wait_for("each to close its copy of the other's socket", || {
        let served = ss::connections(ss::HERE, server.addr(), |_| true).ok()?;
        let listener = ss::listener(server.addr()).ok()?;
        let done = served.values().eq([&[child]]) && listener == Listener::Held(vec![server.pid()]);
        done.then_some(())
    })?;
    let served = format!("{addr} ");
    let sockets = lines_with(&lines_with(&shell("ss -tanp")?, "lesson-01"), &served);
    hold.release();
    let said = conversation.wait_with_output()?.stdout;
    let mut shown = String::from_utf8_lossy(&said).into_owned();
    shown += &ps_of(&server, "+")?;
    shown += &typed(&format!("kill -9 {child}"))?;
    shown += &ps_of(&server, "+")?;

    let mut proc = String::new();
    for pid in [server.pid(), child] {
        let look = format!("grep -E 'State|VmRSS|Threads' /proc/{pid}/status");
        proc += &typed(&look)?.replace('\t', " ");
    }
    // After a fork either may have the first word: on the page it is the parent.
    let log = server.log().stdout();
    let mut log: Vec<&str> = log.split_inclusive('\n').collect();
    log.sort_by_key(|line| line.starts_with(&format!("[{child}]")));
    Ok(Parts::from([
        ("server", log.concat()),
        ("client", shown),
        ("ss", format!("$ ss -tanp | grep lesson-01\n{sockets}")),
        ("proc", proc),
        ("after", lines_with(&shell("ss -tan")?, &served)),
    ]))
}

/// One client more than there is room for children.
fn room_for_eight() -> Result<String, Why> {
    if !experiment::refuses_a_fork(1)? || experiment::refuses_a_fork(2)? {
        let why = "a server can have no user of its own here, of whom only its processes count";
        return Err(Why::Missing(why.to_owned()));
    }
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Launch::lesson(program("lesson-01")?, addr).processes(8).start()?;
    let _served = Burst::connect(&server, 7)?;
    let _refused = server.connect()?;
    let complaint = || Some(server.log().stderr()).filter(|said| said.ends_with('\n'));
    wait_for("a complaint", complaint)
}

/// Lesson 2's page: five deaths and one bit, with kill(1), grep(1) and ps(1).
fn held_by_hand() -> Result<String, Why> {
    let server = Server::lesson(program("lesson-02")?)?;
    let look = format!("grep -E 'State|ShdPnd' /proc/{}/status", server.pid());
    let burst = Burst::connect(&server, 5)?;
    let hold = Hold::still(server.pid())?;
    burst.leave()?;
    server.wait_for("every child to die", |family| family.alive() == 0)?;
    let mut told = typed(&look)?;
    hold.release();
    server.settled()?;
    write!(told, "$ kill -CONT {}\n{}{}", server.pid(), typed(&look)?, ps_of(&server, "")?)?;
    Ok(told.replace('\t', " "))
}

/// A server that runs under strace, which writes what it sees of these system calls to the log.
fn traced(lesson: &str, calls: &str) -> Result<Server, Why> {
    let missing = |_| Why::Missing("strace is not installed, or may not trace here".to_owned());
    shell("strace -o /dev/null true").map_err(missing)?;
    let strace = Launch::new("strace");
    let strace = calls.split(' ').fold(strace, |strace, calls| strace.arg("-e").arg(calls));
    let lesson = program(lesson)?;
    Ok(strace.arg(lesson).arg("--delay").arg("0").arg("127.0.0.1:0").start()?)
}

/// Waits until strace has written so much; returns it, with the user of the page.
fn seen(server: &Server, what: &str, enough: impl Fn(&str) -> bool) -> Result<String, Why> {
    let seen = wait_for(what, || Some(server.log().stderr()).filter(|it| enough(it)))?;
    Ok(seen.replace(&format!("si_uid={}", getuid()), "si_uid=1000"))
}

fn interrupted_accept() -> Result<String, Why> {
    let server = traced("lesson-02", "trace=accept4,wait4,write,rt_sigreturn")?;
    let burst = Burst::connect(&server, 1)?;
    const ACCEPT: &str = "accept4(3, ";
    wait_for("the next accept", || {
        let calls = server.log().stderr();
        let accepts = calls.matches(ACCEPT).count(); // strace may not yet have told of the first
        (accepts == 2 && calls.ends_with(ACCEPT)).then_some(())
    })?;
    burst.leave()?;
    server.settled()?;
    let told = seen(&server, "the handler's end", |it| {
        it.split_once("rt_sigreturn").is_some_and(|(_, rest)| rest.ends_with(ACCEPT))
    })?;
    let from = told.rfind("accept4(3, 0x").unwrap_or(0);
    Ok(told[from..].trim_end().to_owned() + "\n")
}

fn traced_loop() -> Result<String, Why> {
    let server = traced("lesson-03", "trace=wait4,rt_sigreturn")?;
    let burst = Burst::connect(&server, 5)?;
    let children = server.census()?.children;
    // Not `Hold`: a traced process that is stopped is in another state.
    server.signal(Signal::SIGSTOP)?;
    server.wait_for("the server to stop", |it| "Tt".contains(it.parent.state))?;
    burst.leave()?;
    server.wait_for("every child to die", |family| family.alive() == 0)?;
    server.signal(Signal::SIGCONT)?;
    let told = seen(&server, "the handler's end", |it| it.contains("rt_sigreturn"))?;
    let from = told.rfind("--- SIGCHLD").unwrap_or(0);
    // The signal names one of the five, and not always the same: on the page the second.
    let second = format!("si_pid={},", children[1].pid);
    Ok(children.iter().fold(told[from..].to_owned(), |told, child| {
        told.replace(&format!("si_pid={},", child.pid), &second)
    }))
}

/// Two children of lesson 3, of which the second dies when the handler has looked for the last
/// time and hasn't returned: strace holds it there. Returns the calls.
pub(crate) fn a_death_while_the_handler_runs() -> Result<String, Why> {
    let calls = "trace=wait4,rt_sigreturn inject=rt_sigreturn:delay_enter=3s";
    let server = traced("lesson-03", calls)?;
    let burst = Burst::connect(&server, 2)?;
    burst.clients()[0].bye()?;
    seen(&server, "the first run's last look", |it| it.contains("WNOHANG, NULL)          = 0"))?;
    burst.clients()[1].bye()?;
    server.wait_for("the bit to be set again", |family| family.sigchld_pending)?;
    seen(&server, "the second run's end", |it| it.matches("rt_sigreturn({").count() == 2)
}

/// A server that waits for a living child, and a newcomer who loses patience.
fn nobody_answers() -> Result<String, Why> {
    let server = Server::lesson(program("lesson-02")?)?;
    let _stays = Burst::connect(&server, 1)?;
    send(server.pid(), libc::SIGCHLD)?;
    server.wait_for("the signal to be taken", |it| !it.sigchld_pending)?;
    let newcomer = Conversation::connect(server.addr(), Duration::from_secs(1))?;
    match newcomer.say(b"hello") {
        Err(error) if error.is_silent() => Ok(format!("client: {error}\n")),
        other => Err(Why::Failed(format!("a newcomer was told {other:?}"))),
    }
}

fn ignored() -> Result<String, Why> {
    let server = Server::lesson(road("ignore")?)?;
    let (story, _) = experiment::held_still(&server, 5)?;
    Ok(story.text(Paint::Plain))
}

fn nocldwait() -> Result<String, Why> {
    let server = Server::lesson(road("nocldwait")?)?;
    experiment::held_still(&server, 5)?;
    let told = || Some(lines_with(&server.log().stdout(), "[SIGCHLD]")).filter(|it| !it.is_empty());
    wait_for("a line of the handler's", told)
}

/// A server that the exam is put to.
fn examinee(program: PathBuf, args: &[&str]) -> Result<Examinee, Why> {
    let addr = own_addr()?;
    let mut command = vec![program.into()];
    command.extend(args.iter().map(OsString::from));
    command.push(addr.to_string().into());
    Ok(Examinee::meet(&command, &[addr.into()], &Terms::default())?)
}

/// What the exam says of some questions, put to a server of the gallery.
fn exam_of_gallery(questions: &[&str], server: &str) -> Result<String, Why> {
    let examinee = examinee(example("gallery")?, &[server])?;
    let row = |number: &&str| {
        let number: usize = number.parse()?;
        let question = &QUESTIONS[number - 1];
        Ok(examinee.ask(question).row(number, question.name, Paint::Plain))
    };
    questions.iter().map(row).collect()
}

/// The exam of lesson 2, of which the page shows the fourth question and the verdict.
fn exam() -> Result<Parts, Why> {
    let examinee = examinee(program("lesson-02")?, &["--delay", "0"])?;
    let report = examinee.sit(&mut |_, _| {});
    let row = report.answers[3].row(4, QUESTIONS[3].name, Paint::Plain);
    // How many fail is chance: what fails for certain is told by the exam's own tests.
    let line = report.verdict.line.split("; ").take(2).collect::<Vec<_>>().join("; ");
    Ok(Parts::from([("question 4", row), ("verdict", line + "\n")]))
}
