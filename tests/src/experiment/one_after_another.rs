use super::on_their_own;
use crate::Result;
use crate::server::Server;
use crate::story::Tally;

/// Has `clients` clients come and leave one after another, so that one wait for each SIGCHLD is
/// enough. A zombie that the next client has had collected has not stayed.
///
/// # Errors
/// When a client isn't served, or the server doesn't settle.
pub fn one_after_another(server: &Server, clients: usize) -> Result<Tally> {
    let before = server.census()?;
    for _ in 0..clients {
        on_their_own(server, 1)?;
    }
    Ok(Tally::of(clients, &before, &server.census()?))
}
