//! Forks, and says what that took: a process with as much memory as one likes, whose children do
//! next to nothing.

#[path = "common/mod.rs"]
mod common;

use std::hint::black_box;
use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};
use std::time::{Duration, Instant};
use std::{env, error, ptr, slice};

use common::child;
use nix::errno::Errno;
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::wait::waitpid;
use procfs::process::Process;

const PAGE: usize = size_of::<Page>();
const HUGE_PAGE: usize = 2 * 1024 * 1024;

type Result<T> = std::result::Result<T, Box<dyn error::Error>>;

fn main() -> Result<()> {
    let args: Vec<String> = env::args().skip(1).collect();
    let numbers: Vec<usize> = args.iter().filter_map(|arg| arg.parse().ok()).collect();
    match (args.first().map(String::as_str), &numbers[..]) {
        (Some(pages @ ("small" | "huge")), [mib, mappings, milliseconds]) => {
            let limit = Duration::from_millis(*milliseconds as u64);
            time_forks(mib * 1024 * 1024, pages == "huge", *mappings, limit)
        }
        (Some("copy"), [pages, writes]) => count_copies(*pages, *writes),
        _ => Err("small|huge MIB MAPPINGS MILLISECONDS, or copy PAGES WRITES".into()),
    }
}

/// Forks again and again, with so many bytes and so many mappings of one page each written to
/// before.
fn time_forks(bytes: usize, huge: bool, mappings: usize, limit: Duration) -> Result<()> {
    Page::written(bytes / PAGE, huge)?;
    // Neighbours that differ in what may be done to them can't be one mapping.
    for page in Page::written(mappings, false)?.iter().step_by(2) {
        // SAFETY: the page is ours, and nobody writes to it any more.
        let done = unsafe { libc::mprotect(page.0.as_ptr().cast(), PAGE, libc::PROT_READ) };
        Errno::result(done)?;
    }
    let own = Process::myself()?;
    println!("mappings={}", own.maps()?.len());
    println!("page tables, KiB={}", own.status()?.vmpte.unwrap_or(0));
    let rollup = own.smaps_rollup()?.memory_map_rollup;
    println!("huge pages, KiB={}", rollup.0[0].extension.map["AnonHugePages"] / 1024);

    let (mut forks, mut wholes) = (Vec::with_capacity(4096), Vec::with_capacity(4096));
    let begin = Instant::now();
    while forks.len() < 3 || (begin.elapsed() < limit && forks.len() < 4096) {
        let start = Instant::now();
        let child = child(|| ())?;
        forks.push(start.elapsed());
        waitpid(child, None)?;
        wholes.push(start.elapsed());
    }
    println!("forks a second={}", wholes.len() as f64 / begin.elapsed().as_secs_f64());
    for (name, mut times) in [("fork, µs", forks), ("fork, _exit and wait, µs", wholes)] {
        times.sort_unstable();
        println!("{name}={}", times[times.len() / 2].as_secs_f64() * 1e6);
    }
    Ok(())
}

/// Has a child read all of its parent's pages and write to the first of them; then has the parent
/// write to as many others; then has the child end and the parent write to all. Each step tells
/// how many faults it took.
fn count_copies(pages: usize, writes: usize) -> Result<()> {
    let memory = Page::written(pages, false)?;
    let (mut from_child, mut to_parent) = io::pipe()?;
    let (mut from_parent, mut to_child) = io::pipe()?;
    let child = child(|| {
        tell_faults("child_reads", memory, Page::read);
        tell_faults("child_writes", &memory[..writes], Page::write);
        let _ = to_parent.write_all(b"1");
        let _ = from_parent.read(&mut [0]);
    })?;
    from_child.read_exact(&mut [0])?;
    tell_faults("parent_writes", &memory[pages - writes..], Page::write);
    to_child.write_all(b"1")?;
    waitpid(child, None)?;
    tell_faults("parent_writes_alone", memory, Page::write);
    Ok(())
}

/// Tells how many page faults it takes to touch these pages: those for which nothing is read from
/// a disk.
fn tell_faults(name: &str, pages: &[Page], touch: fn(&Page)) {
    let faults = || getrusage(UsageWho::RUSAGE_SELF).map_or(0, |usage| usage.minor_page_faults());
    let count = |pages: &[Page]| {
        let before = faults();
        pages.iter().for_each(touch);
        faults() - before
    };
    count(&[Page(AtomicU8::new(0))]); // once before it counts: the code's own pages fault, too
    println!("{name}={}", count(pages));
}

/// A page, of which the first byte is used.
#[repr(align(4096))]
struct Page(AtomicU8);

impl Page {
    /// Pages of anonymous memory that have been written to, huge ones if the kernel has them.
    fn written(pages: usize, huge: bool) -> Result<&'static [Page]> {
        if pages == 0 {
            return Ok(&[]);
        }
        // Room to begin at a multiple of 2 MiB, where a huge page can begin, and to end at one.
        let room = (pages * PAGE).next_multiple_of(HUGE_PAGE) + HUGE_PAGE;
        let (may, kind) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, wherever the kernel likes; nothing else is there.
        let start = unsafe { libc::mmap(ptr::null_mut(), room, may, kind, -1, 0) };
        if start == libc::MAP_FAILED {
            return Err(Errno::last().into());
        }
        let advice = if huge { libc::MADV_HUGEPAGE } else { libc::MADV_NOHUGEPAGE };
        // SAFETY: the advice is about the mapping made above, and changes no byte of it. Where
        // there are no huge pages it is refused, and that is as well.
        unsafe { libc::madvise(start, room, advice) };
        let start = start.cast::<u8>();
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
