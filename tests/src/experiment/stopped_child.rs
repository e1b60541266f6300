use super::newcomer;
use crate::Result;
use crate::burst::{Burst, HELLO};
use crate::exam::{Answer, Examinee, Question};
use crate::hold::Hold;

pub(super) const QUESTION: Question = Question {
    name: "a child is stopped: a newcomer is still served",
    done: "The child of a client is stopped, which sends the server a SIGCHLD although nobody \
           died; then another client comes. At last the child goes on.",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if let Some(why) = examinee.childless() {
        return Ok(why);
    }
    let server = examinee.start()?;
    let burst = Burst::connect(&server, 1)?;
    let Some(&child) = server.serving(&burst.clients()[0])?.first() else {
        return Ok(Answer::cannot("no child holds the client's connection"));
    };
    let hold = Hold::still(child)?;
    let served = newcomer(&server);
    hold.release();
    Ok(match served {
        Err(why) => Answer::fails(format!("child {child} stopped: {why}")),
        Ok(milliseconds) => match burst.clients()[0].say(HELLO) {
            Ok(()) => Answer::holds(format!(
                "child {child} stopped: newcomer served in {milliseconds} ms"
            )),
            Err(error) => Answer::fails(format!("child {child} doesn't go on: {error}")),
        },
    })
}
