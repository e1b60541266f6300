use client::poll;

use crate::burst::Burst;
use crate::exam::{Answer, Asked, Examinee, Kind, Question};

pub(super) const QUESTION: Question = Question {
    name: "no child holds the listening socket",
    done: "Three clients are served; the open files of every process of the server's are searched \
           for the listening socket.",
    hint: "which of its parent's files does a child need? docs/server-crashes.md#an-orphan-has-kept-the-listener",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&[Kind::Child, Kind::Grandchild])?;
    let server = examinee.start()?;
    let burst = Burst::connect(&server, examinee.at_most(3))?;
    let mut serving = server.holders_of(burst.clients())?.concat();
    serving.retain(|pid| *pid != server.pid());
    let mut holders = Vec::new();
    let none = poll::until(server.manner().patience / 4, || {
        holders = server.listeners();
        let all = holders.len();
        holders.retain(|pid| serving.contains(pid));
        (all > 0 && holders.is_empty()).then_some(())
    });
    Ok(match none {
        Some(()) => Answer::holds(format!("only {} holds it", server.pid())),
        None if holders.is_empty() => Answer::cannot("it can't be seen who holds it"),
        None => Answer::fails(format!("children that hold it: {holders:?}")),
    })
}
