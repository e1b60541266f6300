//! The other end of the line: conversations with an echo server, and a look at its children.
//!
//! The protocol is unframed bytes over TCP. The server echoes what it reads; a read of exactly
//! `Bye` ends the conversation without an echo, and the server closes first.
//!
//! # Layout
//!
//! - [`Conversation`]: one client's end of a connection.
//! - [`ps`]: processes and their states, as ps(1) shows them.
//! - [`ss`]: sockets and who holds them, as ss(8) does; [`unix`]: those that have a path.
//! - [`poll`]: waiting without guessing how long it takes.
//! - [`signals`]: what a process inherits about them.
//!
//! # Example
//!
//! A zombie, seen: the child has ended, and nobody has waited for it.
//!
//! ```
//! use std::process::Command;
//! use std::time::Duration;
//!
//! use client::{poll, ps};
//!
//! let mut child = Command::new("/bin/sh").args(["-c", "exit 3"]).spawn()?;
//! let pid = child.id() as i32;
//! let is_zombie = || (ps::state(pid) == Some('Z')).then_some(());
//! assert!(poll::until(Duration::from_secs(30), is_zombie).is_some());
//! assert_eq!(child.wait()?.code(), Some(3)); // now it is reaped
//! assert_eq!(ps::state(pid), None);
//! # Ok::<(), std::io::Error>(())
//! ```

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;
use std::{error, fmt};

use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt,
};

pub mod poll;
pub mod ps;
pub mod signals;
pub mod ss;
pub mod unix;

/// What ends a conversation when it stands alone in one read of the server's.
pub const BYE: &[u8] = b"Bye";

/// Why a conversation went wrong, with the server's address.
///
/// Its `Debug` is its `Display`, so that `unwrap` in a test prints a line that can be read.
pub struct Error {
    server: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Connect(io::Error),
    Silent(Duration),
    Lost(io::Error),
    Ended { heard: usize, expected: usize },
    Altered(Vec<u8>),
    TalksOn,
    Closed,
}

impl Error {
    /// Whether nobody listened at the address.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        matches!(&self.kind, Kind::Connect(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    }

    /// Whether the server kept the connection open but said nothing in time.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        matches!(self.kind, Kind::Silent(_))
    }

    /// What came in place of what was expected, if something else did.
    #[must_use]
    pub fn heard_instead(&self) -> Option<&[u8]> {
        if let Kind::Altered(heard) = &self.kind { Some(heard) } else { None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = &self.server;
        match &self.kind {
            Kind::Connect(error) if self.is_refused() => {
                write!(out, "nobody listens on {server}: {error}")
            }
            Kind::Connect(error) if error.raw_os_error() == Some(libc::EMFILE) => {
                let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
                write!(
                    out,
                    "cannot connect to {server}: no more than {limit} files may be open; \
                     ask for fewer clients, or raise the limit (ulimit -n)"
                )
            }
            Kind::Connect(error) => write!(out, "cannot connect to {server}: {error}"),
            Kind::Silent(patience) => {
                write!(out, "{server} did not answer for {} s", patience.as_secs_f32())
            }
            Kind::Lost(error) => write!(out, "lost the connection to {server}: {error}"),
            Kind::Ended { heard, expected } => {
                write!(out, "{server} closed after {heard} of {expected} bytes of the echo")
            }
            Kind::Altered(_) => write!(out, "{server} sent back other bytes than it was sent"),
            Kind::Closed => write!(out, "{server} has closed the connection"),
            Kind::TalksOn => write!(out, "{server} sent more where end-of-file was due"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

impl error::Error for Error {}

/// One open connection to an echo server.
#[derive(Debug)]
pub struct Conversation {
    /// Of either family: it is asked for nothing that only TCP knows, but for [`over`](Self::over).
    stream: TcpStream,
    server: String,
    patience: Duration,
}

impl Conversation {
    /// Connects to `server`; that, and each later read and write, may take `patience` (not zero).
    ///
    /// # Errors
    /// When nobody listens there, or the connection can't be made in time.
    pub fn connect(server: SocketAddr, patience: Duration) -> Result<Self, Error> {
        match TcpStream::connect_timeout(&server, patience) {
            Ok(stream) => Conversation::over(stream, server, patience),
            Err(error) => Err(Error { server: server.to_string(), kind: Kind::Connect(error) }),
        }
    }

    /// Connects to the server that listens on the unix(7) socket `path`; each later read and write
    /// may take `patience` (not zero), and so may a wait for room in its queue.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn connect_unix(path: &Path, patience: Duration) -> Result<Self, Error> {
        let connected = || {
            let flags = SockFlag::SOCK_CLOEXEC;
            let stream = socket(AddressFamily::Unix, SockType::Stream, flags, None)?.into();
            set_timeouts(&stream, patience)?;
            connect(stream.as_raw_fd(), &UnixAddr::new(path)?)?;
            Ok(stream)
        };
        let server = format!("unix:{}", path.display());
        match connected() {
            Ok(stream) => Ok(Conversation { stream, server, patience }),
            Err(error) => Err(Error { server, kind: Kind::Connect(error) }),
        }
    }

    /// Talks over a connection to `server` that somebody else has made, with the same patience.
    ///
    /// # Errors
    /// When the socket can't be prepared.
    pub fn over(stream: TcpStream, server: SocketAddr, patience: Duration) -> Result<Self, Error> {
        let server = server.to_string();
        match set_timeouts(&stream, patience).and_then(|()| stream.set_nodelay(true)) {
            Ok(()) => Ok(Conversation { stream, server, patience }),
            Err(error) => Err(Error { server, kind: Kind::Connect(error) }),
        }
    }

    /// Waits no longer than `patience` (not zero) from now on.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_patience(&mut self, patience: Duration) -> Result<(), Error> {
        self.patience = patience;
        self.wait_for(patience)
    }

    /// Sends `message` and hears the same bytes back.
    ///
    /// # Errors
    /// When the connection is lost or silent, or when something else comes back.
    pub fn say(&self, message: &[u8]) -> Result<(), Error> {
        self.send(message)?;
        self.expect(message)
    }

    /// Hears exactly `message`.
    ///
    /// # Errors
    /// When the connection is lost or silent, or when something else comes.
    pub fn expect(&self, message: &[u8]) -> Result<(), Error> {
        let (heard, expected) = (self.hear(message.len())?, message.len());
        match heard.len() {
            _ if heard == message => Ok(()),
            heard if heard < expected => Err(self.error(Kind::Ended { heard, expected })),
            _ => Err(self.error(Kind::Altered(heard))),
        }
    }

    /// Sends `bytes` and doesn't wait for an answer.
    ///
    /// # Errors
    /// When the connection is lost, or the server doesn't read in time.
    pub fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        (&self.stream).write_all(bytes).map_err(|error| self.lost(error))
    }

    /// Hears so many bytes, or those that come before end-of-file.
    fn hear(&self, most: usize) -> Result<Vec<u8>, Error> {
        let mut heard = Vec::new();
        let read = (&self.stream).take(most as u64).read_to_end(&mut heard);
        read.map(|_| heard).map_err(|error| self.lost(error))
    }

    /// Hears whatever comes until `enough` says so of all of it, and returns it. Once something has
    /// come, a quarter of the patience is enough to wait for more.
    ///
    /// # Errors
    /// When the connection ends before that, is lost or silent: with what came until then.
    pub fn hear_until(&self, enough: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>, Error> {
        let (mut heard, mut buffer) = (Vec::new(), [0; 4096]);
        let heard = loop {
            if enough(&heard) {
                break Ok(heard);
            }
            match (&self.stream).read(&mut buffer) {
                Ok(more @ 1..) => heard.extend(&buffer[..more]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ if !heard.is_empty() => break Err(self.error(Kind::Altered(heard))),
                Ok(_) => break Err(self.error(Kind::Closed)),
                Err(error) => break Err(self.lost(error)),
            }
            if !heard.is_empty() {
                self.wait_for(self.patience / 4)?;
            }
        };
        self.wait_for(self.patience)?;
        heard
    }

    fn wait_for(&self, patience: Duration) -> Result<(), Error> {
        self.stream.set_read_timeout(Some(patience)).map_err(|error| self.lost(error))
    }

    /// Says `Bye`, on which the server closes the connection.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn bye(&self) -> Result<(), Error> {
        self.send(BYE)
    }

    /// Hears the end of the conversation: end-of-file and nothing before it.
    ///
    /// # Errors
    /// When more bytes come, or the connection is lost or silent instead of ended.
    pub fn hear_end(&self) -> Result<(), Error> {
        if self.hear(1)?.is_empty() { Ok(()) } else { Err(self.error(Kind::TalksOn)) }
    }

    /// Says `Bye` and hears the end.
    ///
    /// # Errors
    /// As for [`bye`](Self::bye) and [`hear_end`](Self::hear_end).
    pub fn part(&self) -> Result<(), Error> {
        self.bye()?;
        self.hear_end()
    }

    /// Hears the conversation out: returns what the server still said before its end-of-file.
    ///
    /// # Errors
    /// When the connection is lost or silent instead of ended.
    pub fn hear_out(&self) -> Result<Vec<u8>, Error> {
        self.hear(usize::MAX)
    }

    /// Looks whether the server still keeps its direction open, whatever it has said before.
    ///
    /// # Errors
    /// When it has closed it, or the connection is lost.
    pub fn is_open(&self) -> Result<(), Error> {
        let hangup = PollFlags::from_bits_retain(libc::POLLRDHUP); // which nix has no name for
        let mut ends = [PollFd::new(self.as_fd(), hangup)];
        match nix::poll::poll(&mut ends, PollTimeout::ZERO) {
            Ok(0) | Err(_) => Ok(()),
            Ok(_) => Err(self.error(Kind::Closed)),
        }
    }

    /// Closes this side's direction only: the server reads end-of-file and may still answer.
    ///
    /// # Errors
    /// When the connection is already lost.
    pub fn close_half(&self) -> Result<(), Error> {
        self.stream.shutdown(Shutdown::Write).map_err(|error| self.lost(error))
    }

    /// Leaves with a reset in place of a goodbye: close(2) with a linger time of zero, which a
    /// unix(7) socket ignores.
    ///
    /// # Errors
    /// When the kernel refuses the option.
    pub fn reset(self) -> Result<(), Error> {
        let linger = libc::linger { l_onoff: 1, l_linger: 0 };
        setsockopt(&self.stream, sockopt::Linger, &linger).map_err(|errno| self.lost(errno.into()))
    }

    /// The address of this end.
    ///
    /// # Errors
    /// When the socket has none any more, or never had one: a unix(7) socket's client.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn error(&self, kind: Kind) -> Error {
        Error { server: self.server.clone(), kind }
    }

    fn lost(&self, error: io::Error) -> Error {
        // A socket's timeout shows as EAGAIN, socket(7).
        let silent = error.kind() == io::ErrorKind::WouldBlock;
        self.error(if silent { Kind::Silent(self.patience) } else { Kind::Lost(error) })
    }
}

impl AsFd for Conversation {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn set_timeouts(stream: &TcpStream, patience: Duration) -> io::Result<()> {
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))
}
