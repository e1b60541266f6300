//! What the tests ask the kernel, by way of /proc.

use std::fmt::Debug;
use std::net::SocketAddr;

use client::{Conversation, ps};
use harness::eventually;
use harness::net::{self, Socket};
use harness::server::Server;
use procfs::net::TcpState;

/// The end at `local` of the connection between two addresses, while the kernel knows of it.
pub(crate) fn end(local: SocketAddr, remote: SocketAddr) -> Option<Socket> {
    net::sockets().unwrap().into_iter().find(|it| it.local == local && it.remote == remote)
}

/// The state of the server's end and of the client's end of a connection.
pub(crate) fn ends(server: SocketAddr, client: SocketAddr) -> [Option<TcpState>; 2] {
    [end(server, client), end(client, server)].map(|end| end.map(|socket| socket.state))
}

/// Waits until the two ends of a connection, the server's first, are in these states.
#[track_caller]
pub(crate) fn wait_for_ends(server: SocketAddr, client: SocketAddr, wanted: [Option<TcpState>; 2]) {
    wait_to_be("the two ends", &wanted, || ends(server, client));
}

/// Waits until what `look` sees is as it is wanted.
#[track_caller]
pub(crate) fn wait_to_be<T: PartialEq + Debug>(what: &str, wanted: &T, look: impl Fn() -> T) {
    eventually(&format!("{what} to be {wanted:?}"), || match look() {
        seen if seen == *wanted => Ok(()),
        seen => Err(seen),
    });
}

/// Waits until `client` is connected and has been heard, by the kernel alone: what it sent lies
/// at the server's end, which no process holds.
#[track_caller]
pub(crate) fn wait_for_unaccepted(server: SocketAddr, client: &Conversation) {
    let local = client.local_addr().unwrap();
    eventually("the client to be connected to nobody", || match end(server, local) {
        Some(Socket { state: TcpState::Established, inode: 0, unread: 1.., .. }) => Ok(()),
        other => Err(other),
    });
}

/// This process, which is the subreaper of all that the harness starts.
pub(crate) fn own_pid() -> i32 {
    std::process::id().cast_signed()
}

/// The parent of `pid`.
pub(crate) fn parent(pid: i32) -> i32 {
    ps::stat(pid).unwrap().ppid
}

/// The child that serves `client`, alone.
#[track_caller]
pub(crate) fn child_of(server: &Server, client: &Conversation) -> i32 {
    match server.serving(client).unwrap()[..] {
        [child] => child,
        ref several => panic!("one child was to serve the client, not {several:?}"),
    }
}
