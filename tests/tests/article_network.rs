//! The article asks what happens when the network between client and server breaks, and doesn't
//! answer. Here each answer is an experiment: two machines (network namespaces), the cable
//! between them, and a fork server on one of them.
//!
//! Each test tells on stderr what it saw, and fails when docs/network-breaks.md shows another
//! account: so what that says is not asserted once more. What takes its time waits for a timer of
//! the kernel's, and says for which.
//!
//! All of it takes root, or a kernel that lets anybody make user namespaces.

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
use client::ps::{Family, Process};
use harness::hold::Hold;
use harness::net::{Lan, Machine, Socket};
use harness::server::{Launch, Server, send};
use harness::{eventually, lessons, or_skip};
use numbers::without_figures;
use procfs::net::TcpState;

/// The page that tells these experiments.
const PAGE: &str = "docs/network-breaks.md";

/// Keepalive at its quickest: a question after a second, given up a second later.
const ASKING: [&str; 4] = ["--keepalive", "1", "--questions", "1"];

/// What if the network breaks while a conversation is open?
///
/// Verdict: answered. Waits for the retransmission timer, twice.
#[test]
fn c35_a_broken_link_tells_neither_side() {
    tell("c35_a_broken_link_tells_neither_side", |lan, account| {
        let first = broken_link(lan, |lan| lan.server.unplug().unwrap());
        for unplug in [|lan: &Lan| lan.client.unplug().unwrap(), unplug] {
            let others = broken_link(&Lan::new().unwrap(), unplug);
            assert_eq!(without_figures(&others), without_figures(&first));
        }
        account.note(format!("server unplugged: {first}"));
        account.note("client unplugged, or both: the same");
    });
}

fn broken_link(lan: &Lan, unplug: fn(&Lan)) -> String {
    let (server, [idle, echo, word]) = serve(lan, lesson(lan, "lesson-03"));
    let hold = echo.owe_an_echo();
    unplug(lan);
    hold.release();
    word.client.send(b"word").unwrap();

    [&echo, &word].into_iter().for_each(Talk::try_in_vain);
    let mut text = kin(&server.census().unwrap());
    for (name, talk) in [("idle", &idle), ("echo", &echo), ("word", &word)] {
        text += &format!("\n    {name}: child's end   {}", talk.server_end());
        text += &format!("\n    {name}: client's end  {}", talk.client_end());
    }
    text
}

/// What if the network breaks, and comes back after a while?
///
/// Verdict: answered. Waits for the retransmission timer, twice and once more.
#[test]
fn c35_a_link_that_comes_back_loses_nothing() {
    tell("c35_a_link_that_comes_back_loses_nothing", |lan, account| {
        let (server, [idle, echo, word]) = serve(lan, lesson(lan, "lesson-03"));
        let hold = echo.owe_an_echo();
        let down = Instant::now();
        unplug(lan);
        hold.release();
        word.client.send(b"a word or two").unwrap();
        [&echo, &word].into_iter().for_each(Talk::try_in_vain);

        let looked = Instant::now();
        let (echo_out, word_out) = (echo.server_end(), word.client_end());
        account.note(format!("link down for {:.1} s", down.elapsed().as_secs_f32()));
        account.note(format!("  echo: child's end   {echo_out}"));
        account.note(format!("  word: client's end  {word_out}"));
        plug_in(lan);
        let up = Instant::now();
        let hear = |talk: &Talk, words| talk.client.expect(words).map(|()| up.elapsed()).unwrap();
        let (echo_after, word_after) = thread::scope(|scope| {
            let echo_after = scope.spawn(|| hear(&echo, b"echo"));
            let word_after = hear(&word, b"a word or two");
            (echo_after.join().expect("it is heard"), word_after)
        });
        account.note("link up");
        account.note(format!("  echo: heard whole, {:.1} s after", echo_after.as_secs_f32()));
        account.note(format!("  word: echoed whole, {:.1} s after", word_after.as_secs_f32()));
        let tick = Duration::from_millis(20); // the timer is told in hundredths of a second
        for (after, sent) in [(echo_after, echo_out), (word_after, word_out)] {
            let waited = up - looked + after;
            assert!(waited + tick >= sent.due, "heard after {waited:?} what waited for: {sent}");
        }

        for talk in [&idle, &echo, &word] {
            talk.client.say(b"again").unwrap();
            talk.client.part().unwrap();
        }
        account.note(format!("all said Bye: {}", kin(&server.settled().unwrap())));
    });
}

/// What if the client's machine is gone for good?
///
/// Verdict: answered. Waits for the keepalive timer: for the question, and for the answer.
#[test]
fn c35_only_keepalive_ends_the_child_of_a_client_that_vanished() {
    tell("c35_only_keepalive_ends_the_child_of_a_client_that_vanished", |lan, account| {
        let (plain, [forgotten]) = serve(lan, lesson(lan, "lesson-03"));
        let (asking, [asked]) = serve(lan, watched(lan, &ASKING));
        account.note(format!("lesson-03: child's end  {}", forgotten.server_end()));
        account.note(format!("keepalive: child's end  {}", asked.server_end()));

        lan.client.unplug().unwrap();
        let gone = Instant::now();
        account.note("the client's machine vanishes");
        asking.wait_for("the child to be reaped", |it| it.children.is_empty()).unwrap();
        let after = gone.elapsed().as_secs_f32();
        account.left(&format!("keepalive, {after:.1} s later"), &asking, &[], 1);

        account.note(format!("lesson-03: {}", kin(&plain.census().unwrap())));
        account.note(format!("lesson-03: child's end  {}", forgotten.server_end()));
        assert_eq!(asked.client_end().state, TcpState::Established, "nobody can have told it");

        lan.client.plug_in().unwrap();
        account.note("the client's machine is back after all");
        forgotten.client.say(b"hello").unwrap();
        account.note("lesson-03: the conversation goes on");
        account.note(format!("keepalive: {}", asked.client.say(b"hello").unwrap_err()));
    });
}

/// Is keepalive enough when the network breaks?
///
/// Verdict: answered. Waits for the retransmission timer, four times.
#[test]
fn c35_keepalive_and_user_timeout_see_half_each() {
    tell("c35_keepalive_and_user_timeout_see_half_each", |lan, account| {
        let options = [&ASKING[..], &["--user-timeout", "1500"]];
        let servers =
            [options[0], options[1], &options.concat()].map(|it| serve(lan, watched(lan, it)));
        let holds = servers.each_ref().map(|(_, [_, echo])| echo.owe_an_echo());
        lan.client.unplug().unwrap();
        holds.into_iter().for_each(Hold::release);
        let each = "each server has an idle child and one that echoes";
        account.note(format!("the client's machine vanishes; {each}"));
        let [(keepalive, [_, echo]), (timeout, [idle, _]), (both, _)] = &servers;
        // Had keepalive been at work on the echo, it would have given up before the fourth.
        echo.wait_for("four vain tries", |_, there| there.tries >= 4);
        account.left("keepalive", keepalive, &[echo], 1);
        account.left("user timeout", timeout, &[idle], 1);
        account.left("both", both, &[], 2);
        account.note(format!("keepalive: the echoing child's end  {}", echo.server_end()));
        account.note(format!("user timeout: the idle child's end  {}", idle.server_end()));
    });
}

/// With which error does a child end when the network breaks?
///
/// Verdict: answered. Waits for address resolution, arp(7), which takes three seconds.
#[test]
fn c35_on_the_clients_own_network_the_error_is_no_route_to_host() {
    tell("c35_on_the_clients_own_network_the_error_is_no_route_to_host", |lan, account| {
        let (server, [talk]) = serve(lan, watched(lan, &["--user-timeout", "3500"]));
        let hold = talk.owe_an_echo();
        lan.client.unplug().unwrap();
        hold.release();
        account.left("user timeout", &server, &[], 1);
    });
}

/// What if the server's machine restarts while the network is broken?
///
/// Verdict: answered.
#[test]
fn c35_a_restarted_server_machine_answers_the_next_word_with_a_reset() {
    tell("c35_a_restarted_server_machine_answers_the_next_word_with_a_reset", |lan, account| {
        let (server, [talk]) = serve(lan, lesson(lan, "lesson-03"));
        // A child that is killed with something unread sends a reset and no FIN. The reset is lost in
        // the unplugged cable, and the kernel has forgotten the connection, as by a loss of power.
        let hold = talk.owe_an_echo();
        account.note(format!("received, not read: child's end   {}", talk.server_end()));
        account.note(format!("                    client's end  {}", talk.client_end()));
        unplug(lan);
        send(talk.child, libc::SIGKILL).unwrap();
        hold.release();
        drop(server);
        assert_eq!(lan.server.sockets().unwrap(), [], "a restarted machine has no connections");
        account.note("link down, the server's machine restarts: 0 sockets left");

        plug_in(lan);
        let again = Launch::lesson(lessons::program("lesson-03").unwrap(), talk.server);
        let (_server, [_newcomer]) = serve(lan, again); // the cable carries again
        account.note(format!("link up, a new server: client's end  {}", talk.client_end()));
        account.note(format!("the client's next word: {}", talk.client.say(b"hello").unwrap_err()));
    });
}

/// What if a child dies while the network is broken?
///
/// Verdict: answered. Waits for the retransmission timer.
#[test]
fn c35_a_child_that_dies_meanwhile_is_reaped_at_once() {
    tell("c35_a_child_that_dies_meanwhile_is_reaped_at_once", |lan, account| {
        let (server, [talk]) = serve(lan, lesson(lan, "lesson-03"));
        unplug(lan);
        send(talk.child, libc::SIGKILL).unwrap();
        account.note(format!("link down, child killed: {}", kin(&server.settled().unwrap())));
        account.note(format!("  nobody's end  {}", talk.server_end()));
        account.note(format!("  client's end  {}", talk.client_end()));
        plug_in(lan);
        talk.client.hear_end().unwrap();
        account.note("link up: the client reads end-of-file");
    });
}

/// What if the network is still broken after that?
///
/// Verdict: answered. Waits for the retransmission timer, which is set to give up early.
#[test]
fn c35_after_a_longer_break_the_client_never_reads_the_end() {
    tell("c35_after_a_longer_break_the_client_never_reads_the_end", |lan, account| {
        let (server, [talk]) = serve(lan, lesson(lan, "lesson-03"));
        unplug(lan);
        let down = Instant::now();
        send(talk.child, libc::SIGKILL).unwrap();
        server.settled().unwrap();
        account.note(format!("link down, child killed: nobody's end  {}", talk.server_end()));
        if let Err(error) = lan.server.set("tcp_orphan_retries", "1") {
            return account.skip(error);
        }
        let gone = |all: &Vec<Socket>| all.iter().all(|it| it.remote != talk.local);
        eventually("the kernel to give up", || lan.server.sockets().unwrap(), gone);
        let after = down.elapsed().as_secs_f32();
        account.note(format!("{after:.1} s later: nobody's end  gone"));
        plug_in(lan);
        Talk::open(lan, &server); // the cable carries again
        account.note(format!("link up: client's end  {}", talk.client_end()));
        account.note(format!("the client's next word: {}", talk.client.say(b"hello").unwrap_err()));
    });
}

/// What if the client is there, and never speaks or never reads?
///
/// Verdict: answered. Waits for those timeouts, the longest of five seconds.
#[test]
fn c35_a_client_that_never_speaks_or_never_reads_takes_a_timeout() {
    const SMALL: &str = "4096 16384 16384"; // buffers that are full sooner
    const ROOMY: &str = "4096 1048576 6291456"; // for all that the deaf client says
    tell("c35_a_client_that_never_speaks_or_never_reads_takes_a_timeout", |lan, account| {
        let set =
            lan.server.set("tcp_wmem", SMALL).and_then(|()| lan.server.set("tcp_rmem", ROOMY));
        if let Err(error) = set.and_then(|()| lan.client.set("tcp_rmem", SMALL)) {
            return account.skip(error);
        }
        let start = |options: &[&str]| {
            let (server, [silent, deaf]) = serve(lan, watched(lan, options));
            let _ = deaf.client.send(&[b'x'; 256 << 10]); // a quick child gives up meanwhile
            (server, silent, deaf)
        };
        let (keepalive, silent, deaf) = start(&ASKING);
        let (read, _lost, stuck) = start(&["--read-timeout", "5000"]);
        let (write, quiet, _lost) = start(&["--write-timeout", "500"]);
        let (user, idle, _lost) = start(&["--user-timeout", "500"]);
        account.note("each server has a silent client and one that speaks and never reads");
        // That takes five seconds: unanswered, keepalive would have given up after two.
        read.wait_for("the child of the silent client to end", |it| it.children.len() == 1)
            .unwrap();
        account.left("keepalive", &keepalive, &[&silent, &deaf], 0);
        account.left("read timeout", &read, &[&stuck], 1);
        account.left("write timeout", &write, &[&quiet], 1);
        account.left("user timeout", &user, &[&idle], 1);
        let stuck = stuck.server_end();
        account.note(format!("read timeout: the end of the child that stays  {stuck}"));

        // A stop ends a read that has a timeout; the program goes on.
        let talk = Talk::open(lan, &read);
        Hold::still(talk.child).unwrap().release();
        talk.client.say(b"hello").unwrap();
    });
}

/// What does a broken network do to the last lesson?
///
/// Verdict: answered. Waits for the retransmission timer.
#[test]
fn c35_after_all_that_lesson_03_has_no_zombie() {
    tell("c35_after_all_that_lesson_03_has_no_zombie", |lan, account| {
        let names = ["lesson-02", "lesson-03"];
        let servers = names.map(|name| serve::<5>(lan, lesson(lan, name)));
        unplug(lan);
        for (server, talks) in &servers {
            talks.iter().for_each(|talk| talk.client.bye().unwrap());
            let asleep = |it: &Family| kin(it) == "children: S S S S S";
            server.wait_for("five children to sleep", asleep).unwrap();
        }
        account.note("link down, all said Bye: five children of each server sleep");
        let holds = servers.each_ref().map(|(server, _)| server.hold().unwrap());
        plug_in(lan);
        for (name, (server, _)) in names.iter().zip(&servers) {
            let dead = server.wait_for("all children to die", |it| it.alive() == 0).unwrap();
            account.note(format!("{name}, link up, held still: {}", kin(&dead)));
        }
        holds.into_iter().for_each(Hold::release);
        for (name, (server, _)) in names.iter().zip(&servers) {
            account.note(format!("{name}, running again: {}", kin(&server.settled().unwrap())));
        }
    });
}

/// Has a test look at two machines and give an account of what it sees, and the page tell the same,
/// figures aside.
fn tell(test: &str, look: impl FnOnce(&Lan, &mut Account)) {
    let Some(lan) = or_skip(Lan::new()) else { return };
    let title = format!("{test}\n");
    let mut account = Account(title.clone());
    look(&lan, &mut account);
    let page = fs::read_to_string(lessons::root().join(PAGE)).unwrap();
    let mut blocks = page.split("```").filter_map(|block| block.strip_prefix("text\n"));
    let shown = blocks.find(|block| block.starts_with(&title)).unwrap_or_default();
    let lines = |text: &str| text.lines().map(without_figures).collect::<Vec<_>>();
    let same = account.0.is_empty() || lines(&account.0) == lines(shown);
    assert!(same, "{PAGE} tells another story than this:\n{}", account.0);
}

fn unplug(lan: &Lan) {
    lan.server.unplug().unwrap();
    lan.client.unplug().unwrap();
}

fn plug_in(lan: &Lan) {
    lan.server.plug_in().unwrap();
    lan.client.plug_in().unwrap();
}

/// A lesson for the server's machine.
fn lesson(lan: &Lan, name: &str) -> Launch {
    Launch::lesson(lessons::program(name).unwrap(), lan.server.any_port())
}

/// The server with a watch over its connections, for the same.
fn watched(lan: &Lan, options: &[&str]) -> Launch {
    let program = lessons::example("subject_keepalive").unwrap();
    let launch = Launch::lesson(program, lan.server.any_port());
    options.iter().fold(launch, |launch, option| launch.arg(option))
}

/// Starts a server on its machine, and its clients.
fn serve<const N: usize>(lan: &Lan, launch: Launch) -> (Server, [Talk<'_>; N]) {
    let server = launch.on(&lan.server).start().unwrap();
    let talks = [(); N].map(|()| Talk::open(lan, &server));
    (server, talks)
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
        let client = lan.client.connect(server.addr()).unwrap();
        client.say(b"hello").unwrap();
        let child = server.serving(&client).unwrap()[0];
        let local = client.local_addr().unwrap();
        let talk = Talk { lan, client, local, server: server.addr(), child };
        talk.wait_for("a quiet conversation", |here, there| here.is_quiet() && there.is_quiet());
        talk
    }

    /// Waits until the client's end and the server's are as `wanted` says.
    fn wait_for(&self, what: &str, wanted: impl Fn(&Socket, &Socket) -> bool) {
        let ends = || (self.client_end(), self.server_end());
        eventually(what, ends, |(here, there)| wanted(here, there));
    }

    /// Has the child receive a word but not read it until the returned value is dropped.
    fn owe_an_echo(&self) -> Hold {
        let hold = Hold::still(self.child).unwrap();
        self.client.send(b"echo").unwrap();
        self.wait_for("the word to arrive", |here, there| there.unread == 4 && here.is_quiet());
        hold
    }

    /// Waits until what was sent from either side has been sent more than once.
    fn try_in_vain(&self) {
        self.wait_for("two vain tries", |here, there| here.tries.max(there.tries) >= 2);
    }

    fn client_end(&self) -> Socket {
        end(&self.lan.client, self.local, self.server)
    }

    fn server_end(&self) -> Socket {
        end(&self.lan.server, self.server, self.local)
    }
}

fn end(machine: &Machine, local: SocketAddr, remote: SocketAddr) -> Socket {
    let look = || {
        let sockets = machine.sockets().unwrap();
        let end = sockets.iter().find(|it| (it.local, it.remote) == (local, remote)).cloned();
        end.unwrap_or_else(|| panic!("{local} is not among {sockets:?}"))
    };
    // It has none for the moment in which the timer fires.
    let whole = |it: &Socket| it.unacknowledged == 0 || it.timer.is_some();
    eventually("a timer for what is under way", look, whole)
}

/// What there is to see of a server's children, without the server itself and any pid.
fn kin(family: &Family) -> String {
    let states: String = family.children.iter().map(|child| format!(" {}", child.state)).collect();
    let pending = if family.sigchld_pending { "SIGCHLD pending, " } else { "" };
    format!("{pending}children:{}", if states.is_empty() { " none" } else { &states })
}

/// What a test saw. It is shown however the test ends.
struct Account(String);

impl Account {
    fn note(&mut self, line: impl std::fmt::Display) {
        writeln!(self.0, "  {line}").unwrap();
    }

    /// Gives no account, and says why.
    fn skip(&mut self, why: harness::Error) {
        self.0.clear();
        harness::skip(why);
    }

    /// Notes which children of a server are left, once it has no others and has complained of
    /// `lost` clients.
    fn left(&mut self, name: &str, server: &Server, left: &[&Talk], lost: usize) {
        let stays = |it: &Process| left.iter().any(|talk| talk.child == it.pid);
        let family = server.wait_for("what is left", |it| it.children.iter().all(stays)).unwrap();
        self.note(format!("{name}: {}", kin(&family)));
        let said = || server.log().stderr();
        let said = eventually("complaints", said, |it| it.lines().count() == lost);
        said.lines().for_each(|line| self.note(format!("  {line}")));
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // Past the test runner's capture, in one write.
        let _ = io::stderr().write_all(format!("\n{}", self.0).as_bytes());
    }
}
