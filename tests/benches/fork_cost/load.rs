//! The load: clients that connect, say what they have to say, `Bye` in the end, read end-of-file
//! and are replaced by the next.
//!
//! One thread plays them all, by epoll. Threads would be simpler, but then the scheduler's work on
//! 64 of them would be measured too, and the server has only what cores are left.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};
use std::{fs, io};

use client::BYE;
use harness::{Error, PATIENCE, Result};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};

/// What came of a load.
#[derive(Debug)]
pub(crate) struct Served {
    /// How long was counted.
    pub(crate) took: Duration,
    /// Of each connection that ended in this time: how long it took from connect to end-of-file.
    pub(crate) latencies: Vec<Duration>,
    /// How many SYNs were sent again on this machine meanwhile. One that a full queue has dropped
    /// costs its client a second, which says nothing about fork.
    pub(crate) syns_again: u64,
}

impl Served {
    /// Connections a second.
    pub(crate) fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.took.as_secs_f64()
    }
}

/// Has `clients` at once talk to the server at `addr`, and counts for as long as `window` the
/// connections that end, once the first have shown that it is awake.
pub(crate) fn drive(addr: SocketAddr, clients: usize, window: Duration) -> Result<Served> {
    drive_saying(&[BYE], addr, clients, window)
}

/// The same with something to say before the `Bye` that comes last: of all else the echo is heard.
pub(crate) fn drive_saying(
    words: &'static [&'static [u8]],
    addr: SocketAddr,
    clients: usize,
    window: Duration,
) -> Result<Served> {
    let failed = |error: io::Error| Error::new(format!("lost the server at {addr}: {error}"));
    let SocketAddr::V4(addr) = addr else {
        return Err(Error::new(format!("{addr} is not an IPv4 address")));
    };
    let syns_before = syns_sent_again();
    let mut load = Load::start(addr, clients, words).map_err(failed)?;
    load.run(window / 5, true).map_err(failed)?;
    load.latencies.clear();
    let begun = Instant::now();
    load.run(window, true).map_err(failed)?;
    let (took, counted) = (begun.elapsed(), load.latencies.len());
    load.run(PATIENCE, false).map_err(failed)?; // those that are still there may go in peace
    load.latencies.truncate(counted);
    let syns_again = syns_sent_again().saturating_sub(syns_before);
    Ok(Served { took, latencies: load.latencies, syns_again })
}

struct Load {
    addr: SocketAddrV4,
    words: &'static [&'static [u8]],
    epoll: Epoll,
    clients: Vec<Option<Client>>,
    latencies: Vec<Duration>,
}

struct Client {
    stream: TcpStream,
    begun: Instant,
    /// How many words it has said.
    said: usize,
}

impl Load {
    fn start(
        addr: SocketAddrV4,
        clients: usize,
        words: &'static [&'static [u8]],
    ) -> io::Result<Load> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        let mut load = Load { addr, words, epoll, clients: Vec::new(), latencies: Vec::new() };
        for place in 0..clients {
            load.clients.push(None);
            load.open(place)?;
        }
        Ok(load)
    }

    /// Lets a client come to `place`.
    fn open(&mut self, place: usize) -> io::Result<()> {
        let begun = Instant::now();
        let mut stream = connecting(self.addr, place)?;
        // Over loopback it is connected by now, unless the server's queue is full.
        let said = usize::from(say(&mut stream, self.words[0])?);
        let event = if said > 0 { EpollFlags::EPOLLIN } else { EpollFlags::EPOLLOUT };
        self.epoll.add(&stream, EpollEvent::new(event, place as u64))?;
        self.clients[place] = Some(Client { stream, begun, said });
        Ok(())
    }

    /// Goes on for as long as `window`; without `refill` at most until the last client has gone.
    fn run(&mut self, window: Duration, refill: bool) -> io::Result<()> {
        let begun = Instant::now();
        let mut events = [EpollEvent::empty(); 64];
        let mut heard = begun;
        while begun.elapsed() < window && self.clients.iter().any(Option::is_some) {
            let ready = match self.epoll.wait(&mut events, EpollTimeout::from(20_u8)) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(errno) => return Err(errno.into()),
            };
            if ready > 0 {
                heard = Instant::now();
            } else if heard.elapsed() >= PATIENCE {
                return Err(io::Error::new(ErrorKind::TimedOut, "it has fallen silent"));
            }
            for event in &events[..ready] {
                let place = event.data() as usize;
                let Some(client) = &mut self.clients[place] else { continue };
                if client.said == 0 {
                    if say(&mut client.stream, self.words[0])? {
                        client.said = 1;
                        let mut event = EpollEvent::new(EpollFlags::EPOLLIN, event.data());
                        self.epoll.modify(&client.stream, &mut event)?;
                    }
                } else if client.said < self.words.len() {
                    if has_heard(&mut client.stream, self.words[client.said - 1])? {
                        say(&mut client.stream, self.words[client.said])?;
                        client.said += 1;
                    }
                } else if is_over(&mut client.stream)? {
                    self.latencies.push(client.begun.elapsed());
                    self.clients[place] = None; // closed, and so out of epoll
                    if refill {
                        self.open(place)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A socket that is about to be connected. It leaves nothing behind when it is closed: a linger
/// time of zero ends the server's TIME_WAIT too. Should ports run short all the same, each of 250
/// source addresses has its own.
fn connecting(addr: SocketAddrV4, place: usize) -> io::Result<TcpStream> {
    let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
    let socket: OwnedFd = socket(AddressFamily::Inet, SockType::Stream, flags, None)?;
    setsockopt(&socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    if addr.ip().is_loopback() {
        let source = Ipv4Addr::new(127, 0, 0, 2 + (place % 250) as u8);
        setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
        bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(source, 0)))?;
    }
    match connect(socket.as_raw_fd(), &SockaddrIn::from(addr)) {
        Ok(()) | Err(Errno::EINPROGRESS) => Ok(TcpStream::from(socket)),
        Err(errno) => Err(errno.into()),
    }
}

/// Says a word, if the connection is there to say it.
fn say(stream: &mut TcpStream, word: &[u8]) -> io::Result<bool> {
    match stream.write_all(word) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the echo of `word` has come.
fn has_heard(stream: &mut TcpStream, word: &[u8]) -> io::Result<bool> {
    let mut heard = [0; 64];
    match stream.read(&mut heard) {
        Ok(length) if &heard[..length] == word => Ok(true),
        Ok(_) => Err(io::Error::new(ErrorKind::InvalidData, "it answered something else")),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether the server has closed.
fn is_over(stream: &mut TcpStream) -> io::Result<bool> {
    match stream.read(&mut [0; 64]) {
        Ok(0) => Ok(true),
        Ok(_) => Err(io::Error::new(ErrorKind::InvalidData, "it answered Bye")),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(false),
        Err(error) => Err(error),
    }
}

/// TCPSynRetrans of /proc/net/netstat: two lines, names and values.
fn syns_sent_again() -> u64 {
    let netstat = fs::read_to_string("/proc/net/netstat").unwrap_or_default();
    let mut lines = netstat.lines().filter(|line| line.starts_with("TcpExt:"));
    let (Some(names), Some(values)) = (lines.next(), lines.next()) else { return 0 };
    let mut both = names.split_whitespace().zip(values.split_whitespace());
    both.find(|(name, _)| *name == "TCPSynRetrans").map_or(0, |(_, it)| it.parse().unwrap_or(0))
}
