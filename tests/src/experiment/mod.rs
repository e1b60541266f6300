//! Questions put to a server. Each is one file that says what is done and returns what was seen.
//!
//! [`held_still`], [`on_their_own`] and [`one_after_another`] are the lessons' own; the
//! [`QUESTIONS`] are those that can be put to any server, in the order of the exam.

use std::time::Instant;

use procfs::process::Process;

use crate::burst::Burst;
use crate::census;
use crate::exam::Question;
use crate::server::Server;

mod deadly_signals;
mod end_of_file;
mod held_still;
mod killed_child;
mod killed_server;
mod listener_in_child;
mod many_bursts;
mod on_their_own;
mod one_after_another;
pub(crate) mod one_leaves;
mod refused_fork;
mod rude_clients;
mod served_together;
mod stopped_child;
mod stray_sigchld;
mod tight_limit;

pub use held_still::held_still;
pub use on_their_own::on_their_own;
pub use one_after_another::one_after_another;
pub use refused_fork::{ROOT_IS_SPARED, refuses_a_fork};

/// The questions of the exam, in order.
pub static QUESTIONS: [Question; 14] = [
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
];

/// Has another client come, be served and leave; returns the milliseconds it took, or what was
/// seen instead.
fn newcomer(server: &Server) -> std::result::Result<u128, String> {
    let start = Instant::now();
    match Burst::connect(server, 1) {
        Ok(burst) => {
            let milliseconds = start.elapsed().as_millis();
            let _ = burst.leave(); // it has been served; how the server takes a goodbye is another question
            Ok(milliseconds)
        }
        Err(error) => {
            Err(format!("newcomer not served: {error}; server {}", state_told(server.pid())))
        }
    }
}

/// The state of a process and, where the kernel tells, the function it sleeps in:
/// `S in do_wait`.
fn state_told(pid: i32) -> String {
    let Some(state) = census::state(pid) else { return "gone".to_owned() };
    match Process::new(pid).and_then(|process| process.wchan()) {
        Ok(wchan) if !wchan.is_empty() && wchan != "0" => format!("{state} in {wchan}"),
        _ => state.to_string(),
    }
}
