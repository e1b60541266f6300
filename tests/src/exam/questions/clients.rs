//! What clients see, and what they may do.

use std::time::Instant;

use client::{Conversation, poll, ps, ss};

use crate::burst::{Burst, accepted_within};
use crate::exam::question::{files_since, new_zombies, newcomer, went_told};
use crate::exam::{Answer, Asked, Examinee, Kind, Question, Seen};

pub(super) const SERVED_TOGETHER: Question = Question {
    name: "five clients are served at the same time",
    done: "Five clients connect, then all speak, then all hear their answer before any leaves; as \
           many as it serves at once, if those are fewer.",
    hint: "what does the parent do while a child serves? docs/wrong-fixes.md#wait-after-fork",
    ask: served_together,
};

fn served_together(examinee: &Examinee) -> Asked {
    let kind = examinee.kind().describe();
    if examinee.kind() == Kind::OneByOne {
        return Ok(Answer::fails(format!("a second client was not served; it {kind}")));
    }
    let clients = examinee.at_most(5);
    let server = examinee.start()?;
    let start = Instant::now();
    let unserved = |error| Answer::fails(format!("not all {clients} are served: {error}"));
    let burst = Burst::connect(&server, clients).map_err(unserved)?;
    let elapsed = start.elapsed().as_millis();
    burst.close();
    let most = if clients < 5 { format!("; at most {clients} at once") } else { String::new() };
    Ok(Answer::holds(format!("all {clients} served within {elapsed} ms; it {kind}{most}")))
}

pub(super) const RUDE_CLIENTS: Question = Question {
    name: "clients that leave rudely or talk nonsense harm nobody",
    done: "A client closes without a word, one resets its connection, one sends bytes that are no \
           UTF-8 and closes; their children must end, and the next client must be served.",
    hint: "what does a child's read return when its client is gone? \
           docs/wrong-fixes.md#ignores-end-of-file",
    ask: rude_clients,
};

/// What a client does after it was served, and a name for it.
type Rudeness = (&'static str, fn(Conversation));

const RUDENESSES: [Rudeness; 3] = [
    ("close", drop),
    ("reset", |client| drop(client.reset())),
    // An echo is fine, so is an end; only silence takes its time.
    ("no UTF-8", |client| drop(client.say(b"\xff\xfe\x80\n"))),
];

fn rude_clients(examinee: &Examinee) -> Asked {
    let server = examinee.start()?;
    let patience = server.manner().patience;
    let mut slowest = 0;
    for rudenesses in RUDENESSES.chunks(examinee.at_most(RUDENESSES.len())) {
        let burst = Burst::connect(&server, rudenesses.len())?;
        let children = match examinee.kind() {
            Kind::Child | Kind::OneEach | Kind::Grandchild => server.holders_of(burst.clients())?,
            _ => Vec::new(),
        };
        for (client, (_, be_rude)) in burst.into_clients().into_iter().zip(rudenesses) {
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

pub(super) const END_OF_FILE: Question = Question {
    name: "a client sees end-of-file once its child has gone",
    done: "A client says goodbye and waits for end-of-file; before that, the server's open files \
           are searched for a copy of the connection.",
    hint: "who holds the connection once the child is gone? docs/lesson-01.md#who-closes-what",
    ask: end_of_file,
};

fn end_of_file(examinee: &Examinee) -> Asked {
    examinee.must_be(&Kind::WITH_CHILDREN)?;
    let server = examinee.start()?;
    let burst = Burst::connect(&server, 1)?;
    let client = &burst.clients()[0];
    // The child may be quicker to echo than its parent is to close.
    let closed = poll::until(server.manner().patience / 2, || {
        server.holders(client).is_ok_and(|pids| !pids.contains(&server.pid())).then_some(())
    });
    burst.leave()?;
    let copy = if closed.is_some() { "keeps no copy" } else { "keeps a copy" };
    let lost = |error| Answer::fails(format!("the parent {copy}: {error}"));
    let words = client.hear_out().map_err(lost)?;
    let after = if words.is_empty() { "" } else { " after some last words" };
    Ok(Answer::when(closed.is_some(), format!("end-of-file{after}; the parent {copy}")))
}

/// How many clients come.
const CLIENTS: usize = 200;

pub(super) const SILENT_CLIENTS: Question = Question {
    name: "two hundred connect and leave without a word: no zombie, no open file stays",
    done: "One client right after the other connects and closes, as a port scan or a health check \
           does; then the zombies and the server's open files are counted.",
    hint: "what if a child is dead before its parent has looked? docs/lesson-02.md#five-deaths-one-bit",
    ask: silent_clients,
};

fn silent_clients(examinee: &Examinee) -> Asked {
    let server = examinee.start()?;
    let patience = server.manner().patience;
    // The first one has the server open what it keeps open.
    drop(accepted_within(&server, patience)?);
    let settled = || {
        server.rest();
        let living = |pid: &i32| ps::lives(*pid);
        server.members().into_iter().filter(living).count()
    };
    poll::until(patience / 4, || (settled() <= 1).then_some(()));
    let (before, _) = server.zombies_and_orphans();
    let (processes, files) = (settled(), server.open_files().map(|open| open.len()));
    for _ in 0..CLIENTS {
        drop(accepted_within(&server, patience)?);
    }
    let (net, addr) = (server.net(), server.addr());
    poll::until(patience, || (ss::queued(&net, addr).unwrap_or(0) == 0).then_some(()));
    // Between an accept and its fork all is quiet, too: so several looks have to agree.
    let mut looks = 0;
    let ended = poll::until(patience, || {
        looks = if settled() <= processes { looks + 1 } else { 0 };
        (looks == 8).then_some(())
    });
    let (served, others) = new_zombies(&server, &before);
    let stayed = served.len() + others.len();
    let gone = || Ok(served.iter().chain(&others).all(|stat| ps::state(stat.pid).is_none()));
    let went_with_next = stayed > 0 && Burst::one_more(&server, gone)?.1;
    let mut evidence = format!("{stayed} of {CLIENTS} stayed");
    evidence += went_told(went_with_next);
    let mut good = stayed == 0;
    if ended.is_none() {
        evidence += &format!("; {} processes, before that {processes}", settled());
    }
    if let Ok(before) = files {
        let (closed, files) = files_since(&server, before);
        good &= closed;
        evidence += &files;
    }
    let seen = Seen { unseen: stayed, went_with_next, ..Seen::default() };
    Ok(Answer::when(good, evidence).seen(seen))
}
