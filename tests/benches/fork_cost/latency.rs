//! How long a dead child stays a zombie: from its death until its entry is gone.
//!
//! A pidfd tells both to any process, parent or not: it is readable once the process is dead,
//! and from the moment on in which its entry is gone it takes no signal, not even none. So a
//! process beside the server looks at it as often as it can, and disturbs nobody.

use std::hash::{BuildHasher, RandomState};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use client::{Conversation, ps};
use harness::PATIENCE;
use harness::server::Server;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::report::{Table, percentile};
use super::servers::{self, LESSON, PYTHON, ROADS};
use super::{Plan, Result, machine};

/// How many children there are before the first one dies.
const FEW: usize = 32;
const MANY: usize = 1_000;
const P99: &str = "99th percentile";
const HEADS: [&str; 5] =
    ["a zombie for, µs", "32 children: median", P99, "1,000 children: median", P99];
/// How many of the many die.
const OF_MANY: usize = 150;
/// ForkingTCPServer looks for dead children twice a second; so few die, at all phases of that.
const LOOKED_FOR: u32 = 8;
const POLL: Duration = Duration::from_millis(500);

pub(crate) fn run(plan: &Plan) -> Result<Vec<Table>> {
    let mut table = Table::new("latency", &HEADS, None);
    let mut subjects = [&[LESSON], &ROADS[..], &[PYTHON]].concat();
    if let Err(why) = servers::start(PYTHON) {
        table.notes.insert(format!("No {PYTHON}: {why}"));
        subjects.pop();
    }
    let mut places = vec![FEW, MANY];
    if plan.children.min(machine::room()?.0) <= MANY as u64 {
        let why = "not in a quick run, nor where limits are tight";
        table.notes.insert(format!("{MANY} children: {why}"));
        places.pop();
    }
    let ours = sched_getaffinity(Pid::from_raw(0))?;
    let cores = (0..CpuSet::count()).filter(|core| ours.is_set(*core) == Ok(true));
    let cores: Vec<usize> = cores.collect();
    if cores.len() < 2 {
        table.notes.insert("one core: most zombies are gone before anybody looks".into());
    }
    for _ in 0..plan.rounds {
        for (&place, column) in places.iter().zip([0, 2]) {
            for name in &subjects {
                let (deaths, pause) = match *name {
                    PYTHON if place == MANY => continue, // serves no more than 40 at once
                    PYTHON => (LOOKED_FOR as usize, POLL / LOOKED_FOR),
                    _ => (place.min(OF_MANY), Duration::ZERO),
                };
                let mut times = plan.step(&format!("latency: {name}, {place} children"), || {
                    let server = start(name, &cores)?;
                    let dying = children_of(&server, place)?.into_iter().take(deaths).zip(0..);
                    let time = |(child, at)| {
                        sleep(pause * at); // longer each time
                        die(child)
                    };
                    dying.map(time).collect::<Result<Vec<_>>>()
                })?;
                table.add(name, column, percentile(&mut times, 50));
                table.add(name, column + 1, percentile(&mut times, 99));
            }
        }
    }
    sched_setaffinity(Pid::from_raw(0), &ours)?;
    Ok(vec![table])
}

/// Starts a server on a core of its own, and stays on another. A dead child wakes its parent, and
/// the scheduler likes to run that at once, in place of the watcher, which is then back too late
/// to have seen the zombie.
fn start(name: &str, cores: &[usize]) -> Result<Server> {
    let [watcher, server, ..] = *cores else { return servers::start(name) };
    // If a core is no longer ours to use, the figures are worse and no more.
    let move_to = |core| {
        let mut one = CpuSet::new();
        let _ = one.set(core).and_then(|()| sched_setaffinity(Pid::from_raw(0), &one));
    };
    move_to(server); // who is started inherits it
    let started = servers::start(name);
    move_to(watcher);
    started
}

/// A client, and a pidfd of the child that serves it.
type Served = (Conversation, OwnedFd);

/// Has a server serve `count` clients; returns them in no order.
fn children_of(server: &Server, count: usize) -> Result<Vec<Served>> {
    let clients = (0..count).map(|_| server.greet()).collect::<harness::Result<Vec<_>>>()?;
    let holders = server.holders_of(&clients)?;
    let child = |(client, pids): (Conversation, Vec<i32>)| {
        // Parents come before their children, and may hold it still.
        let child = pids.last().filter(|pid| **pid != server.pid());
        Ok((client, ps::pidfd_open(*child.ok_or("no child serves one of the clients")?)?))
    };
    let mut children = clients.into_iter().zip(holders).map(child).collect::<Result<Vec<_>>>()?;
    let random = RandomState::new();
    children.sort_by_cached_key(|(_, child)| random.hash_one(child.as_raw_fd()));
    Ok(children)
}

/// Has a child die, looks as often as it can, and tells how long the child was a zombie.
fn die((client, child): Served) -> Result<Duration> {
    client.bye()?;
    let dead = spin_until(|| {
        let mut look = [PollFd::new(child.as_fd(), PollFlags::POLLIN)];
        poll(&mut look, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    })?;
    let gone = spin_until(|| is_gone(&child))?;
    client.hear_end()?;
    client.reset()?;
    Ok(gone - dead)
}

/// Whether a process's entry in the process table is gone.
fn is_gone(pidfd: &OwnedFd) -> bool {
    let (pidfd, info) = (pidfd.as_raw_fd(), ptr::null::<libc::siginfo_t>());
    // SAFETY: signal 0 is none: it is only looked whom it would reach. A null info is allowed.
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, 0, info, 0) };
    sent < 0 && Errno::last() == Errno::ESRCH
}

/// Looks without a pause, and says when it was.
fn spin_until(look: impl Fn() -> bool) -> Result<Instant> {
    let begin = Instant::now();
    loop {
        let (seen, now) = (look(), Instant::now());
        if seen {
            return Ok(now);
        }
        if now - begin > PATIENCE {
            return Err("a child did not die, or nobody collected it".into());
        }
    }
}
