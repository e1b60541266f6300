//! The lessons' own questions, put to a server: what is done, and what was seen.

use std::time::{Duration, Instant};

use client::Conversation;

use crate::burst::Burst;
use crate::server::{ANYWHERE, Launch, Server};
use crate::story::{Story, Tally, count};
use crate::{Error, PATIENCE, Result, lessons, poll};

/// Has `clients` clients leave together while the server runs on: the race as it is in life.
///
/// How many deaths fall together is up to the scheduler, so for a server that waits once per
/// SIGCHLD this gives another number from run to run: show it, don't assert it.
///
/// # Errors
/// When a client isn't served, or the server doesn't settle.
pub fn on_their_own(server: &Server, clients: usize) -> Result<Tally> {
    let before = server.census()?;
    let burst = Burst::connect(server, clients)?;
    burst.leave()?;
    let left = server.settled()?;
    burst.close();
    Ok(Tally::of(clients, &before, &left))
}

/// Has `clients` clients come and leave one after another; the next comes when the server has
/// settled. No two deaths fall together, so one wait for each SIGCHLD is enough. The zombies are
/// counted after the last: one that the next client has had collected has not stayed.
///
/// # Errors
/// When a client isn't served, or the server doesn't settle.
pub fn one_after_another(server: &Server, clients: usize) -> Result<Tally> {
    let before = server.census()?;
    for _ in 0..clients {
        on_their_own(server, 1)?;
    }
    Ok(Tally::of(clients, &before, &server.census()?))
}

/// Has `clients` clients leave while the server is held still, so that all of its children are
/// dead before it can answer a single SIGCHLD; then lets it run and counts.
///
/// This makes exact what is a race otherwise: the deaths share one pending bit (signal(7):
/// standard signals do not queue), so a handler that waits once reaps exactly one.
///
/// # Errors
/// When a client isn't served, or a step isn't seen to happen in time.
pub fn held_still(server: &Server, clients: usize) -> Result<(Story, Tally)> {
    held_still_until(server, clients, |_| Ok(()))
}

/// The same; `then` is called with the story so far when all children are dead, and the server
/// runs on once it has returned.
///
/// # Errors
/// As for [`held_still`], and those of `then`.
pub fn held_still_until(
    server: &Server,
    clients: usize,
    then: impl FnOnce(&Story) -> Result<()>,
) -> Result<(Story, Tally)> {
    let before = server.census()?;
    let leave = if clients == 1 { "leaves" } else { "leave" };
    let who = count(clients, "client");
    let mut story = Story::new(format!("{who} {leave} while it is held still"));

    let burst = Burst::connect(server, clients)?;
    server.rest();
    let served = server.wait_for("every client's child to sleep", |family| {
        let new =
            family.children.iter().filter(|it| before.children.iter().all(|old| old.pid != it.pid));
        new.clone().count() == clients && new.clone().all(|child| "SZ".contains(child.state))
    })?;
    story.step(format!("{who} served"), &served, 0);

    let hold = server.hold()?;
    story.step("SIGSTOP", &server.census()?, 0);

    burst.leave()?;
    let dead = server.wait_for("every child to die", |family| family.alive() == 0)?;
    story.step(server.manner().goodbye.describe(), &dead, clients);
    burst.close();
    then(&story)?;

    hold.release();
    let left = server.settled()?;
    story.step("SIGCONT", &left, clients);

    let tally = Tally::of(clients, &before, &left);
    story.end(tally);
    Ok((story, tally))
}

/// What became of a child once its client had left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lag {
    /// How long its client had left when it died.
    pub lingered: Duration,
    /// How long it was a zombie; `None` if it still was after the time it was watched.
    pub zombie: Option<Duration>,
    /// Whether it went when the next client came, if it was still a zombie then.
    pub went_with_next: bool,
}

/// Has one client come, be served and leave, and watches its child die and be reaped: as a zombie
/// it is watched for `watched`.
///
/// # Errors
/// When a client isn't served, or its child doesn't die.
pub fn one_leaves(server: &Server, watched: Duration) -> Result<Lag> {
    let burst = Burst::connect(server, 1)?;
    let left = Instant::now();
    burst.leave()?;
    server.wait_for("the child to die", |family| family.alive() == 0)?;
    let (lingered, died) = (left.elapsed(), Instant::now());
    let reaped = || server.census().map(|it| (it.zombies() == 0).then_some(())).transpose();
    if let Some(reaped) = poll::until(watched, reaped) {
        reaped?;
        return Ok(Lag { lingered, zombie: Some(died.elapsed()), went_with_next: false });
    }
    burst.close();
    let (_next, went_with_next) = Burst::one_more(server, || Ok(server.census()?.zombies() == 0))?;
    Ok(Lag { lingered, zombie: None, went_with_next })
}

/// Why a limit on processes may be none: what to say when [`refuses_a_fork`] at 1 is false.
pub const ROOT_IS_SPARED: &str = "no limit on processes binds root, who may not start a server as \
                                  another user here (CAP_SETUID)";

/// Whether the kernel refuses a fork to a server that is started with
/// [`processes(limit)`](Launch::processes), itself counted.
///
/// A limit of 1 always does, unless root is spared ([`ROOT_IS_SPARED`]). A limit of 2 has room for
/// a child, unless the server shares its count with other processes.
///
/// # Errors
/// When no server can be started.
pub fn refuses_a_fork(limit: u64) -> Result<bool> {
    let server =
        Launch::lesson(lessons::program("lesson-01")?, ANYWHERE).processes(limit).start()?;
    let _client = Conversation::connect(server.addr(), PATIENCE)?;
    let refused = poll::until(PATIENCE, || {
        let said = server.log().text();
        let refused = said.contains("cannot fork");
        (refused || said.contains(" serves ")).then_some(refused)
    });
    refused.ok_or_else(|| Error::new(format!("a server said nothing of its client: {server:?}")))
}
