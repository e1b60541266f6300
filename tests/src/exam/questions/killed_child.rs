use std::time::Instant;

use super::super::answer::Answer;
use super::super::examinee::Examinee;
use super::super::question::Question;
use super::super::ways::Kind;
use crate::Result;
use crate::burst::Burst;
use crate::server::send;

pub(super) const QUESTION: Question = Question {
    name: "a child is killed: its client sees the end, the others go on",
    done: "Of three clients, the first one's child is killed with SIGKILL; that client waits for \
           the end of its connection, the others speak again.",
    hint: "who else holds the connection of a child that dies? docs/lesson-01.md#who-closes-what",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if !matches!(examinee.kind(), Kind::Child | Kind::OneEach | Kind::Grandchild) {
        return Ok(Answer::cannot(format!("it {}", examinee.kind().describe())));
    }
    let server = examinee.start()?;
    let burst = Burst::connect(&server, examinee.at_most(3))?;
    let [bereft, others @ ..] = burst.clients() else { return Ok(Answer::cannot("no client")) };
    let Some(&child) = server.serving(bereft)?.first() else {
        return Ok(Answer::cannot("no child holds the client's connection"));
    };
    let start = Instant::now();
    send(child, libc::SIGKILL)?;
    if let Err(error) = bereft.hear_out()
        && error.is_silent()
    {
        let holders = server.holders(bereft)?;
        return Ok(Answer::fails(format!("{error}; {holders:?} still hold its connection")));
    }
    let milliseconds = start.elapsed().as_millis();
    Ok(match others.iter().try_for_each(|client| server.manner().talk.go_on(client)) {
        Ok(()) => {
            Answer::holds(format!("child {child}: its client sees the end in {milliseconds} ms"))
        }
        Err(error) => {
            Answer::fails(format!("with child {child} another conversation ended: {error}"))
        }
    })
}
