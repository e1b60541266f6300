//! The questions of the exam, one file each: what is done, and what was seen.

use super::question::Question;

mod deadly_signals;
mod end_of_file;
mod held_still;
mod inherited_sigchld;
mod killed_child;
mod killed_server;
mod killed_worker;
mod left_alone;
mod listener_in_child;
mod many_bursts;
mod on_their_own;
mod one_leaves;
mod refused_fork;
mod rude_clients;
mod served_together;
mod silent_clients;
mod stopped_child;
mod stray_sigchld;
mod tight_limit;

/// The questions of the exam, in order.
pub static QUESTIONS: [Question; 19] = [
    served_together::QUESTION,
    one_leaves::QUESTION,
    on_their_own::QUESTION,
    held_still::QUESTION,
    many_bursts::QUESTION,
    deadly_signals::QUESTION,
    stopped_child::QUESTION,
    stray_sigchld::QUESTION,
    rude_clients::QUESTION,
    killed_child::QUESTION,
    end_of_file::QUESTION,
    listener_in_child::QUESTION,
    killed_server::QUESTION,
    tight_limit::QUESTION,
    silent_clients::QUESTION,
    left_alone::QUESTION,
    inherited_sigchld::QUESTION,
    refused_fork::QUESTION,
    killed_worker::QUESTION,
];

/// The one that takes longest whatever the server does, and so is asked first: left_alone.
pub(super) const LONGEST: usize = 15;
