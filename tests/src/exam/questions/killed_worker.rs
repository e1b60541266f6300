use client::{poll, ps};

use super::super::answer::{Answer, Cause, Seen};
use super::super::examinee::Examinee;
use super::super::question::{Question, new_zombies, newcomer};
use super::super::ways::Kind;
use crate::Result;
use crate::burst::Burst;
use crate::server::send;

pub(super) const QUESTION: Question = Question {
    name: "a worker of the pool is killed: it is reaped and replaced",
    done: "The worker that serves a client is killed with SIGKILL. It must be reaped, there must be \
           as many workers again, and the next client must be served.",
    hint: "who waits for a worker that dies, and who takes its place? docs/exam-reference.md#causes",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if !matches!(examinee.kind(), Kind::Pool | Kind::OneEach) {
        return Ok(Answer::cannot(format!("it {}", examinee.kind().describe())));
    }
    let server = examinee.start()?;
    server.rest();
    let (before, _) = server.zombies_and_orphans();
    let workers = || {
        ps::children_of(server.pid()).map_or(0, |it| it.iter().filter(|it| !it.is_zombie()).count())
    };
    let size = workers();
    let burst = Burst::connect(&server, 1)?;
    let Some(&worker) = server.serving(&burst.clients()[0])?.first() else {
        return Ok(Answer::cannot("no worker holds the client's connection"));
    };
    send(worker, libc::SIGKILL)?;
    poll::until(server.manner().patience, || (!ps::lives(worker)).then_some(()));
    burst.close();
    let replaced = poll::until(server.manner().patience, || (workers() >= size).then_some(()));
    let (served, others) = new_zombies(&server, &before);
    let stayed = served.len() + others.len();
    let told = format!("worker {worker} killed: {stayed} stayed, {} of {size} workers", workers());
    let seen = Seen { died: 1, stayed, ..Seen::default() };
    if stayed > 0 {
        return Ok(Answer::fails(told).seen(seen).because(Some(Cause::Worker)));
    }
    if replaced.is_none() {
        return Ok(Answer::fails(told).seen(seen));
    }
    Ok(match newcomer(&server, &told) {
        Err(answer) => answer,
        Ok(milliseconds) => {
            Answer::holds(format!("{told}; next served in {milliseconds} ms")).seen(seen)
        }
    })
}
