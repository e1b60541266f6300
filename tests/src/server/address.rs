use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU8, Ordering};

use client::ss::{self, Listener};

use crate::{Error, Result};

/// Any port of the loopback interface that is free: the kernel picks one.
pub const ANYWHERE: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0));

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// On a TCP port.
    Tcp(SocketAddr),
    /// On a path, unix(7).
    Unix(PathBuf),
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Tcp(addr) => addr.fmt(out),
            Address::Unix(path) => write!(out, "unix:{}", path.display()),
        }
    }
}

impl From<SocketAddr> for Address {
    fn from(addr: SocketAddr) -> Address {
        Address::Tcp(addr)
    }
}

impl Address {
    /// The addresses that somebody may mean by `text`: `127.0.0.1:5555`, `[::1]:5555`, a port of
    /// the loopback interface as `localhost:5555` or `5555`, or `unix:PATH`.
    ///
    /// # Errors
    /// When it is none of these: what a good one looks like.
    pub fn parse(text: &str) -> std::result::Result<Vec<Address>, String> {
        if let Some(path) = text.strip_prefix("unix:")
            && !path.is_empty()
        {
            return Ok(vec![Address::Unix(path.into())]);
        }
        let port = text.strip_prefix("localhost:").unwrap_or(text);
        let (v4, v6) = (IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST));
        let addrs = match (port.parse(), text.parse::<SocketAddr>()) {
            (Ok(port), _) => vec![SocketAddr::new(v4, port), SocketAddr::new(v6, port)],
            // connect(2) reads "any" as loopback.
            (_, Ok(any)) if any.ip().is_unspecified() => {
                vec![SocketAddr::new(if any.is_ipv4() { v4 } else { v6 }, any.port())]
            }
            (_, Ok(addr)) => vec![addr],
            _ => Vec::new(),
        };
        if addrs.is_empty() || addrs[0].port() == 0 {
            return Err("it is to look like 127.0.0.1:5555, [::1]:5555, localhost:5555, 5555 or \
                        unix:PATH"
                .to_owned());
        }
        Ok(addrs.into_iter().map(Address::Tcp).collect())
    }
}

/// A loopback address of this caller's own, with a free port that the kernel hands to nobody by
/// itself (ip(7), `ip_local_port_range`). It is not tried by binding it: a copy of that socket
/// would be in the way in each program that another thread has forked and not yet executed.
///
/// # Errors
/// When no port is seen to be free.
pub fn own_addr() -> Result<SocketAddr> {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, high.max(1), low, NEXT.fetch_add(1, Ordering::Relaxed));
    let mut addrs = (10_000..30_000).map(|port| SocketAddr::from((ip, port)));
    let free = addrs.find(|addr| matches!(ss::listener(*addr), Ok(Listener::Elsewhere)));
    free.ok_or_else(|| Error::new(format!("no free port on {ip}")))
}
