//! Where it was measured, whether others were at work there, and how many children there is room
//! for.

use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::geteuid;
use procfs::process::{Process, all_processes};
use procfs::{CpuInfo, Current, CurrentSI, KernelStats, Meminfo, ticks_per_second};

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
pub(crate) fn room() -> (u64, String) {
    /// What is left to others, to short-lived children and to zombies, of every kind.
    const MARGIN: u64 = 1_000;
    /// What a child of the lessons takes of the machine's memory, with its page tables and its
    /// stack in the kernel, and both ends of its connection. Measured: about 130 kB.
    const MEMORY: u64 = 256 * 1024;

    let files = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| hard));
    let own = getrlimit(Resource::RLIMIT_NPROC).ok().filter(|_| !geteuid().is_root());
    let kernels = |name| number(&Path::new("/proc/sys/kernel").join(name));
    let processes = all_processes().map_or(0, Iterator::count) as u64;
    // Each limit's name, what it is, how much of it is taken, and what a child takes.
    let mut limits = vec![
        ("RLIMIT_NOFILE".to_owned(), files.ok(), 0, 1),
        ("RLIMIT_NPROC".to_owned(), own.map(|(soft, _)| soft), processes, 1),
        ("kernel.pid_max".to_owned(), kernels("pid_max"), processes, 1),
        ("kernel.threads-max".to_owned(), kernels("threads-max"), processes, 1),
    ];
    let groups = Process::myself().and_then(|process| process.cgroups());
    for group in groups.map_or(Vec::new(), |groups| groups.0) {
        for above in Path::new(group.pathname.trim_start_matches('/')).ancestors() {
            let folder = Path::new("/sys/fs/cgroup").join(above);
            for (kind, each) in [("pids", 1), ("memory", MEMORY)] {
                let limit = folder.join(format!("{kind}.max")); // may be none, or say "max"
                let now = number(&folder.join(format!("{kind}.current")));
                limits.push((limit.display().to_string(), number(&limit), now.unwrap_or(0), each));
            }
        }
    }
    let rooms = limits.into_iter().filter_map(|(name, limit, taken, each)| {
        Some((limit?.saturating_sub(taken) / each, format!("{name} is {}", limit?)))
    });
    let free = Meminfo::current().ok().and_then(|memory| memory.mem_available);
    let memory = free.map(|it| (it / MEMORY, format!("{} MiB of memory are available", it >> 20)));
    let (least, limit) = rooms.chain(memory).min().expect("pid_max is one of them");
    (least.saturating_sub(MARGIN), limit)
}

/// The number that a file consists of.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}
