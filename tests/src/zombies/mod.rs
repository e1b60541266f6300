//! Whose zombies there are on a machine, since when and why: as far as proc_pid_stat(5) and
//! proc_pid_status(5) tell. Nothing is sent, and nothing is changed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};
use std::{fs, iter};

use client::ps::{self, Family, SIGCHLD_BIT};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{Uid, User, geteuid, getpid};
use procfs::process::{Process, Stat};

use crate::exam::Disposition;
use crate::story::count;
use crate::{Error, Result, poll};

mod cause;
mod show;

use cause::Cause;

/// What two looks at a machine found: parents of zombies, or whose first thread has left, by pid.
#[derive(Debug)]
pub struct Report {
    parents: Vec<Parent>,
    notes: Vec<String>,
}

#[derive(Debug)]
struct Parent {
    family: Family,
    command: String,
    user: String,
    parent: String,
    /// PID 1 of its PID namespace, which inherits its children unless a subreaper is nearer.
    heir: String,
    /// Whether it is that PID 1.
    pid1: bool,
    /// The start of the container's id, where the name of a cgroup has one.
    container: Option<String>,
    /// In the order in which they were started.
    zombies: Vec<Stat>,
    /// How long ago the first and the last of them were started. When they died isn't kept.
    started: Option<(Duration, Duration)>,
    /// The faults and the ticks of children that were waited for: 0 if it has never waited.
    waited: u64,
    sigchld: Disposition,
    /// How many of its threads block SIGCHLD, where some do and some don't, and how many it has.
    blocked_in: Option<(usize, usize)>,
    /// The kernel's function that it sleeps in, if it does and we may know.
    wchan: Option<String>,
    /// `growing`, `constant` or `going`.
    trend: &'static str,
    cause: Cause,
    tracer: i32,
    /// Whether it has inherited all of them.
    orphans: bool,
}

/// Looks at the machine, and a `moment` later again: at all parents, or those of these pids, which
/// may be a zombie's.
///
/// # Errors
/// When /proc can't be read, or there is no such process.
pub fn look(of: &[i32], moment: Duration) -> Result<Report> {
    let mut report = glance(of)?;
    if report.parents.is_empty() {
        return Ok(report);
    }
    let mut before = watch(report.parents, moment);
    report.parents = glance(&[])?.parents;
    report.parents.retain(|it| of.is_empty() || before.contains_key(&it.family.parent.pid));
    for parent in &mut report.parents {
        parent.judge(before.remove(&parent.family.parent.pid).map(|(it, _)| it).as_ref());
    }
    for (mut parent, gone) in before.into_values() {
        if let (Some(gone), true) = (gone, ps::lives(parent.family.parent.pid)) {
            parent.trend = "going";
            parent.cause = Cause::late(format!("all gone after {} ms", gone.as_millis()));
            report.parents.push(parent);
        }
    }
    report.parents.sort_by_key(|parent| parent.family.parent.pid);
    Ok(report)
}

/// Watches these parents' zombies for a `moment`; after what time were all gone, if they were?
fn watch(parents: Vec<Parent>, moment: Duration) -> BTreeMap<i32, (Parent, Option<Duration>)> {
    let begun = Instant::now();
    let there =
        |zombie: &Stat| ps::stat(zombie.pid).is_some_and(|now| now.starttime == zombie.starttime);
    let mut left: Vec<Vec<Stat>> = parents.iter().map(|it| it.zombies.clone()).collect();
    let mut gone = vec![None; parents.len()];
    let _: Option<()> = poll::until(moment, || {
        for (left, gone) in left.iter_mut().zip(&mut gone) {
            while left.last().is_some_and(|zombie| !there(zombie)) {
                left.pop();
                *gone = left.is_empty().then(|| begun.elapsed());
            }
        }
        None
    });
    parents.into_iter().zip(gone).map(|it| (it.0.family.parent.pid, it)).collect()
}

fn glance(of: &[i32]) -> Result<Report> {
    let all = ps::find(|_| true).map_err(Error::cannot("read /proc"))?;
    let now = clock_gettime(ClockId::CLOCK_BOOTTIME).map_err(Error::cannot("read the clock"))?;
    let all: BTreeMap<i32, Stat> = all.into_iter().map(|stat| (stat.pid, stat)).collect();
    let mut children: HashMap<i32, Vec<&Stat>> = HashMap::new();
    let mut with_zombies = BTreeSet::new();
    let holder = |stat: &Stat| if is_zombie(stat) { stat.ppid } else { stat.pid };
    for stat in all.values() {
        children.entry(stat.ppid).or_default().push(stat);
        if stat.state == 'Z' {
            with_zombies.insert(holder(stat));
        }
    }
    if Process::myself().map_or(0, |it| it.pid) != getpid().as_raw() {
        return Err(Error::new("/proc doesn't show this PID namespace; mount it once more"));
    }
    let mut notes = Vec::new();
    if !all.contains_key(&1) || is_hidden() {
        notes.push("other users' processes are hidden here: proc(5), hidepid".to_owned());
    }
    let mut wanted = BTreeSet::new();
    for pid in of {
        let stat = all.get(pid).ok_or_else(|| {
            Error::new(format!("there is no process {pid}, or it can't be seen from here"))
        })?;
        wanted.insert(holder(stat));
    }
    with_zombies.retain(|pid| of.is_empty() || wanted.contains(pid));
    let mut parents = Vec::new();
    for pid in &with_zombies {
        let children = children.get(pid).map_or(&[][..], Vec::as_slice);
        if let Some(stat) = all.get(pid) {
            parents.extend(Parent::of(stat, children, &all, now.into()));
            continue;
        }
        let number = count(children.iter().filter(|it| is_zombie(it)).count(), "zombie");
        notes.push(match pid {
            0 => format!("{number} of a parent outside this PID namespace"),
            _ => format!("{number} of process {pid}, which can't be seen from here"),
        });
    }
    Ok(Report { parents, notes })
}

/// Whether a process is dead, and not only its first thread.
fn is_zombie(stat: &Stat) -> bool {
    stat.state == 'Z' && stat.num_threads < 2
}

impl Parent {
    /// What there is to see of a process with these children; nothing once it is gone.
    fn of(
        stat: &Stat,
        children: &[&Stat],
        all: &BTreeMap<i32, Stat>,
        now: Duration,
    ) -> Option<Parent> {
        let process = Process::new(stat.pid).ok()?;
        let mut zombies: Vec<Stat> =
            children.iter().filter(|it| is_zombie(it)).map(|it| (*it).clone()).collect();
        zombies.sort_by_key(|it| it.starttime);
        let children = children.iter().map(|it| (*it).clone().into()).collect();
        let family = Family::with(stat.pid, children).ok()?;
        let status = process.status().ok()?;
        let age = |it: &Stat| {
            let ticks = it.starttime as f64 / procfs::ticks_per_second() as f64;
            now.saturating_sub(Duration::from_secs_f64(ticks))
        };
        let named =
            |pid: i32| all.get(&pid).map_or(pid.to_string(), |it| format!("{pid} {}", it.comm));
        let namespace = |pid: i32| fs::read_link(format!("/proc/{pid}/ns/pid")).ok();
        let own = namespace(stat.pid);
        let same = |pid: &i32| own.is_some() && namespace(*pid) == own && is_pid1(*pid);
        let above = iter::successors(all.get(&stat.ppid), |it| all.get(&it.ppid));
        let above = || above.map(|it| it.pid).find(|pid| is_pid1(*pid));
        let heir = all.keys().copied().find(same).or_else(above);
        let words = process.cmdline().unwrap_or_default().join(" ");
        let uid = Uid::from_raw(status.euid);
        let threads = ps::masks(stat.pid);
        let blocking = threads.iter().filter(|it| it.sigblk & SIGCHLD_BIT != 0).count();
        let cgroups = process.cgroups().ok().into_iter().flatten();
        Some(Parent {
            command: if words.is_empty() { format!("[{}]", stat.comm) } else { words },
            user: User::from_uid(uid).ok().flatten().map_or(uid.to_string(), |it| it.name),
            parent: named(stat.ppid),
            heir: named(heir.unwrap_or(1)),
            pid1: is_pid1(stat.pid),
            container: cgroups.filter_map(|it| container(&it.pathname)).next(),
            started: zombies.first().zip(zombies.last()).map(|(it, last)| (age(it), age(last))),
            waited: stat.cminflt + stat.cmajflt + (stat.cutime + stat.cstime) as u64,
            sigchld: Disposition::seen(stat.pid).ok()?,
            blocked_in: (1..threads.len()).contains(&blocking).then_some((blocking, threads.len())),
            wchan: ps::wchan(stat.pid).filter(|_| "SD".contains(family.parent.state)),
            trend: "constant",
            cause: Cause::default(),
            tracer: status.tracerpid,
            orphans: !zombies.is_empty() && zombies.iter().all(|it| is_orphan(it, stat, all)),
            zombies,
            family,
        })
    }
}

/// Whether a process is PID 1 of a PID namespace, pid_namespaces(7).
fn is_pid1(pid: i32) -> bool {
    ps::status(pid).is_ok_and(|it| it.nspid.and_then(|it| it.last().copied()) == Some(1))
}

/// Whether /proc hides other users' processes from this one, proc(5).
fn is_hidden() -> bool {
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let hides = |it: &str| it.contains(" /proc ") && it.contains("hidepid=");
    !geteuid().is_root() && mounts.lines().any(hides)
}

/// Whether what is seen shows that a zombie is not its parent's own child. A process is born into
/// its parent's session, and leaves it only to lead one of its own, setsid(2). So a parent that
/// leads none, or is older than the leader, has no child in another's (unless by CLONE_PARENT).
fn is_orphan(zombie: &Stat, parent: &Stat, all: &BTreeMap<i32, Stat>) -> bool {
    let leader = all.get(&zombie.session);
    zombie.session != zombie.pid
        && zombie.session != parent.session
        && (parent.session != parent.pid
            || leader.is_some_and(|it| it.starttime > parent.starttime))
}

/// The start of the container's id in the name of a cgroup, cgroups(7): 64 hexadecimal digits.
fn container(cgroup: &str) -> Option<String> {
    let mut words = cgroup.split(|it: char| !it.is_ascii_hexdigit());
    words.rfind(|it| it.len() == 64).map(|it| it[..12].to_owned())
}
