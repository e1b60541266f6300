use client::poll;

use super::super::answer::Answer;
use super::super::examinee::Examinee;
use super::super::question::Question;
use super::super::ways::Kind;
use crate::Result;
use crate::burst::Burst;

pub(super) const QUESTION: Question = Question {
    name: "no child holds the listening socket",
    done: "Three clients are served; the open files of every process of the server's are searched \
           for the listening socket.",
    hint: "which of its parent's files does a child need? docs/server-crashes.md#an-orphan-has-kept-the-listener",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if !matches!(examinee.kind(), Kind::Child | Kind::Grandchild) {
        return Ok(Answer::cannot(format!("it {}", examinee.kind().describe())));
    }
    let server = examinee.start()?;
    let burst = Burst::connect(&server, examinee.at_most(3))?;
    let mut serving = Vec::new();
    for client in burst.clients() {
        serving.extend(server.serving(client)?);
    }
    let mut holders = Vec::new();
    let none = poll::until(server.manner().patience / 4, || {
        holders = server.listeners();
        let all = holders.len();
        holders.retain(|pid| serving.contains(pid));
        (all > 0 && holders.is_empty()).then_some(())
    });
    burst.close();
    Ok(match none {
        Some(()) => Answer::holds(format!("only {} holds it", server.pid())),
        None if holders.is_empty() => Answer::cannot("it can't be seen who holds it"),
        None => Answer::fails(format!("children that hold it: {holders:?}")),
    })
}
