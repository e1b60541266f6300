//! The load: clients that connect, say what they have to say, `Bye` in the end, read end-of-file
//! and are replaced by the next.
//!
//! One thread plays them all, by epoll. Threads would be simpler, but then the scheduler's work on
//! 1,000 of them would be measured too, and the server has only what cores are left.

use std::io::{self, Error as IoError, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use client::BYE;
use harness::{Error, PATIENCE, Result};
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, connect, setsockopt, socket, sockopt,
};

/// What came of a load.
pub(crate) struct Served {
    /// Connections a second.
    pub(crate) rate: f64,
    /// How long each took, from connect to end-of-file.
    pub(crate) latencies: Vec<Duration>,
}

/// What each client says. The last word is `Bye`; of all others it hears the echo.
pub(crate) type Words = &'static [&'static [u8]];

/// All that most clients say.
pub(crate) const BYE_ALONE: Words = &[BYE];

/// Has `clients` at once talk to the server at `addr`, and counts for as long as `window` the
/// connections that end, once the first have shown that it is awake.
pub(crate) fn drive(
    words: Words,
    addr: SocketAddr,
    clients: usize,
    window: Duration,
) -> Result<Served> {
    let failed = |error: IoError| Error::new(format!("lost the server at {addr}: {error}"));
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(|it| failed(it.into()))?;
    let mut load = Load { addr, words, epoll, clients: Vec::new(), latencies: Vec::new() };
    for place in 0..clients {
        load.clients.push(None);
        load.open(place).map_err(failed)?;
    }
    load.run(window / 5, true).map_err(failed)?;
    load.latencies.clear();
    let begun = Instant::now();
    load.run(window, true).map_err(failed)?;
    let rate = load.latencies.len() as f64 / begun.elapsed().as_secs_f64();
    let latencies = std::mem::take(&mut load.latencies);
    load.run(PATIENCE, false).map_err(failed)?; // those that are still there may go in peace
    Ok(Served { rate, latencies })
}

struct Load {
    addr: SocketAddr,
    words: Words,
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
    /// Lets a client come to `place` and say its first word.
    fn open(&mut self, place: usize) -> io::Result<()> {
        let begun = Instant::now();
        let mut stream = connected(self.addr, place)?;
        stream.write_all(self.words[0])?;
        self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, place as u64))?;
        self.clients[place] = Some(Client { stream, begun, said: 1 });
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
                return Err(IoError::new(ErrorKind::TimedOut, "it has fallen silent"));
            }
            for event in &events[..ready] {
                let place = event.data() as usize;
                if self.is_done(place)? {
                    // Not left to close: a process that is being started may have a copy, and epoll
                    // would then go on to report the end of this one as words for the next.
                    let gone = self.clients[place].take();
                    gone.map_or(Ok(()), |it| self.epoll.delete(&it.stream))?;
                    if refill {
                        self.open(place)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Lets the client at `place` hear what there is and say its next word; whether it has heard
    /// the end.
    fn is_done(&mut self, place: usize) -> io::Result<bool> {
        let Some(client) = &mut self.clients[place] else { return Ok(false) };
        let mut heard = [0; 64];
        let length = client.stream.read(&mut heard)?;
        match self.words.get(client.said) {
            Some(next) if heard[..length] == *self.words[client.said - 1] => {
                client.stream.write_all(next)?;
                client.said += 1;
                Ok(false)
            }
            None if length == 0 => {
                self.latencies.push(client.begun.elapsed());
                Ok(true)
            }
            _ => Err(IoError::new(ErrorKind::InvalidData, "it answered something else")),
        }
    }
}

/// A connection that leaves nothing behind when it is closed: a linger time of zero ends the
/// server's TIME_WAIT too. Should ports run short all the same, each of 250 source addresses has
/// its own. Over loopback connect doesn't block, for the servers' queues have room for all.
fn connected(addr: SocketAddr, place: usize) -> io::Result<TcpStream> {
    let SocketAddr::V4(addr) = addr else { return Err(ErrorKind::Unsupported.into()) };
    let socket: OwnedFd =
        socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
    setsockopt(&socket, sockopt::IpBindAddressNoPort, &true)?;
    let source = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 2 + (place % 250) as u8), 0);
    bind(socket.as_raw_fd(), &SockaddrIn::from(source))?;
    connect(socket.as_raw_fd(), &SockaddrIn::from(addr))?;
    Ok(TcpStream::from(socket))
}
