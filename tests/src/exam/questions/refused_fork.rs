use std::time::Duration;

use client::{poll, ps};
use nix::sys::resource::Resource;

use crate::exam::question::newcomer;
use crate::exam::{Answer, Asked, Cause, Examinee, Kind, Question};
use crate::limits;

pub(super) const QUESTION: Question = Question {
    name: "a fork is refused: it lives on, and the client sees the end",
    done: "The limit on the processes of the server's user is set to one (`ulimit -u`), and a \
           client connects, whom no child can serve; then the limit is lifted, and the next client \
           must be served.",
    hint: "what does the parent do with a connection that nobody can serve? docs/exam.md#what-it-asks",
    ask,
};

fn ask(examinee: &Examinee) -> Asked {
    examinee.must_be(&[Kind::Child])?;
    let server = examinee.start()?;
    let before = limits::set(server.pid(), Resource::RLIMIT_NPROC, 1)?;
    let client = server.connect()?;
    let talk = &server.manner().talk;
    let _ = talk.begin(&client); // it may be turned away already
    let mut served = false;
    let ended = poll::until(server.manner().patience, || {
        served = server.serving(&client).is_ok_and(|pids| !pids.is_empty());
        (served || client.is_open().is_err() || !ps::lives(server.pid())).then_some(())
    });
    limits::set(server.pid(), Resource::RLIMIT_NPROC, before)
        .or_else(|error| if ps::lives(server.pid()) { Err(error) } else { Ok(0) })?;
    if served {
        return Ok(Answer::cannot("no limit on processes binds it: the kernel spares root"));
    }
    if ps::dies(server.pid(), Duration::from_millis(200)) {
        let evidence = format!("it ended when fork was refused (EAGAIN){}", server.log().said());
        return Ok(Answer::fails(evidence).because(Some(Cause::Died)));
    }
    let waits = ended.is_none() && !talk.says.is_empty() && talk.be_served(&client).is_ok();
    let milliseconds = newcomer(&server, "once fork is permitted again")?;
    Ok(if waits {
        Answer::holds("it waits and serves the client once it may fork")
    } else if ended.is_none() {
        Answer::fails("it lives on, but the client doesn't see the end")
    } else {
        Answer::holds(format!("the client sees the end; the next served in {milliseconds} ms"))
    })
}
