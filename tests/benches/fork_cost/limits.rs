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

/// How many children a server may have.
pub(crate) struct Room {
    pub(crate) children: u64,
    /// The limit that is the first to be reached.
    pub(crate) limit: String,
}

/// Raises this process's limit of open files as far as it may be, and looks at all limits.
pub(crate) fn children() -> Result<Room> {
    let failed = |what: &'static str| {
        move |error: &dyn std::fmt::Display| Error::new(format!("cannot {what}: {error}"))
    };
    let (_, files) =
        getrlimit(Resource::RLIMIT_NOFILE).map_err(|error| failed("read RLIMIT_NOFILE")(&error))?;
    setrlimit(Resource::RLIMIT_NOFILE, files, files)
        .map_err(|error| failed("raise RLIMIT_NOFILE")(&error))?;
    let processes = all_processes().map_err(|error| failed("read /proc")(&error))?.count() as u64;
    // Each limit, by its name: how many it has left.
    let mut rooms = vec![(format!("RLIMIT_NOFILE is {files}"), files)];
    for name in ["pid_max", "threads-max"] {
        if let Some(most) = number(Path::new("/proc/sys/kernel").join(name).as_path()) {
            rooms.push((format!("kernel.{name} is {most}"), most.saturating_sub(processes)));
        }
    }
    let (most, _) =
        getrlimit(Resource::RLIMIT_NPROC).map_err(|error| failed("read RLIMIT_NPROC")(&error))?;
    if !geteuid().is_root() {
        rooms.push((format!("RLIMIT_NPROC is {most}"), most.saturating_sub(processes)));
    }
    rooms.extend(cgroups());
    if let Some(free) = Meminfo::current().ok().and_then(|memory| memory.mem_available) {
        let mib = free / 1024 / 1024;
        rooms.push((format!("{mib} MiB of memory are available"), free / MEMORY));
    }
    let (limit, least) =
        rooms.into_iter().min_by_key(|(_, room)| *room).expect("RLIMIT_NOFILE is one of them");
    Ok(Room { children: least.saturating_sub(MARGIN), limit })
}

/// What this process's control groups, and those above them, have left of processes and memory.
fn cgroups() -> Vec<(String, u64)> {
    let mut rooms = Vec::new();
    let groups = Process::myself().and_then(|process| process.cgroups());
    for group in groups.map_or(Vec::new(), |groups| groups.0) {
        // Version 2 has one tree; version 1 has one for each controller.
        let (tree, files) = match group.controllers.first().map(String::as_str) {
            None | Some("") => (
                "/sys/fs/cgroup".to_owned(),
                vec![("pids.max", "pids.current", 1), ("memory.max", "memory.current", MEMORY)],
            ),
            Some("pids") => {
                ("/sys/fs/cgroup/pids".to_owned(), vec![("pids.max", "pids.current", 1)])
            }
            Some("memory") => (
                "/sys/fs/cgroup/memory".to_owned(),
                vec![("memory.limit_in_bytes", "memory.usage_in_bytes", MEMORY)],
            ),
            Some(_) => continue,
        };
        for above in Path::new(group.pathname.trim_start_matches('/')).ancestors() {
            for (most, now, each) in &files {
                let folder = Path::new(&tree).join(above);
                let (Some(limit), Some(now)) =
                    (number(&folder.join(most)), number(&folder.join(now)))
                else {
                    continue; // "max", or a tree that isn't mounted here
                };
                rooms.push((
                    format!("{} is {limit}", folder.join(most).display()),
                    limit.saturating_sub(now) / each,
                ));
            }
        }
    }
    rooms
}

/// The number that a file consists of.
fn number(file: &Path) -> Option<u64> {
    fs::read_to_string(file).ok()?.trim().parse().ok()
}
