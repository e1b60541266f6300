use client::{Conversation, ps};

use crate::burst::Burst;
use crate::exam::question::newcomer;
use crate::exam::{Answer, Asked, Examinee, Kind, Question};

pub(super) const QUESTION: Question = Question {
    name: "clients that leave rudely or talk nonsense harm nobody",
    done: "A client closes without a word, one resets its connection, one sends bytes that are no \
           UTF-8 and closes; their children must end, and the next client must be served.",
    hint: "what does a child's read return when its client is gone? \
           docs/wrong-fixes.md#ignores-end-of-file",
    ask,
};

/// What a client does after it was served, and a name for it.
type Rudeness = (&'static str, fn(Conversation));

const RUDENESSES: [Rudeness; 3] = [
    ("close", drop),
    ("reset", |client| drop(client.reset())),
    // An echo is fine, so is an end; only silence takes its time.
    ("no UTF-8", |client| drop(client.say(b"\xff\xfe\x80\n"))),
];

fn ask(examinee: &Examinee) -> Asked {
    let server = examinee.start()?;
    let patience = server.manner().patience;
    let mut slowest = 0;
    for rudenesses in RUDENESSES.chunks(examinee.at_most(RUDENESSES.len())) {
        let mut burst = Burst::connect(&server, rudenesses.len())?;
        let children = match examinee.kind() {
            Kind::Child | Kind::OneEach | Kind::Grandchild => server.holders_of(burst.clients())?,
            _ => Vec::new(),
        };
        for (client, (_, be_rude)) in burst.clients.drain(..).zip(rudenesses) {
            be_rude(client);
        }
        for (holders, (name, _)) in children.iter().zip(rudenesses) {
            if let Some(&child) = holders.iter().find(|pid| **pid != server.pid())
                && !ps::dies(child, patience)
                && let Some(state) = ps::state(child)
            {
                return Ok(Answer::fails(format!("{name}: child {child} lives on, state {state}")));
            }
        }
        slowest = slowest.max(newcomer(&server, "after rude clients")?);
    }
    Ok(Answer::holds(format!("close, reset, no UTF-8: the next one served in {slowest} ms")))
}
