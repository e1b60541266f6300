//! How much of a core a process needs: whether it waits, or spins.

use std::time::{Duration, Instant};

use client::ps;
use procfs::process::Process;

use crate::{Error, Result};

/// More than this share of the time in need of a core means that a process spins.
pub(super) const SPINNING: f64 = 0.2;

/// For how much of the time that it is watched a process runs, or stands in line for a core: on a
/// busy machine one that spins gets only its share.
pub(super) fn need(pid: i32, watched: Duration) -> Result<f64> {
    let (start, before) = (Instant::now(), used(pid)?);
    // A wait for nothing but time: spinning is a use of time.
    let _ = ps::dies(pid, watched);
    let used = used(pid)?.into_iter().zip(before).map(|(now, before)| now.saturating_sub(before));
    Ok(used.max().unwrap_or_default().as_secs_f64() / start.elapsed().as_secs_f64())
}

/// The time so far of all threads on a core, and of the first one on a core or in line.
fn used(pid: i32) -> Result<[Duration; 2]> {
    let stat = ps::stat(pid).filter(|_| ps::lives(pid));
    let stat = stat.ok_or_else(|| Error::new(format!("server {pid} is gone")))?;
    let all = (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64;
    // Not every kernel keeps it.
    let first = Process::new(pid).and_then(|process| process.schedstat());
    let first = first.map_or(0, |it| it.sum_exec_runtime + it.run_delay);
    Ok([Duration::from_secs_f64(all), Duration::from_nanos(first)])
}
