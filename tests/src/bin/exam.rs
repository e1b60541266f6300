//! The exam: puts the lessons' questions to any fork server, in any language.

use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use harness::exam::pid1::{self, Candidate};
use harness::exam::{Answer, Examinee, Outcome, QUESTIONS, Question, Report, Terms};
use harness::server::{Address, Goodbye, HELLO, Talk};
use harness::story::Paint;
use harness::{complain, print};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

/// Starts a server, checks what a fork server must get right, and says which lesson it has reached
///
/// Unless told otherwise the server must echo what it is sent; a conversation ends with `Bye`, or
/// else with end-of-file. In TEXT, \r, \n, \t, \0, \\ and \xHH stand for one byte. Exit status: 0
/// when nothing fails, 1 when something does, 2 when the exam can't be held.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// Where the server is going to listen: IP:PORT, localhost:PORT, PORT or unix:PATH
    #[arg(long, default_value = "127.0.0.1:5555", value_parser = Address::parse)]
    addr: Places,
    /// Have COMMAND be PID 1 of a PID namespace, as in a container: does it reap, and end well?
    #[arg(long, conflicts_with_all = ["addr", "send", "expect", "first", "bye", "host_network", "time"])]
    pid1: bool,
    /// Print one JSON object in place of the table
    #[arg(long)]
    json: bool,
    /// What a client sends, in place of `hello` and a newline; nothing, if it is empty
    #[arg(long, value_name = "TEXT", value_parser = bytes, help_heading = "How it talks")]
    send: Option<Bytes>,
    /// What must be in the answer, in place of an echo
    #[arg(long, value_name = "TEXT", value_parser = bytes, help_heading = "How it talks")]
    expect: Option<Bytes>,
    /// The server speaks first; TEXT must be in what it says then
    #[arg(long, value_name = "TEXT", value_parser = bytes, help_heading = "How it talks",
          num_args = 0..=1, require_equals = true, default_missing_value = "")]
    first: Option<Bytes>,
    /// What a client says when it leaves, on which the server closes
    #[arg(long, value_name = "TEXT", value_parser = words, help_heading = "How it talks")]
    bye: Option<Bytes>,
    /// Run the server in this machine's network, and not in one of its own
    #[arg(long)]
    host_network: bool,
    /// Seconds after which nothing more is asked
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    time: u64,
    /// The command that starts the server, with its arguments; a `--` may stand before it
    // `cargo run --bin exam -- python3 server.py`: that `--` is cargo's, and doesn't get here.
    #[arg(trailing_var_arg = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

// One value each; clap takes a type that is spelled `Vec` for an option that may come again.
type Places = Vec<Address>;
type Bytes = Vec<u8>;

/// The bytes that a text with escapes stands for.
fn bytes(text: &str) -> Result<Bytes, String> {
    let (mut bytes, mut rest) = (Vec::new(), text);
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend(before.bytes());
        let length = if after.starts_with('x') { 3 } else { 1 };
        let escape = after.get(..length).unwrap_or(after);
        bytes.push(match escape {
            "r" => b'\r',
            "n" => b'\n',
            "t" => b'\t',
            "0" => 0,
            "\\" => b'\\',
            hex => hex
                .strip_prefix('x')
                .filter(|digits| digits.len() == 2 && !digits.starts_with('+'))
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
                .ok_or_else(|| format!("\\{hex} is none of \\r \\n \\t \\0 \\\\ \\xHH"))?,
        });
        rest = &after[escape.len()..];
    }
    bytes.extend(rest.bytes());
    Ok(bytes)
}

/// The same, of at least one byte.
fn words(text: &str) -> Result<Bytes, String> {
    bytes(text).and_then(|it| if it.is_empty() { Err("it is empty".to_owned()) } else { Ok(it) })
}

impl Args {
    /// The command, to be shown.
    fn words(&self) -> Vec<Cow<'_, str>> {
        self.command.iter().map(|word| word.to_string_lossy()).collect()
    }

    fn terms(&self) -> Terms {
        let silent = self.first.is_some() && self.expect.is_none();
        let hello = if silent { Vec::new() } else { HELLO.to_vec() };
        let says = self.send.clone().unwrap_or(hello);
        let talk = Talk { greeting: self.first.clone(), says, hears: self.expect.clone() };
        let goodbye = self.bye.clone().map(Goodbye::Words);
        let time = Duration::from_secs(self.time);
        Terms { talk, goodbye, host_network: self.host_network, time }
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let now = if args.pid1 { "starts it as PID 1" } else { "gets to know the server" };
    let progress = progress(now);
    let sat = if args.pid1 { as_pid1(&args, &progress) } else { as_server(&args, &progress) };
    progress.finish_and_clear();
    match sat {
        Ok((answers, verdict, object)) => {
            print(&if args.json { format!("{object:#}\n") } else { format!("\n{verdict}\n") });
            status(&answers)
        }
        Err(error) => {
            complain(format_args!("exam: {error}"));
            ExitCode::from(2)
        }
    }
}

/// What came of an exam: the answers, the verdict in a line, and the object that `--json` prints.
type Sat = (Vec<Answer>, String, Value);

/// Puts the questions to a server; docs/exam-reference.md describes the object.
fn as_server(args: &Args, progress: &ProgressBar) -> harness::Result<Sat> {
    let examinee = Examinee::meet(&args.command, &args.addr, &args.terms())?;
    if let Some(why) = &examinee.no_network {
        progress
            .suspend(|| complain(format_args!("exam: it runs in this machine's network: {why}")));
    }
    let (kind, sigchld) = (examinee.ways.kind.describe(), examinee.ways.sigchld.describe());
    if !args.json {
        let (command, addr) = (args.words().join(" "), &args.addr[0]);
        progress.suspend(|| print(&format!("{command} on {addr}: it {kind}; {sigchld}\n")));
    }
    let Report { answers, verdict } = examinee.sit(&mut table(args, progress, &QUESTIONS));
    let object = json!({
        "schema": 1,
        "command": args.words(),
        "addr": args.addr[0].to_string(),
        "serves": kind,
        "sigchld": sigchld,
        "leaks": verdict.leaks,
        "lesson": verdict.lesson,
        "cause": verdict.cause.map(|cause| cause.name()),
        "verdict": verdict.line,
        "questions": questions(&QUESTIONS, &answers),
    });
    Ok((answers, verdict.line, object))
}

fn as_pid1(args: &Args, progress: &ProgressBar) -> harness::Result<Sat> {
    let candidate = Candidate::meet(&args.command)?;
    if !args.json {
        progress.suspend(|| print(&format!("{} as PID 1\n", args.words().join(" "))));
    }
    let Report { answers, verdict } = candidate.sit(&mut table(args, progress, &pid1::QUESTIONS));
    let object = json!({
        "schema": 1,
        "command": args.words(),
        "reaps": verdict.reaps,
        "verdict": verdict.line,
        "questions": questions(&pid1::QUESTIONS, &answers),
    });
    Ok((answers, verdict.line, object))
}

fn status(answers: &[Answer]) -> ExitCode {
    if answers.iter().any(|answer| answer.outcome == Outcome::Fails) {
        return ExitCode::FAILURE;
    }
    if answers.iter().any(|answer| answer.late) {
        complain("exam: time was up before everything was asked; --time gives it more");
        return ExitCode::from(2);
    }
    ExitCode::SUCCESS
}

/// Prints the row of each answer as it comes, if there is to be a table, and how far it has got.
fn table<T>(
    args: &Args,
    progress: &ProgressBar,
    questions: &[Question<T>],
) -> impl FnMut(usize, &Answer) {
    let paint = Paint::for_stream(&io::stdout());
    let answered = |so_far| format!("{so_far} of {} questions answered", questions.len());
    progress.set_message(answered(0));
    move |number, answer| {
        if !args.json {
            let row = answer.row(number, questions[number - 1].name, paint);
            progress.suspend(|| print(&row));
        }
        progress.set_message(answered(number));
    }
}

/// A line on stderr that says what goes on, if that is a terminal.
fn progress(now: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} ({elapsed})");
    let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style).with_message(now);
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn questions<T>(questions: &[Question<T>], answers: &[Answer]) -> Vec<Value> {
    let told = questions.iter().zip(answers).map(|(question, answer)| {
        json!({
            "name": question.name,
            "done": question.done,
            "outcome": answer.outcome.name(),
            "evidence": answer.evidence,
            "hint": answer.hint,
        })
    });
    told.collect()
}
