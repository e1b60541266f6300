//! Which processes of a server's hold its listener, and which the connections of its clients.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::os::fd::AsFd;

use client::{Conversation, ps, ss, unix};
use nix::sys::stat::fstat;
use procfs::net::TcpState;
use procfs::process::{Process, Stat};

use super::session::Session;
use super::{Address, Children, Server};
use crate::{Error, Result, lock, poll};

impl Server {
    /// The other processes that hold its end of `client`'s connection, parents before children.
    ///
    /// # Errors
    /// When /proc can't be read.
    pub fn serving(&self, client: &Conversation) -> Result<Vec<i32>> {
        let mut holders = self.holders(client)?;
        holders.retain(|pid| *pid != self.pid());
        Ok(holders)
    }

    /// The processes that are seen to hold the listening socket, parents before their children.
    pub(crate) fn listeners(&self) -> Vec<i32> {
        let pids = match &self.place {
            Address::Tcp(addr) => ss::listeners(&self.net(), *addr),
            Address::Unix(path) => unix::listeners(path),
        };
        pids.unwrap_or_default()
    }

    /// All processes that hold its end of `client`'s connection, parents before their children.
    pub(crate) fn holders(&self, client: &Conversation) -> Result<Vec<i32>> {
        Ok(self.holders_of(std::slice::from_ref(client))?.pop().unwrap_or_default())
    }

    /// The same for several clients at once, in their order.
    ///
    /// # Errors
    /// When /proc can't be read.
    pub fn holders_of(&self, clients: &[Conversation]) -> Result<Vec<Vec<i32>>> {
        let cannot = || Error::cannot(format!("tell whom {} serves", self.pid()));
        let holders: Vec<Option<_>> = match &self.place {
            Address::Tcp(addr) => {
                let members = self.members();
                let ours = |pid| members.contains(&pid);
                let mut held = ss::connections(&self.net(), *addr, ours).map_err(cannot())?;
                clients.iter().map(|client| held.remove(&client.local_addr().ok()?)).collect()
            }
            Address::Unix(_) => {
                let inode = |client: &Conversation| fstat(client.as_fd()).map_or(0, |it| it.st_ino);
                let inodes: Vec<u64> = clients.iter().map(inode).collect();
                let mut held = unix::connections(&inodes).map_err(cannot())?;
                inodes.iter().map(|inode| held.remove(inode)).collect()
            }
        };
        Ok(holders.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Notes which children serve these clients: they count from now on, and their parent is the
    /// process that is watched. `before` are the processes that were there before the clients came.
    pub(crate) fn note_served(&self, clients: &[Conversation], before: &[i32]) -> Result<()> {
        let in_advance = match self.manner().children {
            Children::All | Children::Nobody => return Ok(()),
            Children::Forked => false,
            Children::InAdvance => true,
        };
        let mut seen = Vec::new();
        let all = poll::until(self.manner().patience, || {
            let served = |holders: Vec<i32>| self.servant(&holders, before, in_advance);
            seen = match self.holders_of(clients) {
                Ok(holders) => holders.into_iter().map(served).collect(),
                Err(error) => return Some(Err(error)),
            };
            seen.iter().all(Option::is_some).then_some(Ok(()))
        });
        all.unwrap_or_else(|| {
            let (unserved, all) = (seen.iter().filter(|it| it.is_none()).count(), clients.len());
            Err(Error::new(format!("no child holds the connection of {unserved} of {all} clients")))
        })?;
        let mut served = lock(&self.served);
        for stat in seen.into_iter().flatten() {
            if !self.is_foreign(stat.ppid) {
                self.watch(stat.ppid);
            }
            served.insert((stat.pid, stat.starttime));
        }
        Ok(())
    }

    /// Of a connection's holders the one that serves it: forked for it, or else there `in_advance`.
    pub(crate) fn servant(
        &self,
        holders: &[i32],
        before: &[i32],
        in_advance: bool,
    ) -> Option<Stat> {
        let new = |pid: &&i32| !before.contains(pid);
        let old = |pid: &&i32| before.contains(pid) && **pid != self.pid();
        let found = holders.iter().find(new);
        ps::stat(*found.or_else(|| holders.iter().find(old).filter(|_| in_advance))?)
    }

    /// The children that were seen to serve a client and are still there, alive or dead.
    pub(crate) fn servants(&self) -> Vec<Stat> {
        let served = lock(&self.served).clone();
        let there = served.into_iter().filter_map(|(pid, start)| {
            ps::stat(pid).filter(|stat| stat.starttime == start && !self.is_foreign(stat.ppid))
        });
        there.collect()
    }

    /// The pids of all that were seen to serve a client.
    pub(crate) fn ever_served(&self) -> HashSet<i32> {
        lock(&self.served).iter().map(|(pid, _)| *pid).collect()
    }

    /// Whether a process isn't one of the server's, but this one, say, which inherits its orphans.
    pub(crate) fn is_foreign(&self, pid: i32) -> bool {
        pid != self.pid() && !self.members().contains(&pid)
    }
}

/// The process of the session that listens on one of `places`, or on any address, and where. Of
/// several it is the parent: a worker has its parent's listener, and now and then a lower pid.
pub(super) fn find_listener(session: &Session, places: &[Address]) -> Option<(i32, Address)> {
    let members = session.members();
    let mut listening: Vec<(i32, Address)> = Vec::new();
    for place in places {
        if let Address::Unix(path) = place {
            let holders = unix::listeners(path).unwrap_or_default().into_iter();
            let ours = holders.filter(|pid| members.contains(pid));
            listening.extend(ours.map(|pid| (pid, place.clone())));
        }
    }
    for &pid in &members {
        let Some(bound) = ss::listening_on(pid).or_else(|| listening_hidden(pid)) else { continue };
        let reaches = |place: &&Address| matches!(place, Address::Tcp(addr) if ss::rank(bound, *addr).is_some());
        if let Some(place) = places.iter().find(reaches) {
            listening.push((pid, place.clone()));
        } else if places.is_empty() {
            listening.push((pid, Address::Tcp(bound)));
        }
    }
    let parent = |pid| ps::stat(pid).map_or(0, |stat| stat.ppid);
    let is_worker = |pid| listening.iter().any(|(other, _)| *other == parent(pid));
    listening.iter().find(|(pid, _)| !is_worker(*pid)).cloned()
}

/// The address that a process listens on whose open files are hidden, as those of another user
/// are even from root in most containers: of every socket the kernel tells whose it is.
fn listening_hidden(pid: i32) -> Option<SocketAddr> {
    if !ps::is_hidden(pid) {
        return None;
    }
    let process = Process::new(pid).ok()?;
    let user = process.status().ok()?.euid;
    let mut sockets = process.tcp().ok()?.into_iter();
    Some(sockets.find(|it| it.uid == user && it.state == TcpState::Listen)?.local_address)
}
