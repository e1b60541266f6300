//! Where fork for each connection ends: the same echo by processes that wait for clients, by
//! threads, and by one loop, for more and more clients.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use client::{BYE, Conversation, poll, ps};
use harness::burst::HELLO;
use harness::server::{Server, Stdout};
use harness::{Error, PATIENCE, Result};
use nix::errno::Errno;
use nix::sys::socket::{Backlog, getsockopt, listen, sockopt};
use procfs::process::Process;
use procfs::{Current, Meminfo, ProcResult};

use super::load::drive_saying;
use super::plan::Plan;
use super::report::{Measure, Part};
use super::{limits, servers};

/// How many clients there are at once.
const CLIENTS: [usize; 4] = [1, 10, 100, 1_000];

/// How many processes are enough, where it is not one for each client.
const WORKERS: usize = 8;

/// How many connections may wait to be accepted: all.
const BACKLOG: i32 = 1_100;

/// How many clients come beside those that say nothing, one after the other.
const BESIDE: usize = 100;

/// From how many clients on the kernel's memory is told: what a hundred take is lost in the noise.
const TELLING: usize = 1_000;

/// In how many rounds memory is looked at: it varies little.
const LOOKS: usize = 3;

/// How long no answer is none.
const SILENCE: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Model {
    ForkEach,
    PreforkFew,
    PreforkEach,
    ThreadEach,
    OneLoop,
}

const MODELS: [Model; 5] =
    [Model::ForkEach, Model::PreforkFew, Model::PreforkEach, Model::ThreadEach, Model::OneLoop];

impl Model {
    fn name(self) -> &'static str {
        match self {
            Model::ForkEach => "lesson-03",
            Model::PreforkFew => "prefork, 8",
            Model::PreforkEach => "prefork, one each",
            Model::ThreadEach => "a thread each",
            Model::OneLoop => "one epoll loop",
        }
    }

    fn workers(self, clients: usize) -> Option<usize> {
        match self {
            Model::PreforkFew => Some(WORKERS),
            Model::PreforkEach => Some(clients + 1), // one for who comes beside
            _ => None,
        }
    }

    /// How many of `clients` are served when nobody leaves.
    fn served(self, clients: usize) -> usize {
        self.workers(clients).map_or(clients, |workers| workers.min(clients))
    }

    fn start(self, clients: usize) -> Result<Server> {
        let server = match (self, self.workers(clients)) {
            (Model::ForkEach, _) => servers::lesson_or_road("lesson-03")?,
            (Model::ThreadEach, _) => servers::plain("thread-each")?,
            (Model::OneLoop, _) => servers::plain("epoll-server")?,
            (_, workers) => {
                let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let workers = workers.unwrap_or_default();
                let launch = servers::subject("prefork")?.arg(workers.to_string());
                let server = launch.arg(addr.to_string()).stdout(Stdout::Discarded).start()?;
                wait_for_children(&server, workers)?;
                server
            }
        };
        Ok(server)
    }
}

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::new("models", "Where it ends", "clients");
    let baseline = Model::ForkEach.name();
    let mut rate = Measure::new("conversations", "a second", baseline);
    let mut slowest = Measure::new("conversation, 99th percentile", "ms", baseline);
    let mut beside = Measure::new("one more beside idle clients, median", "µs", baseline);
    let mut memory = Measure::new("memory, all connected", "KiB", baseline);
    let mut tables = Measure::new("page tables", "KiB", baseline);
    let mut kernel = Measure::new("kernel's stacks and objects", "KiB", baseline);

    let room = limits::children()?;
    let mut places = CLIENTS.to_vec();
    places.retain(|clients| *clients as u64 <= plan.children);
    for too_many in places.extract_if(.., |clients| *clients as u64 >= room.children) {
        part.notes.push(format!("{too_many} clients: left out, {}", room.limit));
    }
    let (mut syns_again, mut not_longer, mut left_waiting) = (0, None, false);
    plan.expect(plan.rounds * places.len() * MODELS.len());
    for round in 0..plan.rounds {
        for &clients in &places {
            for model in MODELS {
                let (name, at) = (model.name(), clients as u64);
                plan.step(format!("models: {name}, {clients} clients"));
                if plan.quick && round > 0 && clients == CLIENTS[CLIENTS.len() - 1] {
                    continue;
                }
                let before = kernel_memory();
                let server = model.start(clients)?;
                not_longer = not_longer.or(lengthen_backlog(server.pid()).err());
                if round < if plan.quick { 1 } else { LOOKS } {
                    let idle = Idle::sit(&server, clients, model.served(clients))?;
                    let [used, mapped] = used_by(&server)?;
                    memory.add(name, at, used);
                    tables.add(name, at, mapped);
                    if let (Some(before), Some(now), TELLING..) = (before, kernel_memory(), clients)
                    {
                        kernel.add(name, at, now - before);
                    }
                    if model.workers(clients).is_none_or(|workers| workers > clients) {
                        beside.add(name, at, one_more(&server)?);
                    }
                    left_waiting |= !idle.are_heard(&server)?;
                    idle.leave()?;
                    if model == Model::ForkEach {
                        wait_for_children(&server, 0)?;
                    }
                }
                let served = drive_saying(&[HELLO, BYE], server.addr(), clients, plan.window())
                    .map_err(|error| Error::new(format!("{name}: {error}")))?;
                syns_again += served.syns_again;
                rate.add(name, at, served.rate());
                let mut times = served.latencies;
                times.sort_unstable();
                if let Some(last) = times.get((times.len() * 99).div_ceil(100).saturating_sub(1)) {
                    slowest.add(name, at, last.as_secs_f64() * 1_000.0);
                }
            }
        }
    }
    part.measures = vec![rate, slowest, beside, memory, tables, kernel];
    if left_waiting {
        let name = Model::PreforkFew.name();
        part.notes.push(format!("{name}: while {WORKERS} clients sit idle, no other is answered"));
    }
    part.notes.push(match not_longer {
        None => format!("all backlogs were lengthened to {BACKLOG}"),
        Some(why) => format!("the backlogs are their own, std's 128: {why}"),
    });
    if syns_again > 0 {
        part.notes.push(format!("{syns_again} SYNs were sent again on this machine meanwhile"));
    }
    Ok(part)
}

/// Clients that are connected, and have been served if there was somebody to serve them, and say
/// nothing more.
struct Idle {
    served: Vec<Conversation>,
    waiting: Vec<Conversation>,
}

impl Idle {
    fn sit(server: &Server, clients: usize, served: usize) -> Result<Idle> {
        let mut conversations = Vec::new();
        for place in 0..clients {
            let client = Conversation::connect(server.addr(), PATIENCE)?;
            if place < served {
                client.say(HELLO)?;
            }
            conversations.push(client);
        }
        let waiting = conversations.split_off(served);
        Ok(Idle { served: conversations, waiting })
    }

    /// Whether one of those who wait is heard.
    fn are_heard(&self, server: &Server) -> Result<bool> {
        let Some(_) = self.waiting.first() else { return Ok(true) };
        let one = Conversation::connect(server.addr(), SILENCE)?;
        match one.say(HELLO) {
            Ok(()) => Ok(true),
            Err(error) if error.is_silent() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn leave(self) -> Result<()> {
        for client in self.served {
            client.bye()?;
            client.hear_end()?;
            client.reset()?;
        }
        Ok(())
    }
}

/// How long a conversation takes, in µs: the middle of some in a row.
fn one_more(server: &Server) -> Result<f64> {
    let mut times = Vec::new();
    for _ in 0..BESIDE {
        let begun = Instant::now();
        let client = Conversation::connect(server.addr(), PATIENCE)?;
        client.say(HELLO)?;
        client.bye()?;
        client.hear_end()?;
        times.push(begun.elapsed());
        client.reset()?;
    }
    times.sort_unstable();
    Ok(Duration::as_secs_f64(&times[times.len() / 2]) * 1e6)
}

/// The memory of a server and its children, in KiB, what they share counted once; and the page
/// tables that map it, of which each process has its own.
fn used_by(server: &Server) -> Result<[f64; 2]> {
    let look = |pid: i32| -> ProcResult<[u64; 2]> {
        let process = Process::new(pid)?;
        let rollup = process.smaps_rollup()?.memory_map_rollup;
        let share = rollup.0.first().and_then(|it| it.extension.map.get("Pss").copied());
        Ok([share.unwrap_or(0) / 1_024, process.status()?.vmpte.unwrap_or(0)])
    };
    let children = ps::children_of(server.pid()).map_err(not_seen)?;
    let mut sums = [0.0; 2];
    for pid in children.iter().map(|child| child.pid).chain([server.pid()]) {
        for (sum, more) in sums.iter_mut().zip(look(pid).map_err(not_seen)?) {
            *sum += more as f64;
        }
    }
    Ok(sums)
}

/// The memory of this machine, in KiB, that the kernel has for stacks and for objects of its own:
/// processes, files, sockets.
fn kernel_memory() -> Option<f64> {
    let memory = Meminfo::current().ok()?;
    Some((memory.slab + memory.kernel_stack?) as f64 / 1_024.0)
}

fn wait_for_children(server: &Server, count: usize) -> Result<()> {
    let mut seen = BTreeMap::new();
    let agreed = poll::until(PATIENCE, || {
        let children = ps::children_of(server.pid()).ok()?;
        seen.clear();
        for child in &children {
            *seen.entry(child.state).or_insert(0) += 1;
        }
        (children.len() == count).then_some(())
    });
    agreed.ok_or_else(|| {
        Error::new(format!(
            "server {} was to have {count} children; seen last, by state: {seen:?}",
            server.pid()
        ))
    })
}

fn not_seen(error: procfs::ProcError) -> Error {
    Error::new(format!("cannot look at the server: {error}"))
}

/// Lets more connections wait for a server than it has asked for. std asks for 128, and where a
/// thousand clients come at once a full queue would drop SYNs, which then come a second later:
/// that would be measured and nothing else. listen(2) on a copy of its listener is as good as its
/// own.
fn lengthen_backlog(pid: i32) -> Result<()> {
    let refused =
        |what| move |errno: Errno| Error::new(format!("cannot {what} {pid}: {}", errno.desc()));
    // SAFETY: pidfd_open takes two numbers and touches no memory.
    let pidfd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let pidfd = Errno::result(pidfd).map_err(refused("open a pidfd of"))?;
    // SAFETY: the kernel has just opened this descriptor for us alone.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd as libc::c_int) };
    let process = Process::new(pid).map_err(not_seen)?;
    for number in process.fd().map_err(not_seen)?.flatten().map(|it| it.fd) {
        // SAFETY: pidfd_getfd takes three numbers and touches no memory.
        let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) };
        let copy = Errno::result(copy).map_err(refused("copy a descriptor of"))?;
        // SAFETY: the kernel has just opened this descriptor for us alone.
        let copy = unsafe { OwnedFd::from_raw_fd(copy as libc::c_int) };
        if getsockopt(&copy, sockopt::AcceptConn) == Ok(true) {
            let backlog = Backlog::new(BACKLOG).map_err(refused("listen for"))?;
            return listen(&copy, backlog).map_err(refused("listen for"));
        }
    }
    Err(Error::new(format!("process {pid} has no listener")))
}
