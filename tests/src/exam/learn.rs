//! Getting to know a server: how it talks, who serves how many, how soon the dead are reaped.

use std::time::{Duration, Instant};

use client::{BYE, Conversation, ps};
use procfs::process::Stat;

use super::ways::{Disposition, Kind, WATCHED, Ways, has_handler};
use crate::burst::accepted_within;
use crate::experiment::{Lag, one_leaves};
use crate::server::{Children, Goodbye, Manner, Server, Talk};
use crate::{About, Error, Result, poll};

/// How long a server of unknown make may take for its first answer.
const FIRST_ANSWER: Duration = Duration::from_secs(20);

/// How long it may take for anything else, its own delay before an answer not counted.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long to wait before a silence counts as a server's way and not as slowness.
const SILENCE: Duration = Duration::from_secs(2);

/// How long a child may take to end once its client has left.
const LINGERING: Duration = Duration::from_secs(15);

/// How many clients leave, one by one: who looks for the dead now and then may be in luck once.
const ROUNDS: usize = 4;

/// How long a zombie of a server that reaps at once may lie elsewhere.
const GRACE: Duration = Duration::from_secs(2);

/// As many clients as are ever asked with at once.
const MANY: usize = 100;

/// Gets to know the server that `start` starts. `alone` says that no second one can run beside it.
pub(super) fn learn(
    start: impl Fn(&Manner) -> Result<Server>,
    talk: &Talk,
    goodbye: Option<Goodbye>,
    alone: bool,
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

    let (first, second, answer) = first_clients(&server, &mut manner, goodbye.is_none())?;
    let silence = SILENCE + 2 * answer;
    server.manner = manner.clone();
    let talk = &manner.talk.clone();

    // By whom are they served?
    let is_held = || server.holders(&second).is_ok_and(|it| !it.is_empty()).then_some(());
    let served = talk.begin(&second).and_then(|()| talk.be_served(&second)).is_ok();
    let together =
        served && (!talk.says.is_empty() || poll::until(manner.patience, is_held).is_some());
    let (kind, served_by) = who_serves(&server, &before, &first, &second)?;
    let found = server.pid();
    if let Some(pid) = served_by {
        server.watch(pid);
    }
    server.rest();
    let sigchld = Disposition::of(server.pid())?;
    let mut ways = Ways {
        kind: if together { kind } else { Kind::OneByOne },
        sigchld,
        has_handler: has_handler(server.pid())?,
        sigchld_later: sigchld,
        lags: Ok(Vec::new()),
        at_once: 1,
        pace: answer,
        alone,
        worker: served_by.is_some_and(|pid| pid != found),
    };

    let servant = |client| {
        let holders = server.holders(client);
        holders.map(|holders| server.servant(&holders, &before, kind == Kind::Pool))
    };
    let servants = [servant(&first)?, servant(&second)?];
    if goodbye.is_none() && *talk == Talk::default() && knows_bye(&first)? {
        manner.goodbye = Goodbye::Bye;
    }
    leave([first, second], servants, &mut ways, &manner.goodbye, silence);
    manner.children = match ways.kind {
        Kind::Child => Children::Forked,
        Kind::OneEach => Children::InAdvance,
        _ => Children::Nobody,
    };
    manner.patience = whole_seconds(PATIENCE + 4 * ways.pace);
    if manner.children != Children::Nobody {
        server.manner = manner.clone();
        watch_deaths(&server, &mut ways);
        manner.grace = grace(&ways);
    }

    // How many does it serve at once? And is it one that can't run twice: with a lock, say?
    let another = if alone { None } else { start(&manner).ok() };
    ways.alone = another.is_none();
    drop(server);
    let another = another.map_or_else(|| start(&manner), Ok)?;
    if ways.kind != Kind::OneByOne {
        ways.at_once = at_once(&another, silence)?;
    }
    Ok((manner, ways))
}

/// Two clients that come at the same time, the first of them served, and how soon: a delay before
/// each echo is a server's own affair. `asks` says that the end of a conversation is still unknown.
fn first_clients(
    server: &Server,
    manner: &mut Manner,
    asks: bool,
) -> Result<(Conversation, Conversation, Duration)> {
    let talk = manner.talk.clone();
    let began = Instant::now();
    let (mut first, mut second) = (server.connect()?, server.connect()?);
    talk.begin(&first)?;
    if let Err(error) = talk.be_served(&first) {
        return Err(explained(&error, &talk, &mut first, server));
    }
    let answer = began.elapsed();
    manner.patience = whole_seconds(PATIENCE + 4 * answer);
    first.set_patience(SILENCE + 2 * answer)?;
    second.set_patience(manner.patience)?;

    // Does it hang up once it has answered, as HTTP does? Then who stays asks for nothing.
    let answers = talk.hears.is_some() && !talk.says.is_empty();
    if answers && asks && first.hear_out().is_ok() {
        manner.goodbye = Goodbye::Words(talk.says.clone());
        manner.talk = Talk { says: Vec::new(), ..talk };
        (first, second) = (server.connect()?, server.connect()?);
        manner.talk.be_served(&first)?;
    }
    Ok((first, second, answer))
}

fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs_f64(time.as_secs_f64().round())
}

/// Whether a server hangs up at `Bye`: others echo it, or wait for the end of the line.
fn knows_bye(client: &Conversation) -> Result<bool> {
    Goodbye::Bye.say(client)?;
    let echo = client.hear_until(|heard| heard == BYE);
    Ok(echo.is_err_and(|error| !error.is_silent()) && client.hear_out().is_ok())
}

/// Has both clients leave, one after the other; when do those who served them end?
fn leave(
    clients: [Conversation; 2],
    servants: [Option<Stat>; 2],
    ways: &mut Ways,
    goodbye: &Goodbye,
    silence: Duration,
) {
    let mut lingering = if ways.kind == Kind::Pool { silence / 2 } else { LINGERING };
    let began = Instant::now();
    for (at, (client, servant)) in clients.into_iter().zip(servants).enumerate() {
        let _ = goodbye.say(&client); // it may have left already
        drop(client);
        let Some(Stat { pid, .. }) = servant else { continue };
        let dead = ps::dies(pid, lingering);
        if at == 0 {
            ways.pace += began.elapsed();
        }
        if !dead {
            lingering = Duration::ZERO;
            continue;
        }
        if ways.kind == Kind::Pool {
            ways.kind = Kind::OneEach;
        }
        poll::until(SILENCE / 4, || ps::state(pid).is_none().then_some(()));
    }
}

/// How soon is a dead child reaped, and what is done about SIGCHLD then?
fn watch_deaths(server: &Server, ways: &mut Ways) {
    // A slow one is seen to do it once: it is asked many times more.
    let rounds = (ROUNDS as f64 / ways.pace.as_secs_f64().max(1.0)).ceil() as usize;
    ways.lags = lags(server, rounds).map_err(|error| {
        // Its end shows as a lost connection before /proc knows of it.
        let _ = ps::dies(server.pid(), SILENCE / 4);
        server.census().err().filter(|it| it.about == About::Death).unwrap_or(error).into()
    });
    server.rest();
    ways.sigchld_later = Disposition::of(server.pid()).unwrap_or(ways.sigchld);
    ways.pace += ways.longest_lag();
}

/// How long a zombie may lie from now on. Who has left one all the time has had its grace.
fn grace(ways: &Ways) -> Duration {
    let stays = ways.lags.iter().flatten().any(|lag| lag.zombie.is_none());
    if stays { GRACE / 2 } else { GRACE.max(3 * ways.longest_lag() + GRACE / 2) }
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
        let ended = if complains { server.log().last_words() } else { String::new() };
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

/// Who serves these two clients: and the process to watch, the parent of the one that does.
fn who_serves(
    server: &Server,
    before: &[i32],
    first: &Conversation,
    second: &Conversation,
) -> Result<(Kind, Option<i32>)> {
    let others = server.holders(second)?;
    let mut ones = Ok(Vec::new());
    // One look at a busy machine's /proc isn't enough to say that nobody was forked for it.
    let servant = poll::until(SILENCE / 4, || {
        ones = server.holders(first);
        server.servant(ones.as_ref().ok()?, before, false)
    });
    let ones = ones?;
    if let Some(servant) = servant {
        // The middle one of two forks may need a moment to leave.
        let parent = || ps::stat(servant.pid).map_or(0, |it| it.ppid);
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
    let parent = ps::stat(holder).map_or(0, |stat| stat.ppid);
    let shared = others.contains(&holder) || holder == server.pid();
    let itself = shared || server.is_foreign(parent);
    Ok(if itself { (Kind::Itself, Some(holder)) } else { (Kind::Pool, Some(parent)) })
}

fn lags(server: &Server, rounds: usize) -> Result<Vec<Lag>> {
    let mut lags: Vec<Lag> = Vec::new();
    while lags.len() < rounds && lags.iter().all(|lag| lag.zombie.is_some()) {
        lags.push(one_leaves(server, WATCHED)?);
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
        match talk.be_served(client) {
            Ok(()) => served += 1,
            Err(_) => patience = short, // the others have had as long
        }
    }
    Ok(served.max(1))
}
