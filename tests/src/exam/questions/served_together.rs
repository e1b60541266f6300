use std::time::Instant;

use crate::burst::Burst;
use crate::exam::{Answer, Asked, Examinee, Kind, Question};

pub(super) const QUESTION: Question = Question {
    name: "five clients are served at the same time",
    done: "Five clients connect, then all speak, then all hear their answer before any leaves; as \
           many as it serves at once, if those are fewer.",
    hint: "what does the parent do while a child serves? docs/wrong-fixes.md#wait-after-fork",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    let kind = examinee.kind().describe();
    if examinee.kind() == Kind::OneByOne {
        return Ok(Answer::fails(format!("a second client was not served; it {kind}")));
    }
    let clients = examinee.at_most(5);
    let server = examinee.start()?;
    let start = Instant::now();
    let unserved = |error| Answer::fails(format!("not all {clients} are served: {error}"));
    let burst = Burst::connect(&server, clients).map_err(unserved)?;
    let elapsed = start.elapsed().as_millis();
    burst.close();
    let most = if clients < 5 { format!("; at most {clients} at once") } else { String::new() };
    Ok(Answer::holds(format!("all {clients} served within {elapsed} ms; it {kind}{most}")))
}
