//! Zombies: whose are those on this machine, since when, and why?

use std::io::{self, Write};
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use harness::story::Paint;
use harness::{complain, zombies};

/// Lists the zombies that can be seen here, by parent, and says why they stay
///
/// It only reads /proc: no process is sent anything. Exit status: 0 when there is no zombie, 1 when
/// there are some, 2 when /proc can't be read.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Print one JSON object in place of the text
    #[arg(long)]
    json: bool,
    /// Look again and again until Ctrl-C
    #[arg(long, conflicts_with = "json")]
    watch: bool,
    /// Milliseconds between the two looks
    #[arg(long, value_name = "MS", default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    again: u64,
    /// Only these parents, or the parents of these zombies
    #[arg(value_name = "PID", value_parser = clap::value_parser!(i32).range(1..))]
    pids: Vec<i32>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let paint = Paint::for_stream(&io::stdout());
    loop {
        let report = match zombies::look(&args.pids, Duration::from_millis(args.again)) {
            Ok(report) => report,
            Err(error) => {
                complain(format_args!("zombies: {error}"));
                return ExitCode::from(2);
            }
        };
        let text = match args.json {
            true => format!("{:#}\n", report.json()),
            false => report.text(args.again, paint),
        };
        let clear = match (args.watch, paint) {
            (true, Paint::Coloured) => "\x1b[H\x1b[2J",
            (true, Paint::Plain) => "\n",
            (false, _) => "",
        };
        let printed = io::stdout().write_all(format!("{clear}{text}").as_bytes());
        if args.watch && report.zombies() == 0 {
            sleep(Duration::from_millis(args.again)); // else there was a second look
        }
        if !args.watch || printed.is_err() {
            return ExitCode::from(u8::from(report.zombies() > 0));
        }
    }
}
