//! A machine's TCP sockets with the timers that the kernel runs for them: the columns of
//! /proc/net/tcp that ss(8) shows with `-o`.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use procfs::net::TcpState;

use crate::story::count;

/// What the kernel will do about a socket by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timer {
    /// Send again what is not acknowledged. /proc knows two kinds, 1 for what was sent and 4 for
    /// what could not be sent so far; which one it is hangs on what the device told at the time.
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
    /// How many bytes have arrived that the process has not read; of a listener, how many
    /// connections that it has not accepted.
    pub unread: u32,
    /// What is going to happen to it without anybody's doing, if anything.
    pub timer: Option<Timer>,
    /// How long it is until the timer fires.
    pub due: Duration,
    /// How often it has fired without an answer; counted from 0 again when the kind of `Resend`
    /// changes.
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
        if self.unread > 0 {
            write!(out, ", {} unread", count(self.unread as usize, "byte"))?;
        }
        if self.unacknowledged > 0 {
            write!(out, ", {} unacknowledged", count(self.unacknowledged as usize, "byte"))?;
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

/// Reads the text of /proc/net/tcp; an error names the line that isn't understood.
pub(super) fn parse(text: &str) -> Result<Vec<Socket>, String> {
    let sockets = text.lines().skip(1);
    sockets.map(|line| socket(line).ok_or_else(|| format!("not understood: {line}"))).collect()
}

fn socket(line: &str) -> Option<Socket> {
    let hex = |text| u32::from_str_radix(text, 16).ok();
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [_, local, remote, state, queues, timer, retransmissions, _user, probes, inode, ..] =
        fields[..]
    else {
        return None;
    };
    let (unacknowledged, unread) = queues.split_once(':')?;
    let (timer, ticks) = timer.split_once(':')?;
    let (timer, tries) = match hex(timer)? {
        0 => (None, 0),
        1 => (Some(Timer::Resend), hex(retransmissions)?),
        2 => (Some(Timer::Keepalive), probes.parse().ok()?),
        3 => (Some(Timer::TimeWait), 0),
        4 => (Some(Timer::Resend), probes.parse().ok()?),
        _ => return None,
    };
    let seconds = u64::from_str_radix(ticks, 16).ok()? as f64 / procfs::ticks_per_second() as f64;
    Some(Socket {
        local: address(local)?,
        remote: address(remote)?,
        state: TcpState::from_u8(hex(state)?.try_into().ok()?)?,
        unacknowledged: hex(unacknowledged)?,
        unread: hex(unread)?,
        timer,
        due: Duration::try_from_secs_f64(seconds).ok()?,
        tries,
        inode: inode.parse().ok()?,
    })
}

/// `0100000A:15B3`: the address as the bytes lie in memory, the port as a number.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let ip = Ipv4Addr::from(u32::from_str_radix(ip, 16).ok()?.to_ne_bytes());
    Some(SocketAddr::from((ip, u16::from_str_radix(port, 16).ok()?)))
}
