//! Where it was measured, and whether others were at work there.

use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

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
