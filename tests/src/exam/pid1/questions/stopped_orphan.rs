use crate::exam::Question;
use crate::exam::pid1::{Candidate, one_dies_after};
use crate::hold::Hold;

pub(super) const QUESTION: Question<Candidate> = Question {
    name: "an orphan is stopped: another one that dies is reaped",
    done: "An orphan is left to it and stopped, which sends it a SIGCHLD although nobody died; then \
           another one is left to it, and killed.",
    hint: "what does a SIGCHLD tell besides a death, and what does a wait do then? \
           docs/lesson-02.md#the-other-way-to-fail",
    ask: |candidate| {
        let server = candidate.start()?;
        one_dies_after(&server, || Hold::still(server.adopt(1)?[0]))
    },
};
