//! What was seen, told as a story: a line per step with each child's state and the pending bit.

use std::collections::BTreeMap;
use std::env;
use std::io::{self, IsTerminal, Write};

use client::ps::{Family, Process};
use colored::Color;

/// More children than this are told as numbers (`49 Z`), not one by one (`Z Z Z Z`).
const ONE_BY_ONE: usize = 10;

/// How many children there were, and what became of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// Children that were forked.
    pub children: usize,
    /// Children that the server collected.
    pub reaped: usize,
    /// Children that stay zombies.
    pub zombies: usize,
}

impl Tally {
    /// The count after `children` have died, when `left` are seen, besides those of `before`.
    pub(crate) fn of(children: usize, before: &Family, left: &Family) -> Tally {
        let new = |child: &&Process| !before.children.iter().any(|it| it.pid == child.pid);
        let zombies = left.children.iter().filter(new).filter(|child| child.is_zombie()).count();
        Tally { children, reaped: children.saturating_sub(zombies), zombies }
    }
}

/// What was done to a server and what was seen at each step.
#[derive(Debug, Clone)]
pub struct Story {
    title: String,
    steps: Vec<Step>,
    pub(crate) end: Option<Tally>,
}

#[derive(Debug, Clone)]
struct Step {
    done: String,
    seen: Family,
    pending: Option<String>,
}

/// Whether a text is to carry colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Escape sequences for a terminal.
    Coloured,
    /// Nothing but the text.
    Plain,
}

impl Paint {
    /// Colours for a terminal, unless `NO_COLOR` is set; for anything when `CLICOLOR_FORCE` is.
    #[must_use]
    pub fn for_stream(stream: &impl IsTerminal) -> Paint {
        let set = |name| env::var(name).is_ok_and(|value| !value.is_empty());
        let forced = set("CLICOLOR_FORCE") && env::var("CLICOLOR_FORCE").as_deref() != Ok("0");
        let coloured = !set("NO_COLOR") && (forced || stream.is_terminal());
        if coloured { Paint::Coloured } else { Paint::Plain }
    }

    /// `text` in `color`, if there are to be colours at all.
    #[must_use]
    pub fn text(self, color: Color, text: &str) -> String {
        match self {
            Paint::Coloured => format!("\x1b[{}m{text}\x1b[0m", color.to_fg_str()),
            Paint::Plain => text.to_owned(),
        }
    }

    /// `text` in red where zombies stay, else in green.
    #[must_use]
    pub fn verdict(self, zombies: usize, text: &str) -> String {
        self.text(if zombies == 0 { Color::Green } else { Color::Red }, text)
    }

    /// `text` in the colour of a process's state.
    fn state(self, state: char, text: &str) -> String {
        let color = match state {
            'Z' => Color::Red,
            'T' => Color::Yellow,
            _ => Color::Green,
        };
        self.text(color, text)
    }
}

impl Story {
    /// A story of what `title` says, in which nothing has happened yet.
    #[must_use]
    pub fn new(title: impl Into<String>) -> Story {
        Story { title: title.into(), steps: Vec::new(), end: None }
    }

    /// Adds what was done and what was seen after it, `deaths` children having died by then.
    pub fn step(&mut self, done: impl Into<String>, seen: &Family, deaths: usize) {
        let bit = format!("SIGCHLD pending: {}, 1 bit", count(deaths, "death"));
        let pending = seen.sigchld_pending.then_some(bit);
        self.steps.push(Step { done: done.into(), seen: seen.clone(), pending });
    }

    /// What was seen after each step.
    pub fn seen(&self) -> impl Iterator<Item = &Family> {
        self.steps.iter().map(|step| &step.seen)
    }

    /// What was seen of the pending SIGCHLD: `SIGCHLD pending: 5 deaths, 1 bit`.
    #[must_use]
    pub fn pending(&self) -> Option<&str> {
        self.steps.iter().find_map(|step| step.pending.as_deref())
    }

    /// The whole story, ending in a newline.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        self.render(paint, |pid| pid.to_string())
    }

    /// The story in plain text with `PID` for each pid, to be kept as a snapshot.
    #[must_use]
    pub fn normalised(&self) -> String {
        self.render(Paint::Plain, |_| "PID".to_owned())
    }

    /// Writes the story to stderr, past the test runner's capture; in one write, so no lines mix.
    pub fn show(&self) {
        let mut stderr = io::stderr();
        let text = format!("\n{}", self.text(Paint::for_stream(&stderr)));
        let _ = stderr.write_all(text.as_bytes()); // a story that can't be shown fails no test
    }

    fn render(&self, paint: Paint, name: impl Fn(i32) -> String) -> String {
        let (Some(first), Some(last)) = (self.steps.first(), self.steps.last()) else {
            return String::new();
        };
        let server = &first.seen.parent;
        let title = format!("{}, pid {}", server.name, name(server.pid));
        let mut text = paint.text(Color::Cyan, &title) + "\n" + &self.title + "\n";
        let width = self.steps.iter().map(|step| step.done.chars().count()).max().unwrap_or(0);
        text += &format!("  {:width$}  server  children\n", "");
        for Step { done, seen, pending } in &self.steps {
            let server = states(std::slice::from_ref(&seen.parent), paint);
            let children = states(&seen.children, paint);
            text += &format!("  {done:width$}       {server}  {children}\n");
            if let Some(bit) = pending {
                text += &format!("    {}\n", paint.text(Color::Yellow, bit));
            }
        }
        if let Some(Tally { reaped, zombies, .. }) = self.end {
            let verdict = format!("{reaped} reaped, {}", count(zombies, "zombie"));
            text += &format!("  {}", paint.verdict(zombies, &verdict));
            if (1..=ONE_BY_ONE).contains(&zombies) {
                let pids: Vec<String> = last.seen.children.iter().map(|it| name(it.pid)).collect();
                text += &format!(":\n    {}", pids.join(" "));
            }
            text.push('\n');
        }
        text
    }
}

/// `1 zombie`, `4 zombies`.
#[must_use]
pub fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

/// `S S S Z Z`, or `3 S 2 Z` when there are many.
fn states(processes: &[Process], paint: Paint) -> String {
    let mut numbers: BTreeMap<char, usize> = BTreeMap::new();
    for process in processes {
        *numbers.entry(process.state).or_default() += 1;
    }
    let words: Vec<String> = match processes.len() {
        0 => vec!["none".to_owned()],
        1..=ONE_BY_ONE => {
            processes.iter().map(|it| paint.state(it.state, &it.state.to_string())).collect()
        }
        _ => {
            numbers.iter().map(|(it, number)| paint.state(*it, &format!("{number} {it}"))).collect()
        }
    };
    words.join(" ")
}
