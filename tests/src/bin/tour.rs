//! The tour: five clients, three servers, and the zombies that each of them leaves behind.

use std::io::{self, BufRead, IsTerminal};
use std::process::ExitCode;

use clap::Parser;
use harness::lessons::{self, LESSONS, Lesson};
use harness::server::Server;
use harness::story::{Paint, Tally};
use harness::{Error, Result, complain, experiment, print};
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
    /// Before each server runs again, ask how many zombies will stay
    #[arg(long, conflicts_with = "race")]
    ask: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let clients = usize::from(args.clients);
    let toured = lessons::build().and_then(|()| match args.race {
        None => hold_still(clients, args.ask),
        Some(rounds) => race(clients, rounds as usize),
    });
    let Err(error) = toured else { return ExitCode::SUCCESS };
    complain(format_args!("tour: {error}"));
    ExitCode::FAILURE
}

/// The certain way: the servers are stopped while the clients leave.
fn hold_still(clients: usize, ask: bool) -> Result<()> {
    let paint = Paint::for_stream(&io::stdout());
    let mut summary = String::new();
    let mut right = 0;
    for lesson in &LESSONS {
        let server = Server::lesson(lesson.program()?)?;
        let mut shown = String::new();
        let mut guess = None;
        let (story, tally) = experiment::held_still_until(&server, clients, |story| {
            if ask {
                shown = story.text(paint);
                print(&shown);
                guess = Some(prediction(lesson, clients)?);
            }
            Ok(())
        })?;
        let whole = story.text(paint);
        print(whole.strip_prefix(&shown).unwrap_or(&whole));
        if let Some(guess) = guess {
            let is_right = guess == tally.zombies;
            right += usize::from(is_right);
            let why = lesson.explain(tally.children, story.pending().is_some());
            print(&format!("  {}: {why}\n", if is_right { "Right" } else { "No" }));
        }
        print("\n");
        let Tally { children, reaped, zombies } = tally;
        let stay = paint.verdict(zombies, &zombies.to_string());
        summary += &format!("{}  {children}  {reaped}  {stay}\n", lesson.name);
    }
    print("           children, reaped, zombies\n");
    print(&summary);
    if ask {
        print(&format!("\nYou predicted {right} of {}.\n", LESSONS.len()));
    }
    Ok(())
}

/// Asks for a number of zombies, from nobody to everybody, until it is told one.
fn prediction(lesson: &Lesson, clients: usize) -> Result<usize> {
    let (name, terminal) = (lesson.name, io::stdin().is_terminal());
    loop {
        print(&format!("  Next: SIGCONT, and {name} runs again.\n  How many zombies stay? "));
        let mut said = String::new();
        let read = io::stdin().lock().read_line(&mut said);
        read.map_err(Error::cannot("read an answer"))?;
        if !terminal {
            print(&format!("{}\n", said.trim_end()));
        }
        match said.trim().parse() {
            Ok(guess) if guess <= clients => return Ok(guess),
            _ if said.is_empty() => {
                return Err(Error::new(format!(
                    "no answer for {name}: --ask reads a line for each lesson from stdin"
                )));
            }
            _ => print(&format!("  A number from 0 to {clients}, please.\n")),
        }
    }
}

/// The natural way: nobody is stopped, and the scheduler decides how many deaths fall together.
fn race(clients: usize, rounds: usize) -> Result<()> {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} rounds, {eta} left, {msg}");
    let bar = ProgressBar::new((rounds * LESSONS.len()) as u64);
    bar.set_style(style.expect("the template is well formed"));
    // histograms[lesson][zombies] counts rounds.
    let mut histograms = vec![vec![0; clients + 1]; LESSONS.len()];
    for _ in 0..rounds {
        for (lesson, histogram) in LESSONS.iter().zip(&mut histograms) {
            bar.set_message(lesson.name);
            let server = Server::lesson(lesson.program()?)?;
            histogram[experiment::on_their_own(&server, clients)?.zombies] += 1;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();
    let paint = Paint::for_stream(&io::stdout());
    print(&format!("zombies left in {rounds} rounds\n"));
    for (lesson, histogram) in LESSONS.iter().zip(&histograms) {
        print(&format!("{}\n{}", lesson.name, bars(histogram, rounds, paint)));
    }
    Ok(())
}

/// A bar for each number of zombies that was seen at all.
fn bars(histogram: &[usize], rounds: usize, paint: Paint) -> String {
    const WIDTH: usize = 20;
    let digits = rounds.to_string().len();
    let mut text = String::new();
    for (zombies, here) in histogram.iter().enumerate().filter(|(_, here)| **here > 0) {
        let bar = "█".repeat((here * WIDTH).div_ceil(rounds));
        let bar = paint.verdict(zombies, &format!("{bar:<WIDTH$}"));
        text += &format!("{zombies:>3}  {bar} {here:>digits$}\n");
    }
    text
}
