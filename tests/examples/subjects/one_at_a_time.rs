//! A server that doesn't fork: while it serves one client it accepts nobody. Its listener has the
//! article's backlog of five.

use std::io::{self, Read, Write};
use std::net::{SocketAddrV4, TcpListener, TcpStream};

use crate::articles_listener;

pub(crate) fn run(addr: SocketAddrV4) -> io::Result<()> {
    let listener = TcpListener::from(articles_listener(addr)?);
    loop {
        serve_next(&listener)?;
    }
}

/// Waits for a client and serves it.
pub(crate) fn serve_next(listener: &TcpListener) -> io::Result<()> {
    serve(listener.accept()?.0);
    Ok(())
}

/// Echoes until the client says `Bye` or is gone.
pub(crate) fn serve(mut connection: TcpStream) {
    let mut buffer = [0; 1024];
    while let Ok(length @ 1..) = connection.read(&mut buffer) {
        let message = &buffer[..length];
        if message == b"Bye" || connection.write_all(message).is_err() {
            break;
        }
    }
}
