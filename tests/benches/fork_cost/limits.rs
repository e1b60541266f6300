//! How many children there is room for, and what the limit is called.

use std::fs;
use std::path::Path;

use harness::{Error, Result};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::unistd::geteuid;
use procfs::process::{Process, all_processes};
use procfs::{Current, Meminfo};

/// What is left to others, to short-lived children and to zombies, of every kind.
const MARGIN: u64 = 1_000;

/// What a child of the lessons takes of the machine's memory, with its page tables and its stack
/// in the kernel, and both ends of its connection. Measured: about 130 kB.
const MEMORY: u64 = 256 * 1024;

/// How many children a server may have, and the limit that is the first to be reached. Raises this
/// process's limit of open files as far as it may be.
pub(crate) fn children() -> Result<(u64, String)> {
    let files = getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
        Ok(hard)
    });
    let files = files.map_err(|errno| Error::new(format!("cannot see the limits: {errno}")))?;
    let processes = all_processes().map_or(0, Iterator::count) as u64;
    // Each limit: how many it has left, and its name.
    let mut rooms = vec![(files, format!("RLIMIT_NOFILE is {files}"))];
    let mut of_processes = |name: &str, most: Option<u64>| {
        rooms.extend(most.map(|it| (it.saturating_sub(processes), format!("{name} is {it}"))));
    };
    if !geteuid().is_root() {
        let own = getrlimit(Resource::RLIMIT_NPROC).ok();
        of_processes("RLIMIT_NPROC", own.map(|(soft, _)| soft));
    }
    of_processes("kernel.pid_max", number("/proc/sys/kernel/pid_max"));
    of_processes("kernel.threads-max", number("/proc/sys/kernel/threads-max"));
    let groups = Process::myself().and_then(|process| process.cgroups());
    for group in groups.map_or(Vec::new(), |groups| groups.0) {
        for above in Path::new(group.pathname.trim_start_matches('/')).ancestors() {
            let folder = Path::new("/sys/fs/cgroup").join(above);
            for (kind, each) in [("pids", 1), ("memory", MEMORY)] {
                let limit = folder.join(format!("{kind}.max"));
                // "max" is no number, and there may be no such tree.
                let now = number(folder.join(format!("{kind}.current")));
                let (Some(most), Some(now)) = (number(&limit), now) else { continue };
                let left = most.saturating_sub(now) / each;
                rooms.push((left, format!("{} is {most}", limit.display())));
            }
        }
    }
    if let Some(free) = Meminfo::current().ok().and_then(|memory| memory.mem_available) {
        rooms.push((free / MEMORY, format!("{} MiB of memory are available", free >> 20)));
    }
    let (least, limit) = rooms.into_iter().min().expect("RLIMIT_NOFILE is one of them");
    Ok((least.saturating_sub(MARGIN), limit))
}

/// The number that a file consists of.
fn number(file: impl AsRef<Path>) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}
