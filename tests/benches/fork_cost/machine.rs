//! Where it was measured, and whether others were at work there.

use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use harness::{Error, Result};
use procfs::{Current, CurrentSI, KernelStats, Meminfo, ticks_per_second};

/// What the figures hold for, in a line. What can't be told is left empty.
pub(crate) fn text() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cpu = model.map_or("a CPU without a name", |(_, name)| name);
    let memory = Meminfo::current().map_or(0, |it| it.mem_total.div_ceil(1 << 30));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let (kernel, cores, rustc) = (kernel.trim(), cores(), said("rustc", "--version"));
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

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// What to say of a machine that is busy although nothing is measured yet.
pub(crate) fn busy() -> Result<Option<String>> {
    const LOOK: Duration = Duration::from_millis(500);
    let ticks = || {
        let stats = KernelStats::current();
        let stats =
            stats.map_err(|error| Error::new(format!("cannot read /proc/stat: {error}")))?;
        let cpu = stats.total;
        let extra = [cpu.irq, cpu.softirq, cpu.steal].into_iter().flatten().sum::<u64>();
        Ok::<u64, Error>(cpu.user + cpu.nice + cpu.system + extra)
    };
    let before = ticks()?;
    thread::sleep(LOOK);
    let used = (ticks()? - before) as f64 / (LOOK.as_secs_f64() * ticks_per_second() as f64);
    let cores = cores();
    Ok((used > 0.1 * cores as f64).then(|| {
        format!(
            "the machine was busy: other programs had {used:.1} of its {cores} cores just before"
        )
    }))
}
