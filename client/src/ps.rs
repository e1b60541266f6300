//! What the article's author used `ps` for: which children a process has, and in which state. All of
//! it is read from proc(5), so it works for any program.

use std::os::fd::{FromRawFd, OwnedFd};
use std::time::Duration;
use std::{fmt, fs, io};

use nix::errno::Errno;
use nix::libc;
use procfs::process::{FDsIter, Process as ProcEntry, Stat, Status, Task, all_processes};
use procfs::{ProcError, ProcResult};

use crate::{poll, signals};

/// The bit of SIGCHLD in the masks of /proc/PID/status, which count from 0.
pub const SIGCHLD_BIT: u64 = signals::bit(libc::SIGCHLD);

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
}

/// A state letter spelled out, as ps(1) explains it.
#[must_use]
pub fn state_name(state: char) -> &'static str {
    match state {
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

impl From<Stat> for Process {
    /// Of a process with threads that of them which is up to most: the first thread may have left
    /// before the others, and is a zombie then (ps shows `Zl`) although the process lives.
    fn from(stat: Stat) -> Self {
        let threads = if stat.num_threads > 1 { thread_states(stat.pid) } else { String::new() };
        let alive = threads.chars().filter(|it| is_alive(*it));
        // One that runs, or else one that doesn't sleep.
        let state = alive.min_by_key(|it| (*it == 'S', !"RD".contains(*it)));
        Process { pid: stat.pid, name: stat.comm, state: state.unwrap_or(stat.state) }
    }
}

/// What /proc/PID/stat tells of a process, or nothing when it is gone.
#[must_use]
pub fn stat(pid: i32) -> Option<Stat> {
    ProcEntry::new(pid).and_then(|process| process.stat()).ok()
}

/// What /proc/PID/status tells of a process.
///
/// # Errors
/// When it is gone.
pub fn status(pid: i32) -> ProcResult<Status> {
    ProcEntry::new(pid)?.status()
}

/// The kernel's function that a process sleeps in, the wchan of proc(5); nothing while it runs, and
/// where the kernel keeps it secret.
#[must_use]
pub fn wchan(pid: i32) -> Option<String> {
    let wchan = ProcEntry::new(pid).and_then(|process| process.wchan()).ok();
    wchan.filter(|it| !matches!(it.as_str(), "" | "0"))
}

/// The state of a process, or nothing when it is gone.
#[must_use]
pub fn state(pid: i32) -> Option<char> {
    stat(pid).map(|stat| Process::from(stat).state)
}

/// Whether a process is there and is no zombie.
#[must_use]
pub fn lives(pid: i32) -> bool {
    state(pid).is_some_and(is_alive)
}

fn is_alive(state: char) -> bool {
    !"ZX".contains(state)
}

/// Whether a process dies, or is gone, in this time.
#[must_use]
pub fn dies(pid: i32, within: Duration) -> bool {
    poll::until(within, || (!lives(pid)).then_some(())).is_some()
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

/// The signal masks of a process's live threads, among the rest that /proc tells of each.
#[must_use]
pub fn masks(pid: i32) -> Vec<Status> {
    live_threads(pid).filter_map(|thread| thread.status().ok()).collect()
}

fn live_threads(pid: i32) -> impl Iterator<Item = Task> {
    threads(pid).filter(|thread| thread.stat().is_ok_and(|stat| is_alive(stat.state)))
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
        // The order matters to `settled`: a child found dead here has sent its signal by the
        // time the masks are read, or sends it so soon that a second look finds a difference.
        Family::with(pid, children_of(pid)?)
    }

    /// Looks at process `pid` alone: its children have just been seen.
    ///
    /// # Errors
    /// When there is no such process, or /proc can't be read.
    pub fn with(pid: i32, children: Vec<Process>) -> ProcResult<Family> {
        let parent = ProcEntry::new(pid)?;
        let (status, masks) = (parent.status()?, masks(pid));
        let pending = masks.iter().fold(status.shdpnd, |pending, it| pending | it.sigpnd);
        Ok(Family {
            parent: parent.stat()?.into(),
            sigchld_pending: pending & SIGCHLD_BIT != 0,
            sigchld_blocked: !masks.is_empty()
                && masks.iter().all(|it| it.sigblk & SIGCHLD_BIT != 0),
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
    /// or `patience` is over; returns the last look.
    ///
    /// # Errors
    /// When the process is gone, or /proc can't be read.
    pub fn settled(pid: i32, patience: Duration) -> ProcResult<Family> {
        let mut before = Family::of(pid)?;
        let agreed = || {
            let now = Family::of(pid);
            let agreed = now.as_ref().is_ok_and(|now| now.is_settled() && *now == before);
            now.map(|now| before = now).map(|()| agreed.then_some(())).transpose()
        };
        poll::until(patience, agreed).transpose()?;
        Ok(before)
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
pub(crate) fn root(pid: i32) -> String {
    let has_left = stat(pid).is_some_and(|stat| stat.state == 'Z' && stat.num_threads > 1);
    let left = has_left.then(|| live_threads(pid).next()).flatten();
    left.map_or(format!("/proc/{pid}"), |thread| format!("/proc/{pid}/task/{}", thread.tid))
}

/// A descriptor for a process, pidfd_open(2): readable once the process is dead.
///
/// # Errors
/// When there is no such process.
pub fn pidfd_open(pid: i32) -> nix::Result<OwnedFd> {
    // SAFETY: pidfd_open takes two numbers and touches no memory.
    let opened = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) })?;
    // SAFETY: the kernel has just opened this descriptor for us alone.
    Ok(unsafe { OwnedFd::from_raw_fd(opened as libc::c_int) })
}
