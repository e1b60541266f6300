//! The questions to a PID 1: what is done, and what was seen.

use std::time::{Duration, Instant};

use client::ps::Family;
use client::signals::bit;
use client::{poll, ps};
use nix::sys::signal::Signal;

use super::{Candidate, ENDING, bursts, ends, one_dies, one_dies_after, others};
use crate::exam::{Answer, Asked, Question, Seen};
use crate::hold::Hold;
use crate::server::{HARMLESS, Role, send};
use crate::{Error, PATIENCE, Result};

/// The questions, in order.
pub static QUESTIONS: [Question<Candidate>; 9] = [
    Question {
        name: "an orphan dies: it is reaped",
        done: "An orphan is left to it, and killed.",
        hint: "who waits for a process that it never started? docs/pid1.md#orphans",
        ask: |candidate| one_dies(&candidate.start()?),
    },
    Question {
        name: "orphans die at once, five, fifty, two hundred: all are reaped",
        done: "So many orphans are left to it, and killed one right after the other.",
        hint: "how does the loop know that nobody dead is left? docs/lesson-03.md#why-while",
        ask: |candidate| {
            bursts(candidate, &[5, 50, 200].map(|orphans| vec![libc::SIGKILL; orphans]), false)
        },
    },
    Question {
        name: "five orphans die while it is held still: all are reaped",
        done: "Five orphans are left to it; it is stopped; all five are killed and die; it runs \
               on. This makes the deaths' signals fall together for certain. Then the same with \
               two hundred.",
        hint: "how many deaths can stand behind one SIGCHLD? docs/lesson-02.md#five-deaths-one-bit",
        ask: |candidate| {
            bursts(candidate, &[5, 200].map(|orphans| vec![libc::SIGKILL; orphans]), true)
        },
    },
    Question {
        name: "orphans die of every deadly signal: all are reaped",
        done: "An orphan is left to it for each deadly signal, the real-time ones included, and \
               killed by that while it is stopped; it runs on.",
        hint: "which status does the loop take for its end? \
               docs/lesson-03.md#what-a-status-can-be-and-why-nobody-looks",
        ask: |candidate| {
            let deadly = (1..=64).filter(|signal| !HARMLESS.contains(signal)).collect();
            bursts(candidate, &[deadly], true)
        },
    },
    Question {
        name: "an orphan is stopped: another one that dies is reaped",
        done: "An orphan is left to it and stopped, which sends it a SIGCHLD although nobody died; \
               then another one is left to it, and killed.",
        hint: "what does a SIGCHLD tell besides a death, and what does a wait do then? \
               docs/lesson-02.md#the-other-way-to-fail",
        ask: |candidate| {
            let server = candidate.start()?;
            let mut hold = None;
            one_dies_after(&server, || {
                hold = Some(Hold::still(server.adopt(1)?[0])?);
                Ok(())
            })
        },
    },
    Question {
        name: "a stray SIGCHLD harms nobody",
        done: "It is sent a SIGCHLD with `kill` when nobody has died; then an orphan is left to \
               it, and killed.",
        hint: "must there be a dead child when a SIGCHLD comes? \
               docs/lesson-02.md#the-other-way-to-fail",
        ask: |candidate| {
            let server = candidate.start()?;
            let taken = |it: &Family| !it.sigchld_pending || it.sigchld_blocked;
            one_dies_after(&server, || {
                send(server.pid(), libc::SIGCHLD)?;
                server.wait_for("the signal to be taken", taken).map(drop)
            })
        },
    },
    Question {
        name: "its own child dies: it ends with 128 + the signal",
        done: "The first child that it has started is killed by SIGKILL, 9.",
        hint: "who waits for the child that it has started? docs/pid1.md#its-own-child",
        ask: own_child,
    },
    Question {
        name: "SIGTERM ends it, within ten seconds",
        done: "All that it has started is stopped, so that a signal which is passed on stays to be \
               seen as pending, and it is sent a SIGTERM. Then again, with nobody stopped but an \
               orphan that was left to it. The same with SIGINT and SIGHUP, and two seconds, which \
               is only told.",
        hint: "what is a signal's default action worth to a PID 1? docs/pid1.md#signals",
        ask: signals,
    },
    Question {
        name: "as no PID 1, it inherits the orphans of its descendants",
        done: "It is started as the child of a PID 1, and stopped; a descendant that has a child \
               is killed, and that child's new parent looked at.",
        hint: "prctl(2), PR_SET_CHILD_SUBREAPER: who sets it? docs/pid1.md#no-pid-1",
        ask: as_subreaper,
    },
];

/// The one about its own child.
pub(super) const OWN_CHILD: usize = 6;

fn own_child(candidate: &Candidate) -> Asked {
    let server = candidate.start()?;
    let own = |pid: &i32| ps::stat(*pid).is_some_and(|it| it.ppid == server.pid());
    let Some(child) = others(&server).into_iter().find(own) else {
        return Ok(Answer::cannot("it has no child of its own"));
    };
    send(child, libc::SIGKILL)?;
    if let Some(how) = ends(&server, Instant::now(), ENDING) {
        let right = how.contains("with exit status 137 ");
        return Ok(if right { Answer::holds(how) } else { Answer::noted(how) });
    }
    if ps::stat(child).is_some() {
        let answer = Answer::fails(format!("child {child} is still a zombie, and it runs on"));
        return Ok(answer.seen(Seen { strangers: 1, ..Seen::default() }));
    }
    Ok(Answer::noted(format!("child {child} is reaped, and it runs on")))
}

/// How long it may take to end of a signal that is only told of, and to pass one on.
const NOTED: Duration = Duration::from_secs(2);

fn signals(candidate: &Candidate) -> Asked {
    let (good, term) = pass(candidate, Signal::SIGTERM, ENDING)?;
    let (_, int) = pass(candidate, Signal::SIGINT, NOTED)?;
    let (_, hup) = pass(candidate, Signal::SIGHUP, NOTED)?;
    Ok(Answer::when(good, [term, int, hup].join(". ")))
}

/// Whether `signal` ends it in this time, and what becomes of it meanwhile.
fn pass(candidate: &Candidate, signal: Signal, within: Duration) -> Result<(bool, String)> {
    let pending = |pid: i32| ps::status(pid).is_ok_and(|it| it.shdpnd & bit(signal as i32) != 0);
    let server = candidate.start()?;
    let others = others(&server);
    let holds = others.iter().map(|pid| Hold::still(*pid)).collect::<Result<Vec<_>>>()?;
    server.signal(signal)?;
    let mut heard = Vec::new();
    poll::until(NOTED, || {
        heard = others.clone();
        heard.retain(|pid| pending(*pid));
        (server.command_ended().is_some() || heard.len() == others.len()).then_some(())
    });
    drop((holds, server));
    let passed = match (heard.len(), others.len()) {
        (_, 0) => "there is nobody to pass it on to".to_owned(),
        (0, _) => "not seen to be passed on".to_owned(),
        (1, 1) => format!("passed on to its child {}", heard[0]),
        (some, all) => format!("passed on to {some} of {all} processes"),
    };
    let server = candidate.start()?;
    let orphan = server.adopt(1)?[0];
    let _hold = Hold::still(orphan)?;
    server.signal(signal)?;
    let (start, mut told) = (Instant::now(), false);
    let end = poll::until(within, || {
        told |= pending(orphan);
        ends(&server, start, Duration::ZERO)
    });
    let orphan = match (told, &end) {
        (true, _) => ", after it was sent to an orphan, too",
        (false, Some(_)) => ", and the kernel ended an orphan with it",
        (false, None) => "",
    };
    let how = end.as_deref().unwrap_or("it runs on");
    Ok((end.is_some(), format!("{signal}: {passed}; {how}{orphan}")))
}

fn as_subreaper(candidate: &Candidate) -> Asked {
    let no = |why: Error| Answer::cannot(format!("as no PID 1 {why}"));
    let server = candidate.start_as(Role::Child).map_err(no)?;
    let parent = |pid: i32| ps::stat(pid).map(|it| it.ppid);
    let descendants = others(&server);
    let has_middle = |pid: &i32| parent(*pid).is_some_and(|it| descendants.contains(&it));
    let Some(child) = descendants.iter().copied().find(has_middle) else {
        let why = "its child has no child; an init could start: sh -c 'sleep 100 & wait'";
        return Ok(Answer::cannot(why));
    };
    let middle = parent(child).unwrap_or_default();
    let _hold = Hold::still(server.pid())?;
    send(middle, libc::SIGKILL)?;
    let new = poll::until(PATIENCE, || parent(child).filter(|it| *it != middle));
    let new = new.ok_or_else(|| Error::new(format!("process {child} is gone")))?;
    let evidence = format!("{middle} killed; its child's new parent is {new}");
    Ok(match new == server.pid() {
        true => Answer::holds(format!("{evidence}, the program: it is a subreaper")),
        false => Answer::noted(format!("{evidence}, and not the program")),
    })
}
