//! The exam of a program that is to be PID 1 of a PID namespace, as a container's first process is:
//! whether it reaps the orphans that it inherits, passes signals on, and ends well.

use std::ffi::OsString;
use std::time::{Duration, Instant};

use client::{poll, ps};

use super::examinee::STARTING;
use super::question::seen;
use super::report::{counts, total};
use super::sit::{SEATS, side_by_side};
use super::ways::WATCHED;
use super::{Answer, Asked, Outcome, Report, Seen};
use crate::server::{Children, Launch, Manner, Role, Server, send};
use crate::story::Tally;
use crate::{Error, Result};

mod questions;

pub use questions::QUESTIONS;

/// How long it is watched for becoming ready, if it doesn't reap at once.
const SLOW: Duration = Duration::from_secs(10);

/// How long it must have been at rest, if it isn't slow.
const REST: Duration = Duration::from_millis(300);

/// How long it may take to end: as long as `docker stop` waits before it kills.
const ENDING: Duration = Duration::from_secs(10);

/// A program that is to be PID 1.
#[derive(Debug)]
pub struct Candidate {
    launch: Launch,
    /// Whether it can't be started while it runs already: it may have locked a folder.
    alone: bool,
    /// Whether it starts somebody itself.
    has_child: bool,
    /// How long it must have slept to count as ready.
    rest: Duration,
}

/// What is to be said of it.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// Whom it reaps: `everybody`, `its own` children but no orphans, `one per signal`, `nobody`;
    /// `None` where that couldn't be asked, or is something between.
    pub reaps: Option<&'static str>,
    /// The same in a line.
    pub line: String,
}

impl Candidate {
    /// Starts `command` as PID 1, and sees whether it stays.
    ///
    /// # Errors
    /// When no PID namespace can be made here, the command can't be started, or it ends at once.
    pub fn meet(command: &[OsString]) -> Result<Candidate> {
        let manner = Manner { grace: WATCHED, children: Children::Forked, ..Manner::default() };
        let launch = Launch::command(command)?.manner(manner);
        let mut candidate = Candidate { launch, alone: false, has_child: false, rest: REST };
        let (first, start) = (candidate.start()?, Instant::now());
        // It may sleep before it is ready: then some orphans lie, and the next go at once.
        let goes = || lag(&first, SLOW / 10).map(|it| it.1.is_some());
        let at_once = goes()?;
        while !at_once && start.elapsed() < SLOW && !goes()? {}
        if !at_once && goes()? {
            candidate.rest = start.elapsed() * 2;
        }
        let comes = || (!others(&first).is_empty()).then_some(()); // a supervisor's may be late
        candidate.has_child = poll::until(SLOW / 3, comes).is_some();
        candidate.alone = candidate.start().is_err();
        Ok(candidate)
    }

    /// Asks all [`QUESTIONS`], and tells `heard` of each answer in order, with its number.
    #[must_use]
    pub fn sit(&self, heard: &mut dyn FnMut(usize, &Answer)) -> Report<Verdict> {
        let ask = |at: usize| {
            let question = &QUESTIONS[at];
            let (Ok(answer) | Err(answer)) = (question.ask)(self);
            let none = answer.seen.died > 0 && answer.seen.stayed == answer.seen.died;
            let hint = if none { QUESTIONS[0].hint } else { question.hint };
            if answer.outcome == Outcome::Fails { answer.hint(hint) } else { answer }
        };
        let at_once = if self.alone { 1 } else { SEATS };
        let answers = side_by_side((0..QUESTIONS.len()).collect(), at_once, &ask, heard);
        Report { verdict: judge(&answers), answers }
    }

    /// Starts it as PID 1 and waits until it has come to rest.
    fn start(&self) -> Result<Server> {
        self.start_as(Role::Pid1)
    }

    /// The same, or as another process in a PID namespace.
    fn start_as(&self, role: Role) -> Result<Server> {
        let server = self.launch.clone().start_inside(role)?;
        let (mut since, mut before) = (Instant::now(), (Vec::new(), None));
        let rests = poll::until(STARTING, || {
            if let Some(how) = server.command_ended() {
                return Some(Err(how));
            }
            let used = ps::stat(server.pid()).map(|it| (it.state, it.utime + it.stime));
            let now = (server.members(), used);
            let waits = role == Role::Pid1 && self.has_child && others(&server).is_empty();
            if waits || now != before || used.is_none_or(|it| it.0 != 'S') {
                (since, before) = (Instant::now(), now);
            }
            (since.elapsed() > self.rest).then_some(Ok(()))
        });
        if let Some(Err(how)) = rests {
            let said = server.log().last_words();
            return Err(Error::of_death(format!("it ended at once {how}, and was to go on{said}")));
        }
        Ok(server) // one that never rests is left to itself
    }
}

/// Has bursts of orphans die of these signals, while PID 1 is held still if `held`; none may stay.
fn bursts(candidate: &Candidate, bursts: &[Vec<i32>], held: bool) -> Asked {
    let (mut parts, mut seen) = (Vec::new(), Seen::default());
    for signals in bursts {
        let server = candidate.start()?;
        let before = server.census()?;
        let orphans = server.adopt(signals.len())?;
        let hold = if held { Some(server.hold()?) } else { None };
        for (orphan, signal) in orphans.iter().zip(signals) {
            send(*orphan, *signal)?;
        }
        server.wait_for("every orphan to die", |family| family.alive() == 0)?;
        drop(hold);
        let tally = Tally::of(signals.len(), &before, &server.settled()?);
        parts.push(format!("{} of {} stayed", tally.zombies, tally.children));
        seen.died += tally.children;
        seen.stayed += tally.zombies;
        seen.held.extend(held.then_some(tally));
        if tally.zombies > 0 && !held {
            break; // more would tell no more
        }
    }
    Ok(Answer::when(seen.stayed == 0, parts.join("; ")).seen(seen))
}

/// Leaves an orphan to PID 1 and kills it; returns it, and how long it takes until it is reaped.
fn lag(server: &Server, within: Duration) -> Result<(i32, Option<Duration>)> {
    let orphan = server.adopt(1)?[0];
    let start = Instant::now();
    send(orphan, libc::SIGKILL)?;
    let gone = || ps::stat(orphan).is_none().then(|| start.elapsed());
    Ok((orphan, poll::until(within, gone)))
}

/// The same: it may not stay.
fn one_dies(server: &Server) -> Asked {
    let (orphan, lag) = lag(server, WATCHED)?;
    let _ = ps::dies(server.pid(), Duration::from_millis(100)); // it ends after its orphans do
    server.census()?;
    let evidence = match lag {
        Some(lag) => format!("orphan {orphan}: reaped after {} ms", lag.as_millis()),
        None => format!("orphan {orphan}: still a zombie after {} ms", WATCHED.as_millis()),
    };
    Ok(Answer::when(lag.is_some(), evidence).seen(seen(1, usize::from(lag.is_none()))))
}

/// The same after something that may do harm, unless an orphan stays without it, too.
fn one_dies_after<T>(server: &Server, harm: impl FnOnce() -> Result<T>) -> Asked {
    if one_dies(server)?.outcome == Outcome::Fails {
        return Ok(Answer::cannot("an orphan isn't reaped without that, either"));
    }
    let _harm = harm()?;
    one_dies(server)
}

/// How a program has ended, and when, if it does in this time since `start`.
fn ends(server: &Server, start: Instant, within: Duration) -> Option<String> {
    let left = within.saturating_sub(start.elapsed());
    let how = poll::until(left, || Some((server.command_ended()?, start.elapsed())));
    how.map(|(how, lag)| format!("it ended {how} after {} ms", lag.as_millis()))
}

/// The live processes inside that aren't orphans of ours, nor PID 1: parents before their children.
fn others(server: &Server) -> Vec<i32> {
    let orphans = server.ever_served();
    let mut others = server.members();
    others.retain(|pid| ![server.pid(), server.command()].contains(pid));
    others.retain(|pid| !orphans.contains(pid) && ps::lives(*pid));
    others
}

fn judge(answers: &[Answer]) -> Verdict {
    let all = total(answers);
    let one_each = |it: &Tally| it.reaped == 1 && it.children > 1;
    let (orphan, own) = (&answers[0].seen, &answers[questions::OWN_CHILD]);
    let (reaps, line) = if orphan.died == 0 || all.held.is_empty() {
        (None, "whom it reaps couldn't be asked".to_owned())
    } else if all.stayed == 0 {
        let fails = answers.iter().position(|it| it.outcome == Outcome::Fails);
        let but = |at| format!("reaps everybody, but fails question {}", at + 1);
        (Some("everybody"), fails.map_or("reaps: fit to be PID 1".to_owned(), but))
    } else if orphan.stayed == 0 && all.held.iter().all(one_each) {
        (Some("one per signal"), "one wait per signal: leaks under load".to_owned())
    } else if all.stayed < all.died {
        (None, format!("leaves zombies: {} of {} stayed", all.stayed, all.died))
    } else if own.outcome != Outcome::CannotBeAsked && own.seen.strangers == 0 {
        let line = "reaps its own children only: give it an init (docker run --init)";
        (Some("its own"), line.to_owned())
    } else {
        (Some("nobody"), "reaps nobody: give it an init (docker run --init)".to_owned())
    };
    Verdict { reaps, line: format!("{line}; {}", counts(answers)) }
}
