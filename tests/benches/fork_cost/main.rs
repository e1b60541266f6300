//! What a fork costs, and where it ends: `cargo bench`.
//!
//! Each part measures one thing on several subjects, in rounds that are interleaved: a round goes
//! through all subjects before the next one begins, so that what disturbs the machine for a while
//! disturbs all of them. What is told are medians, and ratios that are taken round by round.

use std::error::Error;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, fs, iter};

use clap::Parser;
use clap::builder::PossibleValuesParser;
use harness::{complain, lessons};
use indicatif::ProgressBar;
use report::Table;

pub(crate) mod chart;
pub(crate) mod copies;
mod growth;
mod latency;
mod load;
mod machine;
mod models;
mod rate;
pub(crate) mod report;
mod servers;

/// Whatever goes wrong; [`Plan::step`] adds where.
type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How much to measure.
pub(crate) struct Plan {
    /// How often each subject is measured.
    pub(crate) rounds: usize,
    /// The most children that a server gets.
    pub(crate) children: u64,
    /// How long to count at one place.
    pub(crate) window: Duration,
}

impl Plan {
    const WHOLE: Plan = Plan { rounds: 5, children: 10_000, window: Duration::from_millis(300) };
    const QUICK: Plan = Plan { rounds: 3, children: 1_000, window: Duration::from_millis(100) };

    /// Measures, and says on a terminal what, "rate: lesson-03, 8 clients", as an error does.
    fn step<T>(&self, what: &str, measure: impl FnOnce() -> Result<T>) -> Result<T> {
        let shown = ProgressBar::new_spinner().with_message(what.to_owned());
        shown.tick();
        let measured = measure();
        shown.finish_and_clear();
        measured.map_err(|error| format!("{what}: {error}").into())
    }
}

pub(crate) type Run = fn(&Plan) -> Result<Vec<Table>>;

/// What is measured, in the order of the docs.
pub(crate) const PARTS: [(&str, Run); 5] = [
    ("rate", rate::run),
    ("copies", copies::run),
    ("growth", growth::run),
    ("models", models::run),
    ("latency", latency::run),
];

const PAGE: &str = "docs/fork-cost.md";

/// Measures what a fork costs, and where it ends
#[derive(Parser)]
#[command(name = "fork_cost", bin_name = "cargo bench --", version)]
struct Args {
    /// Measure less, and less exactly, in two minutes
    #[arg(long)]
    quick: bool,
    /// Measure only this; may be given more than once
    #[arg(long, value_parser = PossibleValuesParser::new(PARTS.map(|(name, _)| name)))]
    part: Vec<String>,
    /// Write the tables and charts into docs/
    #[arg(long, conflicts_with = "quick")]
    docs: bool,
    /// What cargo says to every bench
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    if !env::args().any(|arg| arg == "--bench") {
        // `cargo test --all-targets` runs benches too, and a test measures no time.
        complain("fork_cost: run me by `cargo bench`");
        return ExitCode::SUCCESS;
    }
    match measure(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(format_args!("fork_cost: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn measure(args: &Args) -> Result<()> {
    let plan = if args.quick { Plan::QUICK } else { Plan::WHOLE };
    let mut folders = vec![lessons::root().join("target/bench")];
    folders.extend(args.docs.then(|| lessons::root().join("docs/pictures")));
    let say = |line: &str| writeln!(io::stdout(), "{line}").unwrap_or(()); // lost, not fatal
    let is_wanted = |part: &str| args.part.is_empty() || args.part.iter().any(|it| it == part);
    for (_, run) in PARTS.into_iter().filter(|(name, _)| is_wanted(name)) {
        let busy = machine::busy();
        let tables = run(&plan)?;
        let notes = tables.iter().flat_map(|table| table.notes.clone()).chain(busy);
        let notes = notes.chain([format!("measured on {}", machine::day())]);
        let notes: String = notes.map(|note| format!("- {note}\n")).collect();
        for table in &tables {
            let markdown = table.markdown();
            say(&format!("{}\n\n{markdown}", table.name));
            if let Some((file, svg)) = chart::of(table.name, &markdown) {
                folders.iter().try_for_each(|folder| write(&folder.join(&file), &svg))?;
            }
        }
        say(&notes);
        if args.docs {
            write_docs(&tables, &notes)?;
        }
    }
    say(&format!("{}. The charts are in target/bench.", machine::text()));
    Ok(())
}

/// Writes a part's tables into the page, each between its markers, and the notes below the first.
fn write_docs(tables: &[Table], notes: &str) -> Result<()> {
    const END: &str = "<!-- bench end -->";
    let path = lessons::root().join(PAGE);
    let page = fs::read_to_string(&path);
    let mut page = page.map_err(|error| format!("cannot read {PAGE}: {error}"))?;
    let mut fill = |name, text: &str| {
        let marker = format!("<!-- bench: {name} -->\n");
        let start = page.find(&marker).map(|at| at + marker.len());
        let place = start.and_then(|start| Some(start..start + page[start..].find(END)?));
        let place = place.ok_or_else(|| format!("{PAGE} has no marker for {name}"))?;
        // A blank line on either side, or Markdown takes the text for part of HTML.
        page.replace_range(place, &format!("\n{}\n\n", text.trim()));
        Result::Ok(())
    };
    fill("machine", &format!("On this machine: {}.", machine::text()))?;
    for (table, notes) in tables.iter().zip(iter::once(notes).chain(iter::repeat(""))) {
        fill(table.name, &format!("{}\n{notes}", table.markdown()))?;
    }
    write(&path, &page)
}

/// Writes a file, into a folder that is made if need be.
fn write(path: &Path, text: &str) -> Result<()> {
    fs::create_dir_all(path.parent().unwrap_or(path))
        .and_then(|()| fs::write(path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()).into())
}
