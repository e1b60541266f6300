//! What was measured, and how it is told: on the terminal, as JSON, and as tables for the docs.

use std::fmt::Write;

use serde_json::{Value, json};

/// What one part of the bench has measured.
#[derive(Debug)]
pub(crate) struct Part {
    /// The word after `--part`, and in the names of the charts.
    pub(crate) name: &'static str,
    /// A heading for people.
    pub(crate) title: &'static str,
    /// What the figures' `at` counts, such as "clients at once".
    pub(crate) at: &'static str,
    /// The figures, by what was measured.
    pub(crate) measures: Vec<Measure>,
    /// What was left out and why, and which limit ended it.
    pub(crate) notes: Vec<String>,
}

/// One kind of figure, for several subjects.
#[derive(Debug)]
pub(crate) struct Measure {
    /// What was measured.
    pub(crate) name: &'static str,
    /// What its values count.
    pub(crate) unit: &'static str,
    /// The subject that ratios are against; empty where a ratio would say nothing.
    pub(crate) baseline: String,
    /// What the figures' `at` counts, if not what it counts in the rest of the part.
    pub(crate) at: Option<&'static str>,
    /// One for each subject and `at`.
    pub(crate) figures: Vec<Figure>,
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

/// The middle of some values, and how far they spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Summary {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Summary {
    /// Nothing of no values.
    pub(crate) fn of(values: &[f64]) -> Option<Summary> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            sorted[middle]
        } else {
            f64::midpoint(sorted[middle - 1], sorted[middle])
        };
        Some(Summary { median, least, most })
    }

    fn json(self) -> Value {
        json!({ "median": self.median, "least": self.least, "most": self.most })
    }
}

impl Figure {
    /// The middle of its rounds.
    pub(crate) fn summary(&self) -> Option<Summary> {
        Summary::of(&self.rounds)
    }
}

impl Part {
    /// A part that has measured nothing yet.
    pub(crate) fn new(name: &'static str, title: &'static str, at: &'static str) -> Part {
        Part { name, title, at, measures: Vec::new(), notes: Vec::new() }
    }

    /// All of it for the terminal.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{}: {}\n", self.name, self.title);
        for measure in &self.measures {
            let _ = write!(text, "\n  {}, {}", measure.name, measure.unit);
            text += &match &*measure.baseline {
                "" => "\n".to_owned(),
                baseline => format!("; ratios to {baseline}\n"),
            };
            text += &measure.text(measure.at.unwrap_or(self.at));
        }
        for note in &self.notes {
            let _ = writeln!(text, "  Note: {note}");
        }
        text
    }

    /// Its tables and notes for the docs.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::new();
        for measure in &self.measures {
            text += &measure.markdown(measure.at.unwrap_or(self.at));
            text.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(text, "- {note}");
        }
        text.trim_end().to_owned() + "\n"
    }

    /// All of it for programs.
    pub(crate) fn json(&self) -> Value {
        let measures: Vec<Value> = self.measures.iter().map(Measure::json).collect();
        json!({
            "name": self.name,
            "title": self.title,
            "at": self.at,
            "measures": measures,
            "notes": self.notes,
        })
    }
}

impl Measure {
    /// A measure without figures.
    pub(crate) fn new(name: &'static str, unit: &'static str, baseline: &str) -> Measure {
        Measure { name, unit, baseline: baseline.to_owned(), at: None, figures: Vec::new() }
    }

    /// The same, with figures whose `at` counts something of its own.
    pub(crate) fn counted(self, at: &'static str) -> Measure {
        Measure { at: Some(at), ..self }
    }

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

    /// A figure's ratio to the baseline's at the same place: round by round, so that what slows
    /// a whole round down cancels out, and then the middle of that.
    pub(crate) fn ratio(&self, figure: &Figure) -> Option<Summary> {
        let baseline = self.figure(&self.baseline, figure.at)?;
        let rounds = figure.rounds.iter().zip(&baseline.rounds);
        Summary::of(&rounds.map(|(own, other)| own / other).collect::<Vec<_>>())
    }

    /// The subjects, in the order in which they came.
    pub(crate) fn subjects(&self) -> Vec<&str> {
        let mut subjects: Vec<&str> = Vec::new();
        for figure in &self.figures {
            if !subjects.contains(&figure.subject.as_str()) {
                subjects.push(&figure.subject);
            }
        }
        subjects
    }

    /// The places, in rising order.
    pub(crate) fn places(&self) -> Vec<u64> {
        let mut places: Vec<u64> = self.figures.iter().map(|figure| figure.at).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    fn text(&self, at: &str) -> String {
        let mut text = String::new();
        let subjects = self.subjects();
        let width = subjects.iter().map(|subject| subject.chars().count()).max().unwrap_or(0);
        for place in self.places() {
            let _ = writeln!(text, "    {at}: {}", number(place as f64));
            for figure in subjects.iter().filter_map(|subject| self.figure(subject, place)) {
                let Some(value) = Summary::of(&figure.rounds) else { continue };
                let ratio = self.ratio(figure).map_or(String::new(), |ratio| {
                    format!("{:>6.2}  ({:.2} to {:.2})", ratio.median, ratio.least, ratio.most)
                });
                let _ = writeln!(
                    text,
                    "      {:<width$}  {:>9}  ({} to {})  {ratio}",
                    figure.subject,
                    number(value.median),
                    number(value.least),
                    number(value.most),
                );
            }
        }
        text
    }

    /// A row a subject, and for each place the median with its ratio; without a baseline, with its
    /// spread. Where there are many places, the ratio stands in the same column and alone.
    fn markdown(&self, at: &str) -> String {
        let places = self.places();
        let is_wide = places.len() > 3 && !self.baseline.is_empty();
        let second = match (is_wide, &*self.baseline) {
            (true, _) => "",
            (false, "") => " least to most |",
            (false, _) => " ratio |",
        };
        let mut text = format!("| {}, {} |", self.name, self.unit);
        for (index, place) in places.iter().enumerate() {
            let at = if index == 0 { format!("{at}: ") } else { String::new() };
            let _ = write!(text, " {at}{} |{second}", number(*place as f64));
        }
        text += "\n|---|";
        text += &(if is_wide { "---:|" } else { "---:|---:|" }).repeat(places.len());
        text.push('\n');
        for subject in self.subjects() {
            let _ = write!(text, "| {subject} |");
            for place in &places {
                let figure = self.figure(subject, *place);
                let Some((figure, value)) = figure.zip(figure.and_then(Figure::summary)) else {
                    text += if is_wide { " |" } else { " | |" };
                    continue;
                };
                let _ = write!(text, " {}", number(value.median));
                let _ = match (is_wide, self.ratio(figure)) {
                    (true, Some(ratio)) => write!(text, " ({:.2}) |", ratio.median),
                    (false, Some(Summary { median, least, most })) => {
                        write!(text, " | {median:.2} ({least:.2} to {most:.2}) |")
                    }
                    (true, None) => write!(text, " |"),
                    (false, None) => {
                        write!(text, " | {} to {} |", number(value.least), number(value.most))
                    }
                };
            }
            text.push('\n');
        }
        text
    }

    fn json(&self) -> Value {
        let figures: Vec<Value> = self
            .figures
            .iter()
            .map(|figure| {
                json!({
                    "subject": figure.subject,
                    "at": figure.at,
                    "rounds": figure.rounds,
                    "value": Summary::of(&figure.rounds).map(Summary::json),
                    "ratio": self.ratio(figure).map(Summary::json),
                })
            })
            .collect();
        json!({
            "name": self.name,
            "unit": self.unit,
            "baseline": self.baseline,
            "at": self.at,
            "figures": figures,
        })
    }
}

/// A number with as many digits as say something: `12,345`, `123`, `12.3`, `1.23`.
pub(crate) fn number(value: f64) -> String {
    let decimals = match value.abs() {
        _ if value.fract() == 0.0 => 0,
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    let plain = format!("{value:.decimals$}");
    let (whole, fraction) = plain.split_at(plain.find('.').unwrap_or(plain.len()));
    let (sign, digits) = whole.split_at(whole.len() - whole.trim_start_matches('-').len());
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}
