//! The exam: puts the lessons' questions to any fork server that echoes, in any language.

use std::ffi::OsString;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Parser;
use colored::Color;
use harness::exam::{Answer, Examinee, Outcome, QUESTIONS, Question, Verdict};
use harness::story::Paint;
use serde_json::json;

/// Starts a server, asks what a fork server must answer for, and says at which lesson it stands
///
/// The server must echo what it is sent; a conversation ends with `Bye`, or else with end-of-file.
/// Exit status: 0 when nothing fails, 1 when something does, 2 when the exam can't be held.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Address on which the server is going to listen, as IP:PORT
    #[arg(long, default_value = "127.0.0.1:5555")]
    addr: SocketAddr,
    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// The command that starts the server, with its arguments; a `--` may stand before it
    // `cargo run --bin exam -- python3 server.py`: that `--` is cargo's, and doesn't get here.
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let examinee = match Examinee::meet(&args.command, args.addr) {
        Ok(examinee) => examinee,
        Err(error) => {
            let _ = writeln!(io::stderr(), "exam: {error}");
            return ExitCode::from(2);
        }
    };
    let paint = Paint::for_stream(&io::stdout());
    if !args.json {
        print(&format!(
            "{} on {}: it {}; {}\n",
            spelled(&args.command),
            args.addr,
            examinee.kind().describe(),
            examinee.sigchld().describe()
        ));
    }
    let mut answers = Vec::new();
    for (question, number) in QUESTIONS.iter().zip(1..) {
        let answer = examinee.ask(question);
        if !args.json {
            print(&row(number, question, &answer, paint));
        }
        answers.push(answer);
    }
    let verdict = Verdict::of(&examinee, &answers);
    if args.json {
        print(&format!("{:#}\n", object(&args, &examinee, &answers, &verdict)));
    } else {
        print(&format!("\n{}\n", verdict.line));
    }
    if answers.iter().any(|answer| answer.outcome == Outcome::Fails) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    }
}

/// A question with its outcome, and the evidence under it.
fn row(number: usize, question: &Question, answer: &Answer, paint: Paint) -> String {
    let (mark, color) = match answer.outcome {
        Outcome::Holds => ("holds", Color::Green),
        Outcome::Fails => ("fails", Color::Red),
        Outcome::CannotBeAsked => ("-", Color::Yellow),
    };
    let mark = paint.text(color, &format!("{mark:<5}"));
    format!("{number:>2}  {mark}  {}\n           {}\n", question.name, answer.evidence)
}

/// The object that `--json` prints; docs/exam.md describes it.
fn object(
    args: &Args,
    examinee: &Examinee,
    answers: &[Answer],
    verdict: &Verdict,
) -> serde_json::Value {
    let questions: Vec<_> = QUESTIONS
        .iter()
        .zip(answers)
        .map(|(question, answer)| {
            json!({
                "name": question.name,
                "done": question.done,
                "outcome": answer.outcome.name(),
                "evidence": answer.evidence,
            })
        })
        .collect();
    json!({
        "command": args.command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>(),
        "addr": args.addr.to_string(),
        "serves": examinee.kind().describe(),
        "sigchld": examinee.sigchld().describe(),
        "lesson": verdict.lesson,
        "verdict": verdict.line,
        "questions": questions,
    })
}

fn spelled(command: &[OsString]) -> String {
    command.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Prints; that stdout is closed (`exam | head`) is no reason to panic.
fn print(text: &str) {
    let _ = io::stdout().write_all(text.as_bytes());
}
