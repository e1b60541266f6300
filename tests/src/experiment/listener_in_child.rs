use client::poll;
use client::ps::{self, Listener};

use crate::Result;
use crate::burst::Burst;
use crate::exam::{Answer, Examinee, Kind, Question};

pub(super) const QUESTION: Question = Question {
    name: "no child holds the listening socket",
    done: "Three clients are served; the open files of every process of the server's are searched \
           for the listening socket.",
    ask,
};

fn ask(examinee: &Examinee) -> Result<Answer> {
    if !matches!(examinee.kind(), Kind::Child | Kind::Grandchild) {
        return Ok(Answer::cannot(format!("it {}", examinee.kind().describe())));
    }
    let server = examinee.start()?;
    let burst = Burst::connect(&server, 3)?;
    let mut serving = Vec::new();
    for client in burst.clients() {
        serving.extend(server.serving(client)?);
    }
    let mut holders = Vec::new();
    let none = poll::until(server.manner().patience / 4, || {
        let Ok(Listener::Held(pids)) = ps::listener(server.addr()) else { return None };
        holders = pids.into_iter().filter(|pid| serving.contains(pid)).collect();
        holders.is_empty().then_some(())
    });
    burst.close();
    Ok(match none {
        Some(()) => Answer::holds(format!("only {} holds it", server.pid())),
        None => Answer::fails(format!("children that hold it: {holders:?}")),
    })
}
