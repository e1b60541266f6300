//! Getting to know a server: how it talks, who serves, how soon the dead are reaped, how many it
//! serves at once.

use std::time::{Duration, Instant};

use client::ps::{self, Family};
use client::{BYE, Conversation};
use procfs::process::{Process, Task};

use super::answer::Cause;
use crate::burst::accepted_within;
use crate::experiment::{Lag, one_leaves};
use crate::server::{Children, Goodbye, Manner, Server, Talk};
use crate::{Error, Result, poll};

/// How long a server of unknown make may take for its first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(20);

/// How long it may take for anything else, its own delay before an answer not counted.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before a silence counts as a server's way and not as slowness.
const SILENCE: Duration = Duration::from_secs(2);

/// How long a child may take to end once its client has left.
const LINGERING: Duration = Duration::from_secs(15);

/// How long a zombie is watched before it counts as one that stays.
pub(super) const WATCHED: Duration = Duration::from_millis(6500);

/// How many clients leave, one after the other, for that: a server that looks for dead children
/// from time to time may look at once by chance.
const ROUNDS: usize = 4;

/// How long a zombie of a server that reaps at once may lie elsewhere.
const GRACE: Duration = Duration::from_secs(2);

/// As many clients as are ever asked with at once.
const MANY: usize = 100;

/// Who serves a client: what a server is, seen from the process that holds a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A child that was forked for this connection.
    Child,
    /// A process that is no child of the server's: the child forked once more and left it.
    Grandchild,
    /// A child that was there before the connection, and is there after it.
    Pool,
    /// A child that was there before the connection, and ends with it.
    OneEach,
    /// The server's own process, several clients at once.
    Itself,
    /// One process after the other, so that a second client waits until the first has left.
    OneByOne,
    /// Processes whose open files this user may not see.
    Hidden,
}

impl Kind {
    /// What such a server does, for a sentence that begins with "it".
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Kind::Child => "forks a child for each connection",
            Kind::Grandchild => "forks twice, so that init or a subreaper inherits its children",
            Kind::Pool => "serves with children that it forked in advance",
            Kind::OneEach => "serves each connection with a child that it forked in advance",
            Kind::Itself => "serves all clients in one process, with threads or an event loop",
            Kind::OneByOne => "serves one client at a time, so that the next one waits",
            Kind::Hidden => "serves with processes that this user may not look into",
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
    /// Of a process at rest: in a handler, SIGCHLD would be blocked.
    pub(super) fn of(pid: i32) -> Result<Disposition> {
        let unreadable =
            |error| Error::new(format!("cannot read the signal masks of {pid}: {error}"));
        let status = Process::new(pid).and_then(|it| it.status()).map_err(unreadable)?;
        let family = Family::with(pid, || Ok(Vec::new())).map_err(unreadable)?;
        let caught = has_handler(pid)?;
        // A thread that waits in sigwait(3) has it unblocked meanwhile: then another one tells.
        let tasks = Process::new(pid).and_then(|it| it.tasks());
        let mut threads = tasks.into_iter().flatten().flatten();
        let blocks = |thread: Task| thread.status().is_ok_and(|it| it.sigblk & BIT != 0);
        let blocked = family.sigchld_blocked || !caught && threads.any(blocks);
        Ok(match status {
            _ if blocked => Disposition::Blocked,
            _ if caught => Disposition::Caught,
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

/// SIGCHLD's bit in the masks of /proc/PID/status.
const BIT: u64 = 1 << (libc::SIGCHLD - 1);

/// Whether a process has a handler for SIGCHLD.
fn has_handler(pid: i32) -> Result<bool> {
    let status = Process::new(pid).and_then(|process| process.status());
    let caught = status.map(|status| status.sigcgt & BIT != 0);
    caught.map_err(|error| Error::new(format!("cannot read the signal masks of {pid}: {error}")))
}

/// What a server is like.
#[derive(Debug, Clone)]
pub struct Ways {
    /// Who serves a client.
    pub kind: Kind,
    /// What it does about SIGCHLD.
    pub sigchld: Disposition,
    /// Whether it has a handler for it, blocked or not.
    pub has_handler: bool,
    /// The same once children have died.
    pub sigchld_later: Disposition,
    /// What became of the first children that died, one after the other; an error if they didn't.
    pub lags: std::result::Result<Vec<Lag>, (String, Option<Cause>)>,
    /// How many clients it serves at once, up to a hundred.
    pub at_once: usize,
    /// How long a client takes from its greeting to the end of its child.
    pub pace: Duration,
    /// Whether it can't be started while it runs already, in whatever network.
    pub alone: bool,
    /// Whether the process that forks isn't the one that was found listening.
    pub worker: bool,
}

/// Gets to know the server that `start` starts, whose clients talk like this.
pub(super) fn learn(
    start: impl Fn(&Manner) -> Result<Server>,
    talk: &Talk,
    goodbye: Option<Goodbye>,
) -> Result<(Manner, Ways)> {
    let mut manner = Manner {
        talk: talk.clone(),
        goodbye: goodbye.clone().unwrap_or(Goodbye::HalfClose),
        patience: FIRST_ANSWER,
        grace: GRACE,
        children: Children::Nobody,
    };
    let mut server = start(&manner)?;
    server.rest();
    let before = server.members();

    // How soon does it answer? A delay before each echo is its own affair. Another client comes at
    // the same time: is it served meanwhile?
    let began = Instant::now();
    let (mut first, mut second) = (server.connect()?, server.connect()?);
    talk.begin(&first)?;
    let answered = talk.be_served(&first);
    answered.map_err(|error| explained(&error, talk, &mut first, &server))?;
    let answer = began.elapsed();
    let patience = PATIENCE + 4 * answer;
    manner.patience = Duration::from_secs_f64(patience.as_secs_f64().round());
    let silence = SILENCE + 2 * answer;
    first.set_patience(silence)?;
    second.set_patience(manner.patience)?;
    server.set_manner(manner.clone());

    // Does it hang up once it has answered, as a server of HTTP does? Then a client stays for as
    // long as it asks for nothing.
    let answers = talk.hears.is_some() && !talk.says.is_empty();
    if answers && goodbye.is_none() && first.hear_out().is_ok() {
        manner.goodbye = Goodbye::Words(talk.says.clone());
        manner.talk = Talk { says: Vec::new(), ..talk.clone() };
        server.set_manner(manner.clone());
        (first, second) = (server.connect()?, server.connect()?);
        manner.talk.be_served(&first)?;
    }
    let talk = &manner.talk.clone();

    // By whom are they served?
    let held = |client: &Conversation| server.holders(client).is_ok_and(|it| !it.is_empty());
    let is_held = |client: &Conversation| {
        poll::until(manner.patience, || held(client).then_some(())).is_some()
    };
    let served = talk.begin(&second).and_then(|()| talk.be_served(&second)).is_ok();
    let together = served && (!talk.says.is_empty() || is_held(&second));
    let (kind, served_by) = who_serves(&server, &before, &first, &second)?;
    let found = server.pid();
    if let Some(pid) = served_by {
        server.watch(pid);
    }
    let mut ways = Ways {
        kind: if together { kind } else { Kind::OneByOne },
        sigchld: Disposition::Default,
        has_handler: false,
        sigchld_later: Disposition::Default,
        lags: Ok(Vec::new()),
        at_once: 1,
        pace: answer,
        alone: false,
        worker: served_by.is_some_and(|pid| pid != found),
    };
    server.rest();
    ways.sigchld = Disposition::of(server.pid())?;
    ways.has_handler = has_handler(server.pid())?;

    // How does it take a goodbye, and when does the child end?
    let servant = server.servant(&server.holders(&first)?, &before, kind == Kind::Pool);
    if goodbye.is_none() && manner.goodbye == Goodbye::HalfClose && *talk == Talk::default() {
        Goodbye::Bye.say(&first)?;
        // An echo says that it doesn't know the word.
        let echo = first.hear_until(|heard| heard == BYE);
        if echo.is_err_and(|error| !error.is_silent()) && first.hear_out().is_ok() {
            manner.goodbye = Goodbye::Bye;
        }
    }
    let left = Instant::now();
    if manner.goodbye != Goodbye::Bye {
        let _ = manner.goodbye.say(&first); // it may have left by itself
    }
    drop(first);
    let gone = |pid: i32| (ps::state(pid).is_none()).then_some(());
    let other = server.servant(&server.holders(&second)?, &before, kind == Kind::Pool);
    if let Some(servant) = servant {
        let lingering = if kind == Kind::Pool { silence / 2 } else { LINGERING };
        let dead = poll::until(lingering, || (!ps::lives(servant.pid)).then_some(()));
        if dead.is_some() && kind == Kind::Pool {
            ways.kind = Kind::OneEach;
        }
        ways.pace += left.elapsed();
        // The second one's death is not to fall together with this one.
        poll::until(SILENCE / 4, || gone(servant.pid));
    }
    let _ = manner.goodbye.say(&second);
    drop(second);
    if let (Some(other), Kind::Child | Kind::OneEach) = (other, ways.kind) {
        poll::until(SILENCE / 4, || gone(other.pid));
    }
    manner.children = match ways.kind {
        Kind::Child => Children::Forked,
        Kind::OneEach => Children::InAdvance,
        _ => Children::Nobody,
    };
    let patience = patience + 4 * ways.pace.saturating_sub(answer);
    manner.patience = Duration::from_secs_f64(patience.as_secs_f64().round());

    // How soon is a dead child reaped?
    ways.sigchld_later = ways.sigchld;
    if manner.children != Children::Nobody {
        server.set_manner(manner.clone());
        // A slow one is seen to do it once: it is asked many times more.
        let rounds = (ROUNDS as f64 / ways.pace.as_secs_f64().max(1.0)).ceil() as usize;
        ways.lags = lags(&server, rounds).map_err(|error| {
            // Its end shows as a lost connection before /proc knows of it.
            poll::until(SILENCE / 4, || (!ps::lives(server.pid())).then_some(()));
            match server.census() {
                Err(end) if end.is_of_death() => (end.to_string(), Some(Cause::Died)),
                _ => (error.to_string(), None),
            }
        });
        server.rest();
        ways.sigchld_later = Disposition::of(server.pid()).unwrap_or(ways.sigchld);
        let longest = ways.lags.iter().flatten().filter_map(|lag| lag.zombie).max();
        let longest = longest.unwrap_or_default();
        let stays = ways.lags.iter().flatten().any(|lag| lag.zombie.is_none());
        // Who has left one for as long as it was watched has had its grace.
        manner.grace = if stays { GRACE / 2 } else { GRACE.max(3 * longest + GRACE / 2) };
        ways.pace += longest;
    }

    // How many does it serve at once? And is it one that can't run twice: with a lock, say?
    let another = start(&manner);
    ways.alone = another.is_err();
    drop(server);
    let another = another.or_else(|_| start(&manner))?;
    if ways.kind != Kind::OneByOne {
        ways.at_once = at_once(&another, silence)?;
    }
    Ok((manner, ways))
}

/// Why the first client wasn't served, what came in place of the answer, and what to do about it.
fn explained(
    error: &client::Error,
    talk: &Talk,
    client: &mut Conversation,
    server: &Server,
) -> Error {
    let printable = |bytes: &[u8]| {
        let text: String = String::from_utf8_lossy(bytes).chars().take(60).collect();
        text.escape_default().to_string()
    };
    let what = if talk.hears.is_none() { "no echo server" } else { "not the answer" };
    let said = printable(&talk.says);
    let Some(heard) = error.heard_instead() else {
        let complains = !server.log().stderr().is_empty() || !ps::lives(server.pid());
        let ended = if complains { server.log().said() } else { String::new() };
        return Error::new(format!(
            "{what}: it was sent \"{said}\", but {error}{ended}; say how it talks by --send, \
             --expect, --first and --bye"
        ));
    };
    // What comes within a moment more, and what somebody hears who says nothing.
    let rest = |client: &mut Conversation| {
        let heard = client.set_patience(SILENCE / 4).and_then(|()| client.hear_until(|_| false));
        heard.err().and_then(|error| error.heard_instead().map(<[u8]>::to_vec)).unwrap_or_default()
    };
    let heard = printable(&[heard, &rest(client)].concat());
    let first = server.connect().map(|mut other| rest(&mut other)).unwrap_or_default();
    let (spoke, option) = match (first.is_empty(), &talk.greeting) {
        (false, None) => ("speaks first: ", "--first, "),
        _ => ("", ""),
    };
    Error::new(format!(
        "{what}: it was sent \"{said}\" and {spoke}said \"{heard}\"; say how it talks by {option}\
         --send for what to send and --expect for what must come back"
    ))
}

/// Who serves these two clients: and the process to watch, the parent of whoever does.
fn who_serves(
    server: &Server,
    before: &[i32],
    first: &Conversation,
    second: &Conversation,
) -> Result<(Kind, Option<i32>)> {
    let [ones, others] = [server.holders(first)?, server.holders(second)?];
    if let Some(servant) = server.servant(&ones, before, false) {
        // The middle one of two forks may need a moment to leave.
        let parent = || Process::new(servant.pid).and_then(|it| it.stat()).map_or(0, |it| it.ppid);
        poll::until(SILENCE / 4, || before.contains(&parent()).then_some(()));
        return Ok(match server.is_foreign(parent()) {
            true => (Kind::Grandchild, None),
            false => (Kind::Child, Some(parent())),
        });
    }
    if server.members().into_iter().any(ps::is_hidden) {
        return Ok((Kind::Hidden, None));
    }
    let Some(&holder) = ones.iter().find(|pid| **pid != server.pid()).or(ones.first()) else {
        return Ok((Kind::Itself, None));
    };
    let parent = Process::new(holder).and_then(|it| it.stat()).map_or(0, |stat| stat.ppid);
    let shared = others.contains(&holder) || holder == server.pid();
    Ok(if shared || server.is_foreign(parent) {
        (Kind::Itself, Some(holder))
    } else {
        (Kind::Pool, Some(parent))
    })
}

fn lags(server: &Server, rounds: usize) -> Result<Vec<Lag>> {
    let mut lags = Vec::new();
    for _ in 0..rounds {
        let lag = one_leaves(server, WATCHED)?;
        let stays = lag.zombie.is_none();
        lags.push(lag);
        if stays {
            break;
        }
    }
    Ok(lags)
}

/// How many of [`MANY`] clients that come together are served.
fn at_once(server: &Server, silence: Duration) -> Result<usize> {
    let talk = &server.manner().talk;
    let mut clients = Vec::new();
    // Who is left in the queue for so long isn't served before somebody leaves.
    while clients.len() < MANY
        && let Ok(client) = accepted_within(server, silence)
    {
        let _ = talk.begin(&client); // who isn't served won't hear
        clients.push(client);
    }
    if talk.says.is_empty() && talk.greeting.is_none() {
        let mut served = 0;
        poll::until(silence, || {
            let held = server.holders_of(&clients).unwrap_or_default();
            served = held.iter().filter(|holders| !holders.is_empty()).count();
            (served == clients.len()).then_some(())
        });
        return Ok(served.max(1));
    }
    // Those that were left waiting have had their time.
    let short = SILENCE / 10;
    let waited = clients.len() < MANY && talk.greeting.is_none();
    let (mut served, mut patience) = (0, if waited { short } else { silence });
    for client in &mut clients {
        client.set_patience(patience)?;
        let heard = talk.be_served(client);
        if heard.is_ok() {
            served += 1;
        } else {
            patience = short; // the others have had as long
        }
    }
    Ok(served.max(1))
}
