//! A program in a PID namespace, pid_namespaces(7), as its PID 1 or below one. Orphans come from
//! outside: a process that setns(2) has put there has a child inside, which forks once more and
//! leaves. Its orphan goes to PID 1, and to no subreaper, because the child's own parent is outside.

use std::ffi::{CStr, c_int};
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;

use client::ps;
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, setns};
use nix::sys::prctl::set_name;
use nix::unistd::{pause, setsid, write};

use super::launch::reset_signals;
use super::session::how_it_ended;
use super::{ANYWHERE, Address, Launch, Server};
use crate::net::{clone, forked, in_child};
use crate::{Error, PATIENCE, Result, lock, poll};

/// What a program is in a PID namespace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Its PID 1.
    Pid1,
    /// The child of a PID 1 of ours, which waits for it alone.
    Child,
}

/// Whether a program can have a PID namespace of its own here.
///
/// # Errors
/// When it can't: with the reason, for [`skip`](crate::skip).
pub fn can_be_inside() -> Result<()> {
    Launch::new("sleep").arg("1000").start_inside(Role::Pid1).map(drop)
}

impl Launch {
    /// Starts the program in a PID namespace and a network of its own, with a /proc that shows them,
    /// and waits for nothing. Root isn't needed where anybody may make a user namespace.
    ///
    /// # Errors
    /// When that can't be had here, or the program can't be started.
    pub fn start_inside(self, role: Role) -> Result<Server> {
        let mut launch = self.in_own_network()?;
        launch.role = Some(role);
        let (session, log) = launch.spawn().map_err(|error| {
            Error::new(format!("{error}; it was to have a PID namespace with its own /proc"))
        })?;
        let child = |pid: i32| Some(ps::children_of(pid).ok()?.first()?.pid);
        let pid1 = child(session.leader().as_raw());
        let pid = if role == Role::Pid1 { pid1 } else { pid1.and_then(child) };
        let Some(pid) = pid else {
            let ended = poll::until(PATIENCE, || session.leader_ended());
            let how = ended.map_or(String::new(), how_it_ended);
            log.complete(session);
            let said = log.last_words();
            return Err(Error::of_death(format!("it ended at once {how}{said}")));
        };
        Ok(launch.running(session, log, pid, Address::Tcp(ANYWHERE)))
    }
}

impl Server {
    /// Leaves `number` orphans to a server that is PID 1 of a namespace. They sleep until they are
    /// killed, and from now on they are the children that count.
    pub(crate) fn adopt(&self, number: usize) -> Result<Vec<i32>> {
        let pid = self.pid();
        let cannot = format!("put an orphan into the PID namespace of {pid}");
        let inside = File::open(format!("/proc/{pid}/ns/pid")).map_err(Error::cannot(&cannot))?;
        let children = || ps::find(|it| it.ppid == pid).unwrap_or_default().into_iter();
        let before: Vec<_> = children().map(|it| (it.pid, it.starttime)).collect();
        in_child(|_| {
            self.namespace.as_ref().map_or(Ok(()), |it| it.enter())?;
            setsid()?; // what has this process's session isn't looked for
            setns(&inside, CloneFlags::CLONE_NEWPID)?;
            let leave_orphan = || if clone(0)? == 0 { be_orphan() } else { Ok(()) };
            (0..number).try_for_each(|_| forked(0, leave_orphan))
        })
        .map_err(|errno| match errno {
            Errno::EAGAIN | Errno::ENOMEM => Error::cannot_ask(format!("cannot {cannot}: {errno}")),
            _ => Error::new(format!("cannot {cannot}: {errno}")),
        })?;
        let found = poll::until(PATIENCE, || {
            let orphans = children().filter(|it| it.comm.as_bytes() == ORPHAN.to_bytes());
            let mut new: Vec<_> = orphans.map(|it| (it.pid, it.starttime)).collect();
            new.retain(|it| !before.contains(it));
            (new.len() == number).then_some(new)
        });
        let new =
            found.ok_or_else(|| Error::new(format!("{pid} did not inherit {number} orphans")))?;
        lock(&self.served).extend(&new);
        Ok(new.into_iter().map(|(pid, _)| pid).collect())
    }
}

const ORPHAN: &CStr = c"orphan";

/// Between fork and exec: goes on in a child, PID 1 of a namespace, or in a child of that. This
/// process stays outside and ends as PID 1 does.
pub(super) fn enter(role: Role, guardian: BorrowedFd) -> io::Result<()> {
    let pid = clone(libc::CLONE_NEWPID | libc::CLONE_NEWNS)?;
    if pid != 0 {
        let _ = write(guardian, &pid.to_ne_bytes()); // with that group, all of us end
        wait_and_end(pid);
    }
    setsid()?; // as every container's first process: a signal to its group stays inside
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("proc"), "/proc", Some("proc"), flags, none)?;
    if role == Role::Child {
        let pid = clone(0)?;
        if pid != 0 {
            wait_and_end(pid);
        }
        setsid()?;
    }
    Ok(())
}

/// The life of a parent that holds no file open, waits for this child, and ends in the same way.
fn wait_and_end(pid: c_int) -> ! {
    // SAFETY: close_range touches no memory, and nobody uses these copies.
    unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
    let mut status = 0;
    // SAFETY: `status` is a valid int to write to.
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1 && Errno::last() == Errno::EINTR {
    }
    if libc::WIFSIGNALED(status) {
        // SAFETY: kill takes two numbers; that every signal has its default is seen to before.
        unsafe { libc::kill(libc::getpid(), libc::WTERMSIG(status)) };
    }
    // SAFETY: _exit has no precondition; it skips the exit hooks, which aren't this process's own.
    unsafe { libc::_exit(libc::WEXITSTATUS(status)) }
}

/// The life of an orphan: any signal that kills kills it.
fn be_orphan() -> ! {
    // SAFETY: close_range touches no memory, and nobody uses these copies.
    unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
    let _ = reset_signals();
    let _ = set_name(ORPHAN);
    loop {
        pause();
    }
}
