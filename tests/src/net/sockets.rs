//! TCP sockets with the timers that the kernel runs for them, as ss(8) shows them with `-o`.

use std::net::SocketAddr;
use std::time::Duration;
use std::{fmt, fs};

use procfs::FromBufReadSI;
use procfs::net::{TcpNetEntries, TcpState};

use crate::story::count;
use crate::{Error, Result};

/// What the kernel will do about a socket by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// Send again what is not acknowledged: in /proc 1 for what was sent, 4 for what couldn't be.
    Resend,
    /// Ask whether the other side is still there.
    Keepalive,
    /// Forget the connection.
    TimeWait,
}

/// A TCP socket at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Socket {
    /// Its own address.
    pub local: SocketAddr,
    /// The address at the other end.
    pub remote: SocketAddr,
    /// Its state.
    pub state: TcpState,
    /// How many bytes the other side has not acknowledged.
    pub unacknowledged: u32,
    /// How many bytes the process has not read; how many connections a listener has not accepted.
    pub unread: u32,
    /// What is going to happen to it without anybody's doing, if anything.
    pub timer: Option<Timer>,
    /// How long it is until the timer fires.
    pub due: Duration,
    /// How often it has fired without an answer; from 0 again when the kind of `Resend` changes.
    pub tries: u32,
    /// What /proc/PID/fd calls it; 0 when no process holds it, not yet or not any more.
    pub inode: u64,
}

impl Socket {
    /// Whether nothing is under way: all is acknowledged and read, and nothing will be sent again.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let waits_for_nothing = matches!(self.timer, None | Some(Timer::Keepalive));
        self.unacknowledged == 0 && self.unread == 0 && waits_for_nothing
    }
}

impl fmt::Display for Socket {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&format!("{:?}", self.state).to_uppercase())?;
        for (bytes, what) in [(self.unread, "unread"), (self.unacknowledged, "unacknowledged")] {
            if bytes > 0 {
                write!(out, ", {} {what}", count(bytes as usize, "byte"))?;
            }
        }
        let (due, tries) = (self.due.as_secs_f32(), self.tries);
        match self.timer {
            None => out.write_str(", no timer"),
            Some(Timer::Resend) => {
                write!(out, ", next try in {due:.2} s after {tries} without an answer")
            }
            Some(Timer::Keepalive) => write!(out, ", keepalive in {due:.2} s"),
            Some(Timer::TimeWait) => write!(out, ", forgotten in {due:.2} s"),
        }
    }
}

/// The IPv4 TCP sockets of the network that this process is in.
///
/// # Errors
/// When /proc/net/tcp can't be read.
pub fn sockets() -> Result<Vec<Socket>> {
    read("/proc/net/tcp")
}

/// Reads a file like /proc/net/tcp.
pub(super) fn read(table: &str) -> Result<Vec<Socket>> {
    let cannot = |why: &dyn fmt::Display| Error::new(format!("cannot read {table}: {why}"));
    let text = fs::read_to_string(table).map_err(|error| cannot(&error))?;
    let entries = TcpNetEntries::from_buf_read(text.as_bytes(), procfs::current_system_info());
    let entries = entries.map_err(|error| cannot(&error))?.0;
    let socket = |(entry, line): (procfs::net::TcpNetEntry, &str)| {
        let (timer, due, tries) = timer(line).ok_or_else(|| cannot(&line))?;
        Ok(Socket {
            local: entry.local_address,
            remote: entry.remote_address,
            state: entry.state,
            unacknowledged: entry.tx_queue,
            unread: entry.rx_queue,
            timer,
            due,
            tries,
            inode: entry.inode,
        })
    };
    entries.into_iter().zip(text.lines().skip(1)).map(socket).collect()
}

/// What procfs leaves out: a socket's timer, how long it is until it fires, and how often it has.
fn timer(line: &str) -> Option<(Option<Timer>, Duration, u32)> {
    let hex = |text| u32::from_str_radix(text, 16).ok();
    let mut fields = line.split_ascii_whitespace().skip(5);
    let (kind, ticks) = fields.next()?.split_once(':')?;
    let (retransmissions, _user, probes) = (fields.next()?, fields.next()?, fields.next()?);
    let (timer, tries) = match kind {
        "00" => (None, 0),
        "01" => (Some(Timer::Resend), hex(retransmissions)?),
        "02" => (Some(Timer::Keepalive), probes.parse().ok()?),
        "03" => (Some(Timer::TimeWait), 0),
        "04" => (Some(Timer::Resend), probes.parse().ok()?),
        _ => return None,
    };
    let seconds = f64::from(hex(ticks)?) / procfs::ticks_per_second() as f64;
    Some((timer, Duration::from_secs_f64(seconds), tries))
}
