//! Starting a server on a free port, with its log drained and its limits set.

use std::collections::{HashMap, VecDeque};
use std::ffi::OsString;
use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use client::Conversation;
use client::ps::{self, Family, Listener};
use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::WaitStatus;
use nix::unistd::Pid;
use procfs::net::TcpState;
use procfs::process::Process;

use crate::cleanup::Ward;
use crate::hold::Hold;
use crate::net::{Machine, Namespace};
use crate::{Error, PATIENCE, Result, census, limits, poll};

/// How long the pipe of a process that has ended may take to be read empty.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Where a server's stdout goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Stdout {
    /// Into the log.
    #[default]
    Drained,
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

/// How a client tells a server that it leaves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Goodbye {
    /// By the word `Bye`, on which the server closes first.
    #[default]
    Bye,
    /// By closing its own direction: the server reads end-of-file.
    HalfClose,
}

impl Goodbye {
    /// Says it, without waiting for the end.
    ///
    /// # Errors
    /// When the connection is lost.
    pub fn say(self, client: &Conversation) -> std::result::Result<(), client::Error> {
        match self {
            Goodbye::Bye => client.bye(),
            Goodbye::HalfClose => client.close_half(),
        }
    }

    /// What all clients have done once they have said it, for a story.
    #[must_use]
    pub fn told(self) -> &'static str {
        match self {
            Goodbye::Bye => "all said Bye",
            Goodbye::HalfClose => "all half-closed",
        }
    }
}

/// How to get on with a server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// How its clients leave.
    pub goodbye: Goodbye,
    /// How long to wait for what ought to happen at once.
    pub patience: Duration,
    /// How long it may leave a zombie lie before it looks again, if it doesn't reap at once.
    pub looks_every: Option<Duration>,
}

impl Default for Manner {
    /// The manner of the lessons.
    fn default() -> Self {
        Manner { goodbye: Goodbye::Bye, patience: PATIENCE, looks_every: None }
    }
}

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Launch {
    program: PathBuf,
    args: Vec<OsString>,
    stdout: Stdout,
    stderr_too: bool,
    open_files: Option<u64>,
    processes: Option<u64>,
    sigchld_blocked: bool,
    namespace: Option<Arc<Namespace>>,
    manner: Manner,
    /// Where it must listen, if not wherever it likes.
    addr: Option<SocketAddr>,
    /// How long it may take until it listens.
    starting: Duration,
}

impl Launch {
    /// `program`, with no arguments and no limits of its own.
    #[must_use]
    pub fn new(program: impl Into<PathBuf>) -> Launch {
        Launch {
            program: program.into(),
            args: Vec::new(),
            stdout: Stdout::Drained,
            stderr_too: false,
            open_files: None,
            processes: None,
            sigchld_blocked: false,
            namespace: None,
            manner: Manner::default(),
            addr: None,
            starting: PATIENCE,
        }
    }

    /// A server with the command line of a lesson, which echoes without delay.
    #[must_use]
    pub fn lesson(program: impl Into<PathBuf>, addr: SocketAddr) -> Launch {
        Launch::new(program).arg("--delay").arg("0").arg(addr.to_string())
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Launch {
        self.args.push(arg.into());
        self
    }

    /// Sends stdout somewhere else than into the log.
    #[must_use]
    pub fn stdout(mut self, stdout: Stdout) -> Launch {
        self.stdout = stdout;
        self
    }

    /// Sends stderr to where stdout goes, as the shell's `2>&1` does.
    #[must_use]
    pub fn stderr_too(mut self) -> Launch {
        self.stderr_too = true;
        self
    }

    /// Limits the open files, as `ulimit -Sn` does.
    #[must_use]
    pub fn open_files(mut self, limit: u64) -> Launch {
        self.open_files = Some(limit);
        self
    }

    /// Limits the processes of the server's user, as `ulimit -Su` does; that user is one of its
    /// own where that can be had. [`refuses_a_fork`](crate::experiment::refuses_a_fork) tells what
    /// comes of it here.
    #[must_use]
    pub fn processes(mut self, limit: u64) -> Launch {
        self.processes = Some(limit);
        self
    }

    /// Has the server inherit a blocked SIGCHLD, as from a parent that waits by sigwait(3).
    #[must_use]
    pub fn sigchld_blocked(mut self) -> Launch {
        self.sigchld_blocked = true;
        self
    }

    /// Runs it on a machine of its own in place of this one.
    #[must_use]
    pub fn on(mut self, machine: &Machine) -> Launch {
        self.namespace = Some(machine.namespace());
        self
    }

    /// Says how to get on with it.
    #[must_use]
    pub fn manner(mut self, manner: Manner) -> Launch {
        self.manner = manner;
        self
    }

    /// Waits at most `starting` until some process of the program's, be it the one that is
    /// started or a descendant of it, listens on `addr` and nowhere else.
    #[must_use]
    pub fn listening_on(mut self, addr: SocketAddr, starting: Duration) -> Launch {
        self.addr = Some(addr);
        self.starting = starting;
        self
    }

    /// Runs the program to its end and returns its exit status and all that it wrote: for
    /// servers that are not expected to stay. What it has started ends with it.
    ///
    /// # Errors
    /// When it can't be started, or doesn't end.
    pub fn run(self) -> Result<(WaitStatus, Log)> {
        let name = self.name();
        let (ward, log) = self.spawn()?;
        let status = poll::until(PATIENCE, || ward.leader_ended());
        drop(ward); // nobody is left who could write
        log.complete();
        match status {
            Some(Ok(status)) => Ok((status, log)),
            Some(Err(errno)) => Err(Error::new(format!("cannot wait for {name}: {errno}"))),
            None => Err(Error::new(format!("{name} did not end in {PATIENCE:?}{}", log.said()))),
        }
    }

    /// Starts the program and waits until it listens.
    ///
    /// # Errors
    /// When it can't be started, ends at once, or doesn't listen.
    pub fn start(self) -> Result<Server> {
        let Launch { manner, addr: wanted, starting, .. } = self;
        let name = self.name();
        let (ward, log) = self.spawn()?;
        let found = poll::until(starting, || {
            if let Some(found) = find_listener(&ward, wanted) {
                return Some(Some(found));
            }
            // It may have ended because it put itself, or a child, into the background.
            (ward.leader_ended().is_some() && ward.members().is_empty()).then_some(None)
        });
        if let Some(Some((pid, addr))) = found {
            let residents = ps::children_of(pid).unwrap_or_default();
            let residents = residents.iter().map(|child| child.pid).collect();
            return Ok(Server { ward, pid, addr, log, manner, residents });
        }
        let fate = match (ward.leader_ended(), wanted.and(find_listener(&ward, None))) {
            (_, Some((_, elsewhere))) => format!("listens on {elsewhere} instead"),
            (Some(Ok(WaitStatus::Exited(_, status))), None) => {
                format!("ended at once with exit status {status}")
            }
            (Some(Ok(WaitStatus::Signaled(_, signal, _))), None) => {
                format!("ended at once by {}", signal.as_str())
            }
            (Some(_), None) => "ended at once by a real-time signal".to_owned(),
            (None, None) => format!("did not listen within {} s", starting.as_secs_f32()),
        };
        let place = wanted.map_or(String::new(), |addr| format!(" on {addr}"));
        drop(ward); // nobody is left who could write
        log.complete();
        Err(Error::new(format!("no server{place}: {name} {fate}{}", log.said())))
    }

    fn name(&self) -> String {
        self.program.display().to_string()
    }

    fn spawn(self) -> Result<(Ward, Log)> {
        let mut stdin = Stdio::null();
        let stdout = match self.stdout {
            Stdout::Drained => Stdio::piped(),
            Stdout::Discarded => Stdio::null(),
            Stdout::Closed => Stdio::null(), // closed later: std would open something in its place
            Stdout::Full => Stdio::from(
                std::fs::File::options()
                    .write(true)
                    .open("/dev/full")
                    .map_err(|error| Error::new(format!("cannot open /dev/full: {error}")))?,
            ),
            Stdout::Broken | Stdout::Unread => {
                let (reader, writer) = io::pipe()
                    .map_err(|error| Error::new(format!("cannot open a pipe: {error}")))?;
                if self.stdout == Stdout::Unread {
                    stdin = Stdio::from(reader); // open as long as the server, which reads no stdin
                }
                Stdio::from(writer)
            }
        };
        let mut command = Command::new(&self.program);
        command.args(&self.args).stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        command.env_remove("CLICOLOR_FORCE"); // a log is no terminal, whatever ours is
        // SAFETY: `prepare` makes system calls only; it neither allocates nor takes a lock.
        unsafe { command.pre_exec(move || self.prepare()) };

        let (ward, mut child) = Ward::start(command)?;
        let log = Log::default();
        if let Some(stdout) = child.stdout.take() {
            log.drain(stdout, Stream::Stdout)?;
        }
        if let Some(stderr) = child.stderr.take() {
            log.drain(stderr, Stream::Stderr)?;
        }
        Ok((ward, log))
    }

    /// Between fork and exec: makes the process what every server here starts as.
    fn prepare(&self) -> io::Result<()> {
        if let Some(namespace) = &self.namespace {
            namespace.enter()?;
        }
        // What is ignored or blocked survives exec: a SIGCHLD would falsify every count, and a
        // child could not be killed by the others.
        for signal in 1..=libc::SIGRTMAX() {
            // SAFETY: the default disposition runs no code of ours. It is refused for SIGKILL,
            // SIGSTOP and the two signals that the C library keeps for itself.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        let mask = if self.sigchld_blocked { Signal::SIGCHLD.into() } else { SigSet::empty() };
        mask.thread_set_mask()?;
        // Only 0, 1 and 2 pass on to the server, whatever this process was started with.
        // SAFETY: close_range touches no memory; with CLOEXEC it closes nothing before exec.
        let closed =
            unsafe { libc::syscall(libc::SYS_close_range, 3, u32::MAX, libc::CLOSE_RANGE_CLOEXEC) };
        Errno::result(closed)?;
        if self.stderr_too {
            // SAFETY: dup2 touches no memory, and whoever writes to descriptor 2 means its new end.
            Errno::result(unsafe { libc::dup2(libc::STDOUT_FILENO, libc::STDERR_FILENO) })?;
        }
        if self.stdout == Stdout::Closed {
            let last = if self.stderr_too { libc::STDERR_FILENO } else { libc::STDOUT_FILENO };
            for descriptor in libc::STDOUT_FILENO..=last {
                // SAFETY: nothing in this process, which execs next, uses the descriptor.
                Errno::result(unsafe { libc::close(descriptor) })?;
            }
        }
        // A child may be about to die of SIGSEGV and the like: no core file is to stay of it.
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        if let Some(limit) = self.open_files {
            limits::set_soft(Resource::RLIMIT_NOFILE, limit)?;
        }
        if let Some(limit) = self.processes {
            limits::be_counted_alone();
            limits::set_soft(Resource::RLIMIT_NPROC, limit)?;
        }
        Ok(())
    }
}

/// A server that runs until this is dropped, and no process of it any longer than that.
#[derive(Debug)]
pub struct Server {
    ward: Ward,
    pid: i32,
    addr: SocketAddr,
    log: Log,
    manner: Manner,
    /// Children that it had before its first client.
    residents: Vec<i32>,
}

impl Server {
    /// Starts a server with the command line of a lesson, without delay, on a free port.
    ///
    /// # Errors
    /// When it can't be started.
    pub fn lesson(program: impl Into<PathBuf>) -> Result<Server> {
        Launch::lesson(program, SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).start()
    }

    /// The process that listens: the parent of the children.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// The address it listens on.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
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
        Hold::still(self.pid)
    }

    /// How to get on with it.
    #[must_use]
    pub fn manner(&self) -> Manner {
        self.manner
    }

    /// Looks at it and its children once. Children that it had before its first client (a pool,
    /// a logger) don't count.
    ///
    /// # Errors
    /// When it is gone.
    pub fn census(&self) -> Result<Family> {
        census::take(self)
    }

    /// Looks at it until `agrees` says yes; `what` names what is waited for.
    ///
    /// # Errors
    /// When it is gone, or patience is over: then with what was seen last.
    pub fn wait_for(&self, what: &str, agrees: impl Fn(&Family) -> bool) -> Result<Family> {
        census::wait(self, what, agrees)
    }

    /// Waits until it sleeps: its clients may have heard their echo before it has done all that it
    /// does when a client comes, and some servers reap then. One that never rests is left to itself.
    pub fn rest(&self) {
        let _ = self.wait_for("the server to rest", |family| family.parent.state == 'S');
    }

    /// Looks at it and its children until it has settled.
    ///
    /// # Errors
    /// When it is gone or doesn't settle.
    pub fn settled(&self) -> Result<Family> {
        census::settled(self)
    }

    /// Whether this is a child that it had before its first client.
    #[must_use]
    pub fn is_resident(&self, pid: i32) -> bool {
        self.residents.contains(&pid)
    }

    /// The processes other than itself that hold its end of `client`'s connection, parents
    /// before their children.
    ///
    /// # Errors
    /// When /proc can't be read.
    pub fn serving(&self, client: &Conversation) -> Result<Vec<i32>> {
        let mut holders = self.holders(client)?;
        holders.retain(|pid| *pid != self.pid);
        Ok(holders)
    }

    /// All processes that hold its end of `client`'s connection, parents before their children.
    ///
    /// # Errors
    /// When /proc can't be read.
    pub fn holders(&self, client: &Conversation) -> Result<Vec<i32>> {
        let local = client.local_addr().map_err(|error| Error::new(error.to_string()))?;
        Ok(self.connections()?.remove(&local).unwrap_or_default())
    }

    /// The same for all of its clients at once, by the client's address.
    ///
    /// # Errors
    /// When /proc can't be read.
    pub fn connections(&self) -> Result<HashMap<SocketAddr, Vec<i32>>> {
        ps::connections(self.addr)
            .map_err(|error| Error::new(format!("cannot tell whom {} serves: {error}", self.pid)))
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// When it is gone.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        kill(Pid::from_raw(self.pid), signal)
            .map_err(|errno| Error::new(format!("cannot signal {}: {}", self.pid, errno.desc())))
    }

    /// Kills it, and it alone, with SIGKILL and waits until it is dead. Its children become ours.
    ///
    /// # Errors
    /// When it is gone already.
    pub fn kill(&self) -> Result<()> {
        let dead = || match Process::new(self.pid).and_then(|process| process.stat()) {
            Ok(stat) => "ZX".contains(stat.state).then_some(()),
            Err(_) => Some(()),
        };
        if dead().is_some() {
            return Err(Error::new(format!("server {} is dead already", self.pid)));
        }
        self.signal(Signal::SIGKILL)?;
        poll::until(PATIENCE, dead)
            .ok_or_else(|| Error::new(format!("server {} did not die of SIGKILL", self.pid)))
    }

    /// The processes left of it and its descendants.
    #[must_use]
    pub fn members(&self) -> Vec<i32> {
        self.ward.members()
    }

    /// The descriptors of the listening process, in order.
    ///
    /// Read one by one: the size of /proc/PID/fd (which procfs's `fd_count` trusts) also counts
    /// the descriptor that a blocked accept(2) has set aside for the connection to come.
    ///
    /// # Errors
    /// When it is gone.
    pub fn open_files(&self) -> Result<Vec<i32>> {
        let files = Process::new(self.pid).and_then(|process| process.fd());
        match files {
            Ok(files) => {
                let mut open: Vec<i32> = files.flatten().map(|file| file.fd).collect();
                open.sort_unstable();
                Ok(open)
            }
            Err(error) => {
                Err(Error::new(format!("cannot see the open files of {}: {error}", self.pid)))
            }
        }
    }
}

/// A loopback address with a free port that nobody else will take: the 127.0.0.0/8 address is
/// this caller's own. For a server that must come back on the same port.
///
/// The port is not tried by binding it: a copy of that socket would live on, and be in the way, in
/// each program that another thread has forked and not yet executed. It is one that the kernel
/// hands to nobody by itself (ip(7), `ip_local_port_range`), and is free unless somebody listens
/// on all addresses there.
///
/// # Errors
/// When no port is free, or /proc can't be read.
pub fn own_addr() -> Result<SocketAddr> {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [_, _, high, low] = std::process::id().to_be_bytes();
    let ip = Ipv4Addr::new(127, high.max(1), low, NEXT.fetch_add(1, Ordering::Relaxed));
    for port in 10_000 + u16::from(low) * 64..30_000 {
        let addr = SocketAddr::from((ip, port));
        let listener = ps::listener(addr);
        let listener = listener
            .map_err(|error| Error::new(format!("cannot see whether {addr} is free: {error}")))?;
        if listener == Listener::Elsewhere {
            return Ok(addr);
        }
    }
    Err(Error::new(format!("no free port on {ip}")))
}

/// The signals whose default action is not to end the process, signal(7).
pub const HARMLESS: [i32; 8] = [
    libc::SIGCHLD,
    libc::SIGCONT,
    libc::SIGSTOP,
    libc::SIGTSTP,
    libc::SIGTTIN,
    libc::SIGTTOU,
    libc::SIGURG,
    libc::SIGWINCH,
];

/// Sends a signal by its number, real-time signals included.
///
/// # Errors
/// When the process is gone, or not ours.
pub fn send(pid: i32, signal: i32) -> Result<()> {
    // SAFETY: kill takes two numbers and touches no memory of this process.
    Errno::result(unsafe { libc::kill(pid, signal) }).map(drop).map_err(|errno| {
        Error::new(format!("cannot send signal {signal} to {pid}: {}", errno.desc()))
    })
}

/// The process of the ward that listens on `wanted`, or on any address, and that address. Of several
/// it is the parent: a worker has its parent's listener, and now and then a lower pid.
fn find_listener(ward: &Ward, wanted: Option<SocketAddr>) -> Option<(i32, SocketAddr)> {
    let members = ward.members().into_iter();
    let mut listening: Vec<(i32, SocketAddr)> = members
        .filter_map(|pid| Some((pid, ps::listening_on(pid).or_else(|| listening_alone(pid))?)))
        .collect();
    listening.retain(|(_, bound)| wanted.is_none_or(|addr| ps::covers(*bound, addr)));
    let parent = |pid| Process::new(pid).and_then(|it| it.stat()).map_or(0, |stat| stat.ppid);
    let is_worker = |pid| listening.iter().any(|(other, _)| *other == parent(pid));
    let (pid, bound) = *listening.iter().find(|(pid, _)| !is_worker(*pid))?;
    Some((pid, wanted.unwrap_or(bound)))
}

/// The address that a process with a user of its own listens on: its open files are hidden even
/// from root in most containers, but of every socket the kernel tells whose it is.
fn listening_alone(pid: i32) -> Option<SocketAddr> {
    let user = limits::user_of_its_own(pid).as_raw();
    let process = Process::new(pid).ok()?;
    if process.status().ok()?.ruid != user {
        return None;
    }
    let mut sockets = process.tcp().ok()?.into_iter();
    Some(sockets.find(|it| it.uid == user && it.state == TcpState::Listen)?.local_address)
}

/// What a server writes, kept as it comes, so that a full pipe never stops the server.
///
/// Of a flood the beginning and the end are kept, with a line between them that says how much
/// was cut.
#[derive(Debug, Clone, Default)]
pub struct Log {
    written: Arc<Mutex<[Written; 2]>>,
}

#[derive(Debug, Clone, Copy)]
enum Stream {
    Stdout,
    Stderr,
}

/// What came on one stream.
#[derive(Debug, Default)]
struct Written {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    cut: u64,
    open: bool,
}

impl Written {
    /// How many bytes the head has room for, and the tail.
    const ROOM: usize = 256 * 1024;

    fn add(&mut self, bytes: &[u8]) {
        let (head, tail) = bytes.split_at(bytes.len().min(Self::ROOM - self.head.len()));
        self.head.extend(head);
        self.tail.extend(tail);
        let over = self.tail.len().saturating_sub(Self::ROOM);
        self.tail.drain(..over);
        self.cut += over as u64;
    }

    fn text(&self) -> String {
        let mut bytes = self.head.clone();
        if self.cut > 0 {
            bytes.extend(format!("\n[harness: {} bytes cut]\n", self.cut).bytes());
        }
        bytes.extend(&self.tail);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Log {
    /// What came on stdout so far.
    #[must_use]
    pub fn stdout(&self) -> String {
        self.written()[Stream::Stdout as usize].text()
    }

    /// What came on stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        self.written()[Stream::Stderr as usize].text()
    }

    /// What came so far, stdout first.
    #[must_use]
    pub fn text(&self) -> String {
        self.stdout() + &self.stderr()
    }

    /// Its last line, for the end of an error message.
    fn said(&self) -> String {
        self.text().lines().last().map_or(String::new(), |line| format!("; it said: {line}"))
    }

    fn written(&self) -> MutexGuard<'_, [Written; 2]> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all is here that was written before the last writer's end: death is seen
    /// sooner than the pipe is read empty.
    fn complete(&self) {
        // One that has left the session may keep the pipe open: then what is here has to do.
        poll::until(LAST_WORDS, || self.written().iter().all(|it| !it.open).then_some(()));
    }

    fn drain(&self, mut pipe: impl Read + Send + 'static, stream: Stream) -> Result<()> {
        let log = self.clone();
        // Ends by itself when the last process that can write to the pipe is gone.
        let drain = move || {
            let mut buffer = [0; 16 * 1024];
            loop {
                match pipe.read(&mut buffer) {
                    Ok(length @ 1..) => log.written()[stream as usize].add(&buffer[..length]),
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                }
            }
            log.written()[stream as usize].open = false;
        };
        self.written()[stream as usize].open = true;
        let thread = thread::Builder::new().name("drain".to_owned()).spawn(drain);
        thread
            .map(|_detached| ())
            .map_err(|error| Error::new(format!("cannot start a thread for the log: {error}")))
    }
}
