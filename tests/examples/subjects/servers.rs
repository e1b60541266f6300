//! Servers that fork no child for a client.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::wait::wait;

use crate::{articles_listener, child};

/// One thread serves all clients: epoll(7) tells which of them have something to say.
pub(crate) fn epoll_server(addr: SocketAddr) -> io::Result<()> {
    const LISTENER: u64 = 0; // connections count up from 1
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

/// While it serves one client it accepts nobody.
pub(crate) fn one_at_a_time(addr: SocketAddr) -> io::Result<()> {
    let listener = articles_listener(addr)?;
    loop {
        serve(&listener.accept()?.0);
    }
}

/// Each worker sleeps in accept on the same listener, and serves one client after the other.
pub(crate) fn prefork(workers: usize, addr: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(addr)?;
    for alive in 0.. {
        if alive >= workers {
            wait()?; // and so there is one to replace
        }
        child(|| {
            while let Ok((connection, _)) = listener.accept() {
                serve(&connection);
            }
        })?;
    }
    Ok(())
}

/// One process, and a thread for each client.
pub(crate) fn thread_each(addr: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(addr)?;
    loop {
        let (connection, _) = listener.accept()?;
        thread::Builder::new().spawn(move || serve(&connection))?;
    }
}

/// Echoes until the client says `Bye` or is gone.
fn serve(connection: &TcpStream) {
    while echo(connection) {}
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
