//! What a question of the exam is, and what several of them do.

use std::time::{Duration, Instant};

use client::Conversation;
use client::ps::{self, Family};
use procfs::process::Stat;

use super::need::{SPINNING, need};
use super::{Answer, Asked, Cause, Examinee, Seen};
use crate::burst::Burst;
use crate::server::{Server, send};
use crate::story::count;
use crate::{Result, poll};

/// A question of the exam, to a server or to what else sits one.
#[derive(Debug)]
pub struct Question<To = Examinee> {
    /// The question, in a few words.
    pub name: &'static str,
    /// What is done to find out, in a sentence.
    pub done: &'static str,
    /// What to ask next when it fails and nothing was seen that asks for more, and the page.
    pub hint: &'static str,
    pub(super) ask: fn(&To) -> Asked,
}

/// Has another client come and leave; returns in how many milliseconds it was served, or an answer.
pub(super) fn newcomer(server: &Server, when: &str) -> Asked<u128> {
    let start = Instant::now();
    match Burst::connect(server, 1) {
        Ok(burst) => {
            let milliseconds = start.elapsed().as_millis();
            let _ = burst.leave(); // how the server takes a goodbye is another question
            Ok(milliseconds)
        }
        Err(error) => {
            let (state, cause) = condition(server);
            let evidence = format!("{when}: newcomer not served: {error}; server {state}");
            Err(Answer::fails(evidence).because(cause))
        }
    }
}

/// Sends the server a SIGCHLD although nobody has died, and waits until it is taken: before that, a
/// newcomer could still slip into the accept that it interrupts.
pub(super) fn send_stray(server: &Server) -> Result<()> {
    send(server.pid(), libc::SIGCHLD)?;
    let taken = |it: &Family| !it.sigchld_pending || it.sigchld_blocked;
    server.wait_for("the signal to be taken", taken).map(drop)
}

/// The process that serves this client, a `child` or a `worker`.
pub(super) fn servant(server: &Server, client: &Conversation, who: &str) -> Asked<i32> {
    let none = || Answer::cannot(format!("no {who} holds the client's connection"));
    server.serving(client)?.first().copied().ok_or_else(none)
}

/// In what state a server is that does nothing, and whether that tells why: `S in do_wait`.
#[must_use]
pub fn condition(server: &Server) -> (String, Option<Cause>) {
    let pid = server.pid();
    // A process that ends closes its sockets first, and is dead a moment later.
    if ps::dies(pid, Duration::from_millis(200)) {
        return (format!("dead{}", server.log().said()), Some(Cause::Died));
    }
    let state = ps::state(pid).unwrap_or('-');
    let wchan = ps::wchan(pid);
    let spins = need(pid, Duration::from_millis(300)).is_ok_and(|share| share > SPINNING);
    let cause = match wchan.as_deref() {
        _ if spins => Some(Cause::Spins),
        Some("do_wait") if Family::of(pid).is_ok_and(|it| it.alive() > 0) => Some(Cause::Stuck),
        Some(wait) if wait.starts_with("futex") => Some(Cause::Lock),
        _ => None,
    };
    (wchan.map_or(state.to_string(), |wchan| format!("{state} in {wchan}")), cause)
}

/// How often it is looked whether zombies have taken the place of others.
const ROUNDS: usize = 10;

/// Which zombies of a server's are not among those of `before`, once its manner's grace is over:
/// those that served a client, and others.
pub(super) fn new_zombies(server: &Server, before: &[Stat]) -> (Vec<Stat>, Vec<Stat>) {
    let same = |one: &Stat, other: &Stat| (one.pid, one.starttime) == (other.pid, other.starttime);
    let find = || {
        let mut found = server.zombies_and_orphans().0;
        found.retain(|now| !before.iter().any(|old| same(old, now)));
        found
    };
    // Those that go may leave room for others, whose time begins then.
    let mut left = find();
    for _ in 0..ROUNDS {
        poll::until(server.manner().grace, || {
            left.retain(|it| ps::stat(it.pid).is_some_and(|now| same(&now, it)));
            left.is_empty().then_some(())
        });
        if !left.is_empty() {
            let served = server.ever_served();
            return left.into_iter().partition(|stat| served.contains(&stat.pid));
        }
        left = find();
    }
    (Vec::new(), Vec::new())
}

/// Zombies that served nobody, for a sentence: `3 zombies that served nobody (cat, sh)`.
pub(super) fn describe_strangers(strangers: &[Stat]) -> String {
    let mut names: Vec<&str> = strangers.iter().map(|stat| stat.comm.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    format!("{} that served nobody ({})", count(strangers.len(), "zombie"), names.join(", "))
}

/// Whether the server comes to have no more open files than `before`, and how many, for a sentence.
pub(super) fn files_since(server: &Server, before: usize) -> (bool, String) {
    let mut after = before;
    // A thread is still there for a moment when its client has seen the end.
    let fewer = poll::until(server.manner().patience / 2, || {
        after = server.open_files().map_or(after, |open| open.len());
        (after <= before).then_some(())
    });
    (fewer.is_some(), format!("; open files: {before} before, {after} after"))
}

/// What to say of zombies that [went with the next client](Seen::went_with_next).
pub(super) fn describe_going(went_with_next: bool) -> &'static str {
    if went_with_next { "; all gone when the next client came" } else { "" }
}

/// How many of a burst stayed, and, if some did, whether they go when another client comes.
pub(super) fn follow_up(server: &Server, stayed: usize) -> Result<(String, bool)> {
    if stayed == 0 {
        return Ok((String::new(), false));
    }
    let (next, went) = Burst::one_more(server, || Ok(server.census()?.zombies() == 0))?;
    next.leave()?;
    let left = server.at_rest()?.zombies();
    Ok((format!("{}; {left} when one client more had left", describe_going(went)), went))
}

/// What was seen of a burst of `died`, of which `stayed`.
pub(super) fn seen(died: usize, stayed: usize) -> Seen {
    Seen { died, stayed, ..Seen::default() }
}
