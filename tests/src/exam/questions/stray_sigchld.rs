use crate::burst::Burst;
use crate::exam::question::{newcomer, send_stray};
use crate::exam::{Answer, Asked, Examinee, Kind, Question};

pub(super) const QUESTION: Question = Question {
    name: "a stray SIGCHLD harms nobody",
    done: "The server is sent a SIGCHLD with `kill` when it has no child, and once more when it \
           has a live one; each time another client comes.",
    hint: "must there be a dead child when a SIGCHLD comes? docs/lesson-02.md#the-other-way-to-fail",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    let mut evidence = Vec::new();
    for (clients, with) in [(0, "with no client"), (1, "with a live client")] {
        if clients == 1 && examinee.kind() == Kind::OneByOne {
            break; // who serves one by one lets every newcomer wait, signal or not
        }
        let server = examinee.start()?;
        let _burst = Burst::connect(&server, clients)?;
        send_stray(&server)?;
        let milliseconds = newcomer(&server, with)?;
        evidence.push(format!("{with}: newcomer served in {milliseconds} ms"));
    }
    Ok(Answer::holds(evidence.join("; ")))
}
