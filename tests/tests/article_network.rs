//! The article asks what happens when the network between client and server breaks, and doesn't
//! answer. Here each answer is an experiment: two machines (network namespaces), the cable
//! between them, and a fork server on one of them.
//!
//! Each test tells on stderr what it saw, and docs/network-breaks.md shows the same account: a
//! test fails when the page tells another story than the run.
//!
//! What takes its time here waits for a timer of the kernel's, and says for which.
//!
//! All of it needs network namespaces: root, or a kernel that lets anybody make user namespaces.

#[allow(dead_code, reason = "only figures are left out here")]
#[path = "docs/numbers.rs"]
mod numbers;

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use client::Conversation;
use client::ps::Family;
use harness::eventually;
use harness::hold::Hold;
use harness::lessons::{self, LESSONS, Lesson};
use harness::net::{Lan, Machine, Socket, Timer};
use harness::server::{Launch, Server};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use numbers::without_figures;
use procfs::net::TcpState;

/// The page that tells these experiments.
const PAGE: &str = "docs/network-breaks.md";

const LESSON_03: &Lesson = &LESSONS[2];

/// Keepalive at its quickest: a question after a second, given up a second later.
const ASKING: [&str; 4] = ["--keepalive", "1", "--questions", "1"];

/// Whose plug is pulled.
#[derive(Debug, Clone, Copy)]
enum Unplugged {
    Server,
    Client,
    Both,
}

/// What if the network breaks while a conversation is open?
///
/// Verdict: answered. Nobody is told. Both ends stay established and the child stays asleep; there
/// is no zombie and nothing to reap.
///
/// Waits for the retransmission timer, twice.
#[test]
fn c35_a_broken_link_tells_neither_side() {
    let ways = [Unplugged::Server, Unplugged::Client, Unplugged::Both];
    let lans = ways.iter().map(|_| lan()).collect::<Option<Vec<_>>>(); // one refusal is enough
    let Some(lans) = lans else { return };
    let mut account = Account::of("c35_a_broken_link_tells_neither_side");
    let told: Vec<String> = thread::scope(|scope| {
        let seen = |(way, lan)| scope.spawn(move || broken_link(way, &lan));
        let running: Vec<_> = ways.into_iter().zip(lans).map(seen).collect();
        running.into_iter().map(|it| it.join().expect("see above")).collect()
    });
    let seen = |told: &str| without_figures(told.split_once(':').expect("the way is told first").1);
    assert!(told.iter().all(|it| seen(it) == seen(&told[0])), "{}", told.concat());
    account.text += &told[0];
    account.note("client unplugged, or both: the same");
    account.end();
}

fn broken_link(way: Unplugged, lan: &Lan) -> String {
    let server = lesson(LESSON_03, lan);
    let [idle, echo, word] = [(); 3].map(|()| Talk::open(lan, &server));
    let hold = echo.owe_an_echo(b"echo");
    unplug(lan, way);
    hold.release();
    word.client.send(b"word").unwrap();

    sent_in_vain(&echo, &word);
    let family = server.census().unwrap();
    let unplugged = format!("{way:?} unplugged").to_lowercase();
    let mut told = format!("  {unplugged}: {}\n", kin(&family));
    for (name, talk) in [("idle", &idle), ("echo", &echo), ("word", &word)] {
        let (at_server, at_client) = (talk.server_end(), talk.client_end());
        told += &format!("    {name}: child's end   {at_server}\n");
        told += &format!("    {name}: client's end  {at_client}\n");
        let under_way = [at_server.unacknowledged, at_client.unacknowledged];
        let expected = [u32::from(name == "echo") * 4, u32::from(name == "word") * 4];
        assert_eq!(under_way, expected, "{told}");
        for end in [&at_server, &at_client] {
            assert_eq!(end.state, TcpState::Established, "{told}");
            assert_eq!(end.unread, 0, "there is something to hear:\n{told}");
            let timer = (end.unacknowledged > 0).then_some(Timer::Resend);
            assert_eq!(end.timer, timer, "{told}");
        }
    }
    assert_eq!(states(&family), ['S'; 3], "{told}");
    assert!(!family.sigchld_pending && !server.log().text().contains("reaped"), "{told}");
    told
}

/// What if the network breaks, and comes back after a while?
///
/// Verdict: answered. Nothing is lost. What was said meanwhile arrives whole, but when the
/// retransmission timer fires and not when the link is back: the longer the link was down, the
/// longer that takes.
///
/// Waits for the retransmission timer, twice and once more.
#[test]
fn c35_a_link_that_comes_back_loses_nothing() {
    let Some(lan) = lan() else { return };
    let mut account = Account::of("c35_a_link_that_comes_back_loses_nothing");
    let server = lesson(LESSON_03, &lan);
    let [idle, echo, word] = [(); 3].map(|()| Talk::open(&lan, &server));
    let hold = echo.owe_an_echo(b"echo");
    let down = Instant::now();
    unplug(&lan, Unplugged::Both);
    hold.release();
    ["a ", "word ", "or ", "two"].iter().for_each(|it| word.client.send(it.as_bytes()).unwrap());
    sent_in_vain(&echo, &word);

    let looked = Instant::now();
    let (echo_out, word_out) = (echo.server_end(), word.client_end());
    account.note(format!("link down for {:.1} s", down.elapsed().as_secs_f32()));
    account.note(format!("  echo: child's end   {echo_out}"));
    account.note(format!("  word: client's end  {word_out}"));
    plug_in(&lan);
    let up = Instant::now();
    let heard = thread::scope(|scope| {
        let hear = |talk: &'static str, client| {
            scope.spawn(move || {
                Conversation::expect(client, talk.as_bytes()).map(|()| Instant::now())
            })
        };
        [hear("echo", &echo.client), hear("a word or two", &word.client)]
            .map(|it| it.join().expect("it does not panic").unwrap())
    });
    let [echo_heard, word_heard] = heard;
    let after = |moment: Instant| moment.duration_since(up).as_secs_f32();
    account.note("link up");
    account.note(format!("  echo: heard whole, {:.1} s after", after(echo_heard)));
    account.note(format!("  word: echoed whole, {:.1} s after", after(word_heard)));
    let tick = Duration::from_millis(20); // the timer is told in hundredths of a second
    for (heard, sent) in [(echo_heard, echo_out), (word_heard, word_out)] {
        let waited = heard.duration_since(looked);
        assert!(waited + tick >= sent.due, "heard after {waited:?} what waited for: {sent}");
    }

    for talk in [&idle, &echo, &word] {
        talk.client.say(b"again").unwrap();
        talk.client.bye().unwrap();
        talk.client.hear_end().unwrap();
    }
    let left = server.settled().unwrap();
    account.note(format!("all said Bye: {}", kin(&left)));
    assert_eq!(left.children, [], "{left}");
    account.end();
}

/// What if the client's machine is gone for good?
///
/// Verdict: answered. Without keepalive its child stays: no timer runs on its socket, so there is
/// nothing that could ever end it. With keepalive the child's read fails with ETIMEDOUT, the child
/// ends and is reaped.
///
/// Waits for the keepalive timer: a second to the question, and a second for the answer.
#[test]
fn c35_only_keepalive_ends_the_child_of_a_client_that_vanished() {
    let Some(lan) = lan() else { return };
    let mut account = Account::of("c35_only_keepalive_ends_the_child_of_a_client_that_vanished");
    let (plain, asking) = (lesson(LESSON_03, &lan), subject(&lan, &ASKING));
    let (forgotten, asked) = (Talk::open(&lan, &plain), Talk::open(&lan, &asking));
    account.note(format!("lesson-03: child's end  {}", forgotten.server_end()));
    account.note(format!("keepalive: child's end  {}", asked.server_end()));
    assert_eq!(asked.server_end().timer, Some(Timer::Keepalive), "{}", asked.server_end());

    lan.client.unplug().unwrap();
    let gone = Instant::now();
    account.note("the client's machine vanishes");
    let left = asking.wait_for("the child to be reaped", |it| it.children.is_empty()).unwrap();
    account.note(format!("keepalive, {:.1} s later: {}", gone.elapsed().as_secs_f32(), kin(&left)));
    account.complaints(&asking, "connection timed out", 1);

    let (stays, end) = (plain.census().unwrap(), forgotten.server_end());
    account.note(format!("lesson-03: {}", kin(&stays)));
    account.note(format!("lesson-03: child's end  {end}"));
    assert_eq!(states(&stays), ['S'], "{stays}");
    assert_eq!((end.state, end.timer, end.unacknowledged), (TcpState::Established, None, 0));
    assert_eq!(asked.client_end().state, TcpState::Established, "nobody can have told the client");

    lan.client.plug_in().unwrap();
    account.note("the client's machine is back after all");
    forgotten.client.say(b"hello").unwrap();
    account.note("lesson-03: the conversation goes on");
    account.note(format!("keepalive: {}", reset(&asked.client)));
    account.end();
}

/// Is keepalive enough when the network breaks?
///
/// Verdict: answered. It isn't. While an echo is unacknowledged nothing is asked and only
/// retransmission runs. TCP_USER_TIMEOUT sets a limit to that, but alone it does nothing for an idle
/// conversation. The two together end either child.
///
/// Waits for the retransmission timer, four times, and for the two others meanwhile.
#[test]
fn c35_keepalive_and_user_timeout_see_half_each() {
    let Some(lan) = lan() else { return };
    let mut account = Account::of("c35_keepalive_and_user_timeout_see_half_each");
    let keepalive = subject(&lan, &ASKING);
    let timeout = subject(&lan, &["--user-timeout", "1500"]);
    let both = subject(&lan, &[&ASKING[..], &["--user-timeout", "1500"]].concat());
    let servers = [("keepalive", &keepalive), ("user timeout", &timeout), ("both", &both)];
    let talks = servers.map(|(_, it)| [Talk::open(&lan, it), Talk::open(&lan, it)]);
    let holds = talks.each_ref().map(|[_, echo]| echo.owe_an_echo(b"echo"));
    lan.client.unplug().unwrap();
    holds.into_iter().for_each(Hold::release);
    let [[_, echo_asked], [idle, _], _] = &talks;

    // Had keepalive been at work on the echo, it would have given up before the fourth.
    let out = eventually("four retransmissions and the end of the others", || {
        let out = echo_asked.server_end();
        let left = servers.map(|(_, server)| pids(&server.census().unwrap()));
        let expected = [vec![echo_asked.child], vec![idle.child], vec![]];
        if out.tries >= 4 && left == expected { Ok(out) } else { Err(format!("{out}; {left:?}")) }
    });
    account
        .note("the client's machine vanishes; each server has an idle child and one that echoes");
    for (name, server) in servers {
        account.note(format!("{name}: {}", kin(&server.census().unwrap())));
        account.complaints(server, "connection timed out", if name == "both" { 2 } else { 1 });
    }
    account.note(format!("keepalive: the echoing child's end  {out}"));
    account.note(format!("user timeout: the idle child's end  {}", idle.server_end()));
    assert_eq!((out.timer, out.unacknowledged), (Some(Timer::Resend), 4), "{out}");
    assert_eq!(idle.server_end().timer, None);
    account.end();
}

/// With which error does a child end when the network breaks?
///
/// Verdict: answered. With ETIMEDOUT, unless the kernel comes to know more. On the client's own
/// network it does: nobody answers for the client's address any more, and that is EHOSTUNREACH.
///
/// Waits for address resolution, arp(7): three questions, a second apart. The user timeout comes
/// after that.
#[test]
fn c35_on_the_clients_own_network_the_error_is_no_route_to_host() {
    let Some(lan) = lan() else { return };
    let mut account = Account::of("c35_on_the_clients_own_network_the_error_is_no_route_to_host");
    let server = subject(&lan, &["--user-timeout", "3500"]);
    let talk = Talk::open(&lan, &server);
    let hold = talk.owe_an_echo(b"echo");
    lan.client.unplug().unwrap();
    hold.release();
    let left = server.wait_for("the child to be reaped", |it| it.children.is_empty()).unwrap();
    account.note(format!("user timeout: {}", kin(&left)));
    account.complaints(&server, "no route to host", 1);
    account.end();
}

/// What if the server's machine restarts while the network is broken?
///
/// Verdict: answered. The client isn't told. The new server knows nothing of the conversation, so
/// the client's next word is answered by a reset. What the old server had received and not read is
/// lost, although it was acknowledged.
#[test]
fn c35_a_restarted_server_machine_answers_the_next_word_with_a_reset() {
    let Some(lan) = lan() else { return };
    let mut account =
        Account::of("c35_a_restarted_server_machine_answers_the_next_word_with_a_reset");
    let server = lesson(LESSON_03, &lan);
    let talk = Talk::open(&lan, &server);
    // A child that is killed with something unread sends a reset and no FIN. The reset is lost in
    // the unplugged cable, and the kernel has forgotten the connection, as by a loss of power.
    let hold = talk.owe_an_echo(b"lost");
    account.note(format!("received, not read: child's end   {}", talk.server_end()));
    account.note(format!("                    client's end  {}", talk.client_end()));
    unplug(&lan, Unplugged::Both);
    kill(Pid::from_raw(talk.child), Signal::SIGKILL).unwrap();
    hold.release();
    let addr = server.addr();
    drop(server);
    let left = lan.server.sockets().unwrap();
    account.note(format!("link down, the server's machine restarts: {} sockets left", left.len()));
    assert_eq!(left, [], "a restarted machine has no connections");

    let server = Launch::lesson(LESSON_03.program().unwrap(), addr).on(&lan.server).start();
    let server = server.unwrap();
    plug_in(&lan);
    Talk::open(&lan, &server); // the cable carries again
    account.note(format!("link up, a new server: client's end  {}", talk.client_end()));
    assert_eq!(talk.client_end().state, TcpState::Established);
    assert_eq!(talk.client_end().unacknowledged, 0);
    account.note(format!("the client's next word: {}", reset(&talk.client)));
    account.end();
}

/// What if a child dies while the network is broken?
///
/// Verdict: answered. It is reaped at once; no zombie waits for the network. The kernel goes on for a
/// while with the connection, which no process has open any more: if the link is back by then, the
/// client reads end-of-file.
///
/// Waits for the retransmission timer.
#[test]
fn c35_a_child_that_dies_meanwhile_is_reaped_at_once() {
    let Some(lan) = lan() else { return };
    let mut account = Account::of("c35_a_child_that_dies_meanwhile_is_reaped_at_once");
    let server = lesson(LESSON_03, &lan);
    let talk = Talk::open(&lan, &server);
    unplug(&lan, Unplugged::Both);
    kill(Pid::from_raw(talk.child), Signal::SIGKILL).unwrap();
    let left = server.settled().unwrap();
    account.note(format!("link down, child killed: {}", kin(&left)));
    account.note(format!("  nobody's end  {}", talk.server_end()));
    account.note(format!("  client's end  {}", talk.client_end()));
    assert_eq!(left.children, [], "{left}");
    assert_eq!(talk.server_end().state, TcpState::FinWait1);
    assert_eq!(talk.client_end().state, TcpState::Established);
    plug_in(&lan);
    talk.client.hear_end().unwrap();
    account.note("link up: the client reads end-of-file");
    account.end();
}

/// What if the network is still broken after that?
///
/// Verdict: answered. The kernel gives up the goodbye, by default in less than two minutes, and
/// nobody tells the client. When the link is back it is still established with nobody, and its next
/// word is answered by a reset.
///
/// Waits for the retransmission timer. The server's machine is set to give up early.
#[test]
fn c35_after_a_longer_break_the_client_never_reads_the_end() {
    let Some(lan) = lan() else { return };
    if let Err(error) = lan.server.set("tcp_orphan_retries", "1") {
        return harness::skip(error);
    }
    let mut account = Account::of("c35_after_a_longer_break_the_client_never_reads_the_end");
    let server = lesson(LESSON_03, &lan);
    let talk = Talk::open(&lan, &server);
    unplug(&lan, Unplugged::Both);
    let down = Instant::now();
    kill(Pid::from_raw(talk.child), Signal::SIGKILL).unwrap();
    server.settled().unwrap();
    account.note(format!("link down, child killed: nobody's end  {}", talk.server_end()));
    eventually("the kernel to give up", || {
        let sockets = lan.server.sockets().unwrap();
        let end = sockets.iter().find(|it| it.remote == talk.local);
        end.map_or(Ok(()), |end| Err(end.to_string()))
    });
    let after = down.elapsed().as_secs_f32();
    account.note(format!("{after:.1} s later: nobody's end  gone"));
    plug_in(&lan);
    Talk::open(&lan, &server); // the cable carries again
    account.note(format!("link up: client's end  {}", talk.client_end()));
    assert_eq!(talk.client_end().state, TcpState::Established);
    assert!(talk.client_end().is_quiet(), "{}", talk.client_end());
    account.note(format!("the client's next word: {}", reset(&talk.client)));
    account.end();
}

/// What if the client is there, and never speaks or never reads?
///
/// Verdict: answered. Its kernel answers keepalive, so the child stays in read, or in write once all
/// buffers are full. A timeout for reads ends the first. The second is ended by one for writes, and
/// by TCP_USER_TIMEOUT.
///
/// Waits for the keepalive timer, twice, and for those timeouts. Small buffers are full sooner.
#[test]
fn c35_a_client_that_never_speaks_or_never_reads_takes_a_timeout() {
    const DEAF: &str = "4096 16384 16384";
    const ROOMY: &str = "4096 1048576 6291456"; // for all that the deaf client says
    let Some(lan) = lan() else { return };
    let set = lan.server.set("tcp_wmem", DEAF).and_then(|()| lan.server.set("tcp_rmem", ROOMY));
    if let Err(error) = set.and_then(|()| lan.client.set("tcp_rmem", DEAF)) {
        return harness::skip(error);
    }
    let mut account = Account::of("c35_a_client_that_never_speaks_or_never_reads_takes_a_timeout");
    let options = [
        ("keepalive", &ASKING[..]),
        ("read timeout", &["--read-timeout", "2000"]),
        ("write timeout", &["--write-timeout", "500"]),
        ("user timeout", &["--user-timeout", "500"]),
    ];
    let servers = options.map(|(name, options)| (name, subject(&lan, options)));
    let talks = servers.each_ref().map(|(_, it)| [Talk::open(&lan, it), Talk::open(&lan, it)]);
    for [_, deaf] in &talks {
        deaf.client.send(&[b'x'; 256 << 10]).unwrap();
    }
    account.note("each server has a silent client and one that speaks and never reads");
    let [[asked, _], ..] = &talks;
    let mut due = Duration::MAX;
    for answer in ["the first answer to keepalive", "the second answer"] {
        eventually(answer, || {
            let (end, before) = (asked.server_end(), due);
            due = end.due;
            if due > before { Ok(()) } else { Err(end.to_string()) }
        });
    }
    let [silent, deaf] = [0, 1].map(|which| talks.each_ref().map(|talk| talk[which].child));
    let left = [vec![silent[0], deaf[0]], vec![deaf[1]], vec![silent[2]], vec![silent[3]]];
    for ((name, server), mut left) in servers.iter().zip(left) {
        left.sort_unstable(); // as a census is: new pids may be small ones again
        let family = server.wait_for("what is left", |it| pids(it) == left).unwrap();
        account.note(format!("{name}: {}", kin(&family)));
        assert!(states(&family).iter().all(|state| *state == 'S'), "{family}");
        let reason = if *name == "user timeout" { "connection timed out" } else { "try again" };
        account.complaints(server, reason, 2 - left.len());
    }
    let stuck = talks[1][1].server_end();
    account.note(format!("read timeout: the end of the child that stays  {stuck}"));
    assert!(stuck.unread > 0 && stuck.unacknowledged > 0, "{stuck}");

    // A stop ends a read that has a timeout; the program goes on.
    let talk = Talk::open(&lan, &servers[1].1);
    Hold::still(talk.child).unwrap().release();
    talk.client.say(b"hello").unwrap();
    account.end();
}

/// What does a broken network do to the last lesson?
///
/// Verdict: answered. It leaves no zombie. When the network is back, much that was held up happens
/// at once and children die together, and lesson 2 leaves zombies, here as anywhere else.
///
/// Waits for the retransmission timer.
#[test]
fn c35_after_all_that_lesson_03_has_no_zombie() {
    let Some(lan) = lan() else { return };
    let mut account = Account::of("c35_after_all_that_lesson_03_has_no_zombie");
    let lessons = [&LESSONS[1], LESSON_03].map(|it| (it.name, lesson(it, &lan)));
    let talks = lessons.each_ref().map(|(_, server)| [(); 5].map(|()| Talk::open(&lan, server)));
    unplug(&lan, Unplugged::Both);
    talks.as_flattened().iter().for_each(|talk| talk.client.bye().unwrap());
    for (_, server) in &lessons {
        server.wait_for("five children to sleep", |it| states(it) == ['S'; 5]).unwrap();
    }
    account.note("link down, all said Bye: five children of each server sleep");
    let holds = lessons.each_ref().map(|(_, server)| server.hold().unwrap());
    plug_in(&lan);
    for (name, server) in &lessons {
        let dead = server.wait_for("all children to die", |it| it.alive() == 0).unwrap();
        account.note(format!("{name}, link up, held still: {}", kin(&dead)));
    }
    holds.into_iter().for_each(Hold::release);
    let left = lessons.each_ref().map(|(name, server)| {
        let left = server.settled().unwrap();
        account.note(format!("{name}, running again: {}", kin(&left)));
        left
    });
    assert_eq!(left.map(|it| it.zombies()), [4, 0], "lesson-02 and lesson-03");
    account.end();
}

/// Two machines, or a word on why there are none.
fn lan() -> Option<Lan> {
    Lan::new().map_err(harness::skip).ok()
}

fn unplug(lan: &Lan, who: Unplugged) {
    if !matches!(who, Unplugged::Client) {
        lan.server.unplug().unwrap();
    }
    if !matches!(who, Unplugged::Server) {
        lan.client.unplug().unwrap();
    }
}

fn plug_in(lan: &Lan) {
    lan.server.plug_in().unwrap();
    lan.client.plug_in().unwrap();
}

/// A lesson on the server's machine.
fn lesson(lesson: &Lesson, lan: &Lan) -> Server {
    let program = lesson.program().unwrap();
    Launch::lesson(program, lan.server.any_port()).on(&lan.server).start().unwrap()
}

/// The server with a watch over its connections, on the server's machine.
fn subject(lan: &Lan, options: &[&str]) -> Server {
    let program = lessons::example("subject_keepalive").unwrap();
    let launch = Launch::lesson(program, lan.server.any_port()).on(&lan.server);
    options.iter().fold(launch, |launch, option| launch.arg(option)).start().unwrap()
}

/// A conversation between the two machines, and the child that holds it.
struct Talk<'a> {
    lan: &'a Lan,
    client: Conversation,
    local: SocketAddr,
    server: SocketAddr,
    child: i32,
}

impl Talk<'_> {
    /// Opens one that is served, and waits until nothing is under way in it.
    fn open<'a>(lan: &'a Lan, server: &Server) -> Talk<'a> {
        let before = server.census().unwrap().children;
        let client = lan.client.connect(server.addr()).unwrap();
        client.say(b"hello").unwrap();
        let children = server.census().unwrap().children;
        let child = children.iter().find(|it| before.iter().all(|known| known.pid != it.pid));
        let child = child.expect("whoever echoes is a child").pid;
        let local = client.local_addr().unwrap();
        let talk = Talk { lan, client, local, server: server.addr(), child };
        eventually("a quiet conversation", || {
            let (here, there) = (talk.client_end(), talk.server_end());
            if here.is_quiet() && there.is_quiet() {
                Ok(())
            } else {
                Err(format!("{here}; {there}"))
            }
        });
        talk
    }

    /// Has the child receive `word` but not read it until the returned value is dropped.
    fn owe_an_echo(&self, word: &[u8]) -> Hold {
        let hold = Hold::still(self.child).unwrap();
        self.client.send(word).unwrap();
        eventually("the word to arrive", || {
            let (here, there) = (self.client_end(), self.server_end());
            let arrived = there.unread as usize == word.len() && here.is_quiet();
            if arrived { Ok(()) } else { Err(format!("{here}; {there}")) }
        });
        hold
    }

    fn client_end(&self) -> Socket {
        end(&self.lan.client, self.local, self.server)
    }

    fn server_end(&self) -> Socket {
        end(&self.lan.server, self.server, self.local)
    }
}

fn end(machine: &Machine, local: SocketAddr, remote: SocketAddr) -> Socket {
    eventually("a socket with a timer for what is under way", || {
        let sockets = machine.sockets().unwrap();
        let end = sockets.iter().find(|it| (it.local, it.remote) == (local, remote));
        let end = end.unwrap_or_else(|| panic!("{local} is not among {sockets:?}"));
        // It has none for the moment in which the timer fires.
        let whole = end.unacknowledged == 0 || end.timer.is_some();
        if whole { Ok(end.clone()) } else { Err(end.to_string()) }
    })
}

/// Waits until the child of `echo` and the client of `word` have sent what they have to say more
/// than once, and returns those ends.
fn sent_in_vain(echo: &Talk, word: &Talk) -> (Socket, Socket) {
    eventually("two vain tries on both sides", || {
        let ends = (echo.server_end(), word.client_end());
        let done = ends.0.tries >= 2 && ends.1.tries >= 2;
        if done { Ok(ends) } else { Err(format!("{}; {}", ends.0, ends.1)) }
    })
}

/// Has the client say a word, which must be answered by a reset; returns what the client is told.
fn reset(client: &Conversation) -> String {
    let error = client.say(b"hello").expect_err("no reset").to_string();
    assert!(error.contains("Connection reset by peer"), "{error}");
    error
}

/// What there is to see of a server's children, without the server itself and any pid.
fn kin(family: &Family) -> String {
    let states: String = states(family).into_iter().map(|state| format!(" {state}")).collect();
    let pending = if family.sigchld_pending { "SIGCHLD pending, " } else { "" };
    format!("{pending}children:{}", if states.is_empty() { " none" } else { &states })
}

fn pids(family: &Family) -> Vec<i32> {
    family.children.iter().map(|child| child.pid).collect()
}

fn states(family: &Family) -> Vec<char> {
    family.children.iter().map(|child| child.state).collect()
}

fn page() -> String {
    fs::read_to_string(lessons::root().join(PAGE)).unwrap()
}

/// What a test saw. It is shown however the test ends.
struct Account {
    text: String,
}

impl Account {
    fn of(test: &str) -> Account {
        Account { text: format!("{test}\n") }
    }

    fn note(&mut self, line: impl std::fmt::Display) {
        writeln!(self.text, "  {line}").unwrap();
    }

    /// Notes what a server complained of: `count` lost clients, all for this `reason`.
    fn complaints(&mut self, server: &Server, reason: &str, count: usize) {
        let said = eventually("complaints", || {
            let said = server.log().stderr();
            if said.lines().count() == count { Ok(said) } else { Err(said) }
        });
        said.lines().for_each(|line| self.note(format!("  {line}")));
        assert!(said.lines().all(|line| line.ends_with(reason)), "not {reason}: {said}");
    }

    /// Has the page tell the same, figures aside.
    fn end(self) {
        let page = page();
        assert!(
            without_figures(&page).contains(&without_figures(&self.text)),
            "{PAGE} tells another story than this:\n{}",
            self.text
        );
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // Past the test runner's capture, in one write.
        let _ = io::stderr().write_all(format!("\n{}", self.text).as_bytes());
    }
}
