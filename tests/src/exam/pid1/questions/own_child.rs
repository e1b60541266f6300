use std::time::Instant;

use client::ps;

use crate::exam::pid1::{Candidate, ENDING, ends, others};
use crate::exam::{Answer, Asked, Question, Seen};
use crate::server::send;

pub(super) const QUESTION: Question<Candidate> = Question {
    name: "its own child dies: it ends with 128 + the signal",
    done: "The first child that it has started is killed by SIGKILL, 9.",
    hint: "who waits for the child that it has started? docs/pid1.md#its-own-child",
    ask,
};

fn ask(candidate: &Candidate) -> Asked {
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
