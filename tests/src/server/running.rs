//! A server that runs.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use client::{Conversation, ps, ss};
use libc::{SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH};
use nix::errno::Errno;
use nix::sys::signal::Signal;
use procfs::process::Stat;

use super::clients::find_listener;
use super::session::{Session, how_it_ended};
use super::{Address, Log, Manner};
use crate::hold::Hold;
use crate::net::Namespace;
use crate::{Error, PATIENCE, Result};

/// A server that runs until this is dropped, and no process of it any longer than that.
#[derive(Debug)]
pub struct Server {
    pub(super) session: Session,
    pub(super) pid: AtomicI32,
    pub(super) place: Address,
    pub(super) log: Log,
    pub(crate) manner: Manner,
    pub(crate) namespace: Option<Arc<Namespace>>,
    /// Those that were seen to hold a client's connection: pid, and when it was started.
    pub(super) served: Mutex<BTreeSet<(i32, u64)>>,
}

impl Server {
    /// The parent of the children: the process that listens, or a worker that was seen to fork.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid.load(Ordering::Relaxed)
    }

    /// The address it listens on; none, 0.0.0.0:0, if that is a path.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        match self.place {
            Address::Tcp(addr) => addr,
            Address::Unix(_) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        }
    }

    /// The folder of /proc that shows its network.
    pub(crate) fn net(&self) -> String {
        let guardian = self.namespace.as_ref().map(|_| self.session.guardian());
        guardian.map_or(ss::HERE.to_owned(), |pid| format!("/proc/{pid}/net"))
    }

    /// A client that has been served, so that its child is known to live.
    ///
    /// # Errors
    /// When it can't be connected, or isn't answered in time.
    pub fn greet(&self) -> Result<Conversation> {
        let client = self.connect()?;
        self.manner.talk.begin(&client)?;
        self.manner.talk.be_served(&client)?;
        Ok(client)
    }

    /// Opens a conversation with it, as patient as its manner says.
    ///
    /// # Errors
    /// When the connection can't be made in time.
    pub fn connect(&self) -> Result<Conversation> {
        let patience = self.manner.patience;
        match (&self.place, &self.namespace) {
            (Address::Tcp(addr), Some(namespace)) => namespace.connect(*addr, patience),
            (Address::Tcp(addr), None) => Ok(Conversation::connect(*addr, patience)?),
            (Address::Unix(path), _) => Ok(Conversation::connect_unix(path, patience)?),
        }
    }

    /// Whether somebody of it still, or again, listens.
    pub(crate) fn listens(&self) -> bool {
        find_listener(&self.session, std::slice::from_ref(&self.place)).is_some()
    }

    /// How the command that was started has ended, once it has.
    pub(crate) fn command_ended(&self) -> Option<String> {
        self.session.leader_ended().map(how_it_ended)
    }

    /// The first process of the command, and the session's id.
    #[must_use]
    pub fn command(&self) -> i32 {
        self.session.leader().as_raw()
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Holds it still until the returned value is dropped.
    ///
    /// # Errors
    /// When it doesn't stop.
    pub fn hold(&self) -> Result<Hold> {
        Hold::still(self.pid())
    }

    /// How to get on with it.
    #[must_use]
    pub fn manner(&self) -> &Manner {
        &self.manner
    }

    /// Has another of its processes be the one that is watched, the parent of the children.
    pub(crate) fn watch(&self, pid: i32) {
        self.pid.store(pid, Ordering::Relaxed);
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        send(self.pid(), signal as i32)
    }

    /// Kills it, and it alone, with SIGKILL and waits until it is dead. Its children become ours.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(&self) -> Result<()> {
        let pid = self.pid();
        if !ps::lives(pid) {
            return Err(Error::new(format!("server {pid} is dead already")));
        }
        self.signal(Signal::SIGKILL)?;
        let died = ps::dies(pid, PATIENCE).then_some(());
        died.ok_or_else(|| Error::new(format!("server {pid} did not die of SIGKILL")))
    }

    /// The processes left of it and its descendants, the dead ones included.
    #[must_use]
    pub fn members(&self) -> Vec<i32> {
        self.session.members()
    }

    /// Of those, the zombies that a process of its own should have waited for, and the orphans
    /// that were left to the process that reaps here.
    #[must_use]
    pub fn zombies_and_orphans(&self) -> (Vec<Stat>, Vec<Stat>) {
        let members: Vec<Stat> = self.members().into_iter().filter_map(ps::stat).collect();
        let is_child = |stat: &Stat| members.iter().any(|it| it.pid == stat.ppid);
        let (mut zombies, mut orphans): (Vec<Stat>, _) =
            members.iter().cloned().partition(is_child);
        zombies.retain(|stat| !ps::lives(stat.pid));
        orphans.retain(|stat| stat.pid != self.command() && stat.pid != self.pid());
        (zombies, orphans)
    }

    /// The descriptors of the listening process, in order.
    ///
    /// Read one by one: the size of /proc/PID/fd also counts what a blocked accept(2) sets aside.
    ///
    /// # Errors
    /// When it is gone.
    pub fn open_files(&self) -> Result<Vec<i32>> {
        let pid = self.pid();
        let files = ps::files(pid).map_err(|error| {
            Error::cannot_ask(format!("cannot see the open files of {pid}: {error}"))
        })?;
        let mut open: Vec<i32> = files.flatten().map(|file| file.fd).collect();
        open.sort_unstable();
        Ok(open)
    }
}

/// The signals whose default action is not to end the process, signal(7).
pub const HARMLESS: [i32; 8] =
    [SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG, SIGWINCH];

/// Sends a signal by its number, real-time signals included.
///
/// # Errors
/// When the process is gone, or not ours.
pub fn send(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: kill takes two numbers and touches no memory of this process.
    Errno::result(unsafe { libc::kill(pid, signal) }).map(drop).map_err(|errno| {
        let error = format!("cannot send signal {signal} to {pid}: {}", errno.desc());
        if errno == Errno::EPERM { Error::cannot_ask(error) } else { Error::new(error) }
    })
}
