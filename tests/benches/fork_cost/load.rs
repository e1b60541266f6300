//! The load: clients that connect, say what they have to say, `Bye` in the end, read end-of-file
//! and are replaced by the next.
//!
//! One thread plays them all, by epoll. Threads would be simpler, but then the scheduler's work on
//! 1,000 of them would be measured too, and the server has only what cores are left.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use client::BYE;
use harness::PATIENCE;
use harness::server::Server;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{setsockopt, sockopt};

use super::Result;

/// How many connections a second a server gets through with `clients` at once that only say `Bye`.
pub(crate) fn rate(server: &Server, clients: usize, window: Duration) -> Result<f64> {
    Ok(drive(server, &[BYE], clients, window, PATIENCE)?.len() as f64 / window.as_secs_f64())
}

/// Has `clients` at once talk to `server`, for as long as `window` once the first have shown that
/// it is awake, and lets the last go in peace. Each says the words, of which the last is `Bye`, and
/// hears the echo of all others. Tells of each connection that ended in that time how long it took,
/// from connect to end-of-file.
pub(crate) fn drive(
    server: &Server,
    words: &[&[u8]],
    clients: usize,
    window: Duration,
    patience: Duration,
) -> Result<Vec<Duration>> {
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    let come = |place: usize| {
        let begun = Instant::now();
        let mut stream = TcpStream::connect(server.addr())?;
        // It leaves nothing behind when it is closed: this ends the server's TIME_WAIT, too.
        setsockopt(&stream, sockopt::Linger, &libc::linger { l_onoff: 1, l_linger: 0 })?;
        stream.write_all(words[0])?;
        epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, place as u64))?;
        Ok(Client { stream, begun, said: 1 })
    };
    let mut clients = (0..clients).map(come).collect::<Result<Vec<_>>>()?;
    let mut there = clients.len();
    let begin = Instant::now() + window / 5;
    let end = begin + window;
    let mut latencies = Vec::new();
    let mut events = [EpollEvent::empty(); 64];
    let patience = EpollTimeout::try_from(patience)?;
    while there > 0 {
        let ready = match epoll.wait(&mut events, patience) {
            Ok(0) => return Err("the server has fallen silent".into()),
            Err(Errno::EINTR) => 0,
            ready => ready?,
        };
        for event in &events[..ready] {
            let place = event.data() as usize;
            let client = &mut clients[place];
            if !client.is_done(words)? {
                continue;
            }
            // Not left to close: a process that is being started may have a copy, and epoll would
            // then go on to report the end of this one as words for the next.
            epoll.delete(&client.stream)?;
            let now = Instant::now();
            if (begin..end).contains(&now) {
                latencies.push(now - client.begun);
            }
            if now < end {
                *client = come(place)?;
            } else {
                there -= 1;
            }
        }
    }
    Ok(latencies)
}

struct Client {
    stream: TcpStream,
    begun: Instant,
    /// How many words it has said.
    said: usize,
}

impl Client {
    /// Hears what there is and says the next word; whether it has heard the end.
    fn is_done(&mut self, words: &[&[u8]]) -> Result<bool> {
        let mut heard = [0; 64];
        let length = self.stream.read(&mut heard)?;
        match words.get(self.said) {
            Some(next) if heard[..length] == *words[self.said - 1] => {
                self.stream.write_all(next)?;
                self.said += 1;
                Ok(false)
            }
            None if length == 0 => Ok(true),
            _ => Err("the server answered something else".into()),
        }
    }
}
