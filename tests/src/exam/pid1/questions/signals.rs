use std::time::{Duration, Instant};

use client::signals::bit;
use client::{poll, ps};
use nix::sys::signal::Signal;

use crate::Result;
use crate::exam::pid1::{Candidate, ENDING, ends, others};
use crate::exam::{Answer, Asked, Question};
use crate::hold::Hold;

pub(super) const QUESTION: Question<Candidate> = Question {
    name: "SIGTERM ends it, within ten seconds",
    done: "All that it has started is stopped, so that a signal which is passed on stays to be seen as \
           pending, and it is sent a SIGTERM. Then again, with nobody stopped but an orphan that was left \
           to it. The same with SIGINT and SIGHUP, and two seconds, which is only told.",
    hint: "what is a signal's default action worth to a PID 1? docs/pid1.md#signals",
    ask,
};

/// How long it may take to end of a signal that is only told of, and to pass one on.
const NOTED: Duration = Duration::from_secs(2);

fn ask(candidate: &Candidate) -> Asked {
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
