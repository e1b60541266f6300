//! The exam: the lessons' questions, put to any server that echoes what it is sent.
//!
//! [`Examinee::meet`] starts the server and learns its ways: how it wants a conversation to end,
//! who serves a client, how soon a dead child is reaped. Each of the [`QUESTIONS`] is then an
//! experiment of its own, which starts the server afresh as often as it needs to.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use client::ps::{self, Listener};
use client::{BYE, Conversation};
use procfs::process::Process;

use crate::burst::HELLO;
pub use crate::experiment::QUESTIONS;
use crate::experiment::one_leaves;
use crate::lessons::LESSONS;
use crate::server::{Goodbye, Launch, Manner, Server};
use crate::story::Tally;
use crate::{Error, Result};

/// How long a server of unknown make may take to listen: interpreters are slow to start.
const STARTING: Duration = Duration::from_secs(10);

/// How long it may take for anything else, its own delay before an echo not counted.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before a silence counts as a server's way and not as slowness.
const SILENCE: Duration = Duration::from_secs(2);

/// What an experiment found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server does what a fork server should.
    Holds,
    /// It does not.
    Fails,
    /// The question makes no sense for this server, or can't be put here; the evidence says why.
    CannotBeAsked,
}

impl Outcome {
    /// `holds`, `fails` or `can't be asked`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Holds => "holds",
            Outcome::Fails => "fails",
            Outcome::CannotBeAsked => "can't be asked",
        }
    }
}

/// The answer to one question: what was found, and what was seen that shows it.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was found.
    pub outcome: Outcome,
    /// Pids, states, the pending bit, milliseconds; or why the question can't be asked.
    pub evidence: String,
    /// How many stayed zombies, where the question is just that.
    pub tally: Option<Tally>,
}

impl Answer {
    /// It holds, and why we think so.
    pub fn holds(evidence: impl Into<String>) -> Answer {
        Answer { outcome: Outcome::Holds, evidence: evidence.into(), tally: None }
    }

    /// It fails, and why we think so.
    pub fn fails(evidence: impl Into<String>) -> Answer {
        Answer { outcome: Outcome::Fails, evidence: evidence.into(), tally: None }
    }

    /// It holds if `good`, and fails otherwise.
    pub fn when(good: bool, evidence: impl Into<String>) -> Answer {
        if good { Answer::holds(evidence) } else { Answer::fails(evidence) }
    }

    /// The question can't be asked, and why.
    pub fn cannot(why: impl Into<String>) -> Answer {
        Answer { outcome: Outcome::CannotBeAsked, evidence: why.into(), tally: None }
    }
}

/// A question of the exam.
#[derive(Debug)]
pub struct Question {
    /// The question, in a few words.
    pub name: &'static str,
    /// What is done to find out, in a sentence.
    pub done: &'static str,
    /// Does it. An error is a failed answer: the server did something that no step expects.
    pub ask: fn(&Examinee) -> Result<Answer>,
}

/// Who serves a client: what a server is, seen from the process that holds a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A child that was forked for this connection.
    Child,
    /// A process that is no child of the server's: the child forked once more and left it.
    Grandchild,
    /// A child that was there before the connection.
    Pool,
    /// The server's own process, several clients at once.
    Itself,
    /// One process after the other, so that a second client waits until the first has left.
    OneByOne,
}

impl Kind {
    /// What such a server does, for a sentence that begins with "it".
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Kind::Child => "forks a child for each connection",
            Kind::Grandchild => "forks twice, so that init or a subreaper inherits its children",
            Kind::Pool => "serves with children that it forked in advance",
            Kind::Itself => "serves all clients in one process, with threads or an event loop",
            Kind::OneByOne => "serves one client at a time, so that the next one waits",
        }
    }
}

/// What a process does about SIGCHLD, from the masks in /proc/PID/status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Nothing: the kernel drops the signal.
    Default,
    /// A handler is called.
    Caught,
    /// It is ignored expressly, on which the kernel reaps in the parent's place.
    Ignored,
    /// It is blocked, to be read by signalfd(2) or sigwait(3), or to be looked at never.
    Blocked,
}

impl Disposition {
    fn of(pid: i32) -> Result<Disposition> {
        const BIT: u64 = 1 << (libc::SIGCHLD - 1);
        let status = Process::new(pid).and_then(|process| process.status()).map_err(|error| {
            Error::new(format!("cannot read the signal masks of {pid}: {error}"))
        })?;
        Ok(match status {
            status if status.sigblk & BIT != 0 => Disposition::Blocked,
            status if status.sigcgt & BIT != 0 => Disposition::Caught,
            status if status.sigign & BIT != 0 => Disposition::Ignored,
            _ => Disposition::Default,
        })
    }

    /// In words: `SIGCHLD is caught`.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Disposition::Default => "SIGCHLD is at its default",
            Disposition::Caught => "SIGCHLD is caught",
            Disposition::Ignored => "SIGCHLD is ignored, so the kernel reaps",
            Disposition::Blocked => "SIGCHLD is blocked",
        }
    }
}

/// A server that sits the exam, and what is known of its ways.
#[derive(Debug)]
pub struct Examinee {
    launch: Launch,
    manner: Manner,
    kind: Kind,
    sigchld: Disposition,
    first_zombie: Answer,
}

impl Examinee {
    /// Starts `command`, which must listen on `addr`, and gets to know it.
    ///
    /// # Errors
    /// When it can't be started, doesn't listen there, or doesn't echo.
    pub fn meet(command: &[OsString], addr: SocketAddr) -> Result<Examinee> {
        let Some((program, args)) = command.split_first() else {
            return Err(Error::new("no command to start a server with"));
        };
        match ps::listener(addr) {
            Ok(Listener::Elsewhere) | Err(_) => {}
            Ok(_) => {
                return Err(Error::new(format!(
                    "somebody listens on {addr} already; end it, or choose another --addr"
                )));
            }
        }
        let launch = Launch::new(program).listening_on(addr, STARTING);
        let launch = args.iter().fold(launch, Launch::arg);
        let mut examinee = Examinee {
            launch,
            manner: Manner { patience: PATIENCE, ..Manner::default() },
            kind: Kind::Child,
            sigchld: Disposition::Default,
            first_zombie: Answer::cannot("not asked yet"),
        };
        examinee.manner.patience = learn_patience(&examinee.start()?)?;
        examinee.manner.goodbye = learn_goodbye(&examinee.start()?)?;
        (examinee.kind, examinee.sigchld) = learn_ways(&examinee.start()?)?;
        if examinee.kind == Kind::Child {
            let watched = one_leaves::watch(&examinee.start()?);
            let (answer, pause) =
                watched.unwrap_or_else(|error| (Answer::fails(error.to_string()), None));
            examinee.first_zombie = answer;
            examinee.manner.looks_every = pause;
        }
        Ok(examinee)
    }

    /// Starts the server afresh.
    ///
    /// # Errors
    /// When it can't be started, or doesn't listen on its address.
    pub fn start(&self) -> Result<Server> {
        self.launch.clone().manner(self.manner).start()
    }

    /// Who serves a client.
    #[must_use]
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What it does about SIGCHLD.
    #[must_use]
    pub fn sigchld(&self) -> Disposition {
        self.sigchld
    }

    /// What was seen when its first client left: a dead child reaped at once, later, or never.
    #[must_use]
    pub fn first_zombie(&self) -> &Answer {
        &self.first_zombie
    }

    /// Why nothing can be asked about its children, if so.
    #[must_use]
    pub fn childless(&self) -> Option<Answer> {
        (self.kind != Kind::Child).then(|| Answer::cannot(format!("it {}", self.kind.describe())))
    }

    /// Puts `question` to the server.
    #[must_use]
    pub fn ask(&self, question: &Question) -> Answer {
        (question.ask)(self).unwrap_or_else(|error| Answer::fails(error.to_string()))
    }
}

/// Where a server stands, by what stayed of five children that died while it was held still.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The lesson that it is like: 1, 2, 3 or none of them.
    pub lesson: Option<u8>,
    /// The same in a line.
    pub line: String,
}

impl Verdict {
    /// Judges `examinee` by its `answers`, given in the order of the [`QUESTIONS`].
    #[must_use]
    pub fn of(examinee: &Examinee, answers: &[Answer]) -> Verdict {
        let fails = answers.iter().filter(|answer| answer.outcome == Outcome::Fails).count();
        let tally = answers.iter().find_map(|answer| answer.tally);
        let (lesson, why) = match tally {
            Some(Tally { children, zombies: 0, .. }) => {
                (Some(3), format!("none of {children} zombies stayed"))
            }
            Some(Tally { children, zombies, .. }) if zombies == children => (
                Some(1),
                format!("no wait follows a death; {zombies} of {children} zombies stayed"),
            ),
            Some(Tally { children, zombies, .. }) => (
                Some(2),
                format!(
                    "one wait per signal; {zombies} of {children} zombies stayed when their \
                     SIGCHLDs coalesced"
                ),
            ),
            None if examinee.kind == Kind::Child => (None, "it could not be held still".to_owned()),
            None => (None, format!("it {}", examinee.kind.describe())),
        };
        let mut line = match lesson {
            Some(lesson) => format!("lesson {lesson} of 3: {why}"),
            None => format!("no lesson: {why}"),
        };
        if fails > 0 {
            let right = LESSONS[2].folder;
            line += &format!("; {fails} of {} fail, see {right}/src/main.rs", answers.len());
        }
        Verdict { lesson, line }
    }
}

/// The first conversation: does it echo, and how soon?
fn learn_patience(server: &Server) -> Result<Duration> {
    let start = Instant::now();
    let conversation = Conversation::connect(server.addr(), STARTING)?;
    conversation.say(HELLO).map_err(|error| {
        Error::new(format!("no echo server: it was sent \"hello\" and a newline, but {error}"))
    })?;
    // A delay before each echo is a server's own affair (the article's takes a second).
    let patience = PATIENCE + 4 * start.elapsed();
    Ok(Duration::from_secs_f64(patience.as_secs_f64().round()))
}

/// The second conversation: does it know `Bye`?
fn learn_goodbye(server: &Server) -> Result<Goodbye> {
    let patience = SILENCE + (server.manner().patience - PATIENCE);
    let conversation = Conversation::connect(server.addr(), patience)?;
    conversation.say(HELLO)?;
    conversation.send(BYE)?;
    // Now comes the end, or an echo of `Bye`, or nothing from a server that reads lines.
    let ends = conversation.hear_end().is_ok();
    Ok(if ends { Goodbye::Bye } else { Goodbye::HalfClose })
}

/// The third and the fourth: who holds a client's connection, is another client served meanwhile,
/// and what is done about SIGCHLD?
fn learn_ways(server: &Server) -> Result<(Kind, Disposition)> {
    let [first, second] =
        [(); 2].map(|()| Conversation::connect(server.addr(), server.manner().patience));
    let (first, second) = (first?, second?);
    let kind = learn_kind(server, &first, &second)?;
    // While both clients are there and it sleeps: in a handler, SIGCHLD would be blocked.
    server.rest();
    Ok((kind, Disposition::of(server.pid())?))
}

fn learn_kind(server: &Server, first: &Conversation, second: &Conversation) -> Result<Kind> {
    first.say(HELLO)?;
    match second.say(HELLO) {
        Ok(()) => {}
        Err(error) if error.is_silent() => return Ok(Kind::OneByOne),
        Err(error) => return Err(error.into()),
    }
    let Some(&pid) = server.serving(first)?.first() else { return Ok(Kind::Itself) };
    let children = server.census()?.children;
    Ok(if children.iter().any(|child| child.pid == pid) {
        Kind::Child
    } else if server.is_resident(pid) {
        Kind::Pool
    } else {
        Kind::Grandchild
    })
}
