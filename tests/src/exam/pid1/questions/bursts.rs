use crate::exam::Question;
use crate::exam::pid1::{Candidate, bursts};

pub(super) const QUESTION: Question<Candidate> = Question {
    name: "orphans die at once, five, fifty, two hundred: all are reaped",
    done: "So many orphans are left to it, and killed one right after the other.",
    hint: "how does the loop know that nobody dead is left? docs/lesson-03.md#why-while",
    ask: |candidate| {
        bursts(candidate, &[5, 50, 200].map(|orphans| vec![libc::SIGKILL; orphans]), false)
    },
};
