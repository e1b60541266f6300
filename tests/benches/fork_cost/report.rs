//! What was measured, and the tables that tell it, on the terminal and in the docs.

use std::iter;
use std::time::Duration;

use indicatif::HumanCount;

/// What one part of the bench has to tell.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) tables: Vec<Table>,
    /// What was left out and why, and which limit ended it.
    pub(crate) notes: Vec<String>,
}

/// What was measured of several subjects.
pub(crate) struct Table {
    /// Where it goes in the docs, and which chart is drawn of it.
    pub(crate) name: &'static str,
    /// What is above the subjects, and above each column.
    heads: Vec<String>,
    /// From which column on they are ratios, each of two values of the same round: what slows a
    /// whole round down cancels out. Their spread is told: it says something about another machine.
    ratios: usize,
    /// The subjects, and in each column a value a round.
    rows: Vec<(String, Vec<Vec<f64>>)>,
}

impl Part {
    /// Adds a note, once.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// The notes, as a list in Markdown.
    pub(crate) fn list(&self) -> String {
        self.notes.iter().map(|note| format!("- {note}\n")).collect()
    }
}

impl Table {
    /// A table without rows, and without ratios.
    pub(crate) fn new(name: &'static str, heads: &[&str]) -> Table {
        let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
        Table { name, ratios: heads.len(), heads, rows: Vec::new() }
    }

    /// The same with ratios, from this column on.
    pub(crate) fn ratios_from(self, column: usize) -> Table {
        Table { ratios: column, ..self }
    }

    /// Adds what a round has measured of `subject`, if it has.
    pub(crate) fn add(&mut self, subject: &str, column: usize, value: impl Into<Option<f64>>) {
        let known = self.rows.iter().position(|(row, _)| row == subject);
        let row = known.unwrap_or_else(|| {
            self.rows.push((subject.to_owned(), vec![Vec::new(); self.heads.len() - 1]));
            self.rows.len() - 1
        });
        self.rows[row].1[column].extend(value.into());
    }

    /// In Markdown, padded so that it can be read as it is; without columns that are empty.
    pub(crate) fn markdown(&self) -> String {
        let mut columns: Vec<Vec<String>> = vec![self.rows.iter().map(|it| it.0.clone()).collect()];
        for column in 0..self.heads.len() - 1 {
            let is_ratio = column >= self.ratios;
            columns.push(self.rows.iter().map(|it| summary(&it.1[column], is_ratio)).collect());
        }
        let columns = columns.into_iter().zip(&self.heads).enumerate();
        let told = columns.filter(|(_, (cells, _))| cells.iter().any(|cell| !cell.is_empty()));
        let padded = told.map(|(at, (cells, head))| {
            let cells: Vec<String> = iter::once(head.clone()).chain(cells).collect();
            let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
            let pad = |cell| {
                if at == 0 { format!(" {cell:width$} |") } else { format!(" {cell:>width$} |") }
            };
            let mut cells: Vec<String> = cells.into_iter().map(pad).collect();
            cells.insert(1, "-".repeat(width + 1) + if at == 0 { "-|" } else { ":|" });
            cells
        });
        let padded: Vec<Vec<String>> = padded.collect();
        let line = |at: usize| padded.iter().map(|cells| cells[at].as_str()).collect::<String>();
        (0..self.rows.len() + 2).map(|at| format!("|{}\n", line(at))).collect()
    }
}

/// What a cell says: the middle of some values, and of a ratio how far they spread.
fn summary(values: &[f64], is_ratio: bool) -> String {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let [Some(least), Some(most)] =
        [sorted.first(), sorted.last()].map(|it| it.copied().map(number))
    else {
        return String::new();
    };
    let median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
    let median = number(median);
    if is_ratio && least != most { format!("{median} ({least}–{most})") } else { median }
}

/// A number with as many digits as say something: `12,345`, `123`, `12.3`, `1.23`.
pub(crate) fn number(value: f64) -> String {
    match value.round_ties_even() {
        whole if value >= 100.0 || value == whole => HumanCount(whole as u64).to_string(),
        _ if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The time within which so many percent were over, in µs; nothing of no times.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Option<f64> {
    times.sort_unstable();
    let place = (times.len() * percent).div_ceil(100).checked_sub(1)?;
    Some(times[place].as_secs_f64() * 1e6)
}
