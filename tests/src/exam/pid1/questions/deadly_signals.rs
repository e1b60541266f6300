use crate::exam::Question;
use crate::exam::pid1::{Candidate, bursts};
use crate::server::HARMLESS;

pub(super) const QUESTION: Question<Candidate> = Question {
    name: "orphans die of every deadly signal: all are reaped",
    done: "An orphan is left to it for each deadly signal, the real-time ones included, and killed by \
           that while it is stopped; it runs on.",
    hint: "which status does the loop take for its end? \
           docs/lesson-03.md#what-a-status-can-be-and-why-nobody-looks",
    ask: |candidate| {
        let deadly = (1..=64).filter(|signal| !HARMLESS.contains(signal)).collect();
        bursts(candidate, &[deadly], true)
    },
};
