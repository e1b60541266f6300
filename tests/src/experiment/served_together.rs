use std::time::Instant;

use crate::Result;
use crate::burst::Burst;
use crate::exam::{Answer, Examinee, Question};

pub(super) const QUESTION: Question = Question {
    name: "five clients are served at the same time",
    done: "Five clients connect, then all speak, then all hear their echo before any leaves.",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    const CLIENTS: usize = 5;
    let server = examinee.start()?;
    let start = Instant::now();
    let burst = match Burst::connect(&server, CLIENTS) {
        Ok(burst) => burst,
        Err(error) => return Ok(Answer::fails(format!("not all {CLIENTS} hear an echo: {error}"))),
    };
    let elapsed = start.elapsed().as_millis();
    burst.close();
    let kind = examinee.kind().describe();
    Ok(Answer::holds(format!("all served within {elapsed} ms; it {kind}")))
}
