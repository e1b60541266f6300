//! The other end of the line: conversations with an echo server, and a look at its children.
//!
//! The protocol is unframed bytes over TCP. The server echoes what it reads; a read of exactly
//! `Bye` ends the conversation without an echo, and the server closes first.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;
use std::{error, fmt};

use nix::libc;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::socket::{setsockopt, sockopt};

pub mod poll;
pub mod ps;
pub mod signals;

/// What ends a conversation when it stands alone in one read of the server's.
pub const BYE: &[u8] = b"Bye";

/// Why a conversation went wrong, with the server's address.
///
/// Its `Debug` is its `Display`, so that `unwrap` in a test prints a line that can be read.
pub struct Error {
    server: SocketAddr,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Connect(io::Error),
    Silent(Duration),
    Lost(io::Error),
    Ended { heard: usize, expected: usize },
    Altered,
    TalksOn,
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

    /// Whether the server ended the conversation in good order: end-of-file, not a reset.
    #[must_use]
    pub fn is_end_of_file(&self) -> bool {
        matches!(self.kind, Kind::Ended { .. })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let server = self.server;
        match &self.kind {
            Kind::Connect(error) if self.is_refused() => {
                write!(out, "nobody listens on {server}: {error}")
            }
            Kind::Connect(error) if error.raw_os_error() == Some(libc::EMFILE) => {
                let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft);
                write!(
                    out,
                    "cannot connect to {server}: no more than {limit} files may be open; "
                )?;
                write!(out, "ask for fewer clients, or raise the limit (ulimit -n)")
            }
            Kind::Connect(error) => write!(out, "cannot connect to {server}: {error}"),
            Kind::Silent(patience) => {
                write!(out, "{server} did not answer for {} s", patience.as_secs_f32())
            }
            Kind::Lost(error) => write!(out, "lost the connection to {server}: {error}"),
            Kind::Ended { heard, expected } => {
                write!(out, "{server} closed after {heard} of {expected} bytes of the echo")
            }
            Kind::Altered => write!(out, "{server} sent back other bytes than it was sent"),
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
    stream: TcpStream,
    server: SocketAddr,
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
            Err(error) => Err(Error { server, kind: Kind::Connect(error) }),
        }
    }

    /// Talks over a connection to `server` that somebody else has made; each read and write may
    /// take `patience` (not zero).
    ///
    /// # Errors
    /// When the socket can't be prepared.
    pub fn over(stream: TcpStream, server: SocketAddr, patience: Duration) -> Result<Self, Error> {
        let prepared = stream
            .set_read_timeout(Some(patience))
            .and_then(|()| stream.set_write_timeout(Some(patience)))
            .and_then(|()| stream.set_nodelay(true));
        match prepared {
            Ok(()) => Ok(Conversation { stream, server, patience }),
            Err(error) => Err(Error { server, kind: Kind::Connect(error) }),
        }
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
        let heard = self.hear(message.len())?;
        if heard == message { Ok(()) } else { Err(self.error(Kind::Altered)) }
    }

    /// Sends `bytes` and doesn't wait for an answer.
    ///
    /// # Errors
    /// When the connection is lost, or the server doesn't read in time.
    pub fn send(&self, bytes: &[u8]) -> Result<(), Error> {
        (&self.stream).write_all(bytes).map_err(|error| self.lost(error))
    }

    /// Hears exactly `length` bytes.
    ///
    /// # Errors
    /// When the connection ends before that, is lost or silent.
    pub fn hear(&self, length: usize) -> Result<Vec<u8>, Error> {
        let mut heard = vec![0; length];
        let mut at = 0;
        while at < length {
            match (&self.stream).read(&mut heard[at..]) {
                Ok(0) => return Err(self.error(Kind::Ended { heard: at, expected: length })),
                Ok(more) => at += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.lost(error)),
            }
        }
        Ok(heard)
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
        match self.hear(1) {
            Err(Error { kind: Kind::Ended { .. }, .. }) => Ok(()),
            Err(error) => Err(error),
            Ok(_) => Err(self.error(Kind::TalksOn)),
        }
    }

    /// Closes this side's direction only: the server reads end-of-file and may still answer.
    ///
    /// # Errors
    /// When the connection is already lost.
    pub fn close_half(&self) -> Result<(), Error> {
        self.stream.shutdown(Shutdown::Write).map_err(|error| self.lost(error))
    }

    /// Leaves with a reset in place of a goodbye: close(2) with a linger time of zero.
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
    /// When the socket has none any more.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.stream.local_addr()
    }

    fn error(&self, kind: Kind) -> Error {
        Error { server: self.server, kind }
    }

    fn lost(&self, error: io::Error) -> Error {
        // A socket's timeout shows as EAGAIN, socket(7).
        let silent = error.kind() == io::ErrorKind::WouldBlock;
        self.error(if silent { Kind::Silent(self.patience) } else { Kind::Lost(error) })
    }
}
