//! What fork copies at once: the parent's list of mappings and its page tables.

use std::collections::HashMap;
use std::env;
use std::path::PathBuf;
use std::process::Command;

use harness::server::Launch;
use harness::{Result, lessons};

use super::Plan;
use super::report::{Part, Table};
use super::servers;

/// How many MiB a parent has written to, and what is above their columns.
const SIZES: [u64; 4] = [0, 1, 100, 1_000];
const SIZE_HEADS: [&str; 5] = ["", "0 MiB", "1 MiB", "100 MiB", "1,000 MiB"];
/// How many mappings of one page each a parent has besides those of its program. Before their
/// columns is one that says how many there are in all.
const MAPPINGS: [u64; 3] = [0, 100, 1_000];
const MAPPING_HEADS: [&str; 5] = ["", "mappings", "fork, µs", "100 mappings more", "1,000 more"];

/// What a probe tells.
const FORK: &str = "fork, µs";
const FIGURES: [&str; 3] = [FORK, "fork, _exit and wait, µs", "page tables, KiB"];

pub(crate) fn run(plan: &Plan) -> Result<Part> {
    let mut part = Part::default();
    let mut probes = vec![("dynamic", Probe::built("dynamic", "-crt-static")?)];
    match Probe::built("static", "+crt-static") {
        Ok(probe) => probes.push(("static", probe)),
        Err(_) => part.note("static: left out, no static C library is installed"),
    }
    let mut by_size = Table::new("copies", &SIZE_HEADS);
    let mut by_count = Table::new("copies, mappings", &MAPPING_HEADS);
    for _ in 0..plan.rounds {
        // Who has few children has small parents, too.
        for (column, size) in (0..).zip(SIZES).filter(|(_, size)| *size <= plan.children) {
            plan.step(&format!("copies: {size} MiB"), || {
                let told = probes[0].1.fork(plan, "small", size, 0)?;
                for name in FIGURES {
                    by_size.add(name, column, told[name]);
                }
                if let Some((_, small)) = probes.get(1) {
                    let fork = small.fork(plan, "small", size, 0)?[FORK];
                    by_size.add("static program: fork, µs", column, fork);
                }
                if size == 0 {
                    return Ok(());
                }
                let told = probes[0].1.fork(plan, "huge", size, 0)?;
                if told["huge pages, KiB"] <= 1_014.0 * size as f64 {
                    part.note("huge pages: this kernel gave fewer than were asked for");
                    return Ok(());
                }
                for name in FIGURES {
                    by_size.add(&format!("huge pages: {name}"), column, told[name]);
                }
                Ok(())
            })?;
        }
        for (column, more) in (1..).zip(MAPPINGS) {
            plan.step(&format!("copies: {more} mappings more"), || {
                for (name, probe) in &probes {
                    let told = probe.fork(plan, "small", 0, more)?;
                    by_count.add(name, column, told[FORK]);
                    if more == 0 {
                        by_count.add(name, 0, told["mappings"]);
                    }
                }
                Ok(())
            })?;
        }
    }
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

    fn fork(
        &self,
        plan: &Plan,
        pages: &str,
        mib: u64,
        mappings: u64,
    ) -> Result<HashMap<String, f64>> {
        let milliseconds = plan.window.as_millis() / 4;
        self.run(&format!("{pages} {mib} {mappings} {milliseconds}"))
    }

    pub(crate) fn run(&self, args: &str) -> Result<HashMap<String, f64>> {
        servers::told(args.split(' ').fold(Launch::new(&self.0), Launch::arg))
    }
}
