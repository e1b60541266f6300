//! Network namespaces, and errands into them.
//!
//! unshare(2) and setns(2) refuse user namespaces to a process with threads, which a test is. So
//! a child of one thread goes in, opens what is wanted there, sends the descriptors back and is
//! gone. A descriptor keeps what it was opened as: a socket belongs to the namespace where it was
//! made, whoever uses it, and whoever made a user namespace may do everything in it from outside.

use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Arc;

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket, socketpair};
use nix::sys::stat::{Mode, fstat};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};

/// A network namespace, and the way in.
#[derive(Debug)]
pub(crate) struct Namespace {
    /// The user namespace that owns it, unless that is this process's own.
    user: Option<Arc<OwnedFd>>,
    net: OwnedFd,
}

/// A network namespace with what was opened inside.
#[derive(Debug)]
pub(super) struct Inside {
    pub(super) namespace: Arc<Namespace>,
    /// A netlink(7) socket.
    pub(super) control: OwnedFd,
    /// /proc/net/tcp.
    pub(super) tcp: OwnedFd,
}

/// Makes two network namespaces with one owner.
pub(super) fn pair() -> nix::Result<[Inside; 2]> {
    let [user, net, control, tcp, other_net, other_control, other_tcp] = errand(|| {
        // Root needs no user namespace, and would lose its way past file permissions in one.
        if unshare(CloneFlags::CLONE_NEWNET).is_err() {
            unshare(CloneFlags::CLONE_NEWUSER | CloneFlags::CLONE_NEWNET)?;
        }
        let user = open_file(c"/proc/self/ns/user")?;
        let [net, control, tcp] = open_inside()?;
        unshare(CloneFlags::CLONE_NEWNET)?;
        let [other_net, other_control, other_tcp] = open_inside()?;
        Ok([user, net, control, tcp, other_net, other_control, other_tcp])
    })?;
    let ours = open_file(c"/proc/self/ns/user")?;
    let same = fstat(&ours)?.st_ino == fstat(&user)?.st_ino;
    let user = if same { None } else { Some(Arc::new(user)) };
    let namespace = |net| Arc::new(Namespace { user: user.clone(), net });
    Ok([
        Inside { namespace: namespace(net), control, tcp },
        Inside { namespace: namespace(other_net), control: other_control, tcp: other_tcp },
    ])
}

fn open_inside() -> nix::Result<[OwnedFd; 3]> {
    let net = open_file(c"/proc/self/ns/net")?;
    let control = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    Ok([net, control, open_file(c"/proc/self/net/tcp")?])
}

fn open_file(path: &std::ffi::CStr) -> nix::Result<OwnedFd> {
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

    /// Makes a TCP socket inside.
    pub(super) fn tcp_socket(&self) -> nix::Result<OwnedFd> {
        let [socket] = errand(|| {
            self.enter()?;
            Ok([socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?])
        })?;
        Ok(socket)
    }

    /// The descriptor that stands for it.
    pub(super) fn net(&self) -> RawFd {
        self.net.as_raw_fd()
    }
}

/// Runs `open` in a child process and takes over the descriptors that it opened there. `open` may
/// make system calls and nothing else: another thread may hold any lock at the time of the fork.
fn errand<const N: usize>(
    open: impl FnOnce() -> nix::Result<[OwnedFd; N]>,
) -> nix::Result<[OwnedFd; N]> {
    let (ours, theirs) =
        socketpair(AddressFamily::Unix, SockType::Datagram, None, SockFlag::SOCK_CLOEXEC)?;
    // SAFETY: until its _exit the child makes system calls only, so no lock can stop it.
    match unsafe { fork() }? {
        ForkResult::Child => {
            let done = open().and_then(|files| send(&theirs, &files));
            // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
            unsafe { libc::_exit(done.err().map_or(0, |errno| errno as i32)) }
        }
        ForkResult::Parent { child } => match waitpid(child, None)? {
            WaitStatus::Exited(_, 0) => receive(&ours),
            WaitStatus::Exited(_, errno) => Err(Errno::from_raw(errno)),
            _ => Err(Errno::EINTR), // somebody killed it
        },
    }
}

/// Sends descriptors, unix(7).
fn send<const N: usize>(over: &OwnedFd, files: &[OwnedFd; N]) -> nix::Result<()> {
    parcel::<N, _>(|message| {
        // SAFETY: `message` has a control buffer with room for N descriptors, cmsg(3).
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<[RawFd; N]>() as u32) as _;
            let data = libc::CMSG_DATA(header).cast::<RawFd>();
            for (at, file) in files.iter().enumerate() {
                data.add(at).write_unaligned(file.as_raw_fd());
            }
        }
        // SAFETY: all that `message` points to lives until the call returns.
        Errno::result(unsafe { libc::sendmsg(over.as_raw_fd(), message, 0) }).map(drop)
    })
}

/// Receives what `send` sent.
fn receive<const N: usize>(over: &OwnedFd) -> nix::Result<[OwnedFd; N]> {
    parcel::<N, _>(|message| {
        let flags = libc::MSG_CMSG_CLOEXEC | libc::MSG_DONTWAIT;
        // SAFETY: all that `message` points to lives until the call returns.
        Errno::result(unsafe { libc::recvmsg(over.as_raw_fd(), message, flags) })?;
        // SAFETY: `message` is as the kernel has filled it in, cmsg(3).
        unsafe {
            let header = libc::CMSG_FIRSTHDR(message);
            let whole = libc::CMSG_LEN(size_of::<[RawFd; N]>() as u32);
            if header.is_null() || (*header).cmsg_len as u64 != u64::from(whole) {
                return Err(Errno::EMFILE); // no room for them among our open files
            }
            let data = libc::CMSG_DATA(header).cast::<RawFd>();
            // Each is a new descriptor that nobody else knows of.
            Ok(std::array::from_fn(|at| OwnedFd::from_raw_fd(data.add(at).read_unaligned())))
        }
    })
}

/// Calls `act` with a message of one byte that has room for `N` descriptors. It allocates nothing.
fn parcel<const N: usize, T>(act: impl FnOnce(&mut libc::msghdr) -> T) -> T {
    let mut byte = 0_u8;
    let mut data = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let mut control = [0_u64; 8]; // aligned for a cmsghdr
    // SAFETY: computes a size.
    let space = unsafe { libc::CMSG_SPACE(size_of::<[RawFd; N]>() as u32) };
    assert!(space as usize <= size_of_val(&control));
    // SAFETY: a msghdr of zeroes is valid: no address, no data.
    let mut message: libc::msghdr = unsafe { zeroed() };
    message.msg_iov = &raw mut data;
    message.msg_iovlen = 1;
    message.msg_control = control.as_mut_ptr().cast();
    message.msg_controllen = space as _;
    act(&mut message)
}
