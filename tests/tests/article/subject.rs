//! What the statements are tried on (the lessons, the programs of tests/examples/subjects, and two
//! of the gallery beside them), and what is asked of it and of the kernel, by way of /proc.

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
    let heard = |it: &Socket| it.state == TcpState::Established && it.inode == 0 && it.unread > 0;
    let servers_end = || end(server.addr(), local);
    eventually("nobody to hold what was heard", servers_end, |it| it.as_ref().is_some_and(heard));
    client
}

/// Waits until nobody listens at a server's address any more.
#[track_caller]
pub(crate) fn wait_for_refusal(server: &Server) {
    let error = || Conversation::connect(server.addr(), PATIENCE).err();
    eventually("a refusal", error, |it| it.as_ref().is_some_and(client::Error::is_refused));
}

/// Waits until the two ends of a connection, the server's first, are in these states.
#[track_caller]
pub(crate) fn wait_for_ends(server: SocketAddr, client: SocketAddr, wanted: [Option<TcpState>; 2]) {
    let state = |local, remote| end(local, remote).map(|socket| socket.state);
    let states = || [state(server, client), state(client, server)];
    eventually(&format!("the two ends to be {wanted:?}"), states, |seen| *seen == wanted);
}

/// The end at `local` of the connection between two addresses, while the kernel knows of it.
pub(crate) fn end(local: SocketAddr, remote: SocketAddr) -> Option<Socket> {
    net::sockets().unwrap().into_iter().find(|it| it.local == local && it.remote == remote)
}
