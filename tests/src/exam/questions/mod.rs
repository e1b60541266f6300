//! The questions of the exam: what is done, and what was seen.

use super::question::Question;

mod clients;
mod crashes;
mod limits;
mod reaping;
mod signals;

/// The questions of the exam, in order.
pub static QUESTIONS: [Question; 19] = [
    clients::SERVED_TOGETHER,
    reaping::ONE_LEAVES,
    reaping::ON_THEIR_OWN,
    reaping::HELD_STILL,
    reaping::MANY_BURSTS,
    reaping::DEADLY_SIGNALS,
    signals::STOPPED_CHILD,
    signals::STRAY_SIGCHLD,
    clients::RUDE_CLIENTS,
    crashes::KILLED_CHILD,
    clients::END_OF_FILE,
    crashes::LISTENER_IN_CHILD,
    crashes::KILLED_SERVER,
    limits::TIGHT_LIMIT,
    clients::SILENT_CLIENTS,
    reaping::LEFT_ALONE,
    signals::INHERITED_SIGCHLD,
    limits::REFUSED_FORK,
    crashes::KILLED_WORKER,
];

/// The one that takes longest whatever the server does, and so is asked first: `LEFT_ALONE`.
pub(super) const LONGEST: usize = 15;
