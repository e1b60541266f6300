//! What the pages' transcripts show, run for real: each scene is a function that does what its
//! page tells a reader to do and returns what is printed.
//!
//! A reader has other pids and ports than the page, and so has each run. A scene gives its
//! processes the numbers that they have on the page ([`Cast`]); everything else is compared as it
//! is, blanks aside.

use std::env;
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use client::Conversation;
use harness::burst::Burst;
use harness::exam::{Examinee, QUESTIONS, Terms};
use harness::hold::Hold;
use harness::lessons::{LESSONS, example, program, road};
use harness::server::{Launch, Server, own_addr, send};
use harness::story::Paint;
use harness::{PATIENCE, experiment, poll, syscall};
use nix::sys::signal::Signal;
use nix::unistd::getuid;
use procfs::process::Process;

/// Parts of what a scene shows, by name. Together they are all of it.
pub(crate) type Parts = Vec<(&'static str, String)>;

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

type Scene = fn() -> Result<Parts, Why>;

/// The scenes that a page may name, besides `cargo run -p harness --example NAME [-- ARGUMENTS]`,
/// and `exam 4 7 on gallery NAME`: what the exam says of these questions.
static SCENES: [(&str, Scene); 12] = [
    ("cargo run --bin tour", the_tour),
    ("cargo run --bin tour -- --race", the_race),
    ("one client of lesson-01", one_client),
    ("five clients of lesson-01", five_clients),
    ("lesson-01 with room for eight processes", room_for_eight),
    ("lesson-02 held still by hand", held_by_hand),
    ("a handler interrupts accept", interrupted_accept),
    ("nobody answers", nobody_answers),
    ("lesson-03 under strace", traced_loop),
    ("five deaths with ignore", ignored),
    ("five deaths with nocldwait", nocldwait),
    ("lesson-02 sits the exam", exam),
];

/// How a page names an example that ends by itself.
const EXAMPLE: &str = "cargo run -p harness --example ";

/// Runs the scene of this name.
pub(crate) fn play(name: &str) -> Result<Parts, Why> {
    if let Some(command) = name.strip_prefix(EXAMPLE) {
        return run_example(command);
    }
    if let Some((questions, server)) = exam_on_gallery(name) {
        return exam_of_gallery(questions, server);
    }
    let scene = SCENES.iter().find(|(known, _)| *known == name);
    let (_, scene) = scene.ok_or_else(|| Why::Failed(format!("there is no scene {name:?}")))?;
    scene()
}

fn exam_on_gallery(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("exam ")?.split_once(" on gallery ")
}

/// A part of what a scene shows, or all of it.
pub(crate) fn part(parts: &Parts, name: Option<&str>) -> Result<String, String> {
    let Some(name) = name else {
        return Ok(parts.iter().map(|(_, text)| text.as_str()).collect());
    };
    let part = parts.iter().find(|(known, _)| *known == name);
    let (_, text) = part.ok_or_else(|| {
        let known: Vec<&str> = parts.iter().map(|(known, _)| *known).collect();
        format!("there is no part {name:?}, only {known:?}")
    })?;
    Ok(format!("{}\n", text.trim_end()))
}

/// Whether a page shows what a run has printed, blanks aside. Where a scene can't give its numbers
/// the page's, pids and times are left out of it: they were real once.
pub(crate) fn same(scene: &str, shown: &str, now: &str) -> bool {
    let plain = |text: &str| match scene {
        "cargo run --bin tour" => squeezed(&without_pids(text)),
        _ if scene.starts_with(EXAMPLE) || exam_on_gallery(scene).is_some() => {
            squeezed(&without_numbers(text))
        }
        _ => squeezed(text),
    };
    plain(shown) == plain(now)
}

/// The text with `#` for pids, ports and times: numbers of three digits and more, and those before
/// `ms`.
fn without_numbers(text: &str) -> String {
    let (mut plain, mut rest) = (String::new(), text);
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        plain += &rest[..start];
        rest = &rest[start..];
        let (number, after) =
            rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()));
        let varies = number.len() >= 3 || after.starts_with(" ms");
        plain += if varies { "#" } else { number };
        rest = after;
    }
    plain + rest
}

/// Whether two tables differ in their figures alone, and in how many rows of one kind they have.
pub(crate) fn same_but_for_figures(shown: &str, now: &str) -> bool {
    let look = |text: &str| {
        let mut plain = String::new();
        for c in text.chars().filter(|c| *c != '█') {
            match c {
                '0'..='9' if plain.ends_with('#') => {}
                '0'..='9' => plain.push('#'),
                _ => plain.push(c),
            }
        }
        let mut lines: Vec<String> = squeezed(&plain).lines().map(str::to_owned).collect();
        lines.dedup();
        lines
    };
    look(shown) == look(now)
}

/// The lines with one blank for many, and none at their ends.
pub(crate) fn squeezed(text: &str) -> String {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(|line| words(line) + "\n").collect()
}

/// The numbers of a run, and those that the same things have on the page.
#[derive(Debug, Default)]
struct Cast(Vec<(String, String)>);

impl Cast {
    fn of(server: &Server, pid: i32, parent: i32) -> Cast {
        let mut cast = Cast::default();
        cast.plays(server.addr().port(), 5555).plays(server.pid(), pid);
        let stat = Process::new(server.pid()).and_then(|it| it.stat());
        cast.plays(stat.map_or(0, |it| it.ppid), parent);
        cast
    }

    fn plays(&mut self, real: impl ToString, on_page: impl ToString) -> &mut Cast {
        self.0.push((real.to_string(), on_page.to_string()));
        self
    }

    /// The text with the page's numbers, in columns as before.
    fn retell(&self, text: &str) -> String {
        const LOOPBACK: &str = "127.0.0.1"; // whoever has the pid 127
        text.split_inclusive('\n').map(|line| self.retell_line(line, LOOPBACK)).collect()
    }

    fn retell_line(&self, line: &str, loopback: &str) -> String {
        let (mut told, mut rest) = (String::new(), line);
        while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
            told += &rest[..start];
            rest = &rest[start..];
            let length = if rest.starts_with(loopback) {
                loopback.len()
            } else {
                rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())
            };
            let (number, after) = rest.split_at(length);
            let cast = self.0.iter().find(|(real, _)| real == number);
            let number = cast.map_or(number, |(real, on_page)| {
                // Columns of numbers are set flush right.
                for _ in real.len()..on_page.len() {
                    if told.ends_with("  ") || told == " " {
                        told.pop();
                    }
                }
                on_page
            });
            told += number;
            rest = after;
        }
        told + rest
    }
}

/// What a command of the shell's prints.
fn shell(command: &str) -> Result<String, Why> {
    let output = Command::new("/bin/sh").args(["-c", command]).env("LC_ALL", "C").output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.code() {
        Some(0) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        Some(127) => Err(Why::Missing(format!("{command}: {said}"))), // no such program, sh(1)
        _ => Err(Why::Failed(format!("{command}: {}: {said}", output.status))),
    }
}

/// The same after the command itself, as on a terminal.
fn typed(command: &str) -> Result<String, Why> {
    Ok(format!("$ {command}\n{}", shell(command)?))
}

fn needs(tool: &str, package: &str) -> Result<(), Why> {
    match shell(&format!("command -v {tool}")) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(Why::Missing(format!("{tool} (Debian's package {package}) is not installed")))
        }
    }
}

/// What ps(1) tells of a server and its children, those of other tests left out.
///
/// The second letter of STAT and the command line depend on how the server was started: by a
/// shell, in the foreground or not, for a reader; by the harness here.
fn ps_of(server: &Server, foreground: &str) -> Result<String, Why> {
    needs("ps", "procps")?;
    let name = server.census()?.parent.name;
    let own = server.pid().to_string();
    let (mut told, mut of_children) = (String::new(), String::new());
    for line in shell(&format!("ps -o pid,ppid,stat,command -C {name}"))?.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["PID", ..] => writeln!(told, "{line}")?,
            [pid, ppid, stat, ..] if pid == own || ppid == own => {
                // By its pid a child may come first: pids begin again after the highest.
                let told = if pid == own { &mut told } else { &mut of_children };
                let columns = line.split_once(stat).map_or("", |(columns, _)| columns);
                let dead = format!("[{name}] <defunct>");
                let command =
                    if line.ends_with(&dead) { dead } else { format!("target/debug/{name}") };
                writeln!(told, "{columns}{:<4} {command}", format!("{}{foreground}", &stat[..1]))?;
            }
            _ => {}
        }
    }
    Ok(told + &of_children)
}

fn children(server: &Server) -> Result<Vec<i32>, Why> {
    Ok(server.census()?.children.iter().map(|child| child.pid).collect())
}

fn client(args: &[&str], addr: SocketAddr) -> Result<Command, Why> {
    let mut client = Command::new(program("client")?);
    client.args(args).arg(addr.to_string()).stdin(Stdio::null()).stdout(Stdio::piped());
    client.env("NO_COLOR", "1");
    Ok(client)
}

fn wait_for<T>(what: &str, look: impl FnMut() -> Option<T>) -> Result<T, Why> {
    poll::until(PATIENCE, look).ok_or_else(|| Why::Failed(format!("waited in vain for {what}")))
}

/// The run of a program that ends by itself.
fn run(mut program: Command) -> Result<String, Why> {
    let output = program.env("NO_COLOR", "1").output()?;
    let complaints = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(Why::Failed(format!("{program:?}: {}: {complaints}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The tour, with one part for each lesson.
fn the_tour() -> Result<Parts, Why> {
    let all = run(Command::new(env!("CARGO_BIN_EXE_tour")))?;
    let part = |text: &str| {
        let lesson = LESSONS.iter().find(|it| text.starts_with(&format!("{}, pid", it.name)));
        (lesson.map_or("summary", |it| it.name), text.to_owned())
    };
    Ok(all.split_inclusive("\n\n").map(part).collect())
}

/// A story with `PID` for each number after `pid` and after `zombies:`.
fn without_pids(story: &str) -> String {
    let mut plain = String::new();
    for line in story.split_inclusive('\n') {
        let mut pid_is_next = false;
        for word in line.split_inclusive([' ', '\n']) {
            let number = word.trim_end_matches([' ', '\n', ':']);
            let is_pid = pid_is_next && number.parse::<u32>().is_ok();
            plain += &if is_pid { word.replacen(number, "PID", 1) } else { word.to_owned() };
            let list_begins = number.starts_with("zombie") && word.contains(':');
            pid_is_next = number == "pid" || list_begins || (is_pid && !word.contains(':'));
        }
    }
    plain
}

/// A short race: enough to tell the look of the table.
fn the_race() -> Result<Parts, Why> {
    let mut tour = Command::new(env!("CARGO_BIN_EXE_tour"));
    tour.args(["--race", "3"]);
    Ok(vec![("all", run(tour)?)])
}

fn run_example(command: &str) -> Result<Parts, Why> {
    let mut words = command.split_whitespace();
    let mut program = Command::new(example(words.next().unwrap_or_default())?);
    program.args(words.filter(|word| *word != "--"));
    Ok(vec![("all", run(program)?)])
}

/// Lesson 1's page: one client, its child and its zombie, seen from all sides.
fn one_client() -> Result<Parts, Why> {
    needs("ss", "iproute2")?;
    // The child is held still in the middle of its delay: so the conversation lasts as long as it
    // takes to look at it, and nothing is under way.
    let launch = Launch::new(program("lesson-01")?).arg("--delay").arg("500").arg("127.0.0.1:0");
    let server = launch.start()?;
    let addr = server.addr().to_string();
    let conversation = client(&["--messages", "3"], server.addr())?.spawn()?;
    let child = wait_for("a child", || children(&server).ok()?.first().copied())?;
    if !syscall::is_told(child) {
        return Err(Why::Missing("the kernel doesn't tell where a child sleeps".to_owned()));
    }
    syscall::wait_for_sleep_in(child, libc::SYS_clock_nanosleep)?;
    let hold = Hold::still(child)?;
    // The parent's copy is closed, the child's isn't.
    let served = format!("{addr} ");
    let sockets = wait_for("the conversation to be the child's alone", || {
        let own = |line: &&str| line.contains("lesson-01") && line.contains(&served);
        let all = shell("ss -tanp | grep lesson-01").ok()?;
        let sockets: String = all.lines().filter(own).map(|line| format!("{line}\n")).collect();
        let alone = |state, pid: i32| {
            let mut lines = sockets.lines().filter(|line: &&str| line.starts_with(state));
            let users = format!("((\"lesson-01\",pid={pid},");
            lines.next().is_some_and(|it| it.contains(&users) && it.matches("pid=").count() == 1)
        };
        (alone("LISTEN", server.pid()) && alone("ESTAB", child)).then_some(sockets)
    })?;
    hold.release();
    let said = conversation.wait_with_output()?.stdout;
    let mut shown = String::from_utf8_lossy(&said).into_owned();

    let pid = server.pid();
    let mut cast = Cast::of(&server, 12701, 12634);
    cast.plays(child, 12969);
    let log = server.log().stdout();
    let peer = log.lines().find_map(|line| line.split_once(" serves 127.0.0.1:"));
    cast.plays(peer.map_or("", |(_, port)| port), 36580);

    let command = "$ ps -o pid,ppid,stat,command -C lesson-01\n";
    write!(shown, "{command}{}", ps_of(&server, "+")?)?;
    shown += &typed(&format!("kill -9 {child}"))?;
    write!(shown, "{command}{}", ps_of(&server, "+")?)?;

    let mut proc = String::new();
    for pid in [pid, child] {
        let look = format!("grep -E 'State|FDSize|VmRSS|Threads' /proc/{pid}/status");
        proc += &typed(&look)?.replace('\t', " ");
    }
    let status = Process::new(pid)?.status()?;
    let mut proc_cast = Cast::default();
    // The room for open files was as large in whoever forked the server.
    proc_cast.plays(status.vmrss.unwrap_or(0), 3336).plays(status.fdsize, 256);
    let proc = cast.retell(&proc_cast.retell(&proc));

    let time_wait = shell("ss -tan")?;
    let time_wait = time_wait.lines().filter(|line| line.contains(&served));
    let time_wait: String = time_wait.map(|line| format!("{}\n", line.trim_end())).collect();
    Ok(vec![
        ("server", cast.retell(&parent_first(&log, child))),
        ("client", cast.retell(&shown)),
        ("ss", format!("$ ss -tanp | grep lesson-01\n{}", cast.retell(&sockets))),
        ("proc", proc),
        ("after", cast.retell(&time_wait)),
    ])
}

/// A log in which the parent has the first word about a child: after a fork either may have it.
fn parent_first(log: &str, child: i32) -> String {
    let mut lines: Vec<&str> = log.split_inclusive('\n').collect();
    let serves = lines.iter().position(|line| line.contains(&format!("child {child} serves")));
    let speaks = lines.iter().position(|line| line.starts_with(&format!("[{child}]")));
    if let (Some(serves), Some(speaks)) = (serves, speaks)
        && speaks < serves
    {
        let line = lines.remove(serves);
        lines.insert(speaks, line);
    }
    lines.concat()
}

/// README.md: what five clients of lesson 1 leave behind.
fn five_clients() -> Result<Parts, Why> {
    let server = Server::lesson(program("lesson-01")?)?;
    let said = run(client(&["--clients", "5"], server.addr())?)?;
    let end = said.find("lesson-01 (pid").unwrap_or(0);
    let mut cast = Cast::of(&server, 11006, 10963);
    for (child, on_page) in children(&server)?.into_iter().zip([11248, 11254, 11255, 11256, 11257])
    {
        cast.plays(child, on_page);
    }
    let ps = ps_of(&server, "+")?;
    Ok(vec![("client", cast.retell(&said[end..])), ("ps", cast.retell(&ps))])
}

/// One client more than there is room for children.
fn room_for_eight() -> Result<Parts, Why> {
    if !experiment::refuses_a_fork(1)? || experiment::refuses_a_fork(2)? {
        let why = "a server can have neither a user nor a user namespace of its own here, in which \
                   only its processes count";
        return Err(Why::Missing(why.to_owned()));
    }
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Launch::lesson(program("lesson-01")?, addr).processes(8).start()?;
    let _served = Burst::connect(&server, 7)?;
    let refused = Conversation::connect(server.addr(), PATIENCE)?;
    let said = wait_for("a complaint", || {
        Some(server.log().stderr()).filter(|said| said.ends_with('\n'))
    })?;
    let mut cast = Cast::default();
    cast.plays(refused.local_addr()?.port(), 42162);
    Ok(vec![("stderr", cast.retell(&said))])
}

/// Lesson 2's page: five deaths and one bit, with kill(1), grep(1) and ps(1).
fn held_by_hand() -> Result<Parts, Why> {
    let server = Server::lesson(program("lesson-02")?)?;
    let look = format!("grep -E 'State|ShdPnd' /proc/{}/status", server.pid());
    let burst = Burst::connect(&server, 5)?;
    let hold = Hold::still(server.pid())?;
    burst.leave()?;
    server.wait_for("every child to die", |family| family.alive() == 0)?;
    let mut told = typed(&look)?;
    hold.release();
    let left = server.settled()?;
    write!(told, "$ kill -CONT {}\n{}", server.pid(), typed(&look)?)?;
    write!(told, "$ ps -o pid,ppid,stat,command -C lesson-02\n{}", ps_of(&server, "")?)?;
    let mut cast = Cast::of(&server, 21343, 21273);
    for (child, on_page) in left.children.iter().zip(21367..) {
        cast.plays(child.pid, on_page);
    }
    Ok(vec![("all", cast.retell(&told).replace('\t', " "))])
}

/// A server that runs under strace, which writes what it sees of these system calls to the log.
fn traced(lesson: &str, calls: &str) -> Result<Server, Why> {
    needs("strace", "strace")?;
    if shell("strace -o /dev/null true").is_err() {
        return Err(Why::Missing("strace may not trace here".to_owned()));
    }
    let strace = Launch::new("strace").arg("-e").arg(format!("trace={calls}"));
    let lesson = program(lesson)?;
    Ok(strace.arg(lesson).arg("--delay").arg("0").arg("127.0.0.1:0").start()?)
}

/// Waits until strace has told so much; returns its lines, with the page's user in place of ours.
fn seen(server: &Server, what: &str, enough: impl Fn(&str) -> bool) -> Result<String, Why> {
    let told = wait_for(what, || Some(server.log().stderr()).filter(|it| enough(it)))?;
    Ok(told.replace(&format!("si_uid={}", getuid()), "si_uid=1000"))
}

fn interrupted_accept() -> Result<Parts, Why> {
    let server = traced("lesson-02", "accept4,wait4,write,rt_sigreturn")?;
    let burst = Burst::connect(&server, 1)?;
    let child = children(&server)?[0];
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
    // strace tells of the address that accept is to fill in, whose place varies.
    let from = told.rfind("accept4(3, 0x").unwrap_or(0);
    let told = told[from..].split_inclusive('\n').map(|line| match line.split_once("0x") {
        Some((before, rest)) => {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_hexdigit());
            format!("{before}0x7ffff8b08ae8{rest}")
        }
        None => line.to_owned(),
    });
    let mut cast = Cast::default();
    cast.plays(child, 21623);
    let mut told = cast.retell(&told.collect::<String>());
    told.truncate(told.trim_end().len());
    Ok(vec![("all", told + "\n")])
}

fn traced_loop() -> Result<Parts, Why> {
    let server = traced("lesson-03", "wait4,rt_sigreturn")?;
    let burst = Burst::connect(&server, 5)?;
    let all = children(&server)?;
    // Not `Hold`: a traced process that is stopped is in another state.
    server.signal(Signal::SIGSTOP)?;
    server.wait_for("the server to stop", |it| "Tt".contains(it.parent.state))?;
    burst.leave()?;
    server.wait_for("every child to die", |family| family.alive() == 0)?;
    server.signal(Signal::SIGCONT)?;
    let told = seen(&server, "the handler's end", |it| it.contains("rt_sigreturn"))?;
    let from = told.rfind("--- SIGCHLD").unwrap_or(0);
    let told = &told[from..];
    let mut cast = Cast::default();
    cast.plays(std::process::id(), 26713);
    // The signal names one of the five, and not always the same.
    let named = told.split("si_pid=").nth(1).and_then(|it| it.split_once(','));
    let named = named.map_or("", |(pid, _)| pid);
    let told = told.replacen(&format!("si_pid={named}"), "si_pid=26759", 1);
    for (child, on_page) in all.iter().zip(26758..) {
        cast.plays(child, on_page);
    }
    Ok(vec![("all", cast.retell(&told))])
}

/// A server that waits for a living child, and a newcomer who loses patience.
fn nobody_answers() -> Result<Parts, Why> {
    const PAGE_PATIENCE: &str = "30 s";
    let server = Server::lesson(program("lesson-02")?)?;
    let _stays = Burst::connect(&server, 1)?;
    send(server.pid(), libc::SIGCHLD)?;
    server.wait_for("the signal to be taken", |it| !it.sigchld_pending)?;
    let newcomer = Conversation::connect(server.addr(), Duration::from_secs(1))?;
    let error = match newcomer.say(b"hello") {
        Err(error) if error.is_silent() => error.to_string().replace("1 s", PAGE_PATIENCE),
        other => return Err(Why::Failed(format!("a newcomer was told {other:?}"))),
    };
    let mut cast = Cast::default();
    cast.plays(server.addr().port(), 5555);
    Ok(vec![("all", cast.retell(&format!("client: {error}\n")))])
}

fn ignored() -> Result<Parts, Why> {
    let server = Server::lesson(road("ignore")?)?;
    let (story, _) = experiment::held_still(&server, 5)?;
    let mut cast = Cast::default();
    cast.plays(server.pid(), 9819);
    Ok(vec![("all", cast.retell(&story.text(Paint::Plain)))])
}

fn nocldwait() -> Result<Parts, Why> {
    let server = Server::lesson(road("nocldwait")?)?;
    experiment::held_still(&server, 5)?;
    let log = wait_for("a line of the handler's", || {
        Some(server.log().stdout()).filter(|log| log.contains("[SIGCHLD]"))
    })?;
    let told: String = log.split_inclusive('\n').filter(|it| it.starts_with("[SIGCHLD]")).collect();
    let mut cast = Cast::default();
    let gone = told.rsplit(' ').next().unwrap_or_default();
    cast.plays(gone.trim_end(), 10739);
    Ok(vec![("all", cast.retell(&told))])
}

/// What the exam says of some questions, put to a server of the gallery.
fn exam_of_gallery(questions: &str, server: &str) -> Result<Parts, Why> {
    let addr = own_addr()?;
    let command = [example("gallery")?.into(), server.into(), addr.to_string().into()];
    let examinee = Examinee::meet(&command, &[addr.into()], &Terms::default())?;
    let mut rows = String::new();
    for number in questions.split_whitespace() {
        let number: usize = number.parse()?;
        let question = QUESTIONS.get(number.wrapping_sub(1));
        let question = question.ok_or_else(|| Why::Failed(format!("no question {number}")))?;
        rows += &examinee.ask(question).row(number, Paint::Plain);
    }
    Ok(vec![("all", rows)])
}

/// The exam of lesson 2, of which the page shows the fourth question and the verdict.
fn exam() -> Result<Parts, Why> {
    let addr = own_addr()?;
    let command = [program("lesson-02")?.into(), "--delay".into(), "0".into()];
    let command: Vec<_> = command.into_iter().chain([addr.to_string().into()]).collect();
    let examinee = Examinee::meet(&command, &[addr.into()], &Terms::default())?;
    let report = examinee.sit(&mut |_, _| {});
    let row = report.answers[3].row(4, Paint::Plain);
    // How many fail is chance: what fails for certain is told by the exam's own tests.
    let line = report.verdict.line.split("; ").take(2).collect::<Vec<_>>().join("; ");
    Ok(vec![("question 4", row), ("verdict", line + "\n")])
}

/// Whether a page that shows something else is found out.
mod teeth {
    use super::*;

    #[test]
    fn a_transcript_is_held_line_by_line_and_blanks_aside() {
        let now =
            "  PID STAT\n12701 S+   target/debug/lesson-01\n12969 Z+   [lesson-01] <defunct>\n";
        let same = |shown: &str| same("one client of lesson-01", shown, now);
        assert!(same(&now.replace("S+   ", "S+ ")));
        assert!(!same(&now.replace("Z+", "S+")), "another state");
        assert!(!same(&now.replace("12969", "12970")), "another pid than on the rest of the page");
        assert!(!same(&now.replace("<defunct>", "")), "a word less");
        assert!(!same(now.lines().next().unwrap()), "lines less");
    }

    #[test]
    fn of_the_tour_only_the_pids_may_differ() {
        let now = "lesson-02, pid 11: 5 clients\n  1 reaped, 4 zombies: 12 13 14 15\n";
        let same = |shown: &str| same("cargo run --bin tour", shown, now);
        assert!(same(&now.replace("11", "7011").replace("13", "7013")));
        assert!(!same(&now.replace("4 zombies", "3 zombies")));
        assert!(!same(&now.replace("5 clients", "6 clients")));
    }

    #[test]
    fn of_an_example_and_the_exam_pids_and_times_may_differ() {
        let now = "Err(EINVAL); Pid(6008) still there: false; after 5 ms, 4 of 5\n";
        let same = |shown: &str| same("exam 4 on gallery threads", shown, now);
        assert!(same(&now.replace("6008", "70080").replace("5 ms", "12 ms")));
        assert!(!same(&now.replace("4 of 5", "3 of 5")));
        assert!(!same(&now.replace("EINVAL", "ECHILD")));
    }

    #[test]
    fn the_exam_can_be_put_to_the_gallery() {
        let parts = play("exam 4 on gallery one-waitpid").unwrap();
        assert!(parts[0].1.contains(" 4  fails  five leave while"), "{parts:?}");
    }

    #[test]
    fn of_a_table_of_figures_the_words_and_columns_are_held() {
        let now =
            "zombies left in 3 rounds\n   lesson-01\n 0  ██   1  ████  12\n 5       0        3\n";
        let shown = "zombies left in 100 rounds\n   lesson-01\n 0  ████   100  █  1\n";
        assert!(same_but_for_figures(shown, now));
        assert!(!same_but_for_figures(&shown.replace("zombies", "children"), now));
        assert!(!same_but_for_figures(&shown.replace("  █  1", ""), now), "a column less");
    }

    #[test]
    fn a_cast_has_the_pages_numbers_in_columns_as_wide() {
        let mut cast = Cast::default();
        cast.plays(127, 12701).plays(40001, 5555);
        let told = cast.retell("  PID  PPID\n  127     1\n127.0.0.1:40001 1127\n");
        assert_eq!(told, "  PID  PPID\n12701     1\n127.0.0.1:5555 1127\n");
    }

    #[test]
    fn a_scene_or_part_that_is_not_there_is_a_fault() {
        assert!(matches!(play("no such scene"), Err(Why::Failed(_))));
        let parts = vec![("ps", "Z\n".to_owned()), ("ss", "ESTAB\n".to_owned())];
        assert_eq!(part(&parts, None), Ok("Z\nESTAB\n".into()));
        assert!(part(&parts, Some("client")).is_err());
    }
}
