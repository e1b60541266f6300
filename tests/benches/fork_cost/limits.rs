//! How many children there is room for, and what the limit is called.

use std::fs;
use std::path::Path;

use harness::{Error, Result};
use nix::errno::Errno;
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
    let failed = |errno: Errno| Error::new(format!("cannot see the limits: {}", errno.desc()));
    let (_, files) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    setrlimit(Resource::RLIMIT_NOFILE, files, files).map_err(failed)?;
    let (own, _) = getrlimit(Resource::RLIMIT_NPROC).map_err(failed)?;
    let processes = all_processes().map_or(0, Iterator::count) as u64;
    // Each limit, by its name: how many it has left.
    let mut rooms = vec![(format!("RLIMIT_NOFILE is {files}"), files)];
    if !geteuid().is_root() {
        rooms.push((format!("RLIMIT_NPROC is {own}"), own.saturating_sub(processes)));
    }
    for name in ["pid_max", "threads-max"] {
        if let Some(most) = number(&Path::new("/proc/sys/kernel").join(name)) {
            rooms.push((format!("kernel.{name} is {most}"), most.saturating_sub(processes)));
        }
    }
    let groups = Process::myself().and_then(|process| process.cgroups());
    for group in groups.map_or(Vec::new(), |groups| groups.0) {
        for above in Path::new(group.pathname.trim_start_matches('/')).ancestors() {
            let folder = Path::new("/sys/fs/cgroup").join(above);
            for (most, now, each) in
                [("pids.max", "pids.current", 1), ("memory.max", "memory.current", MEMORY)]
            {
                let [most, now] = [most, now].map(|file| folder.join(file));
                // "max" is no number, and there may be no such tree.
                let (Some(limit), Some(now)) = (number(&most), number(&now)) else { continue };
                let left = limit.saturating_sub(now) / each;
                rooms.push((format!("{} is {limit}", most.display()), left));
            }
        }
    }
    if let Some(free) = Meminfo::current().ok().and_then(|memory| memory.mem_available) {
        rooms.push((format!("{} MiB of memory are available", free >> 20), free / MEMORY));
    }
    let least = rooms.into_iter().min_by_key(|(_, room)| *room);
    let (limit, least) = least.expect("RLIMIT_NOFILE is one of them");
    Ok((least.saturating_sub(MARGIN), limit))
}

/// The number that a file consists of.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}
