use client::poll;

use crate::burst::Burst;
use crate::exam::{Answer, Asked, Examinee, Kind, Question};

pub(super) const QUESTION: Question = Question {
    name: "a client sees end-of-file once its child has gone",
    done: "A client says goodbye and waits for end-of-file; before that, the server's open files \
           are searched for a copy of the connection.",
    hint: "who holds the connection once the child is gone? docs/lesson-01.md#who-closes-what",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    let server = examinee.start()?;
    let burst = Burst::connect(&server, 1)?;
    let client = &burst.clients()[0];
    // The child may be quicker to echo than its parent is to close.
    let closed = poll::until(server.manner().patience / 2, || {
        server.holders(client).is_ok_and(|pids| !pids.contains(&server.pid())).then_some(())
    });
    burst.leave()?;
    let copy = if closed.is_some() { "keeps no copy" } else { "keeps a copy" };
    let lost = |error| Answer::fails(format!("the parent {copy}: {error}"));
    let words = client.hear_out().map_err(lost)?;
    let after = if words.is_empty() { "" } else { " after some last words" };
    Ok(Answer::when(closed.is_some(), format!("end-of-file{after}; the parent {copy}")))
}
