//! Where fork for each connection ends: the same echo by processes that wait for clients, by
//! threads, and by one loop, for one client and for very many.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::time::Duration;

use client::{BYE, ps};
use harness::server::{HELLO, Server};
use harness::{PATIENCE, census};
use nix::errno::Errno;
use nix::sys::socket::{Backlog, getsockopt, listen, sockopt};
use procfs::{Current, Meminfo};

use super::load::drive;
use super::report::{Table, percentile};
use super::servers::{self, LESSON};
use super::{Plan, Result, machine};

/// How many clients there are at once, besides one; a test has fewer.
const MANY: u64 = 1_000;
/// Some processes that wait for clients, and one for each of them.
const FEW_WORKERS: &str = "prefork, 8";
const WORKER_EACH: &str = "prefork, one each";
/// Who is measured.
const MODELS: [&str; 5] = [LESSON, FEW_WORKERS, WORKER_EACH, "thread-each", "epoll-server"];
/// How many connections may wait to be accepted: all.
const BACKLOG: i32 = 1_100;
/// What each client says.
const WORDS: [&[u8]; 2] = [HELLO, BYE];
/// How long no answer is none.
const SILENCE: Duration = Duration::from_millis(100);

pub(crate) fn run(plan: &Plan) -> Result<Vec<Table>> {
    let (slow, idle, many_idle) =
        ("99 % within, ms", "one more beside 1 idle, µs", "beside 1,000, µs");
    let heads = ["", "1 client, a second", "1,000 clients, a second", slow, idle, many_idle];
    let mut speed = Table::new("models", &heads, None);
    let heads = ["KiB a client", "memory", "page tables", "in the kernel"];
    let mut memory = Table::new("models, memory", &heads, None);
    let (room, limit) = machine::room()?;
    let many = plan.children.min(MANY);
    let mut places = vec![1, many];
    if many >= room {
        speed.notes.insert(format!("{many} clients: left out, {limit}"));
        places.pop();
    }
    for _ in 0..plan.rounds {
        for (at, &clients) in places.iter().enumerate() {
            for model in MODELS {
                plan.step(&format!("models: {model}, {clients} clients"), || {
                    let before = kernel_memory();
                    let (server, workers) = start(model, clients)?;
                    if let Err(why) = lengthen_backlog(&server) {
                        let what = "the queues are std's own, of 128 connections";
                        speed.notes.insert(format!("{what}: {why}"));
                    }
                    let (kinds, one_more) = look(&server, clients, workers, before, plan.window)?;
                    for (kind, kib) in kinds.into_iter().enumerate().filter(|_| at == 1) {
                        memory.add(model, kind, kib);
                    }
                    speed.add(model, 3 + at, one_more);
                    if one_more.is_none() {
                        let what = "while that many clients sit idle, no other is answered";
                        speed.notes.insert(format!("{model}: {what}"));
                    }
                    let clients = clients as usize;
                    let mut times = drive(&server, &WORDS, clients, plan.window, PATIENCE)?;
                    speed.add(model, at, times.len() as f64 / plan.window.as_secs_f64());
                    let slowest = percentile(&mut times, 99).filter(|_| at == 1);
                    speed.add(model, 2, slowest.map(|it| it / 1_000.0));
                    Ok(())
                })?;
            }
        }
    }
    Ok(vec![speed, memory])
}

/// Starts a server, and says how many clients it serves at once.
fn start(model: &str, clients: u64) -> Result<(Server, u64)> {
    let workers = match model {
        FEW_WORKERS => 8,
        WORKER_EACH => clients + 1, // one for who comes beside
        _ => return Ok((servers::start(model)?, u64::MAX)),
    };
    let server = servers::start(&format!("prefork {workers}"))?;
    server.wait_for("all workers", |family| family.children.len() as u64 == workers)?;
    Ok((server, workers))
}

/// Looks at a server while clients sit idle: what each costs in KiB (its own memory, page tables,
/// what else the kernel has), and how long one more takes in µs, if somebody answers it.
fn look(
    server: &Server,
    clients: u64,
    workers: u64,
    before: u64,
    window: Duration,
) -> Result<([f64; 3], Option<f64>)> {
    let served = clients.min(workers);
    let idle = (0..served).map(|_| server.greet()).collect::<harness::Result<Vec<_>>>()?;
    let waiting = (served..clients).map(|_| server.connect());
    let _waiting = waiting.collect::<harness::Result<Vec<_>>>()?;
    let processes = ps::children_of(server.pid())?.into_iter().map(|child| child.pid);
    let [_, own, mapped] = census::memory(processes.chain([server.pid()]))?;
    let kernels = kernel_memory().saturating_sub(before); // others may free some meanwhile
    let patience = if workers > clients { PATIENCE } else { SILENCE };
    let mut times = match drive(server, &WORDS, 1, window, patience) {
        Err(_) if patience == SILENCE => Vec::new(),
        times => times?,
    };
    for client in idle {
        client.part()?;
        client.reset()?;
    }
    let costs = [own, mapped, kernels].map(|kib| kib as f64 / clients as f64);
    Ok((costs, percentile(&mut times, 50)))
}

/// The memory of this machine, in KiB, that the kernel has for stacks and for objects of its own:
/// processes, files, sockets.
fn kernel_memory() -> u64 {
    let kernels = |memory: Meminfo| memory.slab + memory.kernel_stack.unwrap_or(0);
    Meminfo::current().map_or(0, kernels) / 1_024
}

/// Lets more connections wait for a server than it has asked for. std asks for 128, and where a
/// thousand clients come at once a full queue would drop SYNs, which then come a second later:
/// that would be measured and nothing else. listen(2) on a copy of its listener is as good as its
/// own.
fn lengthen_backlog(server: &Server) -> Result<()> {
    let pidfd = ps::pidfd_open(server.pid())?;
    for number in server.open_files()? {
        // SAFETY: pidfd_getfd takes three numbers and touches no memory.
        let copy = unsafe { libc::syscall(libc::SYS_pidfd_getfd, pidfd.as_raw_fd(), number, 0) };
        let copy = Errno::result(copy)? as libc::c_int;
        // SAFETY: the kernel has just opened this descriptor for us alone.
        let copy = unsafe { OwnedFd::from_raw_fd(copy) };
        if getsockopt(&copy, sockopt::AcceptConn) == Ok(true) {
            return Ok(listen(&copy, Backlog::new(BACKLOG)?)?);
        }
    }
    Err("it has no listener".into())
}
