use client::{poll, ps, ss};

use crate::burst::{Burst, accepted_within};
use crate::exam::question::{describe_going, files_since, new_zombies};
use crate::exam::{Answer, Asked, Examinee, Question, Seen};

/// How many looks in a row say that nobody has anything left to do.
const LOOKS: usize = 8;

const CLIENTS: usize = 200;

pub(super) const QUESTION: Question = Question {
    name: "two hundred connect and leave without a word: no zombie, no open file stays",
    done: "One client right after the other connects and closes, as a port scan or a health check \
           does; then the zombies and the server's open files are counted.",
    hint: "what if a child is dead before its parent has looked? docs/lesson-02.md#five-deaths-one-bit",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
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
        (looks == LOOKS).then_some(())
    });
    let (served, others) = new_zombies(&server, &before);
    let stayed = served.len() + others.len();
    let gone = || Ok(served.iter().chain(&others).all(|stat| ps::state(stat.pid).is_none()));
    let went_with_next = stayed > 0 && Burst::one_more(&server, gone)?.1;
    let mut evidence = format!("{stayed} of {CLIENTS} stayed");
    evidence += describe_going(went_with_next);
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
