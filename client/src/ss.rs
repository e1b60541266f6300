//! What the article's author used `netstat` for, as ss(8) does it today: who listens on an address,
//! and who serves whom. All of it is read from proc(5), so it works for any server.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::hash::Hash;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use procfs::net::{TcpNetEntries, TcpNetEntry, TcpState};
use procfs::process::{FDTarget, all_processes};
use procfs::{FromBufReadSI, FromReadSI, ProcResult};

use crate::ps;

/// What can be said about who listens on an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listener {
    /// These processes hold the listening socket; the first is the parent of the others.
    Held(Vec<i32>),
    /// Somebody here listens, but we may not look into that process (another user's, say).
    Hidden,
    /// Nobody listens there on this machine, or in this network namespace.
    Elsewhere,
}

/// The folder that shows this process's own network namespace.
pub const HERE: &str = "/proc/self/net";

/// Finds the processes that hold the socket which listens on `addr`, as `ss -ltnp` does: the
/// socket's inode in /proc/net/tcp, then the processes with that inode among their open files.
///
/// # Errors
/// When /proc can't be read.
pub fn listener(addr: SocketAddr) -> ProcResult<Listener> {
    if !is_here(addr) || listening_for(HERE, addr)?.is_empty() {
        return Ok(Listener::Elsewhere);
    }
    let pids = listeners(HERE, addr)?;
    Ok(if pids.is_empty() { Listener::Hidden } else { Listener::Held(pids) })
}

/// The same processes in the network namespace that the folder `net` shows, `/proc/PID/net` of
/// whoever is in it: none where they may not be looked into.
///
/// # Errors
/// When /proc can't be read.
pub fn listeners(net: &str, addr: SocketAddr) -> ProcResult<Vec<i32>> {
    holders_of_any(listening_for(net, addr)?.iter().map(|socket| socket.inode))
}

/// The address of a listening TCP socket among the open files of `pid`, if there is one.
#[must_use]
pub fn listening_on(pid: i32) -> Option<SocketAddr> {
    let inodes = sockets_of(pid);
    let sockets = listening(&format!("{}/net", ps::root(pid))).ok()?;
    Some(sockets.iter().find(|socket| inodes.contains(&socket.inode))?.local_address)
}

/// How many connections to `addr` are established but not accepted yet, in the network namespace
/// that the folder `net` shows; 0 if nobody listens.
///
/// # Errors
/// When /proc can't be read.
pub fn queued(net: &str, addr: SocketAddr) -> ProcResult<u32> {
    // The column counts unread bytes of other sockets, but waiting connections of a listener.
    Ok(listening_for(net, addr)?.iter().map(|socket| socket.rx_queue).sum())
}

/// The sockets that listen for what is sent to `addr`: one, unless they share the port.
fn listening_for(net: &str, addr: SocketAddr) -> ProcResult<Vec<TcpNetEntry>> {
    let mut sockets = listening(net)?;
    let best = sockets.iter().filter_map(|socket| rank(socket.local_address, addr)).min();
    sockets.retain(|socket| best.is_some() && rank(socket.local_address, addr) == best);
    Ok(sockets)
}

/// The listening TCP sockets of a network namespace, by the folder that shows it.
///
/// The kernel lists them first. For the rest it walks a hash table of up to half a million rows,
/// which takes milliseconds, and it does so ahead as long as there is room for another line: so
/// this asks for little at a time, and not for the rest.
fn listening(net: &str) -> ProcResult<Vec<TcpNetEntry>> {
    const LINE: usize = 150;
    // The head of a table says `st`, the line of a listening socket 0A.
    let belongs = |line: &io::Result<String>| {
        line.as_ref().map_or(true, |line| line.contains(" st ") || line.contains(" 0A "))
    };
    let mut sockets = Vec::new();
    for name in ["tcp", "tcp6"] {
        let file = match File::open(format!("{net}/{name}")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // no IPv6 here
            file => file?,
        };
        let lines = BufReader::with_capacity(LINE, file).lines();
        let table = lines.take_while(belongs).collect::<io::Result<Vec<_>>>()?.join("\n");
        let parsed = TcpNetEntries::from_buf_read(table.as_bytes(), procfs::current_system_info());
        sockets.extend(parsed?.0);
    }
    Ok(sockets)
}

/// Finds who serves whom at `server`, in the network namespace that the folder `net` shows: for
/// each client's address the processes that hold the server's end of its connection, of those that
/// `wanted` agrees to, parents before their children. A connection that waits to be accepted, or
/// that nobody has open any more, is not in the map.
///
/// # Errors
/// When /proc can't be read.
pub fn connections(
    net: &str,
    server: SocketAddr,
    wanted: impl Fn(i32) -> bool,
) -> ProcResult<HashMap<SocketAddr, Vec<i32>>> {
    let mut sockets = tcp_sockets(net)?;
    sockets.retain(|it| it.state != TcpState::Listen && same(it.local_address, server));
    let clients = sockets.iter().map(|it| (it.inode, canonical(it.remote_address)));
    holders_by_client(&clients.collect(), wanted)
}

/// The holders of each client's connection; `clients` are told by the inodes of the other ends.
pub(crate) fn holders_by_client<C: Copy + Eq + Hash>(
    clients: &HashMap<u64, C>,
    wanted: impl Fn(i32) -> bool,
) -> ProcResult<HashMap<C, Vec<i32>>> {
    let mut connections = HashMap::<_, Vec<_>>::new();
    for (pid, held) in holders(&clients.keys().copied().collect(), wanted)? {
        for inode in held {
            connections.entry(clients[&inode]).or_default().push(pid);
        }
    }
    Ok(connections)
}

/// The TCP sockets in the network namespace that the folder `net` shows.
///
/// # Errors
/// When /proc can't be read.
pub fn tcp_sockets(net: &str) -> ProcResult<Vec<TcpNetEntry>> {
    let table =
        |name| TcpNetEntries::from_file(format!("{net}/{name}"), procfs::current_system_info());
    let mut sockets = table("tcp")?.0;
    sockets.extend(table("tcp6").map(|it| it.0).unwrap_or_default()); // a kernel may have no IPv6
    Ok(sockets)
}

/// The processes that hold any of these sockets, parents before their children.
pub(crate) fn holders_of_any(inodes: impl Iterator<Item = u64>) -> ProcResult<Vec<i32>> {
    Ok(holders(&inodes.collect(), |_| true)?.into_iter().map(|(pid, _)| pid).collect())
}

/// The processes among those that `wanted` agrees to that hold some of these sockets, and which:
/// parents before their children, and else the one that was started first, whatever its pid.
fn holders(
    inodes: &HashSet<u64>,
    wanted: impl Fn(i32) -> bool,
) -> ProcResult<Vec<(i32, Vec<u64>)>> {
    let mut holders = Vec::new();
    for process in all_processes()?.filter_map(Result::ok).filter(|it| wanted(it.pid)) {
        let held: Vec<u64> = sockets_of(process.pid).intersection(inodes).copied().collect();
        if let (false, Ok(stat)) = (held.is_empty(), process.stat()) {
            holders.push((stat, held));
        }
    }
    let pids: HashSet<i32> = holders.iter().map(|(stat, _)| stat.pid).collect();
    holders.sort_by_key(|(stat, _)| (pids.contains(&stat.ppid), stat.starttime, stat.pid));
    Ok(holders.into_iter().map(|(stat, held)| (stat.pid, held)).collect())
}

/// The inodes of the sockets that a process has open: none when it is gone, or not ours to see.
#[must_use]
pub fn sockets_of(pid: i32) -> HashSet<u64> {
    let files = ps::files(pid).into_iter().flatten().flatten();
    let inode = |target| if let FDTarget::Socket(inode) = target { Some(inode) } else { None };
    files.filter_map(|file| inode(file.target)).collect()
}

/// The address without the mapping of IPv4 into IPv6 that a socket for both shows.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

fn same(one: SocketAddr, other: SocketAddr) -> bool {
    canonical(one) == canonical(other)
}

/// Whether `addr` is this machine's own, or that of this network namespace: a listener here on
/// all addresses has nothing to do with a conversation elsewhere that happens on the same port.
fn is_here(mut addr: SocketAddr) -> bool {
    addr.set_port(0);
    let bound = UdpSocket::bind(addr);
    !matches!(bound, Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// How far the kernel prefers another socket to one that listens on `bound`, if that can get what
/// is sent to `addr` at all: the address itself comes before any, its own family before both.
#[must_use]
pub fn rank(bound: SocketAddr, addr: SocketAddr) -> Option<u8> {
    let loopback = match addr.ip().to_canonical() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    let addr = SocketAddr::new(loopback, addr.port()); // connect(2) reads "any" as loopback
    match bound.ip() {
        _ if bound.port() != addr.port() => None,
        _ if same(bound, addr) => Some(0),
        any if !any.is_unspecified() => None,
        any if any.is_ipv6() == addr.is_ipv6() => Some(1),
        any => any.is_ipv6().then_some(2),
    }
}

#[cfg(test)]
mod tests {
    use super::rank;

    #[test]
    fn the_most_specific_listener_gets_the_connection() {
        for (bound, addr, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", Some(0)),
            ("127.0.0.1:80", "127.0.0.1:81", None),
            ("127.0.0.1:80", "127.0.0.2:80", None),
            ("0.0.0.0:80", "127.0.0.1:80", Some(1)),
            ("[::]:80", "127.0.0.1:80", Some(2)),
            ("[::]:80", "[::1]:80", Some(1)),
            ("0.0.0.0:80", "[::1]:80", None),
            ("[::1]:80", "127.0.0.1:80", None),
            ("127.0.0.1:80", "[::ffff:127.0.0.1]:80", Some(0)),
            ("0.0.0.0:80", "[::ffff:127.0.0.1]:80", Some(1)),
            ("127.0.0.1:80", "0.0.0.0:80", Some(0)),
            ("[::1]:80", "[::]:80", Some(0)),
        ] {
            let [listener, wanted] = [bound, addr].map(|it| it.parse().unwrap());
            assert_eq!(rank(listener, wanted), expected, "{bound} for {addr}");
        }
    }
}
