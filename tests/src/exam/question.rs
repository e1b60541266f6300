//! What a question of the exam is, and what several of them do.

use std::thread::sleep;
use std::time::{Duration, Instant};

use client::ps;
use procfs::process::{Process, Stat};

use super::answer::{Answer, Cause, Seen};
use super::examinee::Examinee;
use super::need::{Need, SPINNING};
use crate::burst::Burst;
use crate::server::Server;
use crate::story::count;
use crate::{Result, poll};

/// A question of the exam.
#[derive(Debug)]
pub struct Question {
    /// The question, in a few words.
    pub name: &'static str,
    /// What is done to find out, in a sentence.
    pub done: &'static str,
    /// What to ask next when it fails and nothing was seen that asks for more, and the page.
    pub hint: &'static str,
    /// Does it. An error is a failed answer: the server did something that no step expects.
    pub ask: fn(&Examinee) -> Result<Answer>,
}

/// Has another client come, be served and leave; returns the milliseconds it took, or an answer
/// that tells what was seen instead, and begins with `when`.
pub(super) fn newcomer(server: &Server, when: &str) -> std::result::Result<u128, Answer> {
    let start = Instant::now();
    match Burst::connect(server, 1) {
        Ok(burst) => {
            let milliseconds = start.elapsed().as_millis();
            let _ = burst.leave(); // it has been served; how the server takes a goodbye is another question
            Ok(milliseconds)
        }
        Err(error) => {
            let (state, cause) = condition(server);
            let told = format!("{when}: newcomer not served: {error}; server {state}");
            Err(Answer::fails(told).because(cause))
        }
    }
}

/// In what state a server is that does nothing, and whether that tells why: `S in do_wait`.
#[must_use]
pub fn condition(server: &Server) -> (String, Option<Cause>) {
    let pid = server.pid();
    // A process that ends closes its sockets first, and is dead a moment later.
    if poll::until(Duration::from_millis(200), || (!ps::lives(pid)).then_some(())).is_some() {
        return (format!("dead{}", server.log().said()), Some(Cause::Died));
    }
    let state = ps::state(pid).unwrap_or('-');
    let process = Process::new(pid);
    let wchan = process.as_ref().ok().and_then(|it| it.wchan().ok()).unwrap_or_default();
    let (start, before) = (Instant::now(), Need::of(pid));
    // A wait for nothing but time: spinning is a use of time.
    sleep(Duration::from_millis(300));
    let spins = before.is_ok_and(|before| {
        let now = Need::of(pid);
        now.is_ok_and(|now| before.share_until(&now, start.elapsed()) > SPINNING)
    });
    let children = ps::children_of(pid).unwrap_or_default();
    let cause = match wchan.as_str() {
        _ if spins => Some(Cause::Spins),
        "do_wait" if children.iter().any(|child| !child.is_zombie()) => Some(Cause::Stuck),
        wait if wait.starts_with("futex") => Some(Cause::Lock),
        _ => None,
    };
    match wchan.as_str() {
        "" | "0" => (state.to_string(), cause),
        wchan => (format!("{state} in {wchan}"), cause),
    }
}

/// How often zombies may take the place of others before they count as ones that stay.
const ROUNDS: usize = 10;

/// Which zombies of a server's are not among those of `before`, once nobody of it has anything left
/// to do: those that served a client, and others. As long as there are some, their parents get the
/// grace that the server's manner allows.
pub(super) fn new_zombies(server: &Server, before: &[Stat]) -> (Vec<Stat>, Vec<Stat>) {
    let same = |one: &Stat, other: &Stat| (one.pid, one.starttime) == (other.pid, other.starttime);
    let find = || {
        let mut found = server.zombies_and_orphans().0;
        found.retain(|now| !before.iter().any(|old| same(old, now)));
        found
    };
    // Those that go may leave room for others, whose time begins then.
    let (mut left, mut stay) = (find(), Vec::new());
    for _ in 0..ROUNDS {
        poll::until(server.manner().grace, || {
            left.retain(|it| {
                let now = ps::stat(it.pid);
                now.is_some_and(|now| same(&now, it))
            });
            left.is_empty().then_some(())
        });
        if !left.is_empty() {
            stay = left;
            break;
        }
        left = find();
    }
    let served = server.ever_served();
    stay.into_iter().partition(|stat| served.contains(&stat.pid))
}

/// Zombies that served nobody, for a sentence: `3 zombies that served nobody (cat, sh)`.
pub(super) fn strangers_told(strangers: &[Stat]) -> String {
    let mut names: Vec<&str> = strangers.iter().map(|stat| stat.comm.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    format!("{} that served nobody ({})", count(strangers.len(), "zombie"), names.join(", "))
}

/// How many of a burst stayed, and, if some did, whether they go when another client comes.
pub(super) fn follow_up(server: &Server, stayed: usize) -> Result<(String, bool)> {
    if stayed == 0 {
        return Ok((String::new(), false));
    }
    let (next, went) = Burst::one_more(server, || Ok(server.census()?.zombies() == 0))?;
    next.leave()?;
    let left = server.at_rest()?.zombies();
    let when = if went { "; all gone when the next client came" } else { "" };
    Ok((format!("{when}; {left} when one client more had left"), went))
}

/// What was seen of a burst of `died`, of which `stayed`.
pub(super) fn seen(died: usize, stayed: usize) -> Seen {
    Seen { died, stayed, ..Seen::default() }
}
