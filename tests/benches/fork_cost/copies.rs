//! What fork copies at once: the parent's list of mappings and its page tables.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use harness::server::Launch;
use harness::{Error, Result, lessons};
use nix::sys::wait::WaitStatus;

use super::Plan;
use super::report::{Measure, Part, Table, number};
use super::servers;

/// How many MiB a parent has written to.
const SIZES: [u64; 4] = [0, 1, 100, 1_000];
/// From which size on there are fewer rounds.
const SLOW: u64 = 1_000;
/// How many mappings of one page each a parent has besides those of its program.
const MAPPINGS: [u64; 3] = [0, 100, 1_000];

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::default();
    let probe = Probe::built("dynamic", "-crt-static")?;
    let small = Probe::built("static", "+crt-static");
    if small.is_err() {
        part.notes.push("static: left out, no static C library is installed".to_owned());
    }
    // Who has few children has small parents, too.
    let sizes = SIZES.into_iter().filter(|size| *size <= plan.children);
    let mut by_size = Measure::default();
    let [mut by_mappings, mut mappings] = [(); 2].map(|()| Measure::default());
    let mut no_huge = false;
    for round in 0..plan.rounds {
        for size in sizes.clone() {
            plan.step(&format!("copies: {size} MiB"));
            if size >= SLOW && round >= if plan.quick { 1 } else { 3 } {
                continue;
            }
            let mut describe = |seen: &Seen, pages: &str| {
                let [fork, whole] = [seen.get("fork")?, seen.get("whole")?].map(|ns| ns / 1_000.0);
                by_size.add(&format!("{pages}fork, µs"), size, fork);
                by_size.add(&format!("{pages}fork, _exit and wait, µs"), size, whole);
                by_size.add(&format!("{pages}page tables, KiB"), size, seen.get("page_tables")?);
                Ok::<(), Error>(())
            };
            describe(&probe.fork(plan, size, "small", 0)?, "")?;
            let seen = probe.fork(plan, size, "huge", 0)?;
            match seen.get("in_huge_pages")? {
                _ if size == 0 => {}
                kib if kib > 1_014.0 * size as f64 => describe(&seen, "huge pages: ")?,
                _ => no_huge = true,
            }
            if let Ok(small) = &small {
                let fork = small.fork(plan, size, "small", 0)?.get("fork")?;
                by_size.add("static program: fork, µs", size, fork / 1_000.0);
            }
        }
        for more in MAPPINGS {
            plan.step(&format!("copies: {more} mappings more"));
            for (name, probe) in [("dynamic", Ok(&probe)), ("static", small.as_ref())] {
                let Ok(probe) = probe else { continue };
                let seen = probe.fork(plan, 0, "small", more)?;
                by_mappings.add(name, more, seen.get("fork")? / 1_000.0);
                mappings.add(name, more, seen.get("mappings")?);
            }
        }
    }
    if no_huge {
        part.notes.push("huge pages: this kernel gave fewer than were asked for".to_owned());
    }
    let by_size = SIZES.iter().fold(Table::new("copies", ""), |table, size| {
        table.column(&format!("{} MiB", number(*size as f64)), &by_size, *size)
    });
    let by_count = Table::new("copies, mappings", "")
        .column("mappings", &mappings, 0)
        .column("fork, µs", &by_mappings, 0)
        .column("100 mappings more", &by_mappings, 100)
        .column("1,000 more", &by_mappings, 1_000);
    part.tables.extend([by_size, by_count]);
    Ok(part)
}

/// tests/examples/fork_probe.rs, built.
pub(crate) struct Probe(PathBuf);

impl Probe {
    pub(crate) fn built(name: &str, feature: &str) -> Result<Probe> {
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition", "2024", "-O", "-C", &format!("target-feature={feature}")]);
        rustc.arg(lessons::root().join("tests/examples/fork_probe.rs"));
        servers::compiled(&format!("fork_probe-{name}"), &mut rustc).map(Probe)
    }

    fn fork(&self, plan: &Plan, mib: u64, pages: &str, mappings: u64) -> Result<Seen> {
        let milliseconds = plan.window.as_millis() / 4;
        self.run(&format!("fork {mib} {pages} {mappings} {milliseconds}"))
    }

    pub(crate) fn run(&self, args: &str) -> Result<Seen> {
        let launch = args.split(' ').fold(Launch::new(&self.0), Launch::arg);
        match launch.run()? {
            (WaitStatus::Exited(_, 0), log) => Ok(Seen(log.stdout())),
            (status, log) => {
                Err(Error::new(format!("fork_probe {args}: {status:?}: {}", log.stderr())))
            }
        }
    }
}

/// What a probe told, in lines of `name=value`.
pub(crate) struct Seen(String);

impl Seen {
    pub(crate) fn get(&self, name: &str) -> Result<f64> {
        let lines = self.0.lines().filter_map(|line| line.split_once('='));
        let value = lines.filter(|(key, _)| *key == name).find_map(|(_, it)| it.parse().ok());
        value.ok_or_else(|| Error::new(format!("fork_probe told no {name}: {}", self.0)))
    }
}
