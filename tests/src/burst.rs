//! A burst: clients that come together, hear that they are served, and leave together.

use client::{Conversation, ps};

use crate::server::{Goodbye, Manner, Server};
use crate::{Error, Result, poll};

/// What a client says to hear it back. It ends in a newline for servers that read lines.
pub const HELLO: &[u8] = b"hello\n";

/// How many clients may wait to be accepted. Many servers listen with a backlog of 5, as the
/// article's does, and whoever finds it full tries again only after a second.
const QUEUE: u32 = 4;

/// Clients that are served: each has heard its echo.
#[derive(Debug)]
pub struct Burst {
    clients: Vec<Conversation>,
    goodbye: Goodbye,
}

impl Burst {
    /// Connects `count` clients to `server`; then all speak, then all hear their echo.
    ///
    /// # Errors
    /// When one of them isn't accepted or served.
    pub fn connect(server: &Server, count: usize) -> Result<Burst> {
        let (addr, Manner { patience, goodbye, .. }) = (server.addr(), server.manner());
        let mut clients: Vec<Conversation> = Vec::new();
        for _ in 0..count {
            let room = || (ps::queued(addr).unwrap_or(0) < QUEUE).then_some(());
            poll::until(patience, room).ok_or_else(|| {
                Error::new(format!("{addr} accepted none of {QUEUE} clients in {patience:?}"))
            })?;
            clients.push(Conversation::connect(addr, patience)?);
        }
        clients.iter().try_for_each(|client| client.send(HELLO))?;
        clients.iter().try_for_each(|client| client.expect(HELLO))?;
        Ok(Burst { clients, goodbye })
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

    /// Closes all connections, once whoever served them is dead.
    pub fn close(self) {}
}

impl Drop for Burst {
    /// With a reset: it leaves no TIME_WAIT behind that could keep the server's port from its
    /// next start.
    fn drop(&mut self) {
        for client in self.clients.drain(..) {
            let _ = client.reset(); // it may be closed for good already
        }
    }
}
