//! How long a dead child stays a zombie: from its death until its entry is gone.
//!
//! A pidfd tells both to whoever asks, parent or not: it is readable once the process is dead,
//! and from the moment on in which its entry is gone it takes no signal, not even none. So a
//! process beside the server looks at it as often as it can, and disturbs nobody.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use client::Conversation;
use harness::burst::HELLO;
use harness::server::Server;
use harness::{Error, PATIENCE, Result};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;

use super::plan::Plan;
use super::report::{Measure, Part};
use super::{limits, servers};

const LESSON: &str = "lesson-03";
const PYTHON: &str = "ForkingTCPServer";

/// How many children there are before the first one dies.
const FEW: usize = 32;
const MANY: usize = 1_000;

/// How many of the many die.
const OF_MANY: usize = 150;

/// How many times a round the few are born and die.
const PASSES: usize = 3;

/// How often ForkingTCPServer looks for dead children, and how many may live before it does nothing
/// but wait for one of them to die: `serve_forever` and `max_children` in socketserver.py.
const POLL: Duration = Duration::from_millis(500);

/// Between two deaths under ForkingTCPServer: the few die in two of its half seconds, so at all
/// phases alike.
const SPREAD: Duration = Duration::from_micros(2 * 500_000 / FEW as u64);

/// Between two looks where a look each microsecond would be a waste.
const NAP: Duration = Duration::from_micros(100);

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::new("latency", "Latency to reap", "children at first");
    let mut median = Measure::new("zombie for, median", "µs", LESSON);
    let mut slowest = Measure::new("zombie for, 99th percentile", "µs", LESSON);
    if let Err(error) = Watch::on(std::process::id().cast_signed()) {
        part.notes.push(format!("left out: {error}"));
        return Ok(part);
    }
    let mut subjects = vec![LESSON];
    subjects.extend(servers::ROADS);
    match servers::forking_tcp_server() {
        Ok(_) => subjects.push(PYTHON),
        Err(why) => part.notes.push(format!("No {PYTHON}: {why}")),
    }
    let mut places = vec![FEW];
    let room = limits::children()?;
    if plan.quick {
        part.notes.push(format!("{MANY} children: not in a quick run"));
    } else if room.children < MANY as u64 {
        part.notes.push(format!("{MANY} children: left out, {}", room.limit));
    } else {
        places.push(MANY);
    }
    let passes = if plan.quick { 2 } else { PASSES };
    let cores = Cores::share(&mut part.notes)?;
    plan.expect(plan.rounds * places.len() * subjects.len());
    for _ in 0..plan.rounds {
        for &place in &places {
            for name in &subjects {
                plan.step(format!("latency: {name}, {place} children"));
                let times = match place {
                    FEW if *name == PYTHON => Family::start(name, FEW, &cores)?.die_in_passing(),
                    FEW => few(name, passes, &cores),
                    _ if *name == PYTHON => continue,
                    _ => match Family::start(name, place, &cores) {
                        Ok(family) => family.die_one_by_one(OF_MANY),
                        Err(error) => {
                            part.notes.push(format!("{name}, {place} children: {error}"));
                            continue;
                        }
                    },
                };
                let mut times = times?;
                times.sort_unstable();
                median.add(name, place as u64, microseconds(percentile(&times, 50)));
                slowest.add(name, place as u64, microseconds(percentile(&times, 99)));
            }
        }
    }
    part.measures = vec![median, slowest];
    part.notes.push(resolution()?);
    part.notes.push("double_fork: its orphans go to a process that does nothing but wait".into());
    if subjects.contains(&PYTHON) && places.contains(&MANY) {
        part.notes.push(format!("{PYTHON}: serves no more than 40 at once, so not with {MANY}"));
    }
    Ok(part)
}

fn few(name: &str, passes: usize, cores: &Cores) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    for _ in 0..passes {
        times.extend(Family::start(name, FEW, cores)?.die_one_by_one(FEW)?);
    }
    Ok(times)
}

/// Who runs on which core. A dead child wakes its parent, and the scheduler likes to run that at
/// once, in place of whoever watches: who is then back too late to have seen the zombie. So the
/// server and its children have one core and the watcher has another.
struct Cores {
    all: CpuSet,
    two: Option<[CpuSet; 2]>,
}

impl Cores {
    fn share(notes: &mut Vec<String>) -> Result<Cores> {
        let all = sched_getaffinity(Pid::from_raw(0)).map_err(not_placed)?;
        let mut each = (0..CpuSet::count()).filter(|core| all.is_set(*core) == Ok(true));
        let mut next = || {
            let mut one = CpuSet::new();
            one.set(each.next()?).ok()?;
            Some(one)
        };
        let two = next().and_then(|first| Some([first, next()?]));
        if two.is_none() {
            notes.push("one core for all: most zombies are gone before anybody looks".to_owned());
        }
        Ok(Cores { all, two })
    }

    /// Starts a server on its core, and moves this thread to the other one.
    fn start(&self, name: &str) -> Result<Server> {
        let start = || match name {
            PYTHON => servers::forking_tcp_server(),
            _ => servers::lesson_or_road(name),
        };
        let Some([watcher, server]) = &self.two else { return start() };
        place(server)?; // who is started inherits it
        let started = start();
        place(watcher)?;
        started
    }
}

impl Drop for Cores {
    fn drop(&mut self) {
        let _ = place(&self.all);
    }
}

fn place(on: &CpuSet) -> Result<()> {
    sched_setaffinity(Pid::from_raw(0), on).map_err(not_placed)
}

fn not_placed(errno: Errno) -> Error {
    Error::new(format!("cannot choose a core: {}", errno.desc().to_lowercase()))
}

/// A server with children, each of which serves somebody.
struct Family {
    /// In no order that has to do with the age of the children.
    children: Vec<(Conversation, Watch)>,
    _server: Server,
}

impl Family {
    fn start(name: &str, count: usize, cores: &Cores) -> Result<Family> {
        let server = cores.start(name)?;
        let mut clients = Vec::new();
        for _ in 0..count {
            let client = Conversation::connect(server.addr(), PATIENCE)?;
            client.say(HELLO)?;
            clients.push(client);
        }
        let holders = server.holders_of(&clients)?;
        let mut children = Vec::new();
        for (client, pids) in clients.into_iter().zip(holders) {
            // Parents come before their children, and may hold it still.
            let serving = pids.last().filter(|pid| **pid != server.pid());
            let pid = serving.ok_or_else(|| Error::new("no child serves one of the clients"))?;
            children.push((client, Watch::on(*pid)?));
        }
        // A prime step goes through them all and jumps about.
        let mut order: Vec<_> = children.into_iter().map(Some).collect();
        let children = (0..count).filter_map(|at| order[at * 7_919 % count].take()).collect();
        Ok(Family { children, _server: server })
    }

    /// Has children die, each when the one before it is gone, and looks as often as it can.
    fn die_one_by_one(self, count: usize) -> Result<Vec<Duration>> {
        let mut times = Vec::new();
        for (client, child) in self.children.into_iter().take(count) {
            client.bye()?;
            let dead = spin_until(|| child.is_dead())?;
            let gone = spin_until(|| child.is_gone())?;
            times.push(gone - dead);
            client.hear_end()?;
            client.reset()?;
        }
        Ok(times)
    }

    /// Has all children die, at a steady pace and whether or not the one before is gone.
    fn die_in_passing(self) -> Result<Vec<Duration>> {
        let begin = Instant::now();
        let (mut living, mut leaving, mut dead) = (self.children, Vec::new(), Vec::new());
        let mut times = Vec::new();
        let mut told = 0;
        while !(living.is_empty() && leaving.is_empty() && dead.is_empty()) {
            if begin.elapsed() > PATIENCE + POLL {
                return Err(Error::new("a dead child was not collected in time"));
            }
            if begin.elapsed() >= SPREAD * told
                && let Some((client, child)) = living.pop()
            {
                client.close_half()?;
                leaving.push((client, child));
                told += 1;
            }
            for at in
                (0..leaving.len()).rev().filter(|at| leaving[*at].1.is_dead()).collect::<Vec<_>>()
            {
                let (client, child) = leaving.swap_remove(at);
                dead.push((Instant::now(), child));
                client.hear_end()?;
                client.reset()?;
            }
            dead.retain(|(since, child)| {
                let gone = child.is_gone();
                if gone {
                    times.push(since.elapsed());
                }
                !gone
            });
            sleep(NAP);
        }
        Ok(times)
    }
}

/// A process that isn't ours, watched.
struct Watch {
    pidfd: OwnedFd,
}

impl Watch {
    fn on(pid: i32) -> Result<Watch> {
        // SAFETY: pidfd_open takes two numbers and touches no memory.
        let opened = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let number = Errno::result(opened).map_err(|errno| {
            Error::new(format!("cannot watch process {pid}: {}", errno.desc().to_lowercase()))
        })?;
        // SAFETY: the kernel has just opened this descriptor for us alone.
        Ok(Watch { pidfd: unsafe { OwnedFd::from_raw_fd(number as libc::c_int) } })
    }

    /// Whether it has died, collected or not.
    fn is_dead(&self) -> bool {
        let mut look = [PollFd::new(self.pidfd.as_fd(), PollFlags::POLLIN)];
        poll(&mut look, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }

    /// Whether its entry in the process table is gone.
    fn is_gone(&self) -> bool {
        let (pidfd, info) = (self.pidfd.as_raw_fd(), ptr::null::<libc::siginfo_t>());
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

/// How far apart two looks are.
fn resolution() -> Result<String> {
    const LOOKS: u32 = 10_000;
    let me = Watch::on(std::process::id().cast_signed())?;
    let begin = Instant::now();
    let mut looks = 0;
    spin_until(|| {
        looks += 1;
        me.is_gone() || looks == LOOKS
    })?;
    let each = microseconds(begin.elapsed() / LOOKS);
    Ok(format!("the zombie is looked at every {each:.2} µs, which is the least that can be seen"))
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent).div_ceil(100) - 1]
}

fn microseconds(time: Duration) -> f64 {
    time.as_nanos() as f64 / 1_000.0
}
