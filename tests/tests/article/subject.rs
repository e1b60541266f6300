//! What the statements are tried on (the lessons, the programs of tests/examples/subjects, and two
//! of the gallery beside them), and what is asked of it and of the kernel, by way of /proc.

use std::fmt::Debug;
use std::net::SocketAddr;

use client::Conversation;
use harness::net::{self, Socket};
use harness::server::{ANYWHERE, HELLO, Launch, Server};
use harness::{PATIENCE, eventually, lessons};
use procfs::net::TcpState;

/// A lesson's server, which echoes without delay.
pub(crate) fn lesson(name: &str) -> Server {
    lesson_at(name, ANYWHERE).start().unwrap()
}

/// The same at a given address, not started yet.
pub(crate) fn lesson_at(name: &str, addr: SocketAddr) -> Launch {
    Launch::lesson(lessons::program(name).unwrap(), addr)
}

/// The article's first or second server, with its mistakes and a millisecond's delay.
pub(crate) fn articles_server(edition: &str, addr: SocketAddr) -> Launch {
    example("subjects", &format!("articles-server {edition} 1"), addr)
}

/// A server among the examples; `line` is its name there and arguments.
pub(crate) fn example(program: &str, line: &str, addr: SocketAddr) -> Launch {
    let launch = Launch::new(lessons::example(program).unwrap());
    line.split(' ').fold(launch, Launch::arg).arg(addr.to_string())
}

/// Starts a server that must find its port taken.
#[track_caller]
pub(crate) fn cannot_listen(launch: Launch, why: &str) {
    let (status, log) = launch.run().unwrap();
    let said = log.stderr().to_lowercase();
    assert!(said.contains("address already in use"), "{why}: {status:?}: {said}");
}

/// A client that is served, and the child that serves it, alone.
#[track_caller]
pub(crate) fn served(server: &Server) -> (Conversation, i32) {
    let client = server.greet().unwrap();
    match server.serving(&client).unwrap()[..] {
        [child] => (client, child),
        ref several => panic!("one child was to serve the client, not {several:?}"),
    }
}

/// A client that is connected and has been heard, by the kernel alone: what it sent lies at the
/// server's end, which no process holds.
#[track_caller]
pub(crate) fn unaccepted(server: &Server) -> Conversation {
    let client = server.connect().unwrap();
    client.send(HELLO).unwrap();
    let local = client.local_addr().unwrap();
    eventually("the client to be connected to nobody", || match end(server.addr(), local) {
        Some(Socket { state: TcpState::Established, inode: 0, unread: 1.., .. }) => Ok(()),
        other => Err(other),
    });
    client
}

/// Has a client say `Bye` and hear the end.
#[track_caller]
pub(crate) fn part(client: &Conversation) {
    client.bye().unwrap();
    client.hear_end().unwrap();
}

/// Waits until nobody listens at a server's address any more.
#[track_caller]
pub(crate) fn wait_for_refusal(server: &Server) {
    eventually("a refusal", || match Conversation::connect(server.addr(), PATIENCE) {
        Err(error) if error.is_refused() => Ok(()),
        other => Err(other),
    });
}

/// Waits until a server has complained in these words.
#[track_caller]
pub(crate) fn wait_for_complaint(server: &Server, words: &str) {
    eventually(words, || match server.log().text() {
        said if said.contains(words) => Ok(()),
        said => Err(said),
    });
}

/// Waits until the two ends of a connection, the server's first, are in these states.
#[track_caller]
pub(crate) fn wait_for_ends(server: SocketAddr, client: SocketAddr, wanted: [Option<TcpState>; 2]) {
    let state = |local, remote| end(local, remote).map(|socket| socket.state);
    wait_to_be("the two ends", &wanted, || [state(server, client), state(client, server)]);
}

/// The end at `local` of the connection between two addresses, while the kernel knows of it.
pub(crate) fn end(local: SocketAddr, remote: SocketAddr) -> Option<Socket> {
    net::sockets().unwrap().into_iter().find(|it| it.local == local && it.remote == remote)
}

/// Waits until what `look` sees is as it is wanted.
#[track_caller]
pub(crate) fn wait_to_be<T: PartialEq + Debug>(what: &str, wanted: &T, look: impl Fn() -> T) {
    eventually(&format!("{what} to be {wanted:?}"), || match look() {
        seen if seen == *wanted => Ok(()),
        seen => Err(seen),
    });
}
