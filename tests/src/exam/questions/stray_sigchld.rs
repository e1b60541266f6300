use super::super::answer::Answer;
use super::super::examinee::Examinee;
use super::super::question::{Question, newcomer};
use super::super::ways::Kind;
use crate::Result;
use crate::burst::Burst;
use crate::server::send;

pub(super) const QUESTION: Question = Question {
    name: "a stray SIGCHLD harms nobody",
    done: "The server is sent a SIGCHLD with `kill` when it has no child, and once more when it \
           has a live one; each time another client comes.",
    hint: "must there be a dead child when a SIGCHLD comes? docs/lesson-02.md#the-other-way-to-fail",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    let mut evidence = Vec::new();
    // Who serves one by one lets every newcomer wait, signal or not.
    let clients = if examinee.kind() == Kind::OneByOne { 0..=0 } else { 0..=1 };
    for clients in clients {
        let with = if clients == 0 { "with no client" } else { "with a live client" };
        let server = examinee.start()?;
        let burst = Burst::connect(&server, clients)?;
        send(server.pid(), libc::SIGCHLD)?;
        // Before it is taken, a newcomer could still slip into the accept that it interrupts.
        server
            .wait_for("the signal to be taken", |it| !it.sigchld_pending || it.sigchld_blocked)?;
        match newcomer(&server, with) {
            Ok(milliseconds) => {
                evidence.push(format!("{with}: newcomer served in {milliseconds} ms"));
            }
            Err(answer) => return Ok(answer),
        }
        burst.close();
    }
    Ok(Answer::holds(evidence.join("; ")))
}
