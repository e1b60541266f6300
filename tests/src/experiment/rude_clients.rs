use client::{Conversation, poll};

use super::newcomer;
use crate::burst::HELLO;
use crate::exam::{Answer, Examinee, Kind, Question};
use crate::{Result, census};

pub(super) const QUESTION: Question = Question {
    name: "clients that leave rudely or talk nonsense harm nobody",
    done: "A client closes without a word, one resets its connection, one sends bytes that are no \
           UTF-8 and closes; each time its child must end, and the next client must be served.",
    ask,
};

/// What a client does after it was served, and a name for it.
type Rudeness = (&'static str, fn(Conversation));

const RUDENESSES: [Rudeness; 3] = [
    ("close", drop),
    ("reset", |client| drop(client.reset())),
    ("no UTF-8", |client| {
        let nonsense = b"\xff\xfe\x80\n";
        // An echo is fine, so is an end; only silence takes its time.
        let _ = client.send(nonsense).and_then(|()| client.hear(nonsense.len()));
    }),
];

fn ask(examinee: &Examinee) -> Result<Answer> {
    let server = examinee.start()?;
    let patience = server.manner().patience;
    let mut evidence = Vec::new();
    for (name, be_rude) in RUDENESSES {
        let client = Conversation::connect(server.addr(), patience)?;
        client.say(HELLO)?;
        let child = match examinee.kind() {
            Kind::Child | Kind::Grandchild => server.serving(&client)?.first().copied(),
            _ => None,
        };
        be_rude(client);
        if let Some(child) = child {
            let lives = || census::state(child).filter(|state| *state != 'Z');
            if poll::until(patience, || lives().is_none().then_some(())).is_none()
                && let Some(state) = lives()
            {
                return Ok(Answer::fails(format!("{name}: child {child} lives on, state {state}")));
            }
        }
        match newcomer(&server) {
            Ok(milliseconds) => evidence.push(format!("{name}: next served in {milliseconds} ms")),
            Err(why) => return Ok(Answer::fails(format!("{name}: {why}"))),
        }
    }
    Ok(Answer::holds(evidence.join("; ")))
}
