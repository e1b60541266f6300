//! One process, and a thread for each client.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::one_at_a_time::serve;

pub(crate) fn run(addr: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(addr)?;
    loop {
        let (connection, _) = listener.accept()?;
        thread::Builder::new().spawn(move || serve(connection))?;
    }
}
