use crate::burst::Burst;
use crate::exam::question::{newcomer, servant};
use crate::exam::{Answer, Asked, Examinee, Kind, Question};
use crate::hold::Hold;

pub(super) const QUESTION: Question = Question {
    name: "a child is stopped: a newcomer is still served",
    done: "The child of a client is stopped, which sends the server a SIGCHLD although nobody \
           died; then another client comes. At last the child goes on.",
    hint: "what does a SIGCHLD tell besides a death, and what does a wait do then? \
           docs/lesson-02.md#the-other-way-to-fail",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    if examinee.at_most(2) < 2 {
        return Ok(Answer::cannot("it serves one client at a time"));
    }
    let server = examinee.start()?;
    let burst = Burst::connect(&server, 1)?;
    let client = &burst.clients()[0];
    let child = servant(&server, client, "child")?;
    let hold = Hold::still(child)?;
    let served = newcomer(&server, &format!("child {child} stopped"));
    hold.release();
    let milliseconds = served?;
    let stays = |error| Answer::fails(format!("child {child} doesn't go on: {error}"));
    server.manner().talk.go_on(client).map_err(stays)?;
    Ok(Answer::holds(format!("child {child} stopped: newcomer served in {milliseconds} ms")))
}
