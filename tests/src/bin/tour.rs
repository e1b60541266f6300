//! The tour: five clients, three servers, and the zombies that each of them leaves behind.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use colored::Color;
use harness::lessons::{self, LESSONS, Lesson, Progress};
use harness::server::Server;
use harness::story::{Paint, Tally};
use harness::{Result, experiment};
use indicatif::{ProgressBar, ProgressStyle};

/// Shows how many zombies each lesson's server leaves when its clients all leave at once
#[derive(Parser)]
#[command(version)]
struct Args {
    /// How many clients
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1000))]
    clients: u16,
    /// Don't hold the servers still: let the clients race, ROUNDS times for each lesson
    #[arg(long, value_name = "ROUNDS", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    race: Option<u32>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let clients = usize::from(args.clients);
    let toured = lessons::build(Progress::Shown).and_then(|()| match args.race {
        None => hold_still(clients),
        Some(rounds) => race(clients, rounds),
    });
    match toured {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "tour: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The certain way: the servers are stopped while the clients leave.
fn hold_still(clients: usize) -> Result<()> {
    let paint = Paint::for_stream(&io::stdout());
    let mut summary = String::new();
    for lesson in &LESSONS {
        let server = Server::lesson(lesson.program()?)?;
        let (story, tally) = experiment::held_still(&server, clients)?;
        print(&story.text(paint));
        print("\n");
        summary += &line(lesson, tally, paint);
    }
    print("           children, reaped, zombies\n");
    print(&summary);
    Ok(())
}

/// A line of the summary, `lesson-02  5  1  4`: children, reaped, zombies.
fn line(lesson: &Lesson, tally: Tally, paint: Paint) -> String {
    let Tally { children, reaped, zombies } = tally;
    let color = if zombies == 0 { Color::Green } else { Color::Red };
    format!("{}  {children}  {reaped}  {}\n", lesson.name, paint.text(color, &zombies.to_string()))
}

/// The natural way: nobody is stopped, and the scheduler decides how many deaths fall together.
fn race(clients: usize, rounds: u32) -> Result<()> {
    let bar = ProgressBar::new(u64::from(rounds) * LESSONS.len() as u64);
    bar.set_style(
        ProgressStyle::with_template("{bar:40} {pos}/{len} rounds, {eta} left, {msg}")
            .expect("the template is well formed"),
    );
    // histograms[lesson][zombies] counts rounds.
    let mut histograms = vec![vec![0_u32; clients + 1]; LESSONS.len()];
    for _ in 0..rounds {
        for (lesson, histogram) in LESSONS.iter().zip(&mut histograms) {
            bar.set_message(lesson.name);
            let server = Server::lesson(lesson.program()?)?;
            histogram[experiment::on_their_own(&server, clients)?.zombies] += 1;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    print(&side_by_side(&histograms, rounds, Paint::for_stream(&io::stdout())));
    Ok(())
}

/// Three histograms with a row for each number of zombies that was seen at all.
fn side_by_side(histograms: &[Vec<u32>], rounds: u32, paint: Paint) -> String {
    const WIDTH: u32 = 16;
    let mut text = format!("zombies left in {rounds} rounds on their own\n       ");
    for lesson in &LESSONS {
        text += &format!("   {:<24}", lesson.name);
    }
    text.push('\n');
    for zombies in 0..histograms[0].len() {
        if histograms.iter().all(|histogram| histogram[zombies] == 0) {
            continue;
        }
        text += &format!("{zombies:>7}");
        for histogram in histograms {
            let rounds_here = histogram[zombies];
            let length = (rounds_here * WIDTH).div_ceil(rounds) as usize;
            let bar = format!("{:<width$}", "█".repeat(length), width = WIDTH as usize);
            let color = if zombies == 0 { Color::Green } else { Color::Red };
            text += &format!("   {} {rounds_here:>7}", paint.text(color, &bar));
        }
        text.push('\n');
    }
    text
}

/// Prints; that stdout is closed (`tour | head`) is no reason to panic.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
