//! Nothing outlives a test or a tool: every server started here is on a list, with all that
//! descends from it, and is ended on success, failure, panic, Ctrl-C, and (but for daemons) SIGKILL.
//!
//! Each server leads a session of its own (setsid(2)), so that its descendants are found by
//! their session even after their parent has died. This process is their subreaper
//! (prctl(2), PR_SET_CHILD_SUBREAPER), so that orphans come to it and not to PID 1, whatever
//! that is here. It waits for pids it knows and never for -1, which would steal children from
//! `std::process::Child`.
//!
//! Nobody can act on a SIGKILL of their own, so each server has a guardian as well. The
//! kernel's PR_SET_PDEATHSIG would not do: it is sent when the *thread* that forked ends, it is
//! lost when the server execs with another real user id, and it is not for the server's children.
//!
//! A daemon leaves the session by a setsid of its own. It is found as a descendant, or as an
//! orphan that has come to us and has something of the server's: the mark that is put into each
//! server's environment, or the pipe that is its stdout or stderr. Only the guardian knows nothing
//! of it.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use client::ps;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl::{set_child_subreaper, set_name};
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, killpg, raise, signal};
use nix::sys::stat::fstat;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stdin, fork, getpid, getsid, pipe2, read, setsid, write};
use procfs::ProcResult;
use procfs::process::{FDInfo, FDPermissions, FDTarget, Process, Stat};

use crate::net::Namespace;
use crate::{Error, Result, complain, limits, lock, poll};

/// How long dead processes may take to leave the process table.
const ENDING: Duration = Duration::from_secs(30);

/// The servers that run now.
static RUNNING: Mutex<Vec<Arc<Tree>>> = Mutex::new(Vec::new());

/// The leaders of all servers' sessions, and the guardians: nobody's strays, and not looked into.
static KNOWN: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// What else is done at the end when a signal ends this program.
static AT_INTERRUPT: Mutex<Option<fn()>> = Mutex::new(None);

/// Has `last` done when SIGINT, SIGTERM or SIGHUP ends this program, once all servers have ended.
/// It is for who draws on a terminal: SIGHUP ends it also where it was ignored.
pub fn at_interrupt(last: fn()) {
    *lock(&AT_INTERRUPT) = Some(last);
    let _ = handle(Signal::SIGHUP, SigHandler::Handler(on_interrupt));
}

/// The end of a pipe that the handler writes to.
static INTERRUPTED: OnceLock<OwnedFd> = OnceLock::new();

/// Marks the environment of a server, and so of its descendants, by the pid of the guardian.
const MARK: &str = "HARNESS_SESSION";

/// A server and its descendants: a tree of processes.
#[derive(Debug)]
struct Tree {
    /// The leader of the session that the server was started in.
    leader: Pid,
    /// That session, and those that descendants have made since.
    sessions: Mutex<HashSet<i32>>,
    /// The inodes of the pipes that the server writes to.
    pipes: Vec<u64>,
    /// A process that sleeps until this one is gone, and then kills the server and its children.
    guardian: Pid,
    /// A pipe to the guardian that nobody else holds: its end-of-file is our end.
    _lifeline: OwnedFd,
}

impl Tree {
    /// Those that live and those that are dead, in the order of their pids.
    fn find(&self) -> ProcResult<Vec<Pid>> {
        let all = ps::find(|_| true)?;
        let mut sessions = lock(&self.sessions);
        let (me, here) = (getpid().as_raw(), getsid(None).map_or(0, Pid::as_raw));
        let known = lock(&KNOWN).clone();
        loop {
            let (members, others): (Vec<&Stat>, Vec<&Stat>) =
                all.iter().partition(|stat| sessions.contains(&stat.session));
            let pids: HashSet<i32> = members.iter().map(|stat| stat.pid).collect();
            let descends = |stat: &&&Stat| {
                let known = || known.contains(&Pid::from_raw(stat.pid));
                let stray = || stat.ppid == me && !known() && self.marked(stat.pid);
                stat.session != here && (pids.contains(&stat.ppid) || stray())
            };
            match others.iter().find(descends) {
                Some(stat) => sessions.insert(stat.session),
                None => return Ok(members.iter().map(|stat| Pid::from_raw(stat.pid)).collect()),
            };
        }
    }

    /// Whether a process has the server's mark, or else writes to its pipes. Nobody else can:
    /// servers are started one at a time, and this process closes its copy before the next one.
    fn marked(&self, pid: i32) -> bool {
        let Ok(process) = Process::new(pid) else { return false };
        let mark = process.environ().ok().and_then(|mut vars| vars.remove(OsStr::new(MARK)));
        let writes = |file: FDInfo| match file.target {
            FDTarget::Pipe(inode) => {
                file.mode().contains(FDPermissions::WRITE) && self.pipes.contains(&inode)
            }
            _ => false,
        };
        match mark {
            Some(mark) => *mark == *self.guardian.to_string(),
            None => process.fd().is_ok_and(|files| files.flatten().any(writes)),
        }
    }

    /// Kills them all and waits until none is left but the leader, dead: until it is waited for, its
    /// pid names this session and no other.
    fn kill(&self) -> Option<()> {
        // The whole group at once: the kernel lets no fork slip through between two signals.
        let _ = killpg(self.leader, Signal::SIGKILL);
        poll::until(ENDING, || {
            let Ok(mut rest) = self.find() else { return None }; // no descriptor left, say
            rest.retain(|member| *member != self.leader);
            for member in &rest {
                let _ = kill(*member, Signal::SIGKILL); // for one that has left the group
                let _ = waitpid(*member, Some(WaitPidFlag::WNOHANG)); // ours when its parent is gone
            }
            rest.is_empty().then_some(())
        })
    }

    /// Ends the server, its descendants and its guardian, until not even a zombie is left.
    fn end(&self) {
        let killed = self.kill();
        dismiss(self.guardian);
        let gone =
            || waitpid(self.leader, Some(WaitPidFlag::WNOHANG)) != Ok(WaitStatus::StillAlive);
        let reaped = poll::until(ENDING, || gone().then_some(()));
        lock(&KNOWN).retain(|pid| ![self.leader, self.guardian].contains(pid));
        if killed.and(reaped).is_none() {
            let (session, left) = (self.leader, self.find());
            complain(format_args!("harness: session {session} did not end: {left:?}"));
        }
    }
}

/// A server's place on the list. Dropping it ends the server and its descendants.
#[derive(Debug)]
pub(super) struct Session(Arc<Tree>);

impl Session {
    /// Starts `command` as the leader of a new session and puts that on the list; no Ctrl-C falls
    /// between. `prepare` runs between fork and exec, and is given the pipe to the guardian, who
    /// kills the group that it was told of last. The session waits for the child.
    pub(super) fn start(
        mut command: Command,
        namespace: Option<&Namespace>,
        prepare: impl Fn(BorrowedFd) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<(Session, Child)> {
        static WATCH: OnceLock<std::result::Result<(), String>> = OnceLock::new();
        let watched = WATCH.get_or_init(|| watch().map_err(|error| error.to_string()));
        watched.clone().map_err(Error::new)?;
        let mut list = lock(&RUNNING);
        let (guardian, lifeline) = appoint_guardian(namespace)?;
        command.env(MARK, guardian.to_string());
        let pipe = lifeline.as_raw_fd();
        // SAFETY: setsid, write and all of `prepare` are on signal-safety(7)'s list, as is needed
        // between fork and exec; `lifeline` stays open until after the exec.
        unsafe {
            command.pre_exec(move || {
                let pipe = BorrowedFd::borrow_raw(pipe);
                write(pipe, &setsid()?.as_raw().to_ne_bytes())?;
                prepare(pipe)
            });
        }
        let started = command.spawn();
        let program = command.get_program().display();
        let child = started
            .inspect_err(|_| dismiss(guardian))
            .map_err(Error::cannot(format!("start {program}")))?;
        let leader = Pid::from_raw(child.id().cast_signed());
        let sessions = Mutex::new(HashSet::from([leader.as_raw()]));
        let pipes = [child.stdout.as_ref().map(fstat), child.stderr.as_ref().map(fstat)];
        let pipes = pipes.into_iter().flatten().flatten().map(|pipe| pipe.st_ino).collect();
        let tree = Arc::new(Tree { leader, sessions, pipes, guardian, _lifeline: lifeline });
        lock(&KNOWN).extend([leader, guardian]);
        list.push(tree.clone());
        Ok((Session(tree), child))
    }

    /// The pid of a process that is in the server's network as long as the session lives.
    pub(super) fn guardian(&self) -> Pid {
        self.0.guardian
    }

    /// The session's leader, whose pid is the session's id.
    pub(super) fn leader(&self) -> Pid {
        self.0.leader
    }

    /// How the leader ended, once it has. It stays a zombie as long as the session lives, so its
    /// pid is nobody else's. The error is EINVAL when it died of a real-time signal.
    pub(super) fn leader_ended(&self) -> Option<nix::Result<WaitStatus>> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        Some(waitid(Id::Pid(self.leader()), look)).filter(|it| *it != Ok(WaitStatus::StillAlive))
    }

    /// The server's processes, the dead ones included; but not a dead leader.
    pub(super) fn members(&self) -> Vec<i32> {
        let ended = self.leader_ended().is_some();
        let mut members = self.0.find().unwrap_or_default();
        members.retain(|pid| !(ended && *pid == self.leader()));
        members.into_iter().map(Pid::as_raw).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.0.kill(); // may take a while, in which others may start and end theirs
        let mut list = lock(&RUNNING);
        self.0.end();
        list.retain(|tree| !Arc::ptr_eq(tree, &self.0));
    }
}

/// How a process ended, for a sentence: `with exit status 1`, `by SIGKILL`.
pub(super) fn how_it_ended(ended: nix::Result<WaitStatus>) -> String {
    match ended {
        Ok(WaitStatus::Exited(_, status)) => format!("with exit status {status}"),
        Ok(WaitStatus::Signaled(_, signal, _)) => format!("by {}", signal.as_str()),
        _ => "by a real-time signal".to_owned(),
    }
}

fn appoint_guardian(namespace: Option<&Namespace>) -> Result<(Pid, OwnedFd)> {
    let (reader, lifeline) = pipe2(OFlag::O_CLOEXEC).map_err(Error::refused("open a pipe"))?;
    // SAFETY: other threads may hold any lock, so the child may only do what
    // signal-safety(7) lists; `guard` does nothing else and never returns.
    match unsafe { fork() }.map_err(Error::refused("fork"))? {
        ForkResult::Child => guard(&reader, namespace),
        ForkResult::Parent { child } => Ok((child, lifeline)),
    }
}

/// Ends a guardian without what it is there for.
fn dismiss(guardian: Pid) {
    let _ = kill(guardian, Signal::SIGKILL);
    while waitpid(guardian, None) == Err(Errno::EINTR) {}
}

/// The life of a guardian: hears which group to guard, then nothing until it must act.
fn guard(lifeline: &OwnedFd, namespace: Option<&Namespace>) -> ! {
    let _ = setsid(); // out of the way of Ctrl-C and of whoever kills our process group
    if namespace.is_none_or(|it| it.enter().is_ok()) {
        let _ = SigSet::all().thread_set_mask();
        let _ = set_name(c"guardian");
        // Above all the lifelines of others, and the stdout of a `tour | head`.
        let _ = dup2_stdin(lifeline);
        // SAFETY: close_range touches no memory, and the descriptors are this process's own copies.
        unsafe { libc::syscall(libc::SYS_close_range, 1, libc::c_uint::MAX, 0) };
        // SAFETY: descriptor 0 is open from here on.
        let lifeline = unsafe { BorrowedFd::borrow_raw(0) };
        let mut group = [0; size_of::<libc::pid_t>()];
        while read(lifeline, &mut group).is_ok_and(|length| length > 0) {}
        let group = libc::pid_t::from_ne_bytes(group);
        if group > 0 {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    } // else the server won't get in, either
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(0) }
}

/// Becomes the subreaper, with room for many files; has Ctrl-C, SIGTERM and SIGHUP empty the list.
fn watch() -> Result<()> {
    if Process::myself().is_ok_and(|process| process.pid != getpid().as_raw()) {
        return Err(Error::new("/proc shows another PID namespace; mount it once more"));
    }
    set_child_subreaper(true).map_err(Error::refused("become a subreaper"))?;
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(Error::refused("open a pipe"))?;
    INTERRUPTED.get_or_init(|| writer);
    thread::Builder::new()
        .name("cleanup".to_owned())
        .spawn(move || end_all_on_interrupt(&reader))
        .map_err(Error::cannot("start the cleanup thread"))?;
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        // What is ignored stays so, as nohup(1) and shells with a `&` ask.
        if !matches!(handle(signal, SigHandler::SigIgn)?, SigHandler::SigIgn) {
            handle(signal, SigHandler::Handler(on_interrupt))?;
        }
    }
    limits::raise_open_files().map_err(Error::refused("raise the limit on open files"))
}

/// Handles a signal in another way, and returns in which way it was handled before.
fn handle(number: Signal, handler: SigHandler) -> Result<SigHandler> {
    // SAFETY: the one handler here calls only functions that signal-safety(7) lists.
    unsafe { signal(number, handler) }.map_err(Error::refused("handle signals"))
}

/// Tells the cleanup thread which signal came; a handler may do no more than that.
extern "C" fn on_interrupt(signal: libc::c_int) {
    let errno = Errno::last_raw();
    let _ = INTERRUPTED.get().map(|pipe| write(pipe, &[signal as u8]));
    Errno::set_raw(errno);
}

/// Waits for the handler's word, ends every server, then lets the signal do what it does.
fn end_all_on_interrupt(reader: &OwnedFd) {
    let mut number = [0];
    while read(reader, &mut number) == Err(Errno::EINTR) {}
    // Never unlocked again: no server can be started any more.
    let list = lock(&RUNNING);
    list.iter().for_each(|tree| tree.end());
    if let Some(last) = *lock(&AT_INTERRUPT) {
        last();
    }
    let signal = Signal::try_from(i32::from(number[0])).unwrap_or(Signal::SIGTERM);
    let _ = handle(signal, SigHandler::SigDfl);
    // This thread may have inherited a mask that blocks what another one let through.
    let _ = SigSet::from(signal).thread_unblock();
    let _ = raise(signal);
    // Nothing is done to PID 1 of a namespace, which a container's only program is, by a default.
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(128 + signal as i32) }
}
