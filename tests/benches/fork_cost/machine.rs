//! Where it was measured, whether others were at work there, and how many children there is room
//! for.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::geteuid;
use procfs::process::{Process, all_processes};
use procfs::sys::kernel;
use procfs::{CpuInfo, Current, CurrentSI, KernelStats, Meminfo, ticks_per_second};

use super::Result;

/// What the figures hold for, in a line. What can't be told is left empty.
pub(crate) fn text() -> String {
    let cpus = CpuInfo::current().ok();
    let cpu = cpus.as_ref().and_then(|it| it.model_name(0)).unwrap_or("a CPU without a name");
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let memory = Meminfo::current().map_or(0, |it| it.mem_total.div_ceil(1 << 30));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let (kernel, rustc) = (kernel.trim(), said("rustc", "--version"));
    let rustc = rustc.split(' ').nth(1).unwrap_or_default();
    format!("{cpu}, {cores} cores, {memory} GiB of memory, Linux {kernel}, Rust {rustc}")
}

/// When it is measured.
pub(crate) fn day() -> String {
    said("date", "+%F")
}

fn said(program: &str, arg: &str) -> String {
    let output = Command::new(program).arg(arg).output();
    output.map_or(String::new(), |it| String::from_utf8_lossy(&it.stdout).trim().to_owned())
}

/// What to say of a machine that is busy although nothing is measured yet.
pub(crate) fn busy() -> Option<String> {
    const LOOK: Duration = Duration::from_millis(500);
    let before = KernelStats::current().ok()?;
    thread::sleep(LOOK);
    let after = KernelStats::current().ok()?;
    let idle = |stats: &KernelStats| stats.total.idle + stats.total.iowait.unwrap_or(0);
    let ticks = idle(&after).saturating_sub(idle(&before)) as f64;
    let cores = after.cpu_time.len() as f64;
    let used = cores - ticks / (LOOK.as_secs_f64() * ticks_per_second() as f64);
    let said = "the machine was busy: other programs had";
    (used > 0.1 * cores).then(|| format!("{said} {used:.1} of its {cores} cores just before"))
}

/// How many children a server may have, and the limit that is the first to be reached. Raises this
/// process's limit of open files as far as it may be.
pub(crate) fn room() -> Result<(u64, String)> {
    /// What is left to others, to short-lived children and to zombies, of every kind.
    const MARGIN: u64 = 1_000;
    /// What a child of the lessons takes of the machine's memory, with its page tables and its
    /// stack in the kernel, and both ends of its connection. Measured: about 130 kB.
    const MEMORY: u64 = 256 * 1024;

    let free = Meminfo::current()?.mem_available.unwrap_or(u64::MAX);
    let mut rooms = vec![(free / MEMORY, format!("{} MiB of memory are available", free >> 20))];
    let mut add = |name: &str, limit: u64, taken: u64, each: u64| {
        rooms.push((limit.saturating_sub(taken) / each, format!("{name} is {limit}")));
    };
    let (_, files) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, files, files)?;
    add("RLIMIT_NOFILE", files, 0, 1);
    let processes = all_processes()?.count() as u64;
    if !geteuid().is_root() {
        add("RLIMIT_NPROC", getrlimit(Resource::RLIMIT_NPROC)?.0, processes, 1);
    }
    add("kernel.pid_max", kernel::pid_max()?.try_into()?, processes, 1);
    add("kernel.threads-max", kernel::threads_max()?.into(), processes, 1);
    for group in Process::myself()?.cgroups()?.0 {
        for above in Path::new(group.pathname.trim_start_matches('/')).ancestors() {
            for (kind, each) in [("pids", 1), ("memory", MEMORY)] {
                let file = Path::new("/sys/fs/cgroup").join(above).join(kind);
                let [limit, taken] = ["max", "current"].map(|it| file.with_extension(it));
                let number = |file| fs::read_to_string(file).ok()?.trim().parse().ok();
                // There may be no limit, or it says "max".
                if let Some(most) = number(&limit) {
                    add(&limit.display().to_string(), most, number(&taken).unwrap_or(0), each);
                }
            }
        }
    }
    let (least, limit) = rooms.into_iter().min().expect("memory is one of them");
    Ok((least.saturating_sub(MARGIN), limit))
}
