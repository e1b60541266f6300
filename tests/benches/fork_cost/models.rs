//! Where fork for each connection ends: the same echo by processes that wait for clients, by
//! threads, and by one loop, for one client and for very many.

use std::collections::BTreeSet;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::{Duration, Instant};

use client::{BYE, Conversation, ps};
use harness::burst::HELLO;
use harness::server::Server;
use harness::{Error, PATIENCE, Result};
use nix::errno::Errno;
use nix::sys::socket::{Backlog, getsockopt, listen, sockopt};
use procfs::process::Process;
use procfs::{Current, Meminfo, ProcResult};

use super::load::drive;
use super::report::{Measure, Part, Table, number, percentile};
use super::servers::{self, LESSON};
use super::{Plan, limits};

/// How many clients there are at once, besides one.
const MANY: u64 = 1_000;
/// Some processes that wait for clients, and one for each of them.
const FEW_WORKERS: &str = "prefork, 8";
const WORKER_EACH: &str = "prefork, one each";
/// Who is measured.
const MODELS: [&str; 5] = [LESSON, FEW_WORKERS, WORKER_EACH, "thread-each", "epoll-server"];
/// How many connections may wait to be accepted: all.
const BACKLOG: i32 = 1_100;
/// How many clients come beside those that say nothing, one after the other.
const BESIDE: usize = 100;
/// In how many rounds memory is looked at: it varies little.
const LOOKS: usize = 3;
/// How long no answer is none.
const SILENCE: Duration = Duration::from_millis(100);

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::default();
    let mut figures = Figures::default();
    let (room, limit) = limits::children()?;
    let many = plan.children.min(MANY);
    let mut places = vec![1, many];
    if many >= room {
        part.notes.push(format!("{many} clients: left out, {limit}"));
        places.pop();
    }
    for round in 0..plan.rounds {
        for &clients in &places {
            for model in MODELS {
                plan.step(&format!("models: {model}, {clients} clients"));
                if plan.quick && round > 0 && clients > 1 {
                    continue;
                }
                let look = round < if plan.quick { 1 } else { LOOKS };
                let taken = figures.take(model, clients, look, plan.window);
                taken.map_err(|error| Error::new(format!("{model}: {error}")))?;
            }
        }
    }
    part.tables.extend(figures.tables(many));
    part.notes.extend(figures.notes);
    Ok(part)
}

/// What is measured of each model.
#[derive(Default)]
struct Figures {
    rate: Measure,
    slowest: Measure,
    beside_idle: Measure,
    memory: Measure,
    tables: Measure,
    kernel: Measure,
    notes: BTreeSet<String>,
}

impl Figures {
    /// Measures `model` once, and if `look`, its memory too.
    fn take(&mut self, model: &str, clients: u64, look: bool, window: Duration) -> Result<()> {
        let before = kernel_memory();
        let workers = match model {
            FEW_WORKERS => Some(8),
            WORKER_EACH => Some(clients + 1), // one for who comes beside
            _ => None,
        };
        let server = workers.map_or_else(|| servers::start(model), servers::prefork)?;
        if let Err(why) = lengthen_backlog(server.pid()) {
            self.notes.insert(format!("the queues are std's own, of 128 connections: {why}"));
        }
        if look {
            self.look(model, &server, clients, workers.unwrap_or(u64::MAX), before)?;
        }
        let mut served = drive(&[HELLO, BYE], server.addr(), clients as usize, window)?;
        self.rate.add(model, clients, served.rate);
        if let Some(last) = percentile(&mut served.latencies, 99) {
            self.slowest.add(model, clients, last / 1_000.0);
        }
        Ok(())
    }

    /// Looks at a server with so many clients that sit idle, and at how one more fares.
    fn look(
        &mut self,
        model: &str,
        server: &Server,
        clients: u64,
        workers: u64,
        before: f64,
    ) -> Result<()> {
        let (mut idle, mut waiting) = (Vec::new(), Vec::new());
        servers::sit(&mut idle, clients.min(workers) as usize, server.addr())?;
        for _ in workers..clients {
            waiting.push(Conversation::connect(server.addr(), PATIENCE)?);
        }
        let [used, mapped] = used_by(server)?;
        let kernels = (kernel_memory() - before).max(0.0); // others may free some meanwhile
        self.memory.add(model, clients, used / clients as f64);
        self.tables.add(model, clients, mapped / clients as f64);
        self.kernel.add(model, clients, kernels / clients as f64);
        if workers > clients {
            self.beside_idle.add(model, clients, one_more(server)?);
        } else {
            let one = Conversation::connect(server.addr(), SILENCE)?;
            if one.say(HELLO).is_err_and(|error| error.is_silent()) {
                self.notes.insert(format!(
                    "{model}: while that many clients sit idle, no other is answered"
                ));
            }
        }
        idle.into_iter().try_for_each(servers::leave)?;
        if model == LESSON { servers::wait_for_children(server, 0) } else { Ok(()) }
    }

    fn tables(&self, many: u64) -> [Table; 2] {
        let told = number(many as f64);
        let speed = Table::new("models", "")
            .column("1 client, a second", &self.rate, 1)
            .column(&format!("{told} clients, a second"), &self.rate, many)
            .column("99 % within, ms", &self.slowest, many)
            .column("one more beside 1 idle, µs", &self.beside_idle, 1)
            .column(&format!("beside {told}, µs"), &self.beside_idle, many);
        let memory = Table::new("models, memory", "KiB a client")
            .column("memory", &self.memory, many)
            .column("page tables", &self.tables, many)
            .column("in the kernel", &self.kernel, many);
        [speed, memory]
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
    percentile(&mut times, 50).ok_or_else(|| Error::new("nobody came"))
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
fn kernel_memory() -> f64 {
    let kernels = |memory: Meminfo| memory.slab + memory.kernel_stack.unwrap_or(0);
    Meminfo::current().map_or(0.0, |memory| kernels(memory) as f64 / 1_024.0)
}

fn not_seen(error: procfs::ProcError) -> Error {
    Error::new(format!("cannot look at the server: {error}"))
}

/// Lets more connections wait for a server than it has asked for. std asks for 128, and where a
/// thousand clients come at once a full queue would drop SYNs, which then come a second later:
/// that would be measured and nothing else. listen(2) on a copy of its listener is as good as its
/// own.
fn lengthen_backlog(pid: i32) -> Result<()> {
    let failed = |errno: Errno| servers::refused("lengthen the queue of", pid, errno);
    let pidfd = servers::pidfd(pid)?;
    let process = Process::new(pid).map_err(not_seen)?;
    for number in process.fd().map_err(not_seen)?.flatten().map(|it| it.fd) {
        // SAFETY: pidfd_getfd takes three numbers and touches no memory.
        let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) };
        let copy = Errno::result(copy).map_err(failed)?;
        // SAFETY: the kernel has just opened this descriptor for us alone.
        let copy = unsafe { OwnedFd::from_raw_fd(copy as libc::c_int) };
        if getsockopt(&copy, sockopt::AcceptConn) == Ok(true) {
            let listens = Backlog::new(BACKLOG).and_then(|backlog| listen(&copy, backlog));
            return listens.map_err(failed);
        }
    }
    Err(Error::new(format!("process {pid} has no listener")))
}
