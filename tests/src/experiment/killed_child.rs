use std::time::Instant;

use crate::Result;
use crate::burst::{Burst, HELLO};
use crate::exam::{Answer, Examinee, Kind, Question};
use crate::server::send;

pub(super) const QUESTION: Question = Question {
    name: "a child is killed: its client sees the end, the others go on",
    done: "Of three clients, the first one's child is killed with SIGKILL; that client waits for \
           the end of its connection, the others speak again.",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if !matches!(examinee.kind(), Kind::Child | Kind::Grandchild) {
        return Ok(Answer::cannot(format!("it {}", examinee.kind().describe())));
    }
    let server = examinee.start()?;
    let burst = Burst::connect(&server, 3)?;
    let [bereft, others @ ..] = burst.clients() else { unreachable!("a burst of three") };
    let Some(&child) = server.serving(bereft)?.first() else {
        return Ok(Answer::cannot("no child holds the client's connection"));
    };
    let start = Instant::now();
    send(child, libc::SIGKILL)?;
    if let Err(error) = bereft.hear_end()
        && error.is_silent()
    {
        let holders = server.holders(bereft)?;
        return Ok(Answer::fails(format!("{error}; {holders:?} still hold its connection")));
    }
    let milliseconds = start.elapsed().as_millis();
    Ok(match others.iter().try_for_each(|client| client.say(HELLO)) {
        Ok(()) => {
            Answer::holds(format!("child {child}: its client sees the end in {milliseconds} ms"))
        }
        Err(error) => {
            Answer::fails(format!("with child {child} another conversation ended: {error}"))
        }
    })
}
