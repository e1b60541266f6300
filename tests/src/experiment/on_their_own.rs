use crate::Result;
use crate::burst::Burst;
use crate::exam::{Answer, Question};
use crate::server::Server;
use crate::story::Tally;

/// Has `clients` clients leave together while the server runs on: the race as it is in life.
///
/// How many deaths fall together is up to the scheduler, so for a server that waits once per
/// SIGCHLD this gives another number from run to run: show it, don't assert it.
///
/// # Errors
/// When a client isn't served, or the server doesn't settle.
pub fn on_their_own(server: &Server, clients: usize) -> Result<Tally> {
    let before = server.census()?.children.len();
    let burst = Burst::connect(server, clients)?;
    burst.leave()?;
    let left = server.settled()?;
    burst.close();
    Ok(Tally::of(clients, before, &left))
}

pub(super) const QUESTION: Question = Question {
    name: "five leave together: none stays a zombie",
    done: "Five clients are served and leave at once, while the server runs on. For a server that \
           waits once per signal the outcome is chance.",
    ask: |examinee| {
        if let Some(why) = examinee.childless() {
            return Ok(why);
        }
        let Tally { children, zombies, .. } = on_their_own(&examinee.start()?, 5)?;
        Ok(Answer::when(zombies == 0, format!("{zombies} of {children} stayed")))
    },
};
