use client::poll;
use client::ps::{self, Family};

use crate::burst::Burst;
use crate::exam::question::{new_zombies, newcomer, seen, servant};
use crate::exam::{Answer, Asked, Cause, Examinee, Kind, Question};
use crate::server::send;

pub(super) const QUESTION: Question = Question {
    name: "a worker of the pool is killed: it is reaped and replaced",
    done: "The worker that serves a client is killed with SIGKILL. It must be reaped, there must be \
           as many workers again, and the next client must be served.",
    hint: "who waits for a worker that dies, and who takes its place? docs/exam-reference.md#causes",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&[Kind::Pool, Kind::OneEach])?;
    let server = examinee.start()?;
    server.rest();
    let (before, _) = server.zombies_and_orphans();
    let workers = || Family::of(server.pid()).map_or(0, |it| it.alive());
    let size = workers();
    let burst = Burst::connect(&server, 1)?;
    let worker = servant(&server, &burst.clients()[0], "worker")?;
    send(worker, libc::SIGKILL)?;
    let _ = ps::dies(worker, server.manner().patience);
    burst.close();
    let replaced = poll::until(server.manner().patience, || (workers() >= size).then_some(()));
    let (served, others) = new_zombies(&server, &before);
    let stayed = served.len() + others.len();
    let evidence =
        format!("worker {worker} killed: {stayed} stayed, {} of {size} workers", workers());
    let seen = seen(1, stayed);
    if stayed > 0 || replaced.is_none() {
        let cause = (stayed > 0).then_some(Cause::Worker);
        return Ok(Answer::fails(evidence).seen(seen).because(cause));
    }
    let milliseconds = newcomer(&server, &evidence)?;
    Ok(Answer::holds(format!("{evidence}; next served in {milliseconds} ms")).seen(seen))
}
