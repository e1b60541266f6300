//! How long a dead child stays a zombie: from its death until its entry is gone.
//!
//! A pidfd tells both to whoever asks, parent or not: it is readable once the process is dead,
//! and from the moment on in which its entry is gone it takes no signal, not even none. So a
//! process beside the server looks at it as often as it can, and disturbs nobody.

use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::ptr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use client::Conversation;
use harness::server::Server;
use harness::{Error, PATIENCE, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::report::{Measure, Part, Table, percentile};
use super::servers::{self, LESSON, PYTHON, ROADS};
use super::{Plan, limits};

/// How many children there are before the first one dies.
const FEW: usize = 32;
const MANY: usize = 1_000;
/// How many of the many die.
const OF_MANY: usize = 150;
/// ForkingTCPServer looks for dead children twice a second; so few die, at all phases of that.
const LOOKED_FOR: u32 = 8;
const POLL: Duration = Duration::from_millis(500);

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::default();
    let [mut median, mut slowest] = [(); 2].map(|()| Measure::default());
    if let Err(error) = servers::pidfd(std::process::id().cast_signed()) {
        part.notes.push(format!("left out: {error}"));
        return Ok(part);
    }
    let mut subjects = [&[LESSON], &ROADS[..], &[PYTHON]].concat();
    if let Err(why) = servers::start(PYTHON) {
        part.notes.push(format!("No {PYTHON}: {why}"));
        subjects.pop();
    }
    let mut places = vec![FEW, MANY];
    if plan.quick || limits::children()?.0 < MANY as u64 {
        part.notes.push(format!("{MANY} children: not in a quick run, nor where limits are tight"));
        places.pop();
    }
    let cores = Cores::share().map_err(|errno| servers::refused("look at core", 0, errno))?;
    if cores.each.len() < 2 {
        part.notes.push("one core: most zombies are gone before anybody looks".to_owned());
    }
    for _ in 0..plan.rounds {
        for &place in &places {
            for name in &subjects {
                plan.step(&format!("latency: {name}, {place} children"));
                let (deaths, pause) = match *name {
                    PYTHON if place == MANY => continue, // serves no more than 40 at once
                    PYTHON => (LOOKED_FOR as usize, POLL / LOOKED_FOR),
                    _ => (place.min(OF_MANY), Duration::ZERO),
                };
                let family = Served::start(name, place, &cores)?;
                let mut times = family.die_one_by_one(deaths, pause)?;
                for (measure, percent) in [(&mut median, 50), (&mut slowest, 99)] {
                    let time = percentile(&mut times, percent);
                    time.into_iter().for_each(|time| measure.add(name, place as u64, time));
                }
            }
        }
    }
    let table = Table::new("latency", "a zombie for, µs")
        .column("32 children: median", &median, FEW as u64)
        .column("99th percentile", &slowest, FEW as u64)
        .column("1,000 children: median", &median, MANY as u64)
        .column("99th percentile", &slowest, MANY as u64);
    part.tables.push(table);
    Ok(part)
}

/// Who runs on which core. A dead child wakes its parent, and the scheduler likes to run that at
/// once, in place of whoever watches: who is then back too late to have seen the zombie. So the
/// server and its children have one core and the watcher has another.
struct Cores {
    all: CpuSet,
    each: Vec<CpuSet>,
}

impl Cores {
    fn share() -> nix::Result<Cores> {
        let all = sched_getaffinity(Pid::from_raw(0))?;
        let one = |core| {
            let mut one = CpuSet::new();
            one.set(core).map(|()| one)
        };
        let each = (0..CpuSet::count()).filter(|core| all.is_set(*core) == Ok(true));
        Ok(Cores { all, each: each.map(one).collect::<nix::Result<_>>()? })
    }

    /// Starts a server on its core, and moves this thread to the other one.
    fn start(&self, name: &str) -> Result<Server> {
        let [watcher, server, ..] = &self.each[..] else { return servers::start(name) };
        place(server); // who is started inherits it
        let started = servers::start(name);
        place(watcher);
        started
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        place(&self.all);
    }
}

/// The core was ours to use a moment ago; if it no longer is, the figures are worse and no more.
fn place(on: &CpuSet) {
    let _ = sched_setaffinity(Pid::from_raw(0), on);
}

/// A server with children, each of which serves somebody.
struct Served {
    /// In no order that has to do with the age of the children.
    children: Vec<(Conversation, Pidfd)>,
    _server: Server,
}

impl Served {
    fn start(name: &str, count: usize, cores: &Cores) -> Result<Served> {
        let server = cores.start(name)?;
        let mut clients = Vec::new();
        servers::sit(&mut clients, count, server.addr())?;
        let holders = server.holders_of(&clients)?;
        let mut children = Vec::new();
        for (client, pids) in clients.into_iter().zip(holders) {
            // Parents come before their children, and may hold it still.
            let serving = pids.last().filter(|pid| **pid != server.pid());
            let pid = serving.ok_or_else(|| Error::new("no child serves one of the clients"))?;
            children.push((client, Pidfd(servers::pidfd(*pid)?)));
        }
        // A prime step goes through them all and jumps about.
        let mut order: Vec<_> = children.into_iter().map(Some).collect();
        let children = (0..count).filter_map(|at| order[at * 7_919 % count].take()).collect();
        Ok(Served { children, _server: server })
    }

    /// Has children die, each when the one before it is gone and after a pause, which gets longer
    /// each time; and looks as often as it can.
    fn die_one_by_one(self, count: usize, pause: Duration) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for ((client, child), at) in self.children.into_iter().take(count).zip(0..) {
            sleep(pause * at);
            client.bye()?;
            let dead = spin_until(|| child.is_dead())?;
            let gone = spin_until(|| child.is_gone())?;
            times.push(gone - dead);
            client.hear_end()?;
            client.reset()?;
        }
        Ok(times)
    }
}

/// A process that isn't ours, watched by its pidfd.
struct Pidfd(OwnedFd);

impl Pidfd {
    /// Whether it has died, collected or not.
    fn is_dead(&self) -> bool {
        let mut look = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
        poll(&mut look, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Whether its entry in the process table is gone.
    fn is_gone(&self) -> bool {
        let (pidfd, info) = (self.0.as_raw_fd(), ptr::null::<libc::siginfo_t>());
        // SAFETY: signal 0 is none: it is only looked whom it would reach. A null info is allowed.
        let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, pidfd, 0, info, 0) };
        sent < 0 && Errno::last() == Errno::ESRCH
    }
}

/// Looks without a pause, and says when it was.
fn spin_until(mut look: impl FnMut() -> bool) -> Result<Instant> {
    let begin = Instant::now();
    loop {
        let seen = look();
        let now = Instant::now();
        if seen {
            return Ok(now);
        }
        if now - begin > PATIENCE {
            return Err(Error::new("a child did not die, or nobody collected it"));
        }
    }
}
