//! What the article's author used `ps` and `netstat` for: who listens on an address, and which
//! children that process has. All of it is read from proc(5), so it works for any server.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;
use std::{fmt, fs, io};

use nix::sys::signal::Signal;
use procfs::net::{TcpNetEntries, TcpNetEntry, TcpState};
use procfs::process::{FDTarget, FDsIter, Process as ProcEntry, Stat, Task, all_processes};
use procfs::{FromBufReadSI, FromReadSI, ProcError, ProcResult};

use crate::poll;

/// Bit of SIGCHLD in the signal masks of /proc/PID/status, which count from 0.
const SIGCHLD_BIT: u64 = 1 << (Signal::SIGCHLD as u64 - 1);

/// One line of ps: a process, its name and its state at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Process id.
    pub pid: i32,
    /// Name of the program, at most 15 bytes: the `comm` of proc(5).
    pub name: String,
    /// State letter of proc(5): `R` running, `S` sleeping, `T` stopped, `Z` zombie and others.
    pub state: char,
}

impl Process {
    /// Whether the process has died and waits for its parent to collect it.
    #[must_use]
    pub fn is_zombie(&self) -> bool {
        self.state == 'Z'
    }

    /// The state letter spelled out, as ps(1) explains it.
    #[must_use]
    pub fn state_name(&self) -> &'static str {
        match self.state {
            'R' => "running",
            'S' => "sleeping",
            'D' => "uninterruptible sleep",
            'T' => "stopped",
            't' => "traced",
            'Z' => "zombie",
            'I' => "idle",
            _ => "exiting",
        }
    }
}

impl From<Stat> for Process {
    /// Of a process with threads that of them which is up to most: the first thread may have left
    /// before the others, and is a zombie then (ps shows `Zl`) although the process lives.
    fn from(stat: Stat) -> Self {
        let several = stat.num_threads > 1;
        let state = if several { most_active(&thread_states(stat.pid)) } else { None };
        Process { pid: stat.pid, name: stat.comm, state: state.unwrap_or(stat.state) }
    }
}

/// The state of a process, or nothing when it is gone.
#[must_use]
pub fn state(pid: i32) -> Option<char> {
    let stat = ProcEntry::new(pid).and_then(|process| process.stat()).ok()?;
    Some(Process::from(stat).state)
}

/// Whether a process is there and is no zombie.
#[must_use]
pub fn lives(pid: i32) -> bool {
    state(pid).is_some_and(|state| !"ZX".contains(state))
}

/// The state letters of a process's threads; those that vanish during the look are left out.
#[must_use]
pub fn thread_states(pid: i32) -> String {
    threads(pid).filter_map(|thread| Some(thread.stat().ok()?.state)).collect()
}

fn threads(pid: i32) -> impl Iterator<Item = Task> {
    let threads = ProcEntry::new(pid).and_then(|process| process.tasks());
    threads.into_iter().flatten().filter_map(Result::ok)
}

/// The one state for several threads: that of one that runs, or else of one that doesn't sleep.
fn most_active(states: &str) -> Option<char> {
    let alive = || states.chars().filter(|state| !"ZX".contains(*state));
    alive().find(|it| "RD".contains(*it)).or(alive().find(|it| *it != 'S')).or(alive().next())
}

/// A process and its children, looked at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The process whose children these are.
    pub parent: Process,
    /// Whether a SIGCHLD waits to be delivered to the parent: bit 16 of `SigPnd` or `ShdPnd`.
    pub sigchld_pending: bool,
    /// Whether all of the parent's threads keep SIGCHLD back: the same bit of `SigBlk`.
    pub sigchld_blocked: bool,
    /// The children in the order of their pids, the dead ones included.
    pub children: Vec<Process>,
}

impl Family {
    /// Looks at process `pid` and its children.
    ///
    /// # Errors
    /// When there is no such process, or /proc can't be read.
    pub fn of(pid: i32) -> ProcResult<Family> {
        Family::with(pid, || children_of(pid))
    }

    /// Looks at process `pid` and at those that `children` finds, and not for others.
    ///
    /// # Errors
    /// When there is no such process, or /proc can't be read.
    pub fn with(
        pid: i32,
        children: impl FnOnce() -> ProcResult<Vec<Process>>,
    ) -> ProcResult<Family> {
        let parent = ProcEntry::new(pid)?;
        // The order matters to `settled`: a child found dead here has sent its signal by the
        // time the masks are read, or sends it so soon that a second look finds a difference.
        let children = children()?;
        let status = parent.status()?;
        let (mut pending, mut blocked) = (status.sigpnd | status.shdpnd, status.sigblk);
        let stat = parent.stat()?;
        if stat.num_threads > 1 {
            let alive = |it: &Task| it.stat().is_ok_and(|stat| !"ZX".contains(stat.state));
            let masks = threads(pid).filter(alive).filter_map(|thread| thread.status().ok());
            (pending, blocked) = masks.fold((status.shdpnd, !0), |(pending, blocked), mask| {
                (pending | mask.sigpnd, blocked & mask.sigblk)
            });
        }
        Ok(Family {
            parent: stat.into(),
            sigchld_pending: pending & SIGCHLD_BIT != 0,
            sigchld_blocked: blocked & SIGCHLD_BIT != 0,
            children,
        })
    }

    /// How many children are zombies.
    #[must_use]
    pub fn zombies(&self) -> usize {
        self.children.iter().filter(|child| child.is_zombie()).count()
    }

    /// How many children are alive.
    #[must_use]
    pub fn alive(&self) -> usize {
        self.children.len() - self.zombies()
    }

    /// Whether nothing is left to happen: no child lives, no SIGCHLD is about to be delivered, the
    /// parent sleeps. One that sleeps although a blocked SIGCHLD is pending doesn't wait for it.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        let due = self.sigchld_pending && !self.sigchld_blocked;
        self.alive() == 0 && !due && self.parent.state == 'S'
    }

    /// Looks at process `pid` until its family has settled, twice in a row with the same picture,
    /// or `patience` is over; returns the last look and whether it was settled.
    ///
    /// # Errors
    /// When the process is gone, or /proc can't be read.
    pub fn settled(pid: i32, patience: Duration) -> Result<(Family, bool), ProcError> {
        let mut before = Family::of(pid)?;
        let agreed = poll::until(patience, || match Family::of(pid) {
            Err(error) => Some(Err(error)),
            Ok(now) if now.is_settled() && now == before => Some(Ok(())),
            Ok(now) => {
                before = now;
                None
            }
        });
        match agreed {
            Some(Err(error)) => Err(error),
            settled => Ok((before, settled.is_some())),
        }
    }
}

impl fmt::Display for Family {
    /// All of it in one line, for messages about what was seen.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Process { pid, name, state } = &self.parent;
        let pending = if self.sigchld_pending { "pending" } else { "not pending" };
        write!(out, "{name} {pid} {state}, SIGCHLD {pending}, children:")?;
        for child in &self.children {
            write!(out, " {} {}", child.pid, child.state)?;
        }
        if self.children.is_empty() { out.write_str(" none") } else { Ok(()) }
    }
}

/// The children of `pid` in the order of their pids, zombies included.
///
/// # Errors
/// When /proc can't be read. Processes that vanish during the scan are no error.
pub fn children_of(pid: i32) -> ProcResult<Vec<Process>> {
    Ok(find(|stat| stat.ppid == pid)?.into_iter().map(Process::from).collect())
}

/// The processes that `wanted` agrees to, in the order of their pids, zombies included.
///
/// # Errors
/// When /proc can't be read. Processes that vanish during the scan are no error, nor are those
/// that are not ours to see.
pub fn find(wanted: impl Fn(&Stat) -> bool) -> ProcResult<Vec<Stat>> {
    let mut found = Vec::new();
    for entry in all_processes()? {
        match entry.and_then(|process| process.stat()) {
            Ok(stat) if wanted(&stat) => found.push(stat),
            Ok(_) | Err(ProcError::NotFound(_) | ProcError::PermissionDenied(_)) => {}
            // No descriptor left, say: then "no such process" would be a lie.
            Err(error) => return Err(error),
        }
    }
    found.sort_by_key(|stat| stat.pid);
    Ok(found)
}

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
/// socket's inode in /proc/net/tcp, then whoever has that inode among its open files.
///
/// # Errors
/// When /proc can't be read.
pub fn listener(addr: SocketAddr) -> ProcResult<Listener> {
    if is_here(addr) { listener_in(HERE, addr) } else { Ok(Listener::Elsewhere) }
}

/// The same in the network namespace that the folder `net` shows: `/proc/PID/net` of whoever is
/// in it.
///
/// # Errors
/// When /proc can't be read.
pub fn listener_in(net: &str, addr: SocketAddr) -> ProcResult<Listener> {
    let sockets = listening_for(net, addr)?;
    if sockets.is_empty() {
        return Ok(Listener::Elsewhere);
    }
    let inodes = sockets.iter().map(|socket| socket.inode).collect();
    let holders: Vec<i32> = holders(&inodes, |_| true)?.into_iter().map(|(pid, _)| pid).collect();
    Ok(if holders.is_empty() { Listener::Hidden } else { Listener::Held(holders) })
}

/// The address of a listening TCP socket among the open files of `pid`, if there is one.
#[must_use]
pub fn listening_on(pid: i32) -> Option<SocketAddr> {
    let inodes: HashSet<u64> = socket_inodes(pid).collect();
    let sockets = listening(&format!("{}/net", root(pid))).ok()?;
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
    let mut sockets = Vec::new();
    for name in ["tcp", "tcp6"] {
        let file = match File::open(format!("{net}/{name}")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue, // no IPv6 here
            file => file?,
        };
        let mut table = String::new();
        for (number, line) in BufReader::with_capacity(LINE, file).lines().enumerate() {
            let line = line?;
            let listens = line.split_whitespace().nth(3) == Some("0A");
            if number > 0 && !listens {
                break;
            }
            table += &line;
            table.push('\n');
        }
        let parsed = TcpNetEntries::from_buf_read(table.as_bytes(), procfs::current_system_info());
        sockets.extend(parsed?.0);
    }
    Ok(sockets)
}

/// Finds who serves whom at `server`, in the network namespace that the folder `net` shows: for
/// each client's address the processes that hold the server's end of its connection, parents
/// before their children. A connection that waits to be accepted, or that nobody has open any more,
/// is not in the map.
///
/// # Errors
/// When /proc can't be read.
pub fn connections(net: &str, server: SocketAddr) -> ProcResult<HashMap<SocketAddr, Vec<i32>>> {
    connections_among(net, server, |_| true)
}

/// The same, and looks into those processes only that `wanted` agrees to.
///
/// # Errors
/// When /proc can't be read.
pub fn connections_among(
    net: &str,
    server: SocketAddr,
    wanted: impl Fn(i32) -> bool,
) -> ProcResult<HashMap<SocketAddr, Vec<i32>>> {
    let mut sockets = tcp_sockets(net)?;
    // A socket that nobody has open, yet or any more, has inode 0.
    sockets.retain(|it| it.inode != 0 && it.state != TcpState::Listen);
    sockets.retain(|it| same(it.local_address, server));
    let clients: HashMap<u64, SocketAddr> = sockets
        .into_iter()
        .map(|socket| (socket.inode, canonical(socket.remote_address)))
        .collect();
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

/// The processes among those that `wanted` agrees to that hold some of these sockets, and which:
/// parents before their children, and else the one that was started first, whatever its pid.
///
/// # Errors
/// When /proc can't be read.
pub fn holders(
    inodes: &HashSet<u64>,
    wanted: impl Fn(i32) -> bool,
) -> ProcResult<Vec<(i32, Vec<u64>)>> {
    let mut stats = HashMap::new();
    let mut holders = Vec::new();
    for process in all_processes()?.filter_map(Result::ok).filter(|it| wanted(it.pid)) {
        let pid = process.pid;
        let held: HashSet<u64> = socket_inodes(pid).filter(|it| inodes.contains(it)).collect();
        if let (false, Ok(stat)) = (held.is_empty(), process.stat()) {
            stats.insert(pid, stat);
            holders.push((pid, held.into_iter().collect::<Vec<_>>()));
        }
    }
    holders.sort_by_key(|(pid, _)| {
        let stat = &stats[pid];
        (stats.contains_key(&stat.ppid), stat.starttime, *pid)
    });
    Ok(holders)
}

/// The inodes of the sockets that a process has open: none when it is gone, or not ours to see.
fn socket_inodes(pid: i32) -> impl Iterator<Item = u64> {
    let files = files(pid).into_iter().flatten().flatten();
    files.filter_map(|file| match file.target {
        FDTarget::Socket(inode) => Some(inode),
        _ => None,
    })
}

/// The open files of a process.
///
/// # Errors
/// When the process is gone, or not ours to look into.
pub fn files(pid: i32) -> ProcResult<FDsIter> {
    ProcEntry::new_with_root(root(pid).into())?.fd()
}

/// Whether a process's open files are not ours to see. Root may list them without being allowed to
/// see what they are, as in most containers.
#[must_use]
pub fn is_hidden(pid: i32) -> bool {
    let denied = |error: io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    match fs::read_dir(format!("{}/fd", root(pid))) {
        Ok(files) => files.flatten().any(|file| fs::read_link(file.path()).is_err_and(denied)),
        Err(error) => denied(error),
    }
}

/// The folder of a process, or, once its first thread has left, that of a thread that is still
/// there: of the files and the network of a dead thread the kernel tells nothing.
fn root(pid: i32) -> String {
    let stat = ProcEntry::new(pid).and_then(|process| process.stat());
    let alive = |it: &Task| it.stat().is_ok_and(|stat| !"ZX".contains(stat.state));
    match stat {
        Ok(stat) if stat.state == 'Z' && stat.num_threads > 1 => threads(pid)
            .find(alive)
            .map_or(format!("/proc/{pid}"), |thread| format!("/proc/{pid}/task/{}", thread.tid)),
        _ => format!("/proc/{pid}"),
    }
}

/// The address without the mapping of IPv4 into IPv6 that a socket for both shows.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

fn same(one: SocketAddr, other: SocketAddr) -> bool {
    canonical(one) == canonical(other)
}

/// Whether a socket bound to `bound` can get what is sent to `addr`.
#[must_use]
pub fn covers(bound: SocketAddr, addr: SocketAddr) -> bool {
    rank(bound, addr).is_some()
}

/// Whether `addr` is this machine's own, or that of this network namespace: a listener here on
/// all addresses has nothing to do with a conversation elsewhere that happens on the same port.
fn is_here(mut addr: SocketAddr) -> bool {
    addr.set_port(0);
    let bound = UdpSocket::bind(addr);
    !matches!(bound, Err(error) if error.kind() == io::ErrorKind::AddrNotAvailable)
}

/// Whether a socket that listens on `bound` can get what is sent to `addr`, and how far the
/// kernel prefers another one: the address itself comes before any address, and a socket of the
/// address's own family before one for both.
fn rank(bound: SocketAddr, addr: SocketAddr) -> Option<u8> {
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
    use super::{covers, rank};

    #[test]
    fn the_most_specific_listener_gets_the_connection() {
        for (bound, addr, expected) in [
            ("127.0.0.1:80", "127.0.0.1:80", Some(0)),
            ("127.0.0.1:80", "127.0.0.1:81", None),
            ("127.0.0.1:80", "127.0.0.2:80", None),
            ("0.0.0.0:80", "127.0.0.1:80", Some(1)),
            ("0.0.0.0:80", "127.0.0.1:81", None),
            ("[::]:80", "127.0.0.1:80", Some(2)),
            ("[::]:80", "[::1]:80", Some(1)),
            ("0.0.0.0:80", "[::1]:80", None),
            ("[::1]:80", "127.0.0.1:80", None),
            ("127.0.0.1:80", "[::ffff:127.0.0.1]:80", Some(0)),
            ("0.0.0.0:80", "[::ffff:127.0.0.1]:80", Some(1)),
            ("127.0.0.1:80", "0.0.0.0:80", Some(0)),
            ("[::1]:80", "[::]:80", Some(0)),
            ("[2001:db8::1]:80", "[2001:db8::1]:80", Some(0)),
            ("[::1]:80", "[2001:db8::1]:80", None),
        ] {
            let [listener, wanted] = [bound, addr].map(|it| it.parse().unwrap());
            assert_eq!(rank(listener, wanted), expected, "{bound} for {addr}");
            assert_eq!(covers(listener, wanted), expected.is_some(), "{bound} for {addr}");
        }
    }
}
