//! What fork copies: the parent's list of mappings and its page tables at once, its pages when
//! somebody writes to them.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs};

use client::Conversation;
use harness::burst::HELLO;
use harness::server::{Launch, Server};
use harness::{Error, PATIENCE, Result, lessons};
use nix::sys::wait::WaitStatus;
use procfs::process::Process;
use procfs::{Current, Meminfo};

use super::plan::Plan;
use super::report::{Measure, Part};
use super::servers;

const DYNAMIC: &str = "dynamic";
const STATIC: &str = "static";
const HUGE: &str = "dynamic, huge pages";

/// How many MiB a parent has written to.
const SIZES: [u64; 4] = [0, 1, 100, 1_000];

/// From which size on there are fewer rounds.
const SLOW: u64 = 1_000;

/// How many mappings of one page each a parent has besides those of its program.
const MAPPINGS: [u64; 3] = [0, 100, 1_000];

/// How many pages of a parent's [`PAGES`] a child writes to, and then the parent.
const WRITES: [u64; 4] = [0, 1, 10, 100];

/// How many pages the parent has written to before.
const PAGES: u64 = 1_024;

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::new("copies", "What fork copies", "MiB touched");
    let probes = build(&mut part.notes)?;
    let mut sizes = Sizes::new();
    let mut mappings = Measure::new("fork, by mappings", "µs", DYNAMIC).counted("mappings more");
    let mut faults = Faults::new();
    let mut lives = Lives::new();
    let mut affordable = affordable(&mut part.notes);
    affordable.retain(|size| *size <= plan.children); // who has few children has small parents, too
    let huge = may_have_huge_pages(&mut part.notes);
    let mut given = 1.0_f64;
    plan.expect(plan.rounds * (affordable.len() + MAPPINGS.len() + 2));
    for round in 0..plan.rounds {
        for size in &affordable {
            plan.step(format!("copies: {size} MiB"));
            if *size >= SLOW && round >= if plan.quick { 1 } else { 3 } {
                continue;
            }
            for (name, probe) in &probes {
                sizes.add(name, *size, &probe.fork(plan, *size, "small", 0)?)?;
            }
            if huge && *size > 0 {
                let seen = probes[0].1.fork(plan, *size, "huge", 0)?;
                sizes.add(HUGE, *size, &seen)?;
                given = given.min(seen.get("in_huge_pages")? / 1_024.0 / *size as f64);
            }
        }
        for more in MAPPINGS {
            plan.step(format!("copies: {more} mappings more"));
            for (name, probe) in &probes {
                let seen = probe.fork(plan, 0, "small", more)?;
                mappings.add(name, more, seen.get("fork")? / 1_000.0);
            }
        }
        plan.step("copies: pages");
        for writes in WRITES {
            faults.add(writes, &probes[0].1.copy(PAGES, writes)?)?;
        }
        plan.step("copies: a child of lesson-03");
        lives.look()?;
    }
    if given < 0.99 {
        let percent = given * 100.0;
        part.notes.push(format!("huge pages: {percent:.0} % of what was asked for, at the worst"));
    }
    part.measures.extend(sizes.into_measures());
    part.measures.push(mappings);
    part.measures.extend([faults.measure, lives.faults, lives.own]);
    Ok(part)
}

/// The sizes for which there is memory, twice: parent and child may come to have a page each.
fn affordable(notes: &mut Vec<String>) -> Vec<u64> {
    let available = Meminfo::current().ok().and_then(|it| it.mem_available);
    let available = available.map_or(u64::MAX, |bytes| bytes / (1024 * 1024));
    let (affordable, dear): (Vec<_>, Vec<_>) =
        SIZES.iter().partition(|size| **size * 2 < available);
    for size in dear {
        notes.push(format!("{size} MiB: left out, only {available} MiB of memory are available"));
    }
    affordable
}

/// Whether a process that asks for huge pages may be given some.
fn may_have_huge_pages(notes: &mut Vec<String>) -> bool {
    let setting = fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    let may = setting.as_ref().is_ok_and(|it| !it.contains("[never]"));
    if !may {
        notes.push("huge pages: left out, this kernel has none or is told to give none".to_owned());
    }
    may
}

/// tests/examples/fork_probe.rs, built.
struct Probe(PathBuf);

/// The probe as a dynamic program and, where the C library is there as an archive, a static one.
fn build(notes: &mut Vec<String>) -> Result<Vec<(&'static str, Probe)>> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let version = Command::new(&rustc).arg("-vV").stderr(Stdio::null()).output();
    let version = version.map_err(|error| Error::new(format!("cannot run rustc: {error}")))?;
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Error::new("rustc -vV doesn't name the host"))?;
    let source = lessons::root().join("tests/examples/fork_probe.rs");
    let mut built = Vec::new();
    for (name, feature) in [(DYNAMIC, "-crt-static"), (STATIC, "+crt-static")] {
        let program = servers::compiled(&format!("fork_probe-{name}"), |program| {
            let mut command = Command::new(&rustc);
            command.args(["--edition", "2024", "-O", "--target", host, "-C"]);
            command.arg(format!("target-feature={feature}")).arg("-o").arg(program).arg(&source);
            let output = command.stdin(Stdio::null()).output();
            let output =
                output.map_err(|error| Error::new(format!("cannot run rustc: {error}")))?;
            if output.status.success() {
                return Ok(());
            }
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            Err(Error::new(format!("cannot build fork_probe: {said}")))
        });
        match program {
            Ok(program) => built.push((name, Probe(program))),
            Err(_) if name == STATIC => {
                notes.push("static: left out, no static C library is installed".to_owned());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(built)
}

impl Probe {
    fn fork(&self, plan: &Plan, mib: u64, pages: &str, mappings: u64) -> Result<Seen> {
        let milliseconds = plan.window().as_millis() / 4;
        let [mib, mappings] = [mib, mappings].map(|it| it.to_string());
        self.run(&["fork", &mib, pages, &mappings, &milliseconds.to_string()])
    }

    fn copy(&self, pages: u64, writes: u64) -> Result<Seen> {
        self.run(&["copy", &pages.to_string(), &writes.to_string()])
    }

    fn run(&self, args: &[&str]) -> Result<Seen> {
        let launch = args.iter().fold(Launch::new(&self.0), |launch, arg| launch.arg(*arg));
        match launch.run()? {
            (WaitStatus::Exited(_, 0), log) => Ok(Seen(log.stdout())),
            (status, log) => {
                let said = log.stderr();
                Err(Error::new(format!("fork_probe {}: {status:?}: {said}", args.join(" "))))
            }
        }
    }
}

/// What a probe told, in lines of `name=value`.
struct Seen(String);

impl Seen {
    fn get(&self, name: &str) -> Result<f64> {
        let lines = self.0.lines().filter_map(|line| line.split_once('='));
        let value = lines.filter(|(key, _)| *key == name).find_map(|(_, it)| it.parse().ok());
        value.ok_or_else(|| Error::new(format!("fork_probe told no {name}: {}", self.0)))
    }
}

/// What a fork takes, and what there is to copy, by the parent's size.
struct Sizes([(Measure, &'static str, f64); 5]);

impl Sizes {
    fn new() -> Sizes {
        let measure = |name, unit, from, divisor| {
            let baseline = if unit == "µs" { DYNAMIC } else { "" };
            (Measure::new(name, unit, baseline), from, divisor)
        };
        Sizes([
            measure("fork", "µs", "fork", 1_000.0),
            measure("fork, _exit and wait", "µs", "whole", 1_000.0),
            measure("mappings", "lines", "mappings", 1.0),
            measure("page tables", "KiB", "page_tables", 1.0),
            measure("resident memory", "MiB", "resident", 1_024.0),
        ])
    }

    fn add(&mut self, subject: &str, size: u64, seen: &Seen) -> Result<()> {
        for (measure, from, divisor) in &mut self.0 {
            measure.add(subject, size, seen.get(from)? / *divisor);
        }
        Ok(())
    }

    fn into_measures(self) -> impl Iterator<Item = Measure> {
        self.0.into_iter().map(|(measure, ..)| measure)
    }
}

/// Who has a page fault when.
struct Faults {
    measure: Measure,
}

impl Faults {
    const STEPS: [(&'static str, &'static str); 4] = [
        ("child_reads", "child reads all 1,024 pages"),
        ("child_writes", "child writes to some"),
        ("parent_writes", "parent writes to as many others"),
        ("parent_writes_alone", "child is gone, parent writes to all"),
    ];

    fn new() -> Faults {
        Faults { measure: Measure::new("page faults", "faults", "").counted("pages written") }
    }

    fn add(&mut self, writes: u64, seen: &Seen) -> Result<()> {
        for (name, told) in Self::STEPS {
            self.measure.add(told, writes, seen.get(name)?);
        }
        Ok(())
    }
}

/// What a connection costs lesson 3 in pages.
struct Lives {
    faults: Measure,
    own: Measure,
}

impl Lives {
    const CHILD: &str = "child, from fork to its end";
    const PARENT: &str = "parent, meanwhile";
    const OWN: &str = "child's alone when it has echoed";

    /// How many children in a row: the first one finds the parent's pages fresher than the others.
    const CHILDREN: u64 = 20;

    fn new() -> Lives {
        let at = "connection of lesson-03";
        Lives {
            faults: Measure::new("page faults in a life", "faults", "").counted(at),
            own: Measure::new("memory in a life", "KiB", "").counted(at),
        }
    }

    fn look(&mut self) -> Result<()> {
        let server = Server::lesson(lessons::program("lesson-03")?)?;
        serve_one(&server)?;
        let before = stat(server.pid())?;
        let mut own = 0;
        for _ in 0..Self::CHILDREN {
            own += serve_one(&server)?;
        }
        let after = stat(server.pid())?;
        let each = |sum: u64| sum as f64 / Self::CHILDREN as f64;
        self.faults.add(Self::CHILD, 1, each(after.cminflt - before.cminflt));
        self.faults.add(Self::PARENT, 1, each(after.minflt - before.minflt));
        self.own.add(Self::OWN, 1, each(own));
        Ok(())
    }
}

/// A connection from its beginning to its end; returns how many KiB the child had for itself.
fn serve_one(server: &Server) -> Result<u64> {
    let client = Conversation::connect(server.addr(), PATIENCE)?;
    client.say(HELLO)?;
    let family = server.wait_for("a child", |family| family.alive() == 1)?;
    let own = private_dirty(family.children[0].pid)?;
    client.bye()?;
    client.hear_end()?;
    client.reset()?;
    server.wait_for("its end", |family| family.children.is_empty())?;
    Ok(own)
}

fn stat(pid: i32) -> Result<procfs::process::Stat> {
    Process::new(pid).and_then(|process| process.stat()).map_err(gone)
}

/// How many KiB of written memory a process shares with nobody.
fn private_dirty(pid: i32) -> Result<u64> {
    let rollup = Process::new(pid).and_then(|process| process.smaps_rollup()).map_err(gone)?;
    let sum = rollup.memory_map_rollup.0.first().map(|it| it.extension.map.clone());
    Ok(sum.and_then(|it| it.get("Private_Dirty").copied()).unwrap_or(0) / 1_024)
}

fn gone(error: procfs::ProcError) -> Error {
    Error::new(format!("cannot look at lesson-03: {error}"))
}
