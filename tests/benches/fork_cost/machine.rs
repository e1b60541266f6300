//! Where it was measured, and how much others disturbed it.

use std::collections::HashSet;
use std::process::Command;
use std::time::Instant;
use std::{fs, thread};

use harness::{Error, Result};
use procfs::process::{Stat, StatFlags, all_processes};
use procfs::{Current, CurrentSI, KernelStats, LoadAverage, Meminfo, ticks_per_second};
use serde_json::{Value, json};

/// What the figures hold for.
pub(crate) struct Machine {
    cpu: String,
    cores: usize,
    memory: u64,
    kernel: String,
    rustc: String,
    day: String,
}

impl Machine {
    /// The one that this runs on. What can't be told is left empty.
    pub(crate) fn this() -> Machine {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        Machine {
            cpu: model.map_or("a CPU without a name", |(_, name)| name).to_owned(),
            cores: cores(),
            memory: Meminfo::current().map_or(0, |it| it.mem_total.div_ceil(1 << 30)),
            kernel: kernel.trim().to_owned(),
            rustc: first_line("rustc", "--version"),
            day: first_line("date", "+%F"),
        }
    }

    /// What it is, in a line.
    pub(crate) fn text(&self) -> String {
        let Machine { cpu, cores, memory, kernel, rustc, .. } = self;
        let version = rustc.split(' ').nth(1).unwrap_or(rustc);
        format!("{cpu}, {cores} cores, {memory} GiB of memory, Linux {kernel}, Rust {version}")
    }

    /// When it was measured. Each part in the docs has its own day: it may be measured alone.
    pub(crate) fn day(&self) -> &str {
        &self.day
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "cpu": self.cpu,
            "cores": self.cores,
            "memory_gib": self.memory,
            "kernel": self.kernel,
            "rustc": self.rustc,
            "day": self.day,
        })
    }
}

fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

fn first_line(program: &str, arg: &str) -> String {
    let output = Command::new(program).arg(arg).output();
    let text = output.map_or(String::new(), |it| String::from_utf8_lossy(&it.stdout).into_owned());
    text.lines().next().unwrap_or_default().to_owned()
}

/// A look at who uses the machine's time, so that a later one can tell what came in between.
pub(crate) struct Watch {
    begun: Instant,
    load: f32,
    others: u64,
    stolen: u64,
}

/// How much of the machine others had while something was measured.
pub(crate) struct Noise {
    load: [f32; 2],
    /// In cores: 1 is all of one core all of the time.
    others: f64,
    stolen: f64,
}

impl Watch {
    pub(crate) fn begin() -> Result<Watch> {
        let failed = |error| Error::new(format!("cannot read /proc: {error}"));
        let steal = KernelStats::current().map_err(failed)?.total.steal.unwrap_or(0);
        Ok(Watch {
            begun: Instant::now(),
            load: LoadAverage::current().map_err(failed)?.one,
            others: others()?,
            stolen: steal,
        })
    }

    pub(crate) fn end(&self) -> Result<Noise> {
        let now = Watch::begin()?;
        let ticks = self.begun.elapsed().as_secs_f64() * ticks_per_second() as f64;
        Ok(Noise {
            load: [self.load, now.load],
            others: now.others.saturating_sub(self.others) as f64 / ticks,
            stolen: now.stolen.saturating_sub(self.stolen) as f64 / ticks,
        })
    }
}

impl Noise {
    /// Whether others had more than a tenth of the machine.
    pub(crate) fn is_busy(&self) -> bool {
        self.others + self.stolen > 0.1 * cores() as f64
    }

    /// What to say of a busy machine.
    pub(crate) fn warning(&self) -> Option<String> {
        self.is_busy().then(|| {
            format!(
                "The machine was busy: other processes had {:.2} of its {} cores meanwhile, and \
                 its host took {:.2}",
                self.others,
                cores(),
                self.stolen
            )
        })
    }

    pub(crate) fn json(&self) -> Value {
        json!({
            "busy": self.is_busy(),
            "others_cores": self.others,
            "stolen_cores": self.stolen,
            "load_before": self.load[0],
            "load_after": self.load[1],
        })
    }
}

/// The time, in ticks, that all processes have had but this one, its descendants and the kernel's
/// threads, which work for whoever asks. Of those that have ended, their parents tell.
fn others() -> Result<u64> {
    let processes = all_processes()
        .map_err(|error| Error::new(format!("cannot read /proc: {error}")))?
        .filter_map(|process| process.ok()?.stat().ok());
    let all: Vec<Stat> = processes.collect();
    let mut ours = HashSet::from([std::process::id().cast_signed()]);
    while let Some(stat) = all.iter().find(|it| ours.contains(&it.ppid) && !ours.contains(&it.pid))
    {
        ours.insert(stat.pid);
    }
    let kernels = StatFlags::PF_KTHREAD;
    Ok(all
        .iter()
        .filter(|it| !ours.contains(&it.pid))
        .filter(|it| !StatFlags::from_bits_retain(it.flags).contains(kernels))
        .map(|it| it.utime + it.stime + (it.cutime + it.cstime).max(0).cast_unsigned())
        .sum())
}
