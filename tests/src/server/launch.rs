//! Starting a server, with its log drained and its limits set.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicI32;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, kill, signal};
use nix::sys::wait::WaitStatus;
use nix::unistd::{Pid, close};

use super::clients::find_listener;
use super::session::{Session, how_it_ended};
use super::{ANYWHERE, Address, Log, Manner, Role, Server, pid1};
use crate::net::{Machine, Namespace};
use crate::{Error, PATIENCE, Result, limits, poll};

/// Where a server's stdout goes, if not into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    /// To /dev/null, where a write costs next to nothing and never fails.
    Discarded,
    /// Nowhere: descriptor 1 is closed.
    Closed,
    /// To /dev/full, where every write fails with ENOSPC.
    Full,
    /// Into a pipe whose reader is gone, where every write fails with EPIPE.
    Broken,
    /// Into a pipe that nobody reads, where a write blocks once the pipe is full.
    Unread,
}

/// What a server inherits about SIGCHLD from its starter: both survive exec, signal(7).
#[derive(Debug, Clone, Copy)]
pub enum Inherited {
    /// Blocked, as from a parent that waits by sigwait(3).
    Blocked,
    /// Ignored, as from a parent that leaves its dead to the kernel.
    Ignored,
}

/// How to start a server.
#[derive(Debug, Clone, Default)]
#[must_use = "nothing is started yet"]
pub struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
    stdout: Option<Stdout>,
    stderr_too: bool,
    open_files: Option<u64>,
    processes: Option<u64>,
    sigchld: Option<Inherited>,
    /// What it is to be in a PID namespace of its own, if it is to have one.
    pub(super) role: Option<Role>,
    pub(crate) namespace: Option<Arc<Namespace>>,
    manner: Manner,
    /// Where it must listen, on one of these, if not wherever it likes.
    pub(crate) places: Vec<Address>,
    /// How long it may take until it listens, if not [`PATIENCE`].
    starting: Option<Duration>,
}

impl Launch {
    /// `program`, with no arguments and no limits of its own.
    pub fn new(program: impl Into<PathBuf>) -> Launch {
        Launch { program: program.into(), ..Launch::default() }
    }

    /// A program and its arguments, as the user of a tool gave them.
    pub(crate) fn command(words: &[OsString]) -> Result<Launch> {
        let (program, args) =
            words.split_first().ok_or_else(|| Error::new("no command to start"))?;
        Ok(args.iter().fold(Launch::new(program), Launch::arg))
    }

    /// A server with the command line of a lesson, without delay.
    pub fn lesson(program: impl Into<PathBuf>, addr: SocketAddr) -> Launch {
        Launch::new(program).arg("--delay").arg("0").arg(addr.to_string())
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Launch {
        self.args.push(arg.into());
        self
    }

    /// Sends stdout somewhere else than into the log.
    pub fn stdout(mut self, stdout: Stdout) -> Launch {
        self.stdout = Some(stdout);
        self
    }

    /// Sends stderr to where stdout goes, as the shell's `2>&1` does.
    pub fn stderr_too(mut self) -> Launch {
        self.stderr_too = true;
        self
    }

    /// Limits the open files, as `ulimit -Sn` does.
    pub fn open_files(mut self, limit: u64) -> Launch {
        self.open_files = Some(limit);
        self
    }

    /// Limits the processes of the server's user, one of its own if it can be, as `ulimit -Su` does.
    /// [`refuses_a_fork`](crate::experiment::refuses_a_fork) tells what comes of it here.
    pub fn processes(mut self, limit: u64) -> Launch {
        self.processes = Some(limit);
        self
    }

    /// Says what the server inherits about SIGCHLD.
    pub fn sigchld(mut self, inherited: Inherited) -> Launch {
        self.sigchld = Some(inherited);
        self
    }

    /// Runs it on a machine of its own in place of this one.
    pub fn on(mut self, machine: &Machine) -> Launch {
        self.namespace = Some(Arc::clone(&machine.namespace));
        self
    }

    /// Runs it in a network of its own, with a loopback interface and nothing else: no port is
    /// taken there. Root isn't needed where anybody may make a user namespace.
    pub(crate) fn in_own_network(mut self) -> Result<Launch> {
        let namespace = Namespace::new().map_err(|errno| {
            let reason = errno.desc().to_lowercase();
            Error::new(format!("no network namespace can be made here: {reason}"))
        })?;
        self.namespace = Some(namespace);
        Ok(self)
    }

    /// Says how to get on with it.
    pub fn manner(mut self, manner: Manner) -> Launch {
        self.manner = manner;
        self
    }

    /// Waits at most `starting` until some process of the program's listens on one of `places`.
    pub fn listening_on(mut self, places: &[Address], starting: Duration) -> Launch {
        self.places = places.to_vec();
        self.starting = Some(starting);
        self
    }

    /// Runs the program to its end, and ends what it has started; returns its status and its log.
    ///
    /// # Errors
    /// When it can't be started, or doesn't end.
    pub fn run(self) -> Result<(WaitStatus, Log)> {
        let name = self.name();
        let (session, log) = self.spawn()?;
        let status = poll::until(PATIENCE, || session.leader_ended());
        log.complete(session);
        let late = || Error::new(format!("{name} did not end in {PATIENCE:?}{}", log.said()));
        let status = status.ok_or_else(late)?.map_err(Error::cannot(format!("wait for {name}")))?;
        Ok((status, log))
    }

    /// Starts the program and waits until it listens.
    ///
    /// # Errors
    /// When it can't be started, ends at once, or doesn't listen.
    pub fn start(self) -> Result<Server> {
        let (name, starting) = (self.name(), self.starting.unwrap_or(PATIENCE));
        let (session, log) = self.spawn()?;
        let found = poll::until(starting, || {
            // It may have ended because it put itself, or a child, into the background.
            let over = || session.leader_ended().is_some() && session.members().is_empty();
            let found = find_listener(&session, &self.places);
            (found.is_some() || over()).then_some(found)
        });
        if let Some((pid, place)) = found.flatten() {
            if kill(Pid::from_raw(pid), None) == Err(Errno::EPERM) {
                return Err(Error::new(format!(
                    "{name} runs as another user, process {pid}, whom this one may not end"
                )));
            }
            return Ok(self.running(session, log, pid, place));
        }
        let elsewhere = find_listener(&session, &[]).filter(|_| !self.places.is_empty());
        let fate = match (session.leader_ended(), elsewhere) {
            (_, Some((_, elsewhere))) => format!("listens on {elsewhere} instead"),
            (Some(ended), None) => format!("ended at once {}", how_it_ended(ended)),
            (None, None) => format!("did not listen within {} s", starting.as_secs_f32()),
        };
        let place = self.places.first().map_or(String::new(), |place| format!(" on {place}"));
        log.complete(session);
        Err(Error::new(format!("no server{place}: {name} {fate}{}", log.last_words())))
    }

    /// What was started and found: process `pid`, which is at `place`.
    pub(super) fn running(self, session: Session, log: Log, pid: i32, place: Address) -> Server {
        let (pid, Launch { manner, namespace, .. }) = (AtomicI32::new(pid), self);
        Server { session, pid, place, log, manner, namespace, served: Mutex::default() }
    }

    pub(super) fn name(&self) -> String {
        self.program.display().to_string()
    }

    pub(super) fn spawn(&self) -> Result<(Session, Log)> {
        let mut stdin = Stdio::null();
        let stdout = match self.stdout {
            None => Stdio::piped(),
            Some(Stdout::Discarded) => Stdio::null(),
            Some(Stdout::Closed) => Stdio::null(), // until later: std would open something there
            Some(Stdout::Full) => {
                let full = File::options().write(true).open("/dev/full");
                Stdio::from(full.map_err(Error::cannot("open /dev/full"))?)
            }
            Some(unread @ (Stdout::Broken | Stdout::Unread)) => {
                let (reader, writer) = io::pipe().map_err(Error::cannot("open a pipe"))?;
                if unread == Stdout::Unread {
                    stdin = Stdio::from(reader); // open as long as the server, which reads no stdin
                }
                Stdio::from(writer)
            }
        };
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        command.env_remove("CLICOLOR_FORCE"); // a log is no terminal, whatever ours is
        let launch = self.clone();
        let prepare = move |guardian: BorrowedFd| launch.prepare(guardian);
        let (session, mut child) = Session::start(command, self.namespace.as_deref(), prepare)?;
        let log = Log::default();
        child.stdout.take().map(|pipe| log.stdout.drain(pipe)).transpose()?;
        child.stderr.take().map(|pipe| log.stderr.drain(pipe)).transpose()?;
        Ok((session, log))
    }

    /// Between fork and exec: makes the process what every server here starts as.
    fn prepare(&self, guardian: BorrowedFd) -> io::Result<()> {
        if let Some(namespace) = &self.namespace {
            namespace.enter()?;
        }
        reset_signals()?;
        match self.sigchld {
            None => {}
            Some(Inherited::Blocked) => SigSet::from(Signal::SIGCHLD).thread_set_mask()?,
            Some(Inherited::Ignored) => {
                // SAFETY: an ignored signal runs no code of ours.
                unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }?;
            }
        }
        // Only 0, 1 and 2 pass on to the server, whatever this process was started with.
        // SAFETY: close_range touches no memory; with CLOEXEC it closes nothing before exec.
        let closed =
            unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        Errno::result(closed)?;
        if self.stderr_too {
            // SAFETY: dup2 touches no memory, and every writer to descriptor 2 means its new end.
            Errno::result(unsafe { libc::dup2(libc::STDOUT_FILENO, libc::STDERR_FILENO) })?;
        }
        if self.stdout == Some(Stdout::Closed) {
            let last = if self.stderr_too { libc::STDERR_FILENO } else { libc::STDOUT_FILENO };
            for descriptor in libc::STDOUT_FILENO..=last {
                close(descriptor)?; // nothing in this process, which execs next, uses it
            }
        }
        if let Some(limit) = self.open_files {
            limits::set_soft(Resource::RLIMIT_NOFILE, limit)?;
        }
        if let Some(limit) = self.processes {
            limits::be_counted_alone();
            limits::set_soft(Resource::RLIMIT_NPROC, limit)?;
        }
        self.role.map_or(Ok(()), |role| pid1::enter(role, guardian))
    }
}

/// Gives every signal its default, unblocked. What is ignored or blocked survives exec: a SIGCHLD
/// would falsify every count, and a child could not be killed by the others.
pub(super) fn reset_signals() -> nix::Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        // The system call, because signal(3) refuses the two that the C library keeps for itself.
        let default = [0_u64; 4]; // SIG_DFL, no flags, nothing blocked: at least struct sigaction
        let (old, mask) = (std::ptr::null::<u64>(), size_of::<u64>());
        // SAFETY: the pointers are to a local and null; the default runs no code of ours. It is
        // refused for SIGKILL and SIGSTOP.
        unsafe { libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), old, mask) };
    }
    // Who dies of SIGSEGV, say, is to leave no core file (but for a pipe, core(5)).
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    SigSet::empty().thread_set_mask()
}

impl Server {
    /// Starts a server with the command line of a lesson, without delay, on a free port.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn lesson(program: impl Into<PathBuf>) -> Result<Server> {
        Launch::lesson(program, ANYWHERE).start()
    }
}
