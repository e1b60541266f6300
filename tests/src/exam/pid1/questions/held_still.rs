use crate::exam::Question;
use crate::exam::pid1::{Candidate, bursts};

pub(super) const QUESTION: Question<Candidate> = Question {
    name: "five orphans die while it is held still: all are reaped",
    done: "Five orphans are left to it; it is stopped; all five are killed and die; it runs on. This \
           makes the deaths' signals fall together for certain. Then the same with two hundred.",
    hint: "how many deaths can stand behind one SIGCHLD? docs/lesson-02.md#five-deaths-one-bit",
    ask: |candidate| bursts(candidate, &[5, 200].map(|orphans| vec![libc::SIGKILL; orphans]), true),
};
