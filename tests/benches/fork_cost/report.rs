//! What was measured, and the tables that tell it, on the terminal and in the docs. There they are
//! between markers:
//!
//! ```text
//! <!-- bench: rate -->
//! … this table …
//! <!-- bench end -->
//! ```

use std::iter;
use std::time::Duration;

/// What one part of the bench has to tell.
#[derive(Debug, Default)]
pub(crate) struct Part {
    pub(crate) tables: Vec<Table>,
    /// What was left out and why, and which limit ended it.
    pub(crate) notes: Vec<String>,
}

/// One kind of figure, for several subjects.
#[derive(Debug, Default)]
pub(crate) struct Measure {
    pub(crate) figures: Vec<Figure>,
    /// Whether to tell the spread. That of a ratio says something about another machine, too.
    is_ratio: bool,
}

/// The values of one subject at one place.
#[derive(Debug)]
pub(crate) struct Figure {
    /// Who was measured.
    pub(crate) subject: String,
    /// At how many clients, children, or what the part counts.
    pub(crate) at: u64,
    /// One value a round. Rounds are interleaved: each goes through all subjects before the next.
    pub(crate) rounds: Vec<f64>,
}

/// The middle of some values, and, where it is told, how far they spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) spread: Option<[f64; 2]>,
}

/// Summaries in rows and columns, some of them empty.
#[derive(Debug, PartialEq)]
pub(crate) struct Table {
    /// Where it goes in the docs, and which chart is drawn of it.
    pub(crate) name: &'static str,
    /// What is above the rows, and above each column.
    pub(crate) heads: Vec<String>,
    pub(crate) rows: Vec<(String, Vec<Option<Summary>>)>,
}

impl Measure {
    /// Adds a round's value to the figure of `subject` at `at`.
    pub(crate) fn add(&mut self, subject: &str, at: u64, value: f64) {
        let known = self.figures.iter_mut().find(|it| it.subject == subject && it.at == at);
        match known {
            Some(figure) => figure.rounds.push(value),
            None => {
                self.figures.push(Figure { subject: subject.to_owned(), at, rounds: vec![value] });
            }
        }
    }

    /// The figure of `subject` at `at`.
    pub(crate) fn figure(&self, subject: &str, at: u64) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.subject == subject && figure.at == at)
    }

    /// Each figure as a multiple of the one that `other` finds for it: round by round, so that
    /// what slows a whole round down cancels out.
    pub(crate) fn relative<'a>(&'a self, other: impl Fn(&Figure) -> Option<&'a Figure>) -> Measure {
        let mut ratios = Measure { is_ratio: true, ..Measure::default() };
        for figure in &self.figures {
            let others = other(figure).map_or(&[][..], |it| &it.rounds);
            for (own, other) in figure.rounds.iter().zip(others) {
                ratios.add(&figure.subject, figure.at, own / other);
            }
        }
        ratios
    }
}

impl Summary {
    /// Nothing of no values.
    pub(crate) fn of(values: &[f64]) -> Option<Summary> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let spread = Some([*sorted.first()?, *sorted.last()?]);
        let middle = sorted.len() / 2;
        let is_odd = sorted.len() % 2 == 1;
        let below = if is_odd { sorted[middle] } else { sorted[middle - 1] };
        Some(Summary { median: f64::midpoint(below, sorted[middle]), spread })
    }

    /// As a cell says it: `1,234` or `1.05 (1.01–1.26)`.
    fn text(self) -> String {
        let median = number(self.median);
        let Some(spread) = self.spread.map(|ends| ends.map(number)) else { return median };
        if spread[0] == spread[1] { median } else { format!("{median} ({})", spread.join("–")) }
    }

    fn read(cell: &str) -> Option<Summary> {
        let value = |text: &str| text.replace(',', "").parse::<f64>().ok();
        let (median, spread) = cell.split_once(" (").unwrap_or((cell, ""));
        let ends = spread.strip_suffix(')').and_then(|it| it.split_once('–'));
        let spread = ends.and_then(|(least, most)| Some([value(least)?, value(most)?]));
        Some(Summary { median: value(median)?, spread })
    }
}

impl Table {
    /// A table without columns.
    pub(crate) fn new(name: &'static str, corner: &str) -> Table {
        Table { name, heads: vec![corner.to_owned()], rows: Vec::new() }
    }

    /// Adds what was measured at one place, with a row for each subject; no column where there is
    /// nothing.
    pub(crate) fn column(mut self, head: &str, measure: &Measure, at: u64) -> Table {
        if !measure.figures.iter().any(|figure| figure.at == at) {
            return self;
        }
        for figure in &measure.figures {
            if !self.rows.iter().any(|(row, _)| *row == figure.subject) {
                self.rows.push((figure.subject.clone(), vec![None; self.heads.len() - 1]));
            }
        }
        for (row, cells) in &mut self.rows {
            let told = measure.figure(row, at).and_then(|figure| Summary::of(&figure.rounds));
            let spread = |it: Summary| it.spread.filter(|_| measure.is_ratio);
            cells.push(told.map(|it| Summary { spread: spread(it), ..it }));
        }
        self.heads.push(head.to_owned());
        self
    }

    /// In Markdown, padded so that it can be read as it is.
    pub(crate) fn markdown(&self) -> String {
        let mut lines = vec![self.heads.clone()];
        for (row, cells) in &self.rows {
            let cells = cells.iter().map(|cell| cell.map_or(String::new(), Summary::text));
            lines.push(iter::once(row.clone()).chain(cells).collect());
        }
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max();
        let widths: Vec<_> = (0..self.heads.len()).map(|at| width(at).unwrap_or(0)).collect();
        let mut text = String::new();
        for line in lines {
            text += &format!("| {:1$} |", line[0], widths[0]);
            let cells = line.iter().zip(&widths).skip(1);
            text.extend(cells.map(|(cell, width)| format!(" {cell:>width$} |")));
            text.push('\n');
        }
        let rules = widths[1..].iter().map(|width| "-".repeat(width + 1) + ":|");
        let rules = format!("|{}|{}\n", "-".repeat(widths[0] + 2), rules.collect::<String>());
        text.insert_str(text.find('\n').map_or(0, |end| end + 1), &rules);
        text
    }

    /// Reads what [`Table::markdown`] has written into a page.
    pub(crate) fn on(page: &str, name: &'static str) -> Option<Table> {
        let cells = |line: &str| -> Option<Vec<String>> {
            let inner = line.strip_prefix('|')?.strip_suffix('|')?;
            Some(inner.split('|').map(|cell| cell.trim().to_owned()).collect())
        };
        let mut lines = between(page, name)?.1.trim().lines().map_while(cells);
        let heads = lines.next()?;
        let rows = lines.skip(1).map(|mut row| {
            let subject = row.remove(0);
            (subject, row.iter().map(|cell| Summary::read(cell)).collect())
        });
        Some(Table { name, rows: rows.collect(), heads })
    }
}

/// What a page has up to a marker, between it and its end, and from there on.
pub(crate) fn between<'a>(page: &'a str, name: &str) -> Option<(&'a str, &'a str, &'a str)> {
    let marker = format!("<!-- bench: {name} -->\n");
    let start = page.find(&marker)? + marker.len();
    let end = start + page[start..].find("<!-- bench end -->")?;
    Some((&page[..start], &page[start..end], &page[end..]))
}

/// A number with as many digits as say something: `12,345`, `123`, `12.3`, `1.23`.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value {
        _ if value.fract() == 0.0 => 0,
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let plain = format!("{value:.decimals$}");
    let (whole, fraction) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let mut grouped = String::new();
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

/// The time within which so many percent were over, in µs; nothing of no times.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Option<f64> {
    times.sort_unstable();
    let place = (times.len() * percent).div_ceil(100).checked_sub(1)?;
    Some(times[place].as_secs_f64() * 1e6)
}
