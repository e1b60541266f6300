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

use client::signals::bit;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use client::ps;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{
    SaFlags, SigAction, SigHandler, SigSet, Signal, kill, killpg, raise, sigaction,
};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{ForkResult, Pid, fork, getpid, getsid, pipe2, read};
use procfs::ProcResult;
use procfs::process::{FDInfo, FDPermissions, FDTarget, Process, Stat};

use crate::net::Namespace;
use crate::{Error, Result, limits, poll};

/// How long dead processes may take to leave the process table.
const ENDING: Duration = Duration::from_secs(30);

/// The servers that run now.
static RUNNING: Mutex<Vec<Entry>> = Mutex::new(Vec::new());

/// The end of a pipe that the handler writes to, or -1 before it is open.
static INTERRUPTED: AtomicI32 = AtomicI32::new(-1);

/// The leaders of all servers' sessions, and the guardians: nobody's strays.
static KNOWN: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// The variable that marks a server's environment, and so that of its descendants.
const MARK: &str = "HARNESS_SESSION";

struct Entry {
    family: Arc<Descendants>,
    guardian: Guardian,
}

/// Who descends from a server.
#[derive(Debug)]
struct Descendants {
    /// The session that the server was started in, by the pid of its leader.
    session: Pid,
    /// That session, and those that descendants have made since.
    sessions: Mutex<HashSet<i32>>,
    /// The value of [`MARK`].
    mark: String,
    /// The inodes of the pipes that the server writes to.
    pipes: OnceLock<Vec<u64>>,
}

impl Descendants {
    /// Those that live and those that are dead, in the order of their pids.
    fn find(&self) -> ProcResult<Vec<Pid>> {
        let all = ps::find(|_| true)?;
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let (me, here) = (getpid().as_raw(), getsid(None).map_or(0, Pid::as_raw));
        let known = known().clone();
        let stray = |stat: &Stat| {
            stat.ppid == me && !known.contains(&Pid::from_raw(stat.pid)) && self.marked(stat.pid)
        };
        loop {
            let members: HashSet<i32> = all
                .iter()
                .filter(|stat| sessions.contains(&stat.session))
                .map(|stat| stat.pid)
                .collect();
            let found = all.iter().find(|stat| {
                !members.contains(&stat.pid)
                    && stat.session != here
                    && (members.contains(&stat.ppid) || stray(stat))
            });
            match found {
                Some(stat) => sessions.insert(stat.session),
                None => break,
            };
        }
        let members = all.iter().filter(|stat| sessions.contains(&stat.session));
        Ok(members.map(|stat| Pid::from_raw(stat.pid)).collect())
    }

    /// Kills them all and waits until none is left but the leader, dead: until it is waited for, its
    /// pid names this session and no other.
    fn end(&self) -> Option<()> {
        // The whole group at once: the kernel lets no fork slip through between two signals.
        let _ = killpg(self.session, Signal::SIGKILL);
        poll::until(ENDING, || {
            let Ok(mut rest) = self.find() else { return None }; // no descriptor left, say
            rest.retain(|member| *member != self.session);
            for member in &rest {
                let _ = kill(*member, Signal::SIGKILL); // for one that has left the group
                let _ = waitpid(*member, Some(WaitPidFlag::WNOHANG)); // ours when its parent is gone
            }
            rest.is_empty().then_some(())
        })
    }

    fn marked(&self, pid: i32) -> bool {
        let Ok(process) = Process::new(pid) else { return false };
        let marked = process
            .environ()
            .is_ok_and(|vars| vars.get(OsStr::new(MARK)).is_some_and(|it| *it == *self.mark));
        // Nobody else can write to it: servers are started one at a time, and this process closes
        // its copy of that end before the next one.
        let writes = |file: FDInfo| match file.target {
            FDTarget::Pipe(inode) => {
                file.mode().contains(FDPermissions::WRITE)
                    && self.pipes.get().is_some_and(|pipes| pipes.contains(&inode))
            }
            _ => false,
        };
        marked || process.fd().is_ok_and(|files| files.flatten().any(writes))
    }
}

/// A server's place on the list. Dropping it ends the server and its descendants.
#[derive(Debug)]
pub(super) struct Session {
    family: Arc<Descendants>,
    guardian_pid: Pid,
}

impl Session {
    /// Starts `command` as the leader of a new session and puts that on the list. No Ctrl-C
    /// falls between the two.
    ///
    /// The child is for its pipes: the session alone waits for it.
    ///
    /// # Errors
    /// When it can't be started, or this process can't become a subreaper.
    pub(super) fn start(
        mut command: Command,
        namespace: Option<Arc<Namespace>>,
    ) -> Result<(Session, Child)> {
        static WATCH: OnceLock<std::result::Result<(), String>> = OnceLock::new();
        let watched = WATCH.get_or_init(|| watch().map_err(|error| error.to_string()));
        watched.clone().map_err(Error::new)?;
        static MARKS: AtomicU32 = AtomicU32::new(0);
        let mark = format!("{}-{}", getpid(), MARKS.fetch_add(1, Ordering::Relaxed));
        command.env(MARK, &mark);
        let mut list = running();
        let guardian = Guardian::appoint(namespace.as_deref())?;
        let (lifeline, guardian_pid) = (guardian.lifeline.as_raw_fd(), guardian.pid);
        // SAFETY: setsid, getpid and write are on signal-safety(7)'s list, which is what may be
        // called between fork and exec; `lifeline` stays open until after the exec.
        unsafe {
            command.pre_exec(move || {
                let session = Errno::result(libc::setsid())?;
                write_number(lifeline, session)
            });
        }
        let started = command.spawn();
        let program = command.get_program().display();
        let child =
            started.map_err(|error| Error::new(format!("cannot start {program}: {error}")))?;
        let session = Pid::from_raw(child.id().cast_signed());
        known().push(session);
        let sessions = Mutex::new(HashSet::from([session.as_raw()]));
        let pipes = OnceLock::new();
        let family = Arc::new(Descendants { session, sessions, mark, pipes });
        list.push(Entry { family: family.clone(), guardian });
        Ok((Session { family, guardian_pid }, child))
    }

    /// Says which pipes the server, and nobody else, writes to.
    pub(super) fn knows_by(&mut self, pipes: Vec<u64>) {
        let _ = self.family.pipes.set(pipes);
    }

    /// The pid of a process that is in the server's network as long as the ward lives.
    #[must_use]
    pub(super) fn guardian(&self) -> Pid {
        self.guardian_pid
    }

    /// The session's leader, whose pid is the session's id.
    #[must_use]
    pub(super) fn leader(&self) -> Pid {
        self.family.session
    }

    /// How the leader ended, once it has. It stays a zombie as long as the ward lives: so its
    /// pid, by which the session is found, can't be given to anybody else. The error is EINVAL
    /// when it died of a signal that nix has no name for, a real-time one.
    #[must_use]
    pub(super) fn leader_ended(&self) -> Option<nix::Result<WaitStatus>> {
        let look = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.leader()), look) {
            Ok(WaitStatus::StillAlive) => None,
            ended => Some(ended),
        }
    }

    /// The server's processes, the dead ones included; but not a dead leader.
    #[must_use]
    pub(super) fn members(&self) -> Vec<i32> {
        let ended = self.leader_ended().is_some();
        let mut members = self.family.find().unwrap_or_default();
        members.retain(|pid| !(ended && *pid == self.leader()));
        members.into_iter().map(Pid::as_raw).collect()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.family.end(); // may take a while, in which others may start and end theirs
        let mut list = running();
        if let Some(at) = list.iter().position(|entry| Arc::ptr_eq(&entry.family, &self.family)) {
            end(list.swap_remove(at));
        }
    }
}

fn known() -> MutexGuard<'static, Vec<Pid>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn running() -> MutexGuard<'static, Vec<Entry>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a server, its descendants and its guardian, and waits until none of them is left, not even
/// a zombie.
fn end(Entry { family, guardian }: Entry) {
    let session = family.session;
    let ended = family.end();
    drop(guardian);
    let reaped = poll::until(ENDING, || match waitpid(session, Some(WaitPidFlag::WNOHANG)) {
        Ok(WaitStatus::StillAlive) => None,
        _ => Some(()),
    });
    known().retain(|pid| *pid != session);
    if ended.and(reaped).is_none() {
        let left = family.find();
        let _ = writeln!(io::stderr(), "harness: session {session} did not end: {left:?}");
    }
}

/// A process that sleeps until this one is gone, by whatever death, and then kills the server
/// and its children. Dropping it ends it without that.
struct Guardian {
    pid: Pid,
    /// A pipe to the guardian that nobody else holds: its end-of-file is our end.
    lifeline: OwnedFd,
}

impl Guardian {
    fn appoint(namespace: Option<&Namespace>) -> Result<Guardian> {
        let (reader, lifeline) = pipe2(OFlag::O_CLOEXEC).map_err(refused("open a pipe"))?;
        let reader_number = reader.as_raw_fd();
        // SAFETY: other threads may hold any lock, so the child may only do what
        // signal-safety(7) lists; `guard` does nothing else and never returns.
        match unsafe { fork() }.map_err(refused("fork"))? {
            ForkResult::Child => guard(reader_number, namespace),
            ForkResult::Parent { child } => {
                known().push(child);
                Ok(Guardian { pid: child, lifeline })
            }
        }
    }
}

impl Drop for Guardian {
    fn drop(&mut self) {
        let _ = kill(self.pid, Signal::SIGKILL);
        while waitpid(self.pid, None) == Err(Errno::EINTR) {}
        known().retain(|pid| *pid != self.pid);
    }
}

/// The life of a guardian: hears which session to guard, then nothing until it must act.
fn guard(lifeline: RawFd, namespace: Option<&Namespace>) -> ! {
    // SAFETY: setsid, dup2, read, kill and _exit are on signal-safety(7)'s list; prctl,
    // rt_sigprocmask and close_range are system calls that take no lock either. The pointers are
    // to locals. Every descriptor closed here is this process's own copy.
    unsafe {
        libc::setsid(); // out of the way of Ctrl-C and of whoever kills our process group
        if namespace.is_some_and(|it| it.enter().is_err()) {
            libc::_exit(1) // the server will not get in, either
        }
        let mut all = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, std::ptr::null_mut());
        libc::prctl(libc::PR_SET_NAME, c"guardian".as_ptr());
        // Above all the lifelines of others, and the stdout of a `tour | head`.
        libc::dup2(lifeline, 0);
        libc::syscall(libc::SYS_close_range, 1, libc::c_uint::MAX, 0);
        let mut session: libc::pid_t = 0;
        while libc::read(0, (&raw mut session).cast(), size_of_val(&session)) > 0 {}
        if session > 0 {
            libc::kill(-session, libc::SIGKILL);
        }
        libc::_exit(0)
    }
}

/// Writes `number` to a pipe, in one piece: it is shorter than PIPE_BUF, pipe(7).
fn write_number(pipe: RawFd, number: libc::c_int) -> io::Result<()> {
    // SAFETY: the pointer and the length are those of `number`.
    let told = unsafe { libc::write(pipe, (&raw const number).cast(), size_of_val(&number)) };
    Errno::result(told)?;
    Ok(())
}

/// Becomes the subreaper, and has room for many files; arranges that Ctrl-C (and SIGTERM, SIGHUP)
/// empties the list.
fn watch() -> Result<()> {
    if Process::myself().is_ok_and(|process| process.pid != getpid().as_raw()) {
        return Err(Error::new("/proc shows another PID namespace; mount it once more"));
    }
    set_child_subreaper(true).map_err(refused("become a subreaper"))?;
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).map_err(refused("open a pipe"))?;
    INTERRUPTED.store(writer.as_raw_fd(), Ordering::Relaxed);
    std::mem::forget(writer); // the handler writes to it until the process ends
    thread::Builder::new()
        .name("cleanup".to_owned())
        .spawn(move || end_all_on_interrupt(&reader))
        .map_err(|error| Error::new(format!("cannot start the cleanup thread: {error}")))?;
    let status = Process::myself()
        .and_then(|process| process.status())
        .map_err(|error| Error::new(format!("cannot read /proc/self/status: {error}")))?;
    let is_ignored = |signal| status.sigign & bit(signal as i32) != 0;
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        if !is_ignored(signal) {
            handle(signal, SigHandler::Handler(on_interrupt))?;
        } // else it stays so, as nohup(1) and shells with a `&` ask
    }
    limits::raise_open_files().map_err(refused("raise the limit on open files"))
}

fn handle(signal: Signal, handler: SigHandler) -> Result<()> {
    let action = SigAction::new(handler, SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the one handler here calls only functions that signal-safety(7) lists.
    unsafe { sigaction(signal, &action) }.map(drop).map_err(refused("handle signals"))
}

/// Tells the cleanup thread which signal came; a handler may do no more than that.
extern "C" fn on_interrupt(signal: libc::c_int) {
    let errno = Errno::last_raw();
    let _ = write_number(INTERRUPTED.load(Ordering::Relaxed), signal);
    Errno::set_raw(errno);
}

/// Waits for the handler's word, ends every server, then lets the signal do what it does.
fn end_all_on_interrupt(reader: &OwnedFd) {
    let mut number = [0; size_of::<libc::c_int>()];
    while read(reader, &mut number) == Err(Errno::EINTR) {}
    // Never unlocked again: no server can be started any more.
    let mut list = running();
    list.drain(..).for_each(end);
    let signal = Signal::try_from(libc::c_int::from_ne_bytes(number)).unwrap_or(Signal::SIGTERM);
    let _ = handle(signal, SigHandler::SigDfl);
    // This thread may have inherited a mask that blocks what another one let through.
    let _ = SigSet::from(signal).thread_unblock();
    let _ = raise(signal);
    // Nothing is done to PID 1 of a namespace, which a container's only program is, by a default.
    // SAFETY: _exit has no precondition.
    unsafe { libc::_exit(128 + signal as i32) }
}

/// Makes an errno the reason why this process cannot do `what`.
fn refused(what: &'static str) -> impl FnOnce(Errno) -> Error {
    move |errno| Error::new(format!("cannot {what}: {}", errno.desc().to_lowercase()))
}
