//! What was measured, and the tables that tell it, on the terminal and in the docs.

use std::collections::BTreeSet;
use std::time::Duration;

use indicatif::HumanCount;

/// What was measured of several subjects.
pub(crate) struct Table {
    /// Where it goes in the docs, and which chart is drawn of it.
    pub(crate) name: &'static str,
    /// What is above the subjects, and above each column.
    heads: Vec<&'static str>,
    /// From which column on they are ratios, each of two values of the same round: what slows a
    /// whole round down cancels out. Their spread is told: it says something about another machine.
    ratios: Option<usize>,
    /// What was left out and why, and which limit ended it.
    pub(crate) notes: BTreeSet<String>,
    /// Each subject, and in each column a value a round.
    rows: Vec<(String, Vec<Vec<f64>>)>,
}

impl Table {
    /// A table without rows.
    pub(crate) fn new(name: &'static str, heads: &[&'static str], ratios: Option<usize>) -> Table {
        Table { name, heads: heads.to_vec(), ratios, notes: BTreeSet::new(), rows: Vec::new() }
    }

    /// Adds what a round has measured of `subject`, if it has.
    pub(crate) fn add(&mut self, subject: &str, column: usize, value: impl Into<Option<f64>>) {
        let row = self.rows.iter().position(|(it, _)| it == subject).unwrap_or_else(|| {
            self.rows.push((subject.to_owned(), vec![Vec::new(); self.heads.len() - 1]));
            self.rows.len() - 1
        });
        self.rows[row].1[column].extend(value.into());
    }

    /// In Markdown, padded so that it can be read as it is; without columns that are empty.
    pub(crate) fn markdown(&self) -> String {
        let mut lines = vec!["|".to_owned(); self.rows.len() + 2];
        for (at, head) in self.heads.iter().enumerate() {
            let cell = |(subject, figures): &(String, Vec<Vec<f64>>)| match at.checked_sub(1) {
                Some(column) => {
                    summary(figures[column].clone(), self.ratios.is_some_and(|from| column >= from))
                }
                None => subject.clone(),
            };
            let mut cells: Vec<String> = self.rows.iter().map(cell).collect();
            if cells.iter().all(String::is_empty) {
                continue;
            }
            cells.insert(0, (*head).to_owned());
            let width = cells.iter().map(|cell| cell.chars().count()).max().unwrap_or(0);
            let pad = |cell: String| match at {
                0 => format!(" {cell:width$} |"),
                _ => format!(" {cell:>width$} |"),
            };
            let mut column: Vec<String> = cells.into_iter().map(pad).collect();
            column.insert(1, "-".repeat(width + 1) + if at == 0 { "-|" } else { ":|" });
            lines.iter_mut().zip(column).for_each(|(line, cell)| *line += &cell);
        }
        lines.join("\n") + "\n"
    }
}

/// What a cell says: the middle of some values, and of a ratio how far they spread.
fn summary(mut values: Vec<f64>, is_ratio: bool) -> String {
    values.sort_by(f64::total_cmp);
    let [least, .., most] = values[..] else {
        return values.first().map_or(String::new(), |only| number(*only));
    };
    let median = f64::midpoint(values[(values.len() - 1) / 2], values[values.len() / 2]);
    let [least, median, most] = [least, median, most].map(number);
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
