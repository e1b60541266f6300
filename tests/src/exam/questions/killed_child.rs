use std::time::Instant;

use crate::burst::Burst;
use crate::exam::question::servant;
use crate::exam::{Answer, Asked, Examinee, Kind, Question};
use crate::server::send;

pub(super) const QUESTION: Question = Question {
    name: "a child is killed: its client sees the end, the others go on",
    done: "Of three clients, the first one's child is killed with SIGKILL; that client waits for \
           the end of its connection, the others speak again.",
    hint: "who else holds the connection of a child that dies? docs/lesson-01.md#who-closes-what",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&[Kind::Child, Kind::OneEach, Kind::Grandchild])?;
    let server = examinee.start()?;
    let burst = Burst::connect(&server, examinee.at_most(3))?;
    let [bereft, others @ ..] = burst.clients() else { return Ok(Answer::cannot("no client")) };
    let child = servant(&server, bereft, "child")?;
    let start = Instant::now();
    send(child, libc::SIGKILL)?;
    if let Err(error) = bereft.hear_out()
        && error.is_silent()
    {
        let holders = server.holders(bereft)?;
        return Ok(Answer::fails(format!("{error}; {holders:?} still hold its connection")));
    }
    let milliseconds = start.elapsed().as_millis();
    let go_on = others.iter().try_for_each(|client| server.manner().talk.go_on(client));
    go_on.map_err(|error| {
        Answer::fails(format!("with child {child} another conversation ended: {error}"))
    })?;
    Ok(Answer::holds(format!("child {child}: its client sees the end in {milliseconds} ms")))
}
