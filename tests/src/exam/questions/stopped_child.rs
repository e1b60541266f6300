use super::super::answer::Answer;
use super::super::examinee::Examinee;
use super::super::question::{Question, newcomer};
use crate::Result;
use crate::burst::Burst;
use crate::hold::Hold;

pub(super) const QUESTION: Question = Question {
    name: "a child is stopped: a newcomer is still served",
    done: "The child of a client is stopped, which sends the server a SIGCHLD although nobody \
           died; then another client comes. At last the child goes on.",
    hint: "what does a SIGCHLD tell besides a death, and what does a wait do then? \
           docs/lesson-02.md#the-other-way-to-fail",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if let Some(why) = examinee.childless() {
        return Ok(why);
    }
    if examinee.at_most(2) < 2 {
        return Ok(Answer::cannot("it serves one client at a time"));
    }
    let server = examinee.start()?;
    let burst = Burst::connect(&server, 1)?;
    let Some(&child) = server.serving(&burst.clients()[0])?.first() else {
        return Ok(Answer::cannot("no child holds the client's connection"));
    };
    let hold = Hold::still(child)?;
    let served = newcomer(&server, &format!("child {child} stopped"));
    hold.release();
    Ok(match served {
        Err(answer) => answer,
        Ok(milliseconds) => match server.manner().talk.go_on(&burst.clients()[0]) {
            Ok(()) => Answer::holds(format!(
                "child {child} stopped: newcomer served in {milliseconds} ms"
            )),
            Err(error) => Answer::fails(format!("child {child} doesn't go on: {error}")),
        },
    })
}
