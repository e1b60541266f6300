//! Forks, and says what that took: a process with as much memory as one likes, whose children do
//! next to nothing.
//!
//! It uses the standard library alone, so that rustc by itself can build it, as a dynamic program
//! and as a static one (`-C target-feature=+crt-static`).

use std::ffi::{c_int, c_long};
use std::hint::black_box;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{env, fs, ptr, slice};

const PAGE: usize = size_of::<Page>();
const HUGE_PAGE: usize = 2 * 1024 * 1024;

// What the C library offers anyway; the crate `libc` would have to be found and linked.
unsafe extern "C" {
    fn fork() -> c_int;
    fn _exit(status: c_int) -> !;
    fn waitpid(pid: c_int, status: *mut c_int, options: c_int) -> c_int;
    fn mmap(at: *mut u8, size: usize, prot: c_int, flags: c_int, fd: c_int, off: c_long)
    -> *mut u8;
    fn mprotect(at: *mut u8, size: usize, prot: c_int) -> c_int;
    fn madvise(at: *mut u8, size: usize, advice: c_int) -> c_int;
    fn getrusage(who: c_int, usage: *mut [c_long; 18]) -> c_int;
}
const PROT_READ: c_int = 1;
const PROT_WRITE: c_int = 2;
const MAP_PRIVATE: c_int = 0x02;
const MAP_ANONYMOUS: c_int = 0x20;
const MADV_HUGEPAGE: c_int = 14;
const MADV_NOHUGEPAGE: c_int = 15;
const RUSAGE_SELF: c_int = 0;

fn main() -> io::Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    match (args.first().map(String::as_str), &numbers[..]) {
        (Some(pages @ ("small" | "huge")), [mib, mappings, milliseconds]) => {
            let limit = Duration::from_millis(*milliseconds as u64);
            time_forks(mib * 1024 * 1024, pages == "huge", *mappings, limit)
        }
        (Some("copy"), [pages, writes]) => count_copies(*pages, *writes),
        _ => Err(io::Error::other("small|huge MIB MAPPINGS MILLISECONDS, or copy PAGES WRITES")),
    }
}

/// Forks again and again, with so many bytes and so many mappings of one page each written to
/// before.
fn time_forks(bytes: usize, huge: bool, mappings: usize, limit: Duration) -> io::Result<()> {
    Page::written(bytes / PAGE, huge)?;
    // Neighbours that differ in what may be done to them can't be one mapping.
    for page in Page::written(mappings, false)?.iter().step_by(2) {
        // SAFETY: the page is ours, and nobody writes to it any more.
        check(unsafe { mprotect(page.0.as_ptr(), PAGE, PROT_READ) })?;
    }
    println!("mappings={}", fs::read_to_string("/proc/self/maps")?.lines().count());
    let status = fs::read_to_string("/proc/self/status")?;
    println!("page tables, KiB={}", field(&status, "VmPTE:"));
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    println!("huge pages, KiB={}", field(&rollup, "AnonHugePages:"));

    let (mut forks, mut wholes) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
    let begin = Instant::now();
    while forks.len() < 3 || (begin.elapsed() < limit && forks.len() < 4096) {
        let start = Instant::now();
        let child = fork_child(|| ())?;
        forks.push(start.elapsed());
        collect(child)?;
        wholes.push(start.elapsed());
    }
    println!("fork, µs={}", median(forks));
    println!("fork, _exit and wait, µs={}", median(wholes));
    Ok(())
}

/// Has a child read all of its parent's pages and write to the first of them; then has the parent
/// write to as many others; then has the child end and the parent write to all. Each step tells
/// how many faults it took.
fn count_copies(pages: usize, writes: usize) -> io::Result<()> {
    let memory = Page::written(pages, false)?;
    let (mut from_child, mut to_parent) = io::pipe()?;
    let (mut from_parent, mut to_child) = io::pipe()?;
    let child = fork_child(|| {
        minor_faults(); // once before it counts: the call's own pages fault, too
        let reads = faults_of(|| memory.iter().for_each(Page::read));
        let wrote = faults_of(|| memory[..writes].iter().for_each(Page::write));
        println!("child_reads={reads}");
        println!("child_writes={wrote}");
        let _ = to_parent.write_all(b"1");
        let _ = from_parent.read(&mut [0]);
    })?;
    from_child.read_exact(&mut [0])?;
    let wrote = faults_of(|| memory[pages - writes..].iter().for_each(Page::write));
    println!("parent_writes={wrote}");
    to_child.write_all(b"1")?;
    collect(child)?;
    let wrote = faults_of(|| memory.iter().for_each(Page::write));
    println!("parent_writes_alone={wrote}");
    Ok(())
}

/// A page, of which the first byte is used.
#[repr(align(4096))]
struct Page(AtomicU8);

impl Page {
    /// Pages of anonymous memory that have been written to, huge ones if the kernel has them.
    fn written(pages: usize, huge: bool) -> io::Result<&'static [Page]> {
        if pages == 0 {
            return Ok(&[]);
        }
        // Room to begin at a multiple of 2 MiB, where a huge page can begin, and to end at one.
        let room = (pages * PAGE).next_multiple_of(HUGE_PAGE) + HUGE_PAGE;
        let flags = MAP_PRIVATE | MAP_ANONYMOUS;
        // SAFETY: a new mapping, wherever the kernel likes; nothing else is there.
        let start = unsafe { mmap(ptr::null_mut(), room, PROT_READ | PROT_WRITE, flags, -1, 0) };
        if start.addr() == usize::MAX {
            return Err(io::Error::last_os_error());
        }
        let advice = if huge { MADV_HUGEPAGE } else { MADV_NOHUGEPAGE };
        // SAFETY: the advice is about the mapping made above, and changes no byte of it. Where
        // there are no huge pages it is refused, and that is as well.
        unsafe { madvise(start, room, advice) };
        // SAFETY: from this multiple on there is still the room, which is all zero and is kept.
        let pages = unsafe {
            slice::from_raw_parts(start.add(start.align_offset(HUGE_PAGE)).cast(), pages)
        };
        pages.iter().for_each(Page::write);
        Ok(pages)
    }

    fn write(&self) {
        self.0.store(1, Relaxed);
    }

    fn read(&self) {
        black_box(self.0.load(Relaxed));
    }
}

/// Forks a child that does `work` and leaves; returns its pid to the parent.
fn fork_child(work: impl FnOnce()) -> io::Result<c_int> {
    // SAFETY: this process has one thread, so the child inherits no lock that stays held.
    let child = check(unsafe { fork() })?;
    if child == 0 {
        work();
        // SAFETY: _exit has no precondition; it skips the exit hooks, the parent's own.
        unsafe { _exit(0) }
    }
    Ok(child)
}

fn collect(child: c_int) -> io::Result<()> {
    // SAFETY: a null status is allowed.
    check(unsafe { waitpid(child, ptr::null_mut(), 0) }).map(drop)
}

/// What a system call has returned, unless that is -1.
fn check(returned: c_int) -> io::Result<c_int> {
    if returned == -1 { Err(io::Error::last_os_error()) } else { Ok(returned) }
}

/// How many page faults it takes to do `work`.
fn faults_of(work: impl FnOnce()) -> c_long {
    let before = minor_faults();
    work();
    minor_faults() - before
}

/// How many page faults this process has had for which nothing was read from a disk.
fn minor_faults() -> c_long {
    let mut usage = [0; 18];
    // SAFETY: a rusage is two times of two words each, and fourteen counters.
    unsafe { getrusage(RUSAGE_SELF, &raw mut usage) };
    usage[8] // after the times, maxrss, ixrss, idrss and isrss
}

/// The number after `name` in a file of /proc, or 0.
fn field(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

/// In µs.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times[times.len() / 2].as_secs_f64() * 1e6
}
