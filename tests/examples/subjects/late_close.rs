//! A server whose child echoes once and leaves, and whose parent keeps its own copy of the
//! connection until it gets SIGUSR1. The client hears the end when the last copy is closed.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::waitpid;
use nix::unistd::pause;

use crate::child;

pub(crate) fn run(addr: SocketAddr) -> io::Result<()> {
    let sigusr1 = SigSet::from(Signal::SIGUSR1);
    sigusr1.thread_block()?; // it waits until it is fetched
    let listener = TcpListener::bind(addr)?;
    let (connection, _) = listener.accept()?;
    let child = child(|| echo_once(&connection))?;
    waitpid(child, None)?;
    println!("reaped={child}");
    sigusr1.wait()?;
    drop(connection);
    loop {
        pause();
    }
}

fn echo_once(mut connection: &TcpStream) {
    let mut buffer = [0; 1024];
    if let Ok(length) = connection.read(&mut buffer) {
        let _ = connection.write_all(&buffer[..length]);
    }
}
