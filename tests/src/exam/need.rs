//! How much of a core a process needs: whether it waits, or spins.

use std::time::{Duration, Instant};

use client::ps;
use procfs::process::Process;

use crate::{Error, Result};

/// More than this share of the time in need of a core means that a process spins.
pub(super) const SPINNING: f64 = 0.2;

/// How long a process has run so far, or stood in line for a core.
///
/// Its time on a core alone would tell little on a busy machine, where a server that spins
/// gets only its share.
pub(super) struct Need {
    pid: i32,
    seen: Instant,
    /// Of all threads, on a core.
    run: Duration,
    /// Of the first thread, on a core or in line.
    first: Duration,
}

impl Need {
    /// Fails once the process is dead or gone.
    pub(super) fn of(pid: i32) -> Result<Need> {
        let gone = || Error::new(format!("server {pid} is gone"));
        let seen = Instant::now();
        let process = Process::new(pid).map_err(|_| gone())?;
        let stat = process.stat().map_err(|_| gone())?;
        if !ps::lives(pid) {
            return Err(gone());
        }
        let ticks = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
        // Not every kernel keeps it.
        let first = process.schedstat().map_or(0, |it| it.sum_exec_runtime + it.run_delay);
        let (run, first) = (Duration::from_secs_f64(ticks), Duration::from_nanos(first));
        Ok(Need { pid, seen, run, first })
    }

    /// Its part of the time since then.
    pub(super) fn share_since(&self) -> Result<f64> {
        let now = Need::of(self.pid)?;
        let need = now.run.saturating_sub(self.run).max(now.first.saturating_sub(self.first));
        Ok(need.as_secs_f64() / self.seen.elapsed().as_secs_f64())
    }
}
