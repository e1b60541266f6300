//! Starting what the statements are tried on: the lessons, the programs of
//! tests/examples/subjects (and two of the gallery beside them), and the clients.

use std::net::{Ipv4Addr, SocketAddr};

use client::Conversation;
use harness::server::{Launch, Server};
use harness::{PATIENCE, eventually, lessons};
use nix::sys::wait::WaitStatus;

/// A free port of the loopback interface.
pub(crate) fn anywhere() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

/// A lesson's server, which echoes without delay.
pub(crate) fn lesson(name: &str) -> Server {
    Server::lesson(lessons::program(name).unwrap()).unwrap()
}

/// The same at a given address, not started yet.
pub(crate) fn lesson_at(name: &str, addr: SocketAddr) -> Launch {
    Launch::lesson(lessons::program(name).unwrap(), addr)
}

/// The article's first or second server, with its mistakes and a millisecond's delay.
pub(crate) fn articles_server(edition: &str, addr: SocketAddr) -> Launch {
    subject("articles-server").arg(edition).arg("1").arg(addr.to_string())
}

/// A server of tests/examples/gallery, not started yet.
pub(crate) fn gallery(name: &str, addr: SocketAddr) -> Launch {
    Launch::new(lessons::example("gallery").unwrap()).arg(name).arg(addr.to_string())
}

/// A program of tests/examples/subjects, not started yet.
pub(crate) fn subject(name: &str) -> Launch {
    Launch::new(lessons::example("subjects").unwrap()).arg(name)
}

/// Starts a server that must find its port taken.
#[track_caller]
pub(crate) fn cannot_listen(launch: Launch, why: &str) {
    let (status, log) = launch.run().unwrap();
    assert!(matches!(status, WaitStatus::Exited(_, 1)), "{why}: {status:?}: {}", log.text());
    let said = log.stderr().to_lowercase();
    assert!(said.contains("address already in use"), "{why}: {}", log.text());
}

/// Waits until a server has said `words`.
#[track_caller]
pub(crate) fn wait_for_words(server: &Server, words: &str) {
    eventually(words, || match server.log().text() {
        said if said.contains(words) => Ok(()),
        said => Err(said),
    });
}

/// Has a client say `Bye` and hear the end.
#[track_caller]
pub(crate) fn part(client: &Conversation) {
    client.bye().unwrap();
    client.hear_end().unwrap();
}

/// Whether nobody listens at a server's address any more.
pub(crate) fn is_refused(server: &Server) -> bool {
    Conversation::connect(server.addr(), PATIENCE).is_err_and(|error| error.is_refused())
}
