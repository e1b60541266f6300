//! One process and one thread serve all clients: epoll(7) tells which of them have something to
//! say, so nothing blocks for as long as one of them has.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

/// The number by which the listener is known; connections count up from 1.
const LISTENER: u64 = 0;

pub(crate) fn run(addr: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(addr)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut connections: HashMap<u64, TcpStream> = HashMap::new();
    let mut events = [EpollEvent::empty(); 64];
    for newest in 1.. {
        let ready = epoll.wait(&mut events, EpollTimeout::NONE)?;
        for event in &events[..ready] {
            match connections.get(&event.data()) {
                None => {
                    let (connection, _) = listener.accept()?;
                    epoll.add(&connection, EpollEvent::new(EpollFlags::EPOLLIN, newest))?;
                    connections.insert(newest, connection);
                }
                // Closing it takes it out of the epoll, too.
                Some(connection) if !echo(connection) => drop(connections.remove(&event.data())),
                Some(_) => {}
            }
        }
    }
    Ok(())
}

/// Echoes what has come; whether the conversation goes on.
fn echo(mut connection: &TcpStream) -> bool {
    let mut buffer = [0; 1024];
    match connection.read(&mut buffer) {
        Ok(length @ 1..) if &buffer[..length] != b"Bye" => {
            connection.write_all(&buffer[..length]).is_ok()
        }
        _ => false,
    }
}
