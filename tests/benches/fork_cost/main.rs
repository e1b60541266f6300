//! What a fork costs, and where it ends: `cargo bench`.
//!
//! Each part measures one thing on several subjects, in rounds that are interleaved: a round goes
//! through all subjects before the next one begins, so that what disturbs the machine for a while
//! disturbs all of them. What is told are medians, and ratios that are taken round by round.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::{env, fs};

use clap::Parser;
use clap::builder::PossibleValuesParser;
use harness::{Error, Result, lessons};

use machine::{Machine, Watch};
use plan::Plan;
use report::Part;
use serde_json::json;

pub(crate) mod chart;
pub(crate) mod copies;
mod docs;
mod growth;
mod latency;
mod limits;
mod load;
mod machine;
mod models;
pub(crate) mod plan;
mod rate;
pub(crate) mod report;
mod servers;

/// Measures one part.
pub(crate) type Run = fn(&Plan) -> Result<Part>;

/// What is measured, in the order of the docs.
pub(crate) const PARTS: [(&str, Run); 5] = [
    ("rate", rate::run),
    ("copies", copies::run),
    ("growth", growth::run),
    ("models", models::run),
    ("latency", latency::run),
];

/// Measures what a fork costs, and where it ends
#[derive(Parser)]
#[command(name = "fork_cost", bin_name = "cargo bench --", version)]
struct Args {
    /// Measure less, and less exactly, in under a minute
    #[arg(long)]
    quick: bool,
    /// Measure only this; may be given more than once
    #[arg(long, value_parser = PossibleValuesParser::new(PARTS.map(|(name, _)| name)))]
    part: Vec<String>,
    /// Write the tables and charts into docs/
    #[arg(long)]
    docs: bool,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    if !env::args().any(|arg| arg == "--bench") {
        // `cargo test --all-targets` runs benches too, and a test measures no time.
        let _ = writeln!(io::stderr(), "fork_cost: run me by `cargo bench`");
        return ExitCode::SUCCESS;
    }
    match measure(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "fork_cost: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    let plan = Plan::new(args.quick);
    let root = lessons::root();
    let folder = root.join("target/bench");
    let machine = Machine::this();
    let (mut parts, mut busy) = (Vec::new(), false);
    for (name, run) in PARTS {
        if !args.part.is_empty() && !args.part.iter().any(|part| part == name) {
            continue;
        }
        let watch = Watch::begin()?;
        let mut part = run(&plan)?;
        let noise = watch.end()?;
        part.notes.extend(noise.warning());
        plan.print(&part.text());
        busy |= noise.is_busy();
        for measure in part.measures.iter().filter(|it| !it.baseline.is_empty()) {
            let (file, svg) = (chart::file_name(&part, measure), chart::svg(&part, measure)?);
            write(&folder, &file, &svg)?;
            // The chapter shows some of them; a new one is begun by hand, as an empty file.
            let pictures = root.join("docs/pictures");
            if args.docs && pictures.join(&file).exists() {
                write(&pictures, &file, &svg)?;
            }
        }
        let mut json = part.json();
        json["noise"] = noise.json();
        parts.push(json);
        if args.docs {
            let page = root.join("docs/fork-cost.md");
            part.notes.push(format!("measured on {}", machine.day()));
            docs::replace(&page, name, &part.markdown())?;
            let where_told = format!("On this machine: {}.", machine.text());
            docs::replace(&page, "machine", &where_told)?;
            if name == "growth" {
                docs::roads(&root.join("docs/other-roads.md"), &part)?;
            }
        }
    }
    plan.done();
    let json = json!({
        "machine": machine.json(),
        "quick": plan.quick,
        "busy": busy,
        "parts": parts,
    });
    write(&folder, "fork_cost.json", &format!("{json:#}\n"))?;
    plan.print(&format!(
        "Measured on {}: {}. Figures and charts are in {}.{}",
        machine.day(),
        machine.text(),
        folder.strip_prefix(root).unwrap_or(&folder).display(),
        if busy { " It was busy: trust the ratios little, and the rest less." } else { "" }
    ));
    Ok(())
}

/// Writes a file into a folder, which is made if need be.
fn write(folder: &Path, name: &str, text: &str) -> Result<()> {
    let path = folder.join(name);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, text))
        .map_err(|error| Error::new(format!("cannot write {}: {error}", path.display())))
}
