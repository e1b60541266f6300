use crate::exam::Question;
use crate::exam::pid1::{Candidate, one_dies_after};
use crate::exam::question::send_stray;

pub(super) const QUESTION: Question<Candidate> = Question {
    name: "a stray SIGCHLD harms nobody",
    done: "It is sent a SIGCHLD with `kill` when nobody has died; then an orphan is left to it, and \
           killed.",
    hint: "must there be a dead child when a SIGCHLD comes? docs/lesson-02.md#the-other-way-to-fail",
    ask: |candidate| {
        let server = candidate.start()?;
        one_dies_after(&server, || send_stray(&server))
    },
};
