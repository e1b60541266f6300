//! What is, what has happened, and what can be done: a lesson's server, its clients and their
//! children. Nothing here knows of keys or of a screen.

use std::time::{Duration, Instant};

use client::Conversation;
use client::ps::{self, Family, Process};
use harness::exam::Disposition;
use harness::lessons::{LESSONS, Lesson};
use harness::server::{ANYWHERE, Launch, Manner, Server, send};
use harness::story::count;
use harness::{Error, Result, poll};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// How long a server may take to serve a client before the lab goes on without.
const PATIENCE: Duration = Duration::from_secs(1);

/// The ends to reach.
pub(crate) const CHALLENGES: [&str; 6] = [
    "lesson 2 keeps four zombies of five",
    "lesson 2 hangs: it sleeps in do_wait, and a child lives",
    "three signals, one bit",
    "lesson 3 has a zombie, but only while it is stopped",
    "a zombie that kill -9 can't end",
    "an orphan goes on talking after its server was killed",
];

/// Something that was done or seen, and the line of shell that does or shows the same.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) what: String,
    pub(crate) shell: String,
}

/// A client and the child that serves it.
#[derive(Debug)]
pub(crate) struct Client {
    /// Counted from 1; 0 if it isn't the lab's.
    pub(crate) number: usize,
    pub(crate) child: i32,
    pub(crate) since: Instant,
    /// The child's state at the last look; nothing once it has been reaped.
    pub(crate) state: Option<char>,
    conversation: Option<Conversation>,
}

/// A lesson's server under somebody's hands.
#[derive(Debug)]
pub(crate) struct Lab {
    pub(crate) lesson: &'static Lesson,
    pub(crate) server: Server,
    pub(crate) killed: bool,
    pub(crate) clients: Vec<Client>,
    /// What was seen of the server last.
    pub(crate) family: Family,
    pub(crate) sigchld: Disposition,
    pub(crate) wchan: String,
    /// How many children the server says that it has reaped.
    pub(crate) reaped: usize,
    /// SIGCHLDs that it was sent since its bit was seen clear.
    signals: usize,
    /// Children that died while it was stopped.
    deaths: usize,
    /// A prediction is asked for.
    pub(crate) asks: bool,
    /// In the order in which they happened.
    pub(crate) events: Vec<Event>,
    pub(crate) won: [bool; 6],
}

impl Lab {
    /// Starts lesson `number`.
    pub(crate) fn new(number: usize) -> Result<Lab> {
        let lesson = &LESSONS[number - 1];
        let manner = Manner { patience: PATIENCE, ..Manner::default() };
        let server = Launch::lesson(lesson.program()?, ANYWHERE).manner(manner).start()?;
        server.rest();
        let (family, sigchld) = (server.census()?, Disposition::seen(server.pid())?);
        let mut lab = Lab {
            lesson,
            server,
            killed: false,
            clients: Vec::new(),
            family,
            sigchld,
            wchan: String::new(),
            reaped: 0,
            signals: 0,
            deaths: 0,
            asks: false,
            events: Vec::new(),
            won: [false; 6],
        };
        let (name, addr) = (lesson.name, lab.server.addr());
        let shell = format!("target/debug/{name} --delay 0 {addr}");
        lab.tell(format!("{name} listens on {addr}"), shell);
        lab.tell("Press 5, s, B and g, one after another. ? lists six ends to reach.", "");
        lab.look();
        Ok(lab)
    }

    pub(crate) fn pid(&self) -> i32 {
        self.server.pid()
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.family.parent.state == 'T'
    }

    /// How many children are zombies.
    pub(crate) fn zombies(&self) -> usize {
        self.in_state("Z").count()
    }

    fn in_state<'a>(&'a self, states: &'a str) -> impl Iterator<Item = &'a Client> {
        self.clients.iter().filter(move |it| it.state.is_some_and(|it| states.contains(it)))
    }

    /// Those whose conversation goes on.
    pub(crate) fn talking(&self) -> impl Iterator<Item = &Client> {
        self.clients.iter().filter(|it| it.conversation.is_some())
    }

    /// The child that is killed or stopped next: the youngest that lives, or else a zombie.
    pub(crate) fn victim(&self) -> Option<(i32, bool)> {
        let alive = self.in_state("RSDTt").last();
        let victim = alive.or(self.in_state("Z").last())?;
        Some((victim.child, alive.is_some()))
    }

    pub(crate) fn tell(&mut self, what: impl Into<String>, shell: impl Into<String>) {
        self.events.push(Event { what: what.into(), shell: shell.into() });
    }

    fn reached(&mut self, challenge: usize, now: bool) {
        if now && !self.won[challenge] {
            self.won[challenge] = true;
            self.tell(format!("You have reached: {}", CHALLENGES[challenge]), "");
        }
    }
}

/// What can be done.
impl Lab {
    pub(crate) fn restart(&mut self, number: usize) -> Result<()> {
        let won = self.won;
        *self = Lab::new(number)?; // the old server and all its children end
        self.won = won;
        Ok(())
    }

    /// Has clients come, say hello, and hear it back.
    pub(crate) fn connect(&mut self, clients: usize) -> Result<()> {
        let addr = self.server.addr();
        for _ in 0..clients {
            let number = self.clients.iter().map(|it| it.number).max().unwrap_or(0) + 1;
            let (ip, port) = (addr.ip(), addr.port());
            let shell =
                format!("exec {{c{number}}}<>/dev/tcp/{ip}/{port}; echo hello >&$c{number}");
            let conversation = self.server.greet().map_err(|error| {
                Error::new(format!("client {number} connects, isn't answered, and leaves: {error}"))
            })?;
            let children = self.server.census()?.children;
            let new = children.into_iter().find(|it| !it.is_zombie() && !self.knows(it.pid));
            let child = new.ok_or_else(|| Error::new("no child serves it"))?;
            self.tell(format!("client {number} says hello; child {} serves it", child.pid), shell);
            self.serves(&child, number, Some(conversation));
        }
        Ok(())
    }

    fn knows(&self, child: i32) -> bool {
        self.clients.iter().any(|it| it.child == child && it.state.is_some())
    }

    fn serves(&mut self, child: &Process, number: usize, conversation: Option<Conversation>) {
        let (child, since, state) = (child.pid, Instant::now(), Some(child.state));
        self.clients.push(Client { number, child, since, state, conversation });
    }

    /// Has the first client whose conversation goes on speak once more.
    pub(crate) fn speak(&mut self) -> Result<()> {
        let Some(client) = self.talking().next() else { return Ok(()) };
        let (number, child) = (client.number, client.child);
        if let Some(conversation) = &client.conversation {
            self.server.manner().talk.go_on(conversation)?;
        }
        let what = format!("client {number} is answered by {child}, an orphan");
        self.tell(what, format!("echo hello >&$c{number}"));
        self.reached(5, true);
        Ok(())
    }

    pub(crate) fn leave(&mut self, clients: usize) -> Result<()> {
        let leaving = self.clients.iter_mut().filter(|it| it.conversation.is_some()).take(clients);
        let gone = leaving.map(|it| (it.number, it.child, it.conversation.take()));
        let gone = gone.collect::<Vec<_>>();
        for (number, _, conversation) in &gone {
            let said = conversation.as_ref().is_some_and(|it| it.bye().is_ok());
            let says = if said { "says" } else { "can't say" };
            self.tell(format!("client {number} {says} Bye"), format!("printf Bye >&$c{number}"));
        }
        // Its child hears it soon, unless it is stopped.
        let quiet = |child| ps::state(child) == Some('T') || !ps::lives(child);
        poll::until(PATIENCE, || gone.iter().all(|it| quiet(it.1)).then_some(()));
        Ok(())
    }

    /// Lets the server go on, and says whether a guess of the zombies that stay was right.
    pub(crate) fn go(&mut self, guess: Option<usize>) -> Result<()> {
        let (deaths, pending) = (self.deaths, self.family.sigchld_pending);
        send(self.pid(), libc::SIGCONT)?;
        let at_rest = |it: &Family| it.parent.state == 'S' && !it.sigchld_pending;
        let _ = self.server.wait_for("it to rest", at_rest);
        self.look();
        let Some(guess) = guess.filter(|_| !self.killed) else { return Ok(()) };
        let left = self.zombies();
        let right = if guess == left { "Right" } else { "No" };
        let stay = if left == 1 { "stays" } else { "stay" };
        let why = self.lesson.explain(deaths, pending && deaths > 0);
        self.tell(format!("{right}: {} {stay}. {why}", count(left, "zombie")), "");
        Ok(())
    }

    pub(crate) fn kill_child(&mut self) -> Result<()> {
        let Some((child, alive)) = self.victim() else { return Ok(()) };
        send(child, libc::SIGKILL)?;
        let _ = ps::dies(child, PATIENCE);
        let stays = !alive && ps::state(child) == Some('Z');
        let is = if stays { "is sent SIGKILL, and still a zombie" } else { "is killed" };
        self.tell(format!("child {child} {is}"), format!("kill -9 {child}"));
        self.reached(4, stays);
        Ok(())
    }

    pub(crate) fn stop_child(&mut self) -> Result<()> {
        let Some((child, true)) = self.victim() else { return Ok(()) };
        let stopped = ps::state(child) == Some('T');
        send(child, if stopped { libc::SIGCONT } else { libc::SIGSTOP })?;
        poll::until(PATIENCE, || ((ps::state(child) == Some('T')) != stopped).then_some(()));
        Ok(())
    }

    pub(crate) fn stray(&mut self) -> Result<()> {
        send(self.pid(), libc::SIGCHLD)?;
        self.signals += 1;
        self.tell("a stray SIGCHLD is sent", format!("kill -CHLD {}", self.pid()));
        Ok(())
    }
}

/// What is seen.
impl Lab {
    /// Looks at all of it once more, and tells what has changed.
    pub(crate) fn look(&mut self) {
        let (pid, was_stopped) = (self.pid(), self.is_stopped());
        let (was_pending, did_wait) = (self.family.sigchld_pending, self.wchan == "do_wait");
        if !self.killed {
            self.look_at_server();
        }
        match (was_stopped, self.is_stopped()) {
            (false, true) => {
                self.deaths = 0;
                self.tell("the server is stopped", format!("kill -STOP {pid}"));
            }
            (true, false) if !self.killed => {
                self.tell("the server goes on", format!("kill -CONT {pid}"));
            }
            _ => {}
        }
        let (pending, shell) =
            (self.family.sigchld_pending, format!("grep ShdPnd /proc/{pid}/status"));
        if !pending {
            self.signals = 0;
        }
        if was_pending && !pending {
            self.tell("SIGCHLD was delivered", &*shell);
        }
        for at in 0..self.clients.len() {
            self.look_at_child(at);
        }
        if !was_pending && pending {
            self.tell("SIGCHLD is pending", shell);
        }
        if self.wchan == "do_wait" && !did_wait {
            self.tell("the server waits for a child that lives", format!("cat /proc/{pid}/wchan"));
        }
        self.asks &= self.is_stopped();
        let rests = self.family.parent.state == 'S' && !pending;
        self.reached(0, rests && (self.deaths, self.zombies()) == (5, 4));
        self.reached(1, self.wchan == "do_wait");
        self.reached(2, pending && self.signals >= 3);
        let gone = rests && self.deaths > 0 && self.zombies() == 0;
        self.reached(3, gone && self.lesson.name == "lesson-03");
    }

    fn look_at_server(&mut self) {
        let pid = self.pid();
        if !ps::lives(pid) {
            (self.killed, self.family.parent.state) = (true, 'Z');
            self.wchan.clear();
            let what = "the server is dead, a zombie of the lab's; the lab adopts its children";
            return self.tell(what, format!("kill -9 {pid}"));
        }
        let seen = (self.server.census(), Disposition::seen(pid));
        let (Ok(family), Ok(sigchld)) = seen else { return };
        (self.family, self.sigchld) = (family, sigchld);
        let strangers = self.family.children.iter().filter(|it| !self.knows(it.pid));
        for child in strangers.cloned().collect::<Vec<_>>() {
            let what = format!("child {} serves another client", child.pid);
            self.tell(what, format!("ps --ppid {pid}"));
            self.serves(&child, 0, None);
        }
        let sleeps = ps::wchan(pid).filter(|_| self.family.parent.state == 'S');
        self.wchan = sleeps.unwrap_or_default();
        self.reaped = self.server.log().stdout().matches("reaped child").count();
    }

    fn look_at_child(&mut self, at: usize) {
        let Client { child, state: Some(before), .. } = self.clients[at] else { return };
        let now = ps::state(child);
        self.clients[at].state = now;
        if matches!(now, None | Some('Z')) {
            self.clients[at].conversation = None;
        }
        let (what, shell) = match (before, now) {
            (_, Some('Z')) if self.killed => {
                let _ = waitpid(Pid::from_raw(child), Some(WaitPidFlag::WNOHANG)); // as PID 1 does
                return;
            }
            (_, None) if self.killed => ("is dead; the lab has reaped it", "ps -o stat= -p"),
            (_, None) => ("is reaped", "ps -o stat= -p"),
            ('T', Some('T')) | ('Z', _) => return,
            (_, Some('Z')) => ("is dead: a zombie", "ps -o stat= -p"),
            (_, Some('T')) => ("is stopped", "kill -STOP"),
            ('T', _) => ("goes on", "kill -CONT"),
            _ => return,
        };
        self.signals += usize::from(now.is_some()); // a stop and a going on send one, too
        self.deaths += usize::from(now == Some('Z') && self.is_stopped());
        self.tell(format!("child {child} {what}"), format!("{shell} {child}"));
    }
}
