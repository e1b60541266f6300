//! Forks before there is a client: each worker sleeps in accept on the same listener, and serves
//! one client after the other.

use std::io;
use std::net::{SocketAddr, TcpListener};

use nix::sys::wait::wait;

use crate::{child, one_at_a_time};

pub(crate) fn run(workers: usize, addr: SocketAddr) -> io::Result<()> {
    let listener = TcpListener::bind(addr)?;
    for alive in 0.. {
        if alive >= workers {
            wait()?; // and so there is one to replace
        }
        child(|| while one_at_a_time::serve_next(&listener).is_ok() {})?;
    }
    Ok(())
}
