use client::{Conversation, poll};

use crate::server::{ANYWHERE, Launch};
use crate::{Error, PATIENCE, Result, lessons};

/// Why a limit on processes may be none: what to say when [`refuses_a_fork`] at 1 is false.
pub const ROOT_IS_SPARED: &str = "no limit on processes binds root, who may not start a server as \
                                  another user here (CAP_SETUID)";

/// Whether the kernel refuses a fork to a server that is started with
/// [`processes(limit)`](Launch::processes), itself counted.
///
/// A limit of 1 always does, unless root is spared ([`ROOT_IS_SPARED`]). A limit of 2 has room for
/// a child, unless the server shares its count with other processes.
///
/// # Errors
/// When no server can be started.
pub fn refuses_a_fork(limit: u64) -> Result<bool> {
    let server =
        Launch::lesson(lessons::program("lesson-01")?, ANYWHERE).processes(limit).start()?;
    let _client = Conversation::connect(server.addr(), PATIENCE)?;
    let refused = poll::until(PATIENCE, || {
        let said = server.log().text();
        let refused = said.contains("cannot fork");
        (refused || said.contains(" serves ")).then_some(refused)
    });
    refused.ok_or_else(|| Error::new(format!("a server said nothing of its client: {server:?}")))
}
