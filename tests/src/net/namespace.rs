//! Network namespaces, and what a child process opens in them.
//!
//! unshare(2) and setns(2) refuse user namespaces to a process with threads, which a test is. So
//! a child of one thread goes in, opens what is wanted there, and is gone. It was made by clone(2)
//! with CLONE_FILES, so that the table of open files is ours as well, and a pipe has to bring back
//! no more than numbers. A descriptor keeps what it was opened as: a socket belongs to the
//! namespace where it was made, whoever uses it, and whoever made a user namespace may do
//! everything in it from outside.

use std::ffi::{CStr, CString};
use std::mem::size_of;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockProtocol, SockType, socket};
use nix::sys::stat::{Mode, fstat};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{Pid, getegid, geteuid, pipe2, read, write};

/// A network namespace, and the way in.
#[derive(Debug)]
pub(crate) struct Namespace {
    /// The user namespace that owns it, unless that is this process's own.
    user: Option<Arc<OwnedFd>>,
    net: OwnedFd,
    /// TCP sockets that were made inside and are not used yet.
    stock: Mutex<Vec<(AddressFamily, OwnedFd)>>,
    /// Whether the stock has been filled before.
    again: AtomicBool,
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
    let ids = OwnIds::read();
    let [user, net, control, tcp, other_net, other_control, other_tcp] = in_child(|| {
        let user = leave_network(&ids)?;
        let [net, control, tcp] = open_inside()?;
        unshare(CloneFlags::CLONE_NEWNET)?;
        let [other_net, other_control, other_tcp] = open_inside()?;
        Ok([user, net, control, tcp, other_net, other_control, other_tcp])
    })?;
    let user = foreign(user)?;
    let namespace = |net| Arc::new(Namespace::of(user.clone(), net));
    Ok([
        Inside { namespace: namespace(net), control, tcp },
        Inside { namespace: namespace(other_net), control: other_control, tcp: other_tcp },
    ])
}

/// Makes one network namespace, in which anybody may listen on any port.
pub(super) fn single() -> nix::Result<Inside> {
    let ids = OwnIds::read();
    let [user, net, control, tcp] = in_child(|| {
        let user = leave_network(&ids)?;
        // Where a container may not write there, all is well, only slower.
        if set(c"/proc/sys/net/ipv4/tcp_child_ehash_entries", b"1024").is_ok() {
            unshare(CloneFlags::CLONE_NEWNET)?;
        }
        let _ = set(c"/proc/sys/net/ipv4/ip_unprivileged_port_start", b"0");
        let [net, control, tcp] = open_inside()?;
        Ok([user, net, control, tcp])
    })?;
    let namespace = Namespace::of(foreign(user)?, net);
    Ok(Inside { namespace: Arc::new(namespace), control, tcp })
}

/// Moves this process into a network namespace of its own, and, if it must, a user namespace too;
/// returns its user namespace.
fn leave_network(ids: &OwnIds) -> nix::Result<OwnedFd> {
    // Root needs no user namespace, and would lose its way past file permissions in one.
    if unshare(CloneFlags::CLONE_NEWNET).is_err() {
        unshare(CloneFlags::CLONE_NEWUSER)?;
        ids.map()?;
        unshare(CloneFlags::CLONE_NEWNET)?; // refused where a namespace gives no capabilities
    }
    open_file(c"/proc/self/ns/user")
}

/// Sets something of this network namespace, ip(7), or of those that it makes:
/// `tcp_child_ehash_entries` (since Linux 6.1) gives them a small table of sockets of their own. Else
/// each look at /proc/net/tcp walks through that of the whole machine, which has room for half a
/// million: nearly all the time that an exam takes.
fn set(name: &CStr, value: &[u8]) -> nix::Result<()> {
    let file = open(name, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?;
    write(&file, value).map(drop)
}

/// This user and group, as the maps of user_namespaces(7) want to have them said. Whoever isn't
/// mapped is nobody to the programs inside.
struct OwnIds {
    user: CString,
    group: CString,
}

impl OwnIds {
    fn read() -> OwnIds {
        let same = |id: u32| CString::new(format!("{id} {id} 1")).unwrap_or_default();
        OwnIds { user: same(geteuid().as_raw()), group: same(getegid().as_raw()) }
    }

    /// Only system calls: it is for a child of a process with threads.
    fn map(&self) -> nix::Result<()> {
        let maps = [(c"setgroups", c"deny"), (c"uid_map", &self.user), (c"gid_map", &self.group)];
        let folder = open(c"/proc/self", OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())?;
        for (name, text) in maps {
            let flags = OFlag::O_WRONLY | OFlag::O_CLOEXEC;
            let file = nix::fcntl::openat(&folder, name, flags, Mode::empty())?;
            write(&file, text.to_bytes())?;
        }
        Ok(())
    }
}

/// A user namespace, unless it is this process's own.
fn foreign(user: OwnedFd) -> nix::Result<Option<Arc<OwnedFd>>> {
    let ours = open_file(c"/proc/self/ns/user")?;
    let same = fstat(&ours)?.st_ino == fstat(&user)?.st_ino;
    Ok(if same { None } else { Some(Arc::new(user)) })
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

fn open_file(path: &CStr) -> nix::Result<OwnedFd> {
    open(path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty())
}

impl Namespace {
    fn of(user: Option<Arc<OwnedFd>>, net: OwnedFd) -> Namespace {
        Namespace { user, net, stock: Mutex::default(), again: AtomicBool::new(false) }
    }

    /// Moves this process, which has one thread, inside. Two system calls and nothing else.
    pub(crate) fn enter(&self) -> nix::Result<()> {
        if let Some(user) = &self.user {
            setns(user, CloneFlags::CLONE_NEWUSER)?;
        }
        setns(&self.net, CloneFlags::CLONE_NEWNET)
    }

    /// A TCP socket from inside.
    pub(super) fn tcp_socket(&self, family: AddressFamily) -> nix::Result<OwnedFd> {
        let mut stock = self.stock.lock().unwrap_or_else(PoisonError::into_inner);
        if !stock.iter().any(|it| it.0 == family) {
            // Most need a few; whoever comes again needs many.
            let made: Vec<OwnedFd> = match self.again.swap(true, Ordering::Relaxed) {
                false => self.sockets::<8>(family)?.into(),
                true => self.sockets::<64>(family)?.into(),
            };
            stock.extend(made.into_iter().map(|socket| (family, socket)));
        }
        let at = stock.iter().position(|it| it.0 == family).ok_or(Errno::EMFILE)?;
        Ok(stock.swap_remove(at).1)
    }

    fn sockets<const N: usize>(&self, family: AddressFamily) -> nix::Result<[OwnedFd; N]> {
        in_child(|| {
            self.enter()?;
            let mut made = [const { None }; N];
            for place in &mut made {
                *place = Some(socket(family, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?);
            }
            Ok(made.map(|socket| socket.expect("each place was filled")))
        })
    }

    /// Writes into a file of /proc that shows the network of whoever opens it.
    pub(super) fn set(&self, file: &str, value: &[u8]) -> nix::Result<()> {
        let file = CString::new(file).map_err(|_| Errno::EINVAL)?;
        in_child(|| self.enter().and_then(|()| set(&file, value)).map(|()| [])).map(|[]| ())
    }

    /// The descriptor that stands for it.
    pub(super) fn net(&self) -> RawFd {
        self.net.as_raw_fd()
    }
}

/// Runs `open` in a child process and takes over the descriptors that it opened there. `open` may
/// make system calls and nothing else: another thread may hold any lock at the time of the fork.
fn in_child<const N: usize>(
    open: impl FnOnce() -> nix::Result<[OwnedFd; N]>,
) -> nix::Result<[OwnedFd; N]> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC)?;
    let flags = libc::CLONE_FILES | libc::SIGCHLD;
    // SAFETY: without a stack of its own and CLONE_VM this is a fork. Until its _exit the child
    // makes system calls only, so no lock can stop it; what it opens and doesn't give away, it
    // closes in the table that we share.
    match Errno::result(unsafe { libc::syscall(libc::SYS_clone, flags, 0, 0, 0, 0) })? {
        0 => {
            let done = open().and_then(|files| {
                let numbers = files.map(IntoRawFd::into_raw_fd);
                // SAFETY: the bytes of an array of numbers, which lives until the call returns.
                let bytes = unsafe {
                    std::slice::from_raw_parts(numbers.as_ptr().cast::<u8>(), size_of_val(&numbers))
                };
                write(&writer, bytes).map(drop) // in one piece: shorter than PIPE_BUF, pipe(7)
            });
            // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
            unsafe { libc::_exit(done.err().map_or(0, |errno| errno as i32)) }
        }
        child => match waitpid(Pid::from_raw(child as i32), None)? {
            WaitStatus::Exited(_, 0) => {
                let mut files = [const { None }; N];
                for file in &mut files {
                    let mut number = [0; size_of::<RawFd>()];
                    read(&reader, &mut number)?;
                    // SAFETY: the child opened it and left it to us.
                    *file = Some(unsafe { OwnedFd::from_raw_fd(RawFd::from_ne_bytes(number)) });
                }
                Ok(files.map(|file| file.expect("each place was filled")))
            }
            WaitStatus::Exited(_, errno) => Err(Errno::from_raw(errno)),
            _ => Err(Errno::EINTR), // somebody killed it
        },
    }
}
