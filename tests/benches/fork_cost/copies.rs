//! What fork copies at once: the parent's list of mappings and its page tables.

use std::collections::HashMap;
use std::path::Path;

use harness::lessons;
use harness::server::Launch;
use nix::sys::wait::WaitStatus;

use super::report::Table;
use super::{Plan, Result};

/// The parent: an example of this package.
pub(crate) const PROBE: &str = "fork_probe";

/// How many MiB a parent has written to, and what is above their columns.
const SIZES: [u64; 4] = [0, 1, 100, 1_000];
const SIZE_HEADS: [&str; 5] = ["", "0 MiB", "1 MiB", "100 MiB", "1,000 MiB"];
/// How many mappings of one page each a parent has besides those of its program. Before their
/// columns is one that says how many there are in all.
const MAPPINGS: [u64; 3] = [0, 100, 1_000];
const MAPPING_HEADS: [&str; 5] = ["", "mappings", "fork, µs", "100 mappings more", "1,000 more"];

/// What is told of each size, of a static program the first of them.
const FIGURES: [&str; 3] = ["fork, µs", "fork, _exit and wait, µs", "page tables, KiB"];

pub(crate) fn run(plan: &Plan) -> Result<Vec<Table>> {
    let mut by_size = Table::new("copies", &SIZE_HEADS, None);
    let mut by_count = Table::new("copies, mappings", &MAPPING_HEADS, None);
    let dynamic = lessons::example(PROBE)?;
    let fixed = lessons::static_program(env!("CARGO_PKG_NAME"), "--example", PROBE).ok();
    if fixed.is_none() {
        by_size.notes.insert("static: left out, no static C library is installed".into());
    }
    let mut kinds = vec![("", &dynamic, "small", &FIGURES[..])];
    kinds.extend(fixed.iter().map(|fixed| ("static program: ", fixed, "small", &FIGURES[..1])));
    kinds.push(("huge pages: ", &dynamic, "huge", &FIGURES));
    let milliseconds = plan.window.as_millis() / 4;
    for _ in 0..plan.rounds {
        // Who has few children has small parents, too.
        for (column, size) in (0..).zip(SIZES).filter(|(_, size)| *size <= plan.children) {
            for &(kind, probe, pages, names) in &kinds {
                let what = format!("copies: {kind}{size} MiB");
                let args = format!("{pages} {size} 0 {milliseconds}");
                let figures = plan.step(&what, || told(probe, &args))?;
                let is_huge = figures["huge pages, KiB"] > 1_014.0 * size as f64;
                if pages == "small" || is_huge {
                    for &name in names {
                        by_size.add(&format!("{kind}{name}"), column, figures[name]);
                    }
                } else if size > 0 {
                    let why = "this kernel gave fewer than were asked for";
                    by_size.notes.insert(format!("huge pages: {why}"));
                }
            }
        }
        for (column, more) in (1..).zip(MAPPINGS) {
            for &(kind, probe, ..) in kinds.iter().filter(|(_, _, pages, _)| *pages == "small") {
                let name = if kind.is_empty() { "dynamic" } else { "static" };
                let what = format!("copies: {name}, {more} mappings more");
                let args = format!("small 0 {more} {milliseconds}");
                let figures = plan.step(&what, || told(probe, &args))?;
                by_count.add(name, column, figures["fork, µs"]);
                by_count.add(name, 0, (more == 0).then_some(figures["mappings"]));
            }
        }
    }
    Ok(vec![by_size, by_count])
}

/// What tests/examples/fork_probe.rs tells, in lines of `name=value`, when it is run with these
/// arguments.
pub(crate) fn told(probe: &Path, args: &str) -> Result<HashMap<String, f64>> {
    let (status, log) = args.split(' ').fold(Launch::new(probe), Launch::arg).run()?;
    if !matches!(status, WaitStatus::Exited(_, 0)) {
        return Err(format!("the probe ended with {status:?}: {}", log.text()).into());
    }
    let text = log.stdout();
    let figures = text.lines().filter_map(|line| line.split_once('='));
    Ok(figures.filter_map(|(name, it)| Some((name.to_owned(), it.parse().ok()?))).collect())
}
