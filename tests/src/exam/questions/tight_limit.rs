use std::time::{Duration, Instant};

use client::{poll, ps};
use nix::sys::resource::Resource;

use crate::exam::need::{SPINNING, need};
use crate::exam::question::newcomer;
use crate::exam::{Answer, Asked, Cause, Examinee, Kind, Outcome, Question, condition};
use crate::limits;
use crate::server::Server;

/// How long the server is watched while it can't accept.
const WATCHED: Duration = Duration::from_secs(1);

pub(super) const QUESTION: Question = Question {
    name: "out of descriptors, it waits and comes through",
    done: "The server's limit on open files is set to what it has open (`ulimit -n`), and clients \
           connect; the server's need of a core is watched for a second; then the limit is \
           lifted, and the client that was left waiting must be served.",
    hint: "what does accept do when it is refused, and what does the loop do then? \
           docs/exam.md#what-it-asks",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    if let Kind::Pool | Kind::OneEach = examinee.kind() {
        // The parent's limit would bind those only that it hasn't forked yet, and bind them for good.
        return Ok(Answer::cannot("its workers accept, each under a limit of its own"));
    }
    let server = examinee.start()?;
    with_none_left(&server, examinee.kind()).map_err(|answer| {
        // Its end shows as this or that lost connection, before /proc knows it.
        if answer.outcome == Outcome::Fails && ps::dies(server.pid(), WATCHED) {
            let said = server.log().said();
            let ended = format!("it ended once it was out of descriptors{said}");
            return Answer::fails(ended).because(Some(Cause::Died));
        }
        answer
    })
}

fn with_none_left(server: &Server, kind: Kind) -> Asked {
    let open = server.open_files()?;
    // accept takes the lowest number that is free, and there may be one below the highest.
    let free = (0..).find(|number| !open.contains(number)).map_or(0, i32::unsigned_abs);
    let before = limits::set(server.pid(), Resource::RLIMIT_NOFILE, u64::from(free))?;
    // An accept that waits already has its descriptor set aside: the first client gets that.
    let talk = &server.manner().talk;
    let first = server.connect()?;
    let begun = talk.begin(&first);
    if kind == Kind::OneByOne {
        let _ = first.reset(); // or nobody else is ever accepted
    }
    // Both may be turned away already.
    let mut second = server.connect().ok().filter(|_| begun.is_ok());
    if let Some(second) = &second {
        let _ = talk.begin(second);
    }

    // A wait for nothing but time: spinning is a use of time. It ends early if the server does.
    let share = need(server.pid(), WATCHED)?;
    if let Some(second) = &second
        && !server.holders(second)?.is_empty()
    {
        return Ok(Answer::cannot("the limit did not keep it from accepting"));
    }
    second = second.filter(|client| client.is_open().is_ok());
    let lifted = Instant::now();
    limits::set(server.pid(), Resource::RLIMIT_NOFILE, before)?;
    let refused = format!("refused, it needed a core {:.0}% of the time", share * 100.0);
    let Some(second) = second else {
        // A client that can't be served is told so at once: a policy, if others are served again.
        let mut last = Answer::cannot("no client came");
        let next = || {
            let served = newcomer(server, &format!("{refused}, it turned clients away"));
            served.map_err(|answer| last = answer).ok()
        };
        if poll::until(server.manner().patience, next).is_none() {
            return Ok(last);
        }
        let after = lifted.elapsed().as_millis();
        let evidence = format!("{refused}, and turned clients away; served {after} ms after");
        return Ok(Answer::when(share < SPINNING, evidence));
    };
    if let Err(error) = talk.be_served(&second).and_then(|()| second.is_open()) {
        let (state, cause) = condition(server);
        let evidence = format!("{refused}; with the limit lifted, {error}; server {state}");
        return Ok(Answer::fails(evidence).because(cause));
    }
    let evidence = format!("{refused}; served {} ms after", lifted.elapsed().as_millis());
    Ok(Answer::when(share < SPINNING, evidence))
}
