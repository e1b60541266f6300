//! The questions to a PID 1, one file each: what is done, and what was seen.

use super::Candidate;
use crate::exam::question::Question;

mod as_subreaper;
mod bursts;
mod deadly_signals;
mod held_still;
mod one_orphan;
mod own_child;
mod signals;
mod stopped_orphan;
mod stray_sigchld;

/// The questions, in order.
pub static QUESTIONS: [Question<Candidate>; 9] = [
    one_orphan::QUESTION,
    bursts::QUESTION,
    held_still::QUESTION,
    deadly_signals::QUESTION,
    stopped_orphan::QUESTION,
    stray_sigchld::QUESTION,
    own_child::QUESTION,
    signals::QUESTION,
    as_subreaper::QUESTION,
];

/// The one about its own child.
pub(super) const OWN_CHILD: usize = 6;
