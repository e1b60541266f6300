//! Statements about sockets and connections.

use std::collections::HashSet;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

use client::ss;
use harness::eventually;
use harness::net::{Socket, Timer};
use harness::server::{ANYWHERE, HELLO, Server, own_addr};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrStorage, connect, socket};
use procfs::net::TcpState;

use crate::subject::{
    articles_server, cannot_listen, end, example, lesson, served, unaccepted, wait_for_ends,
};

/// With a connection the listening socket turns into the connected one.
///
/// Verdict: false.
#[test]
fn c01_accept_opens_a_second_socket_and_the_listener_stays() {
    let server = lesson("lesson-03");
    let listener = ss::sockets_of(server.pid());
    let (client, child) = served(&server);
    let connection = end(server.addr(), client.local_addr().unwrap()).unwrap();
    assert_eq!(ss::sockets_of(child), HashSet::from([connection.inode]));
    let parents = || ss::sockets_of(server.pid());
    eventually("the parent to have its listener alone", parents, |it| *it == listener);
    assert_eq!(ss::listening_on(server.pid()), Some(server.addr()));
}

/// While the server is busy with one client, no other can connect.
///
/// Verdict: false.
#[test]
fn c02_six_more_clients_connect_behind_the_first_and_nobody_answers_them() {
    let server = example("subjects", "one-at-a-time", ANYWHERE).start().unwrap();
    let first = server.greet().unwrap();
    let waiting = [(); 6].map(|()| unaccepted(&server)); // one more than the backlog, which is 5

    // The next one isn't even answered by the kernel: it asks again after one second, which is
    // how long this takes (RFC 6298, the initial retransmission timeout).
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let late = TcpStream::from(socket(AddressFamily::Inet, SockType::Stream, flags, None).unwrap());
    let begun = connect(late.as_raw_fd(), &SockaddrStorage::from(server.addr()));
    assert_eq!(begun, Err(Errno::EINPROGRESS));
    let local = late.local_addr().unwrap();
    let again = |it: &Socket| it.state == TcpState::SynSent && it.tries > 0;
    let its_end = || end(local, server.addr());
    eventually("the late client to ask again", its_end, |it| it.as_ref().is_some_and(again));
    drop(late);

    first.part().unwrap();
    waiting[0].expect(HELLO).unwrap();
}

/// When the parent closes its copy of a connection the connection goes on: it has one reference
/// less.
///
/// Verdict: true.
#[test]
fn c03_a_connection_ends_when_its_last_copy_is_closed() {
    let server = lesson("lesson-03");
    let client = server.greet().unwrap();
    eventually("one socket of the parent's", || ss::sockets_of(server.pid()), |it| it.len() == 1);
    client.say(HELLO).unwrap();

    // The other way round: the child dies, and the parent has not closed its copy.
    let server = example("gallery", "parent-keeps-connection", ANYWHERE).start().unwrap();
    let client = server.greet().unwrap();
    let local = client.local_addr().unwrap();
    client.bye().unwrap();
    server.wait_for("the child to be reaped", |family| family.children.is_empty()).unwrap();
    wait_for_ends(server.addr(), local, [const { Some(TcpState::Established) }; 2]);
    server.kill().unwrap(); // which closes it
    client.hear_end().unwrap();
}

/// The child need not close its connection, because the client has closed it already.
///
/// Verdict: half-true.
#[test]
fn c04_leaving_closes_the_childs_connection_and_the_client_has_not_closed_first() {
    let closes = lesson("lesson-03");
    let just_leaves = articles_server("first", ANYWHERE).start().unwrap();
    for server in [closes, just_leaves] {
        let client = server.greet().unwrap();
        let local = client.local_addr().unwrap();
        client.part().unwrap();
        // The server's end has said goodbye and been heard; the client's end has yet to say it.
        wait_for_ends(server.addr(), local, [Some(TcpState::FinWait2), Some(TcpState::CloseWait)]);
    }
}

/// After a conversation the server's end of the connection is in TIME_WAIT.
///
/// Verdict: true.
#[test]
fn c05_time_wait_is_on_the_side_that_closes_first() {
    let server = lesson("lesson-03");
    let _left = leave_time_wait(&server);

    let client = server.greet().unwrap();
    let local = client.local_addr().unwrap();
    drop(client);
    wait_for_ends(server.addr(), local, [None, Some(TcpState::TimeWait)]);
}

/// TIME_WAIT goes away by itself after a while.
///
/// Verdict: true.
#[test]
fn c06_time_wait_counts_down_from_a_minute_and_bars_a_restart_without_so_reuseaddr() {
    let addr = own_addr().unwrap();
    let server = articles_server("first", addr).start().unwrap();
    let left = leave_time_wait(&server);
    // Waiting for the end would take a minute; that the kernel's own clock runs down has to do.
    assert!(left() <= Duration::from_secs(60), "{:?}", left());
    let before = left();
    eventually("the timer to run down", &left, |now| *now < before);

    // Meanwhile the article's server, which lacks the option, can't come back. (One that has it can:
    // `survival`.)
    server.kill().unwrap();
    cannot_listen(articles_server("first", addr), "neither has SO_REUSEADDR");
}

/// Leaves the server's end of a connection in TIME_WAIT; the time left is for the asking.
fn leave_time_wait(server: &Server) -> impl Fn() -> Duration {
    let client = server.greet().unwrap();
    let (local, addr) = (client.local_addr().unwrap(), server.addr());
    client.part().unwrap();
    drop(client);
    wait_for_ends(addr, local, [Some(TcpState::TimeWait), None]);
    move || match end(addr, local) {
        Some(Socket { inode: 0, timer: Some(Timer::TimeWait), due, .. }) => due,
        other => panic!("no process is to hold it, and a timer is to run: {other:?}"),
    }
}
