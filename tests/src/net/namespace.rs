//! Network namespaces, and what a child process opens in them.
//!
//! unshare(2) and setns(2) refuse user namespaces to a process with threads, which a test is. So
//! a child of one thread goes in, opens what is wanted there, and is gone. With CLONE_FILES,
//! clone(2), its table of open files is ours as well, and a pipe brings back no more than numbers.
//! A socket belongs to the namespace where it was made, whoever uses it, and whoever made a user
//! namespace may do everything in it from outside.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_int};
use std::os::fd::{FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::{Arc, Mutex};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::sys::stat::{Mode, fstat};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getegid, geteuid, pipe2, read, write};

use crate::lock;

/// How many sockets are made inside at once: to go in takes much longer than to make one.
const BATCH: usize = 32;

/// A network namespace, the way in, and what was opened inside.
#[derive(Debug)]
pub(crate) struct Namespace {
    /// The user namespace that owns it, unless that is this process's own.
    user: Option<Arc<OwnedFd>>,
    pub(super) net: OwnedFd,
    /// A netlink(7) socket.
    pub(super) control: OwnedFd,
    /// /proc/net/tcp.
    pub(super) tcp: OwnedFd,
    /// TCP sockets that were made inside and are not used yet.
    stock: Mutex<HashMap<AddressFamily, Vec<OwnedFd>>>,
}

/// Makes `N` network namespaces with one owner, in which anybody may listen on any port.
pub(super) fn make<const N: usize>() -> nix::Result<[Arc<Namespace>; N]> {
    // This user and group, in the words of user_namespaces(7); all others are nobody inside.
    let ids = [geteuid().as_raw(), getegid().as_raw()].map(|id| format!("{id} {id} 1"));
    let opened = in_child(|give| {
        give(leave_network(&ids)?)?;
        // Where a container may not write there, all is well, only slower.
        let _ = set(c"/proc/sys/net/ipv4/tcp_child_ehash_entries", b"1024");
        (0..N).try_for_each(|_| {
            unshare(CloneFlags::CLONE_NEWNET)?;
            let _ = set(c"/proc/sys/net/ipv4/ip_unprivileged_port_start", b"0");
            give(open_file(c"/proc/self/ns/net")?)?;
            let (raw, flags) = (SockType::Raw, SockFlag::SOCK_CLOEXEC);
            give(socket(AddressFamily::Netlink, raw, flags, SockProtocol::NetlinkRoute)?)?;
            give(open_file(c"/proc/self/net/tcp")?)
        })
    })?;
    let mut opened = opened.into_iter();
    let mut next = || opened.next().ok_or(Errno::EBADMSG);
    let (ours, user) = (open_file(c"/proc/self/ns/user")?, next()?);
    let is_ours = fstat(&ours)?.st_ino == fstat(&user)?.st_ino;
    let user = (!is_ours).then(|| Arc::new(user));
    let mut namespace = || {
        let (user, stock) = (user.clone(), Mutex::default());
        Ok(Arc::new(Namespace { user, net: next()?, control: next()?, tcp: next()?, stock }))
    };
    let made: Vec<_> = (0..N).map(|_| namespace()).collect::<nix::Result<_>>()?;
    made.try_into().map_err(|_| Errno::EBADMSG)
}

/// Moves this process into a network namespace of its own; returns the user namespace that owns it.
fn leave_network([user, group]: &[String; 2]) -> nix::Result<OwnedFd> {
    // Root needs no user namespace, and would lose its way past file permissions in one.
    if unshare(CloneFlags::CLONE_NEWNET).is_err() {
        unshare(CloneFlags::CLONE_NEWUSER)?;
        set(c"/proc/self/setgroups", b"deny")?;
        set(c"/proc/self/uid_map", user.as_bytes())?;
        set(c"/proc/self/gid_map", group.as_bytes())?;
        unshare(CloneFlags::CLONE_NEWNET)?; // refused where a namespace gives no capabilities
    }
    open_file(c"/proc/self/ns/user")
}

/// Writes to a file of /proc. `tcp_child_ehash_entries` (since Linux 6.1) gives the next network
/// namespace a small table of sockets of its own, ip(7). Else each look at /proc/net/tcp walks
/// through the machine's, with room for half a million: nearly all the time that an exam takes.
fn set(name: &CStr, value: &[u8]) -> nix::Result<()> {
    let file = open(name, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write(&file, value).map(drop)
}

fn open_file(path: &CStr) -> nix::Result<OwnedFd> {
    open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}

impl Namespace {
    /// Moves this process, which has one thread, inside. Two system calls and nothing else.
    pub(crate) fn enter(&self) -> nix::Result<()> {
        if let Some(user) = &self.user {
            setns(user, CloneFlags::CLONE_NEWUSER)?;
        }
        setns(&self.net, CloneFlags::CLONE_NEWNET)
    }

    pub(super) fn tcp_socket(&self, family: AddressFamily) -> nix::Result<OwnedFd> {
        let mut stock = lock(&self.stock);
        let sockets = stock.entry(family).or_default();
        if sockets.is_empty() {
            *sockets = in_child(|give| {
                self.enter()?;
                let tcp = || socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None);
                (0..BATCH).try_for_each(|_| give(tcp()?))
            })?;
        }
        sockets.pop().ok_or(Errno::EBADMSG)
    }

    /// Sets `net.ipv4.NAME` of sysctl(8): the file is that of its opener's network.
    pub(super) fn set(&self, name: &str, value: &str) -> nix::Result<()> {
        let file = CString::new(format!("/proc/sys/net/ipv4/{name}")).map_err(|_| Errno::EINVAL)?;
        forked(0, || self.enter().and_then(|()| set(&file, value.as_bytes())))
    }
}

/// What a child passes a descriptor to that is for its parent.
type Give<'a> = &'a dyn Fn(OwnedFd) -> nix::Result<()>;

/// Runs `open` in a child process and takes over the descriptors that it gives, in that order.
pub(crate) fn in_child(open: impl FnOnce(Give) -> nix::Result<()>) -> nix::Result<Vec<OwnedFd>> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    // What the child opens and doesn't give away, it closes in the table that we share.
    let give = |file: OwnedFd| write(&writer, &file.into_raw_fd().to_ne_bytes()).map(drop);
    let done = forked(libc::CLONE_FILES, || open(&give));
    let mut files = Vec::new();
    let mut number = [0; size_of::<RawFd>()];
    while read(&reader, &mut number) == Ok(number.len()) {
        // SAFETY: the child opened it and left it to us.
        files.push(unsafe { OwnedFd::from_raw_fd(RawFd::from_ne_bytes(number)) });
    }
    done.map(|()| files)
}

/// Runs `body` in a child process that is made by [`clone`], and returns what it returned.
pub(crate) fn forked(flags: c_int, body: impl FnOnce() -> nix::Result<()>) -> nix::Result<()> {
    let child = clone(flags)?;
    if child == 0 {
        let status = body().err().map_or(0, |errno| errno as c_int);
        // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
        unsafe { libc::_exit(status) }
    }
    match waitpid(Pid::from_raw(child), None)? {
        WaitStatus::Exited(_, 0) => Ok(()),
        WaitStatus::Exited(_, errno) => Err(Errno::from_raw(errno)),
        _ => Err(Errno::EINTR), // somebody killed it
    }
}

/// What fork(2) does, with other `flags` of clone(2): returns 0 in the child, which may make system
/// calls and nothing else until it execs or leaves by _exit(2): then no lock can stop it.
pub(crate) fn clone(flags: c_int) -> nix::Result<c_int> {
    // SAFETY: without a stack of its own and CLONE_VM this is a fork.
    let pid = unsafe { libc::syscall(libc::SYS_clone, flags | libc::SIGCHLD, 0, 0, 0, 0) };
    Errno::result(pid).map(|pid| pid as c_int)
}
