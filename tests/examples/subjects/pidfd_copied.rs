//! A pidfd for each child, opened beside a plain fork: so each child gets a copy of all that are
//! open, and closes them again.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use client::ps::pidfd_open;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::wait::{Id, WaitPidFlag, waitid};

use crate::child;
use crate::common::{echo, listen, log};

pub(crate) fn run(addr: SocketAddr) -> io::Result<()> {
    let listener = listen("pidfd-copied", addr)?;
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, u64::MAX))?;
    let mut children: HashMap<u64, OwnedFd> = HashMap::new();
    loop {
        let mut events = [EpollEvent::empty(); 64];
        let ready = epoll.wait(&mut events, EpollTimeout::NONE).unwrap_or(0);
        for event in &events[..ready] {
            if let Some(pidfd) = children.remove(&event.data()) {
                let dead = waitid(Id::PIDFd(pidfd.as_fd()), WaitPidFlag::WEXITED)?;
                log(&format!("reaped child {}", dead.pid().expect("a death has a pid")));
                // Not left to close: a child that has a copy would keep it in epoll for ever.
                epoll.delete(&pidfd)?;
            }
        }
        let (connection, peer) = match listener.accept() {
            Ok(accepted) => accepted,
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        let child = child(|| echo(connection))?;
        log(&format!("child {child} serves {peer}"));
        let pidfd = pidfd_open(child.as_raw())?;
        let key = pidfd.as_raw_fd() as u64;
        epoll.add(&pidfd, EpollEvent::new(EpollFlags::EPOLLIN, key))?;
        children.insert(key, pidfd);
    }
}
