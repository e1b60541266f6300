//! Forks, and says what that took: a process with as much memory as one likes, whose children do
//! next to nothing.
//!
//! It uses the standard library alone, so that rustc by itself can build it, as a dynamic program
//! and as a static one (`-C target-feature=+crt-static`).

use std::ffi::{c_int, c_long, c_void};
use std::io::{self, Read, Write};
use std::process::ExitCode;
use std::ptr;
use std::time::{Duration, Instant};
use std::{env, fs};

const PAGE: usize = 4096;

const MIB: usize = 1024 * 1024;

/// What the C library offers anyway; the crate `libc` would have to be found and linked.
mod c {
    use super::{c_int, c_long, c_void};

    pub(crate) const PROT_READ: c_int = 1;
    pub(crate) const PROT_READ_WRITE: c_int = 1 | 2;
    pub(crate) const MAP_PRIVATE_ANONYMOUS: c_int = 0x02 | 0x20;
    pub(crate) const MADV_HUGEPAGE: c_int = 14;
    pub(crate) const MADV_NOHUGEPAGE: c_int = 15;
    pub(crate) const RUSAGE_SELF: c_int = 0;

    /// `struct rusage`: two times of two words each, then fourteen counters.
    #[repr(C)]
    #[derive(Default)]
    pub(crate) struct Rusage {
        pub(crate) times: [c_long; 4],
        pub(crate) counters: [c_long; 14],
    }

    unsafe extern "C" {
        pub(crate) fn fork() -> c_int;
        pub(crate) fn _exit(status: c_int) -> !;
        pub(crate) fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
        pub(crate) fn mmap(
            at: *mut c_void,
            length: usize,
            protection: c_int,
            flags: c_int,
            file: c_int,
            offset: c_long,
        ) -> *mut c_void;
        pub(crate) fn mprotect(at: *mut c_void, length: usize, protection: c_int) -> c_int;
        pub(crate) fn madvise(at: *mut c_void, length: usize, advice: c_int) -> c_int;
        pub(crate) fn getrusage(who: c_int, usage: *mut Rusage) -> c_int;
    }
}

fn main() -> ExitCode {
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args[..] {
        ["fork", mib, pages @ ("small" | "huge"), mappings, milliseconds] => {
            numbers([mib, mappings, milliseconds]).and_then(|[mib, mappings, milliseconds]| {
                time_forks(mib, pages == "huge", mappings, milliseconds)
            })
        }
        ["copy", pages, writes] => {
            numbers([pages, writes]).and_then(|[pages, writes]| count_copies(pages, writes))
        }
        _ => {
            eprintln!("usage: fork_probe fork MIB small|huge MAPPINGS MILLISECONDS");
            eprintln!("       fork_probe copy PAGES WRITES");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fork_probe: {error}");
            ExitCode::FAILURE
        }
    }
}

fn numbers<const N: usize>(texts: [&str; N]) -> io::Result<[usize; N]> {
    let mut numbers = [0; N];
    for (number, text) in numbers.iter_mut().zip(texts) {
        *number = text.parse().map_err(|_| io::Error::other(format!("{text} is no number")))?;
    }
    Ok(numbers)
}

/// Forks again and again for so many milliseconds, with so many MiB and so many mappings of one
/// page each written to before.
fn time_forks(mib: usize, huge: bool, mappings: usize, milliseconds: usize) -> io::Result<()> {
    let memory = Memory::of(mib * MIB, huge)?;
    (0..memory.pages).for_each(|page| memory.write(page));
    let more = Memory::of(mappings * PAGE, false)?;
    (0..more.pages).for_each(|page| more.write(page));
    more.split()?;
    println!("mappings={}", fs::read_to_string("/proc/self/maps")?.lines().count());
    let status = fs::read_to_string("/proc/self/status")?;
    println!("page_tables={}", field(&status, "VmPTE:"));
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    println!("in_huge_pages={}", field(&rollup, "AnonHugePages:"));

    let limit = Duration::from_millis(milliseconds as u64);
    let (mut forks, mut wholes) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
    let begin = Instant::now();
    while forks.len() < 3 || (begin.elapsed() < limit && forks.len() < 4096) {
        let start = Instant::now();
        let child = fork(|| ())?;
        forks.push(start.elapsed().as_nanos());
        collect(child)?;
        wholes.push(start.elapsed().as_nanos());
    }
    println!("fork={}", median(&mut forks));
    println!("whole={}", median(&mut wholes));
    Ok(())
}

/// Has a child read all of its parent's pages and write to the first of them; then has the parent
/// write to as many others; then has the child end and the parent write to all. Each step tells
/// how many faults it took.
fn count_copies(pages: usize, writes: usize) -> io::Result<()> {
    let memory = Memory::of(pages * PAGE, false)?;
    (0..pages).for_each(|page| memory.write(page));
    let writes = writes.min(pages / 2);
    let (mut from_child, mut to_parent) = io::pipe()?;
    let (mut from_parent, mut to_child) = io::pipe()?;
    let child = fork(|| {
        minor_faults(); // once before it counts: the call's own pages fault, too
        let reads = faults_of(|| (0..pages).for_each(|page| memory.read(page)));
        let wrote = faults_of(|| (0..writes).for_each(|page| memory.write(page)));
        println!("child_reads={reads}");
        println!("child_writes={wrote}");
        let _ = to_parent.write_all(b"1");
        let _ = from_parent.read(&mut [0]);
    })?;
    from_child.read_exact(&mut [0])?;
    let wrote = faults_of(|| (pages - writes..pages).for_each(|page| memory.write(page)));
    println!("parent_writes={wrote}");
    to_child.write_all(b"1")?;
    collect(child)?;
    let wrote = faults_of(|| (0..pages).for_each(|page| memory.write(page)));
    println!("parent_writes_alone={wrote}");
    Ok(())
}

/// Pages of anonymous memory.
struct Memory {
    start: *mut u8,
    pages: usize,
}

impl Memory {
    fn of(bytes: usize, huge: bool) -> io::Result<Memory> {
        if bytes == 0 {
            return Ok(Memory { start: ptr::null_mut(), pages: 0 });
        }
        // Room to begin at a multiple of 2 MiB, where a huge page can begin, and to end at one.
        let room = bytes.next_multiple_of(2 * MIB) + 2 * MIB;
        // SAFETY: a new mapping, wherever the kernel likes; nothing else is there.
        let start = unsafe {
            c::mmap(ptr::null_mut(), room, c::PROT_READ_WRITE, c::MAP_PRIVATE_ANONYMOUS, -1, 0)
        };
        if start.addr() == usize::MAX {
            return Err(io::Error::last_os_error());
        }
        let advice = if huge { c::MADV_HUGEPAGE } else { c::MADV_NOHUGEPAGE };
        // SAFETY: the advice is about the mapping made above, and changes no byte of it. Where
        // there are no huge pages it is refused, and that is as well.
        unsafe { c::madvise(start, room, advice) };
        let start = start.cast::<u8>();
        // SAFETY: at most 2 MiB further there is still the room for `bytes`.
        let start = unsafe { start.add(start.align_offset(2 * MIB)) };
        Ok(Memory { start, pages: bytes / PAGE })
    }

    fn at(&self, page: usize) -> *mut u8 {
        assert!(page < self.pages);
        // SAFETY: the mapping has `pages` pages.
        unsafe { self.start.add(page * PAGE) }
    }

    fn write(&self, page: usize) {
        // SAFETY: `at` returns a byte of a mapping that can be written to and lives forever.
        unsafe { self.at(page).write_volatile(1) }
    }

    fn read(&self, page: usize) {
        // SAFETY: as above; the mapping is all zero at first, so there is a byte to read.
        unsafe { self.at(page).read_volatile() };
    }

    /// Makes a mapping of its own of each page: neighbours that differ in what may be done to
    /// them can't be one.
    fn split(&self) -> io::Result<()> {
        for page in (0..self.pages).step_by(2) {
            // SAFETY: the page is ours, and nobody writes to it any more.
            if unsafe { c::mprotect(self.at(page).cast(), PAGE, c::PROT_READ) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

/// Forks a child that does `work` and leaves; returns its pid to the parent.
fn fork(work: impl FnOnce()) -> io::Result<c_int> {
    // SAFETY: this process has one thread, so the child inherits no lock that stays held.
    match unsafe { c::fork() } {
        0 => {
            work();
            // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
            unsafe { c::_exit(0) }
        }
        -1 => Err(io::Error::last_os_error()),
        child => Ok(child),
    }
}

fn collect(child: c_int) -> io::Result<()> {
    // SAFETY: a null status is allowed.
    match unsafe { c::waitpid(child, ptr::null_mut(), 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// How many page faults it takes to do `work`.
fn faults_of(work: impl FnOnce()) -> c_long {
    let before = minor_faults();
    work();
    minor_faults() - before
}

/// How many page faults this process has had for which nothing was read from a disk.
fn minor_faults() -> c_long {
    let mut usage = c::Rusage::default();
    // SAFETY: `usage` is a rusage to write to.
    unsafe { c::getrusage(c::RUSAGE_SELF, &raw mut usage) };
    usage.counters[4] // after maxrss, ixrss, idrss and isrss
}

/// The number after `name` in a file of /proc, or 0.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

fn median(times: &mut [u128]) -> u128 {
    times.sort_unstable();
    times[times.len() / 2]
}
