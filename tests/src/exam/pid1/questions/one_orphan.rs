use crate::exam::Question;
use crate::exam::pid1::{Candidate, one_dies};

pub(super) const QUESTION: Question<Candidate> = Question {
    name: "an orphan dies: it is reaped",
    done: "An orphan is left to it, and killed.",
    hint: "who waits for a process that it never started? docs/pid1.md#orphans",
    ask: |candidate| one_dies(&candidate.start()?),
};
