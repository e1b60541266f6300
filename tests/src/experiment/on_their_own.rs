use crate::Result;
use crate::burst::Burst;
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
    let before = server.census()?;
    let burst = Burst::connect(server, clients)?;
    burst.leave()?;
    let left = server.settled()?;
    Ok(Tally::of(clients, &before, &left))
}
