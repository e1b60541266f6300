use crate::exam::Question;
use client::ps::Family;

use crate::exam::pid1::{Candidate, one_dies_after};
use crate::server::send;

pub(super) const QUESTION: Question<Candidate> = Question {
    name: "a stray SIGCHLD harms nobody",
    done: "It is sent a SIGCHLD with `kill` when nobody has died; then an orphan is left to it, and \
           killed.",
    hint: "must there be a dead child when a SIGCHLD comes? docs/lesson-02.md#the-other-way-to-fail",
    ask: |candidate| {
        let server = candidate.start()?;
        let taken = |it: &Family| !it.sigchld_pending || it.sigchld_blocked;
        one_dies_after(&server, || {
            send(server.pid(), libc::SIGCHLD)?;
            server.wait_for("the signal to be taken", taken).map(drop)
        })
    },
};
