//! The article asks what happens when the network between client and server breaks, and doesn't
//! answer. Here each answer is an experiment: two machines (network namespaces), the cable
//! between them, and a fork server on one of them.
//!
//! Each test tells on stderr what it saw, and docs/network-breaks.md shows the same account and says
//! what to think of it. A test fails when the page tells another story than the run; so what the
//! account says is not asserted once more.
//!
//! What takes its time here waits for a timer of the kernel's, and says for which. All of it needs
//! network namespaces: root, or a kernel that lets anybody make user namespaces.

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
use harness::lessons;
use harness::net::{Lan, Machine, Socket};
use harness::server::{Launch, Server, send};
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
    let server = lesson("lesson-03", lan);
    let [idle, echo, word] = [(); 3].map(|()| Talk::open(lan, &server));
    let hold = echo.owe_an_echo(b"echo");
    unplug(lan);
    hold.release();
    word.client.send(b"word").unwrap();

    sent_in_vain(&echo, &word);
    let mut text = kin(&server.census().unwrap());
    for (name, talk) in [("idle", &idle), ("echo", &echo), ("word", &word)] {
        text += &format!("\n    {name}: child's end   {}", talk.server_end());
        text += &format!("\n    {name}: client's end  {}", talk.client_end());
    }
    assert!(!server.log().text().contains("reaped"), "{text}");
    text
}

/// What if the network breaks, and comes back after a while?
///
/// Verdict: answered. Waits for the retransmission timer, twice and once more.
#[test]
fn c35_a_link_that_comes_back_loses_nothing() {
    tell("c35_a_link_that_comes_back_loses_nothing", |lan, account| {
        let server = lesson("lesson-03", lan);
        let [idle, echo, word] = [(); 3].map(|()| Talk::open(lan, &server));
        let hold = echo.owe_an_echo(b"echo");
        let down = Instant::now();
        unplug(lan);
        hold.release();
        word.client.send(b"a word ").unwrap();
        word.client.send(b"or two").unwrap();
        sent_in_vain(&echo, &word);

        let looked = Instant::now();
        let (echo_out, word_out) = (echo.server_end(), word.client_end());
        account.note(format!("link down for {:.1} s", down.elapsed().as_secs_f32()));
        account.note(format!("  echo: child's end   {echo_out}"));
        account.note(format!("  word: client's end  {word_out}"));
        plug_in(lan);
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
        account.note(format!("all said Bye: {}", kin(&server.settled().unwrap())));
    });
}

/// What if the client's machine is gone for good?
///
/// Verdict: answered. Waits for the keepalive timer: a second to the question, and a second for the
/// answer.
#[test]
fn c35_only_keepalive_ends_the_child_of_a_client_that_vanished() {
    tell("c35_only_keepalive_ends_the_child_of_a_client_that_vanished", |lan, account| {
        let (plain, asking) = (lesson("lesson-03", lan), subject(lan, &ASKING));
        let (forgotten, asked) = (Talk::open(lan, &plain), Talk::open(lan, &asking));
        account.note(format!("lesson-03: child's end  {}", forgotten.server_end()));
        account.note(format!("keepalive: child's end  {}", asked.server_end()));

        lan.client.unplug().unwrap();
        let gone = Instant::now();
        account.note("the client's machine vanishes");
        let left = asking.wait_for("the child to be reaped", |it| it.children.is_empty()).unwrap();
        let after = gone.elapsed().as_secs_f32();
        account.note(format!("keepalive, {after:.1} s later: {}", kin(&left)));
        account.complaints(&asking, 1);

        account.note(format!("lesson-03: {}", kin(&plain.census().unwrap())));
        account.note(format!("lesson-03: child's end  {}", forgotten.server_end()));
        let untold = asked.client_end();
        assert_eq!(untold.state, TcpState::Established, "nobody can have told the client");

        lan.client.plug_in().unwrap();
        account.note("the client's machine is back after all");
        forgotten.client.say(b"hello").unwrap();
        account.note("lesson-03: the conversation goes on");
        account.note(format!("keepalive: {}", reset(&asked.client)));
    });
}

/// Is keepalive enough when the network breaks?
///
/// Verdict: answered. Waits for the retransmission timer, four times, and for the two others
/// meanwhile.
#[test]
fn c35_keepalive_and_user_timeout_see_half_each() {
    tell("c35_keepalive_and_user_timeout_see_half_each", |lan, account| {
        let keepalive = subject(lan, &ASKING);
        let timeout = subject(lan, &["--user-timeout", "1500"]);
        let both = subject(lan, &[&ASKING[..], &["--user-timeout", "1500"]].concat());
        let servers = [("keepalive", &keepalive), ("user timeout", &timeout), ("both", &both)];
        let talks = servers.map(|(_, it)| [Talk::open(lan, it), Talk::open(lan, it)]);
        let holds = talks.each_ref().map(|[_, echo]| echo.owe_an_echo(b"echo"));
        lan.client.unplug().unwrap();
        holds.into_iter().for_each(Hold::release);
        let [[_, echo_asked], [idle, _], _] = &talks;

        // Had keepalive been at work on the echo, it would have given up before the fourth.
        let out = eventually("four retransmissions and the end of the others", || {
            let out = echo_asked.server_end();
            let left = servers.map(|(_, server)| pids(&server.census().unwrap()));
            let expected = [vec![echo_asked.child], vec![idle.child], vec![]];
            let done = out.tries >= 4 && left == expected;
            if done { Ok(out) } else { Err(format!("{out}; {left:?}")) }
        });
        let each = "each server has an idle child and one that echoes";
        account.note(format!("the client's machine vanishes; {each}"));
        for (name, server) in servers {
            account.note(format!("{name}: {}", kin(&server.census().unwrap())));
            account.complaints(server, if name == "both" { 2 } else { 1 });
        }
        account.note(format!("keepalive: the echoing child's end  {out}"));
        account.note(format!("user timeout: the idle child's end  {}", idle.server_end()));
    });
}

/// With which error does a child end when the network breaks?
///
/// Verdict: answered. Waits for address resolution, arp(7): three questions, a second apart. The
/// user timeout comes after that.
#[test]
fn c35_on_the_clients_own_network_the_error_is_no_route_to_host() {
    tell("c35_on_the_clients_own_network_the_error_is_no_route_to_host", |lan, account| {
        let server = subject(lan, &["--user-timeout", "3500"]);
        let talk = Talk::open(lan, &server);
        let hold = talk.owe_an_echo(b"echo");
        lan.client.unplug().unwrap();
        hold.release();
        let left = server.wait_for("the child to be reaped", |it| it.children.is_empty()).unwrap();
        account.note(format!("user timeout: {}", kin(&left)));
        account.complaints(&server, 1);
    });
}

/// What if the server's machine restarts while the network is broken?
///
/// Verdict: answered.
#[test]
fn c35_a_restarted_server_machine_answers_the_next_word_with_a_reset() {
    tell("c35_a_restarted_server_machine_answers_the_next_word_with_a_reset", |lan, account| {
        let server = lesson("lesson-03", lan);
        let talk = Talk::open(lan, &server);
        // A child that is killed with something unread sends a reset and no FIN. The reset is lost in
        // the unplugged cable, and the kernel has forgotten the connection, as by a loss of power.
        let hold = talk.owe_an_echo(b"lost");
        account.note(format!("received, not read: child's end   {}", talk.server_end()));
        account.note(format!("                    client's end  {}", talk.client_end()));
        unplug(lan);
        send(talk.child, libc::SIGKILL).unwrap();
        hold.release();
        let addr = server.addr();
        drop(server);
        let left = lan.server.sockets().unwrap();
        let count = left.len();
        account.note(format!("link down, the server's machine restarts: {count} sockets left"));
        assert_eq!(left, [], "a restarted machine has no connections");

        let server = lesson_at("lesson-03", lan, addr);
        plug_in(lan);
        Talk::open(lan, &server); // the cable carries again
        account.note(format!("link up, a new server: client's end  {}", talk.client_end()));
        account.note(format!("the client's next word: {}", reset(&talk.client)));
    });
}

/// What if a child dies while the network is broken?
///
/// Verdict: answered. Waits for the retransmission timer.
#[test]
fn c35_a_child_that_dies_meanwhile_is_reaped_at_once() {
    tell("c35_a_child_that_dies_meanwhile_is_reaped_at_once", |lan, account| {
        let server = lesson("lesson-03", lan);
        let talk = Talk::open(lan, &server);
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
/// Verdict: answered. Waits for the retransmission timer. The server's machine is set to give up
/// early.
#[test]
fn c35_after_a_longer_break_the_client_never_reads_the_end() {
    tell("c35_after_a_longer_break_the_client_never_reads_the_end", |lan, account| {
        let server = lesson("lesson-03", lan);
        let talk = Talk::open(lan, &server);
        unplug(lan);
        let down = Instant::now();
        send(talk.child, libc::SIGKILL).unwrap();
        server.settled().unwrap();
        account.note(format!("link down, child killed: nobody's end  {}", talk.server_end()));
        if let Err(error) = lan.server.set("tcp_orphan_retries", "1") {
            return account.skip(error);
        }
        eventually("the kernel to give up", || {
            let sockets = lan.server.sockets().unwrap();
            let end = sockets.iter().find(|it| it.remote == talk.local);
            end.map_or(Ok(()), |end| Err(end.to_string()))
        });
        let after = down.elapsed().as_secs_f32();
        account.note(format!("{after:.1} s later: nobody's end  gone"));
        plug_in(lan);
        Talk::open(lan, &server); // the cable carries again
        account.note(format!("link up: client's end  {}", talk.client_end()));
        account.note(format!("the client's next word: {}", reset(&talk.client)));
    });
}

/// What if the client is there, and never speaks or never reads?
///
/// Verdict: answered. Waits for the keepalive timer, twice, and for those timeouts. Small buffers
/// are full sooner.
#[test]
fn c35_a_client_that_never_speaks_or_never_reads_takes_a_timeout() {
    const DEAF: &str = "4096 16384 16384";
    const ROOMY: &str = "4096 1048576 6291456"; // for all that the deaf client says
    tell("c35_a_client_that_never_speaks_or_never_reads_takes_a_timeout", |lan, account| {
        let set = lan.server.set("tcp_wmem", DEAF).and_then(|()| lan.server.set("tcp_rmem", ROOMY));
        if let Err(error) = set.and_then(|()| lan.client.set("tcp_rmem", DEAF)) {
            return account.skip(error);
        }
        // And which of the clients keep their child: the silent one, 0, or the deaf one, 1.
        let options = [
            ("keepalive", &ASKING[..], &[0, 1][..]),
            ("read timeout", &["--read-timeout", "5000"], &[1]),
            ("write timeout", &["--write-timeout", "500"], &[0]),
            ("user timeout", &["--user-timeout", "500"], &[0]),
        ];
        let servers = options.map(|(name, options, stay)| (name, subject(lan, options), stay));
        let talks = servers.each_ref().map(|(_, server, _)| {
            let [silent, deaf] = [Talk::open(lan, server), Talk::open(lan, server)];
            let _ = deaf.client.send(&[b'x'; 256 << 10]); // a quick child gives up meanwhile
            [silent, deaf]
        });
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
        for ((name, server, stay), talks) in servers.iter().zip(&talks) {
            let mut left: Vec<i32> = stay.iter().map(|which| talks[*which].child).collect();
            left.sort_unstable(); // as a census is: new pids may be small ones again
            let family = server.wait_for("what is left", |it| pids(it) == left).unwrap();
            account.note(format!("{name}: {}", kin(&family)));
            account.complaints(server, 2 - left.len());
        }
        let stuck = talks[1][1].server_end();
        account.note(format!("read timeout: the end of the child that stays  {stuck}"));

        // A stop ends a read that has a timeout; the program goes on.
        let talk = Talk::open(lan, &servers[1].1);
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
        let lessons = ["lesson-02", "lesson-03"].map(|name| (name, lesson(name, lan)));
        let talks = lessons.each_ref().map(|(_, server)| [(); 5].map(|()| Talk::open(lan, server)));
        unplug(lan);
        talks.as_flattened().iter().for_each(|talk| talk.client.bye().unwrap());
        for (_, server) in &lessons {
            let asleep = |it: &Family| kin(it) == "children: S S S S S";
            server.wait_for("five children to sleep", asleep).unwrap();
        }
        account.note("link down, all said Bye: five children of each server sleep");
        let holds = lessons.each_ref().map(|(_, server)| server.hold().unwrap());
        plug_in(lan);
        for (name, server) in &lessons {
            let dead = server.wait_for("all children to die", |it| it.alive() == 0).unwrap();
            account.note(format!("{name}, link up, held still: {}", kin(&dead)));
        }
        holds.into_iter().for_each(Hold::release);
        for (name, server) in &lessons {
            account.note(format!("{name}, running again: {}", kin(&server.settled().unwrap())));
        }
    });
}

/// Has a test look at two machines and give an account of what it sees, and the page tell the same,
/// figures aside.
fn tell(test: &str, look: impl FnOnce(&Lan, &mut Account)) {
    let lan = match Lan::new() {
        Ok(lan) => lan,
        Err(why) => return harness::skip(why),
    };
    let title = format!("{test}\n");
    let mut account = Account { text: title.clone() };
    look(&lan, &mut account);
    let page = fs::read_to_string(lessons::root().join(PAGE)).unwrap();
    let blocks = page.split("```").filter_map(|block| block.strip_prefix("text\n"));
    let shown = blocks.into_iter().find(|block| block.starts_with(&title)).unwrap_or_default();
    let lines = |text: &str| text.lines().map(without_figures).collect::<Vec<_>>();
    let same = account.text.is_empty() || lines(&account.text) == lines(shown);
    assert!(same, "{PAGE} tells another story than this:\n{}", account.text);
}

fn unplug(lan: &Lan) {
    lan.server.unplug().unwrap();
    lan.client.unplug().unwrap();
}

fn plug_in(lan: &Lan) {
    lan.server.plug_in().unwrap();
    lan.client.plug_in().unwrap();
}

/// A lesson on the server's machine.
fn lesson(name: &str, lan: &Lan) -> Server {
    lesson_at(name, lan, lan.server.any_port())
}

fn lesson_at(name: &str, lan: &Lan, addr: SocketAddr) -> Server {
    let program = lessons::program(name).unwrap();
    Launch::lesson(program, addr).on(&lan.server).start().unwrap()
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
        eventually(what, || {
            let (here, there) = (self.client_end(), self.server_end());
            if wanted(&here, &there) { Ok(()) } else { Err(format!("{here}; {there}")) }
        });
    }

    /// Has the child receive `word` but not read it until the returned value is dropped.
    fn owe_an_echo(&self, word: &[u8]) -> Hold {
        let hold = Hold::still(self.child).unwrap();
        self.client.send(word).unwrap();
        self.wait_for("the word to arrive", |here, there| {
            there.unread as usize == word.len() && here.is_quiet()
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
/// than once.
fn sent_in_vain(echo: &Talk, word: &Talk) {
    eventually("two vain tries on both sides", || {
        let ends = (echo.server_end(), word.client_end());
        let done = ends.0.tries >= 2 && ends.1.tries >= 2;
        if done { Ok(()) } else { Err(format!("{}; {}", ends.0, ends.1)) }
    });
}

/// Has the client say a word, which is answered by a reset; returns what the client is told.
fn reset(client: &Conversation) -> String {
    client.say(b"hello").expect_err("no reset").to_string()
}

/// What there is to see of a server's children, without the server itself and any pid.
fn kin(family: &Family) -> String {
    let states: String = family.children.iter().map(|child| format!(" {}", child.state)).collect();
    let pending = if family.sigchld_pending { "SIGCHLD pending, " } else { "" };
    format!("{pending}children:{}", if states.is_empty() { " none" } else { &states })
}

fn pids(family: &Family) -> Vec<i32> {
    family.children.iter().map(|child| child.pid).collect()
}

/// What a test saw. It is shown however the test ends.
struct Account {
    text: String,
}

impl Account {
    fn note(&mut self, line: impl std::fmt::Display) {
        writeln!(self.text, "  {line}").unwrap();
    }

    /// Gives no account, and says why.
    fn skip(&mut self, why: harness::Error) {
        self.text.clear();
        harness::skip(why);
    }

    /// Notes what a server complained of: `count` lost clients.
    fn complaints(&mut self, server: &Server, count: usize) {
        let said = eventually("complaints", || {
            let said = server.log().stderr();
            if said.lines().count() == count { Ok(said) } else { Err(said) }
        });
        said.lines().for_each(|line| self.note(format!("  {line}")));
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        // Past the test runner's capture, in one write.
        let _ = io::stderr().write_all(format!("\n{}", self.text).as_bytes());
    }
}
