//! A burst: clients that come together, hear that they are served, and leave together.

use std::time::Duration;

use client::{Conversation, ss};

pub use crate::server::HELLO;
use crate::server::{Goodbye, Server};
use crate::{Error, Result, poll};

/// How many clients may wait to be accepted. Many servers, as the article's, have a backlog of 5,
/// and a client that finds it full tries again only after a second.
const QUEUE: u32 = 4;

/// How long a server may collect after it has let a client be served, on a busy machine.
const COLLECTS: Duration = Duration::from_millis(500);

/// Clients that are served: each has heard its echo.
#[derive(Debug)]
pub struct Burst {
    pub(crate) clients: Vec<Conversation>,
    goodbye: Goodbye,
}

impl Burst {
    /// Connects `count` clients to `server`; then all speak, then all hear their echo.
    ///
    /// # Errors
    /// When one of them isn't accepted or served.
    pub fn connect(server: &Server, count: usize) -> Result<Burst> {
        let (before, patience) = (server.members(), server.manner().patience);
        let clients =
            (0..count).map(|_| accepted_within(server, patience)).collect::<Result<Vec<_>>>()?;
        let talk = &server.manner().talk;
        clients.iter().try_for_each(|client| talk.begin(client))?;
        clients.iter().try_for_each(|client| talk.be_served(client))?;
        server.note_served(&clients, &before)?;
        Ok(Burst { clients, goodbye: server.manner().goodbye.clone() })
    }

    /// Connects one client more, and returns it with whether the zombies of a server go when it
    /// comes. `gone` looks for them: once its client has been served, a server may still collect.
    pub(crate) fn one_more(
        server: &Server,
        mut gone: impl FnMut() -> Result<bool>,
    ) -> Result<(Burst, bool)> {
        let next = Burst::connect(server, 1)?;
        server.rest();
        let went = poll::until(COLLECTS, || match gone() {
            Ok(false) => None,
            seen => Some(seen),
        });
        Ok((next, went.transpose()?.is_some()))
    }

    /// The clients, in the order in which they connected.
    #[must_use]
    pub fn clients(&self) -> &[Conversation] {
        &self.clients
    }

    /// All say goodbye, one right after the other; none waits for the end.
    ///
    /// # Errors
    /// When a connection is lost.
    pub fn leave(&self) -> Result<()> {
        Ok(self.clients.iter().try_for_each(|client| self.goodbye.say(client))?)
    }

    /// Closes all connections, once the children that served them are dead.
    pub fn close(self) {}
}

/// Connects to `server` once few enough others wait to be accepted, which may take `patience`.
pub(crate) fn accepted_within(server: &Server, patience: Duration) -> Result<Conversation> {
    let (addr, net) = (server.addr(), server.net());
    let room = || (ss::queued(&net, addr).unwrap_or(0) < QUEUE).then_some(());
    poll::until(patience, room).ok_or_else(|| {
        Error::new(format!("{addr} accepted none of {QUEUE} clients in {patience:?}"))
    })?;
    server.connect()
}

impl Drop for Burst {
    /// With a reset: it leaves no TIME_WAIT behind on the server's port.
    fn drop(&mut self) {
        for client in self.clients.drain(..) {
            let _ = client.reset(); // it may be closed for good already
        }
    }
}
