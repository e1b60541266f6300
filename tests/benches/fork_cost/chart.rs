//! The charts: each is drawn from a table, in the one style of all pictures.

use std::fmt::Write;
use std::iter;

use super::report::{Summary, Table, number};

const STYLE: &str = include_str!("../../tests/docs/style.css");

/// Below the title and what it says; from one row to the next; where bars begin.
const TOP: i32 = 72;
const PITCH: i32 = 24;
const LEFT: i32 = 150;

/// Of bars one behind the other.
const CLASSES: [&str; 3] = ["reap", "live", "stop"];

/// The charts of a page's tables: the files' names and what is in them.
pub(crate) fn all(page: &str) -> Vec<(String, String)> {
    let drawn = ["rate", "copies", "growth", "models, memory", "latency"];
    drawn.into_iter().filter_map(|name| of(&Table::on(page, name)?)).collect()
}

/// The chart of a table, if it has one.
pub(crate) fn of(table: &Table) -> Option<(String, String)> {
    let mut pen = Pen::default();
    let (title, what) = match table.name {
        "rate" => {
            pen.rows(&rows(table, &[table.heads.len().checked_sub(2)?]), false);
            ("A fork for each connection", "8 clients: multiple of fork alone, least to most")
        }
        "copies" => {
            let whole = ("fork, _exit and wait, µs", "fork, exit, wait", "");
            let huge = ("huge pages: fork, µs", "huge pages", "live");
            let drawn = [whole, ("fork, µs", "fork", "reap"), huge];
            pen.lines(table, &drawn, "MiB that the parent has written to", true);
            ("What fork copies", "µs")
        }
        "growth" => {
            let names = ["ignore", "pidfd", "double_fork", "lesson-03", "pidfd-copied"];
            let classes = ["live", "stop", "", "reap", "dead"];
            let drawn = names.into_iter().zip(classes).map(|(name, class)| (name, name, class));
            pen.lines(table, &drawn.collect::<Vec<_>>(), "living children", false);
            ("Beside children that live", "share of the rate without any, least to most")
        }
        "models, memory" => {
            pen.rows(&rows(table, &[0, 1, 2]), false);
            for (at, (class, head)) in (0..).zip(CLASSES.iter().zip(&table.heads[1..])) {
                pen.bar([110 + 115 * at, pen.height], 16, class);
                pen.label([132 + 115 * at, pen.height + 13], "small", head);
            }
            pen.height += 32;
            ("What an idle client costs", "KiB for each of 1,000")
        }
        "latency" => {
            let mut both = vec![("32 children", Vec::new())];
            both.extend(rows(table, &[0, 1]));
            both.push(("1,000 children", Vec::new()));
            both.extend(rows(table, &[2, 3]));
            pen.rows(&both, true);
            ("How long a zombie stays", "median, and a line to the 99th percentile")
        }
        _ => return None,
    };
    let file = format!("bench-{}.svg", table.name.split(',').next()?);
    Some((file, pen.card(table, title, what)))
}

type Row<'a> = (&'a str, Vec<Summary>);

/// These columns of a table, where no cell is empty.
fn rows<'a>(table: &'a Table, columns: &[usize]) -> Vec<Row<'a>> {
    let summaries = |cells: &[Option<Summary>]| -> Option<Vec<Summary>> {
        columns.iter().map(|at| *cells.get(*at)?).collect()
    };
    table.rows.iter().filter_map(|(name, cells)| Some((&**name, summaries(cells)?))).collect()
}

/// Where values are on the paper.
struct Scale {
    is_log: bool,
    values: [f64; 2],
    pixels: [i32; 2],
}

impl Scale {
    /// From zero to the most of the values, or from one power of ten to another.
    fn over(values: impl Iterator<Item = f64> + Clone, is_log: bool, pixels: [i32; 2]) -> Scale {
        let power = |value: f64, round: fn(f64) -> f64| 10_f64.powf(round(value.log10()));
        let least = values.clone().fold(f64::MAX, f64::min);
        let most = values.fold(0.1, f64::max);
        let values =
            if is_log { [power(least, f64::floor), power(most, f64::ceil)] } else { [0.0, most] };
        Scale { is_log, values, pixels }
    }

    fn at(&self, value: f64) -> i32 {
        let ([from, to], [start, end]) = (self.values, self.pixels);
        let part = if self.is_log { (value / from).ln() / (to / from).ln() } else { value / to };
        start + (part * f64::from(end - start)).round() as i32
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let ([from, to], is_log) = (self.values, self.is_log);
        let step = [0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|it| to / it < 6.0);
        let next = move |tick: &f64| Some(if is_log { tick * 10.0 } else { tick + step? });
        iter::successors(Some(from), next).take_while(move |tick| *tick < to * 1.01)
    }
}

#[derive(Default)]
struct Pen {
    body: String,
    height: i32,
}

impl Pen {
    fn label(&mut self, [x, y]: [i32; 2], class: &str, text: &str) {
        let _ = writeln!(self.body, "  <text x=\"{x}\" y=\"{y}\" class=\"{class}\">{text}</text>");
    }

    fn line(&mut self, [x1, y1]: [i32; 2], [x2, y2]: [i32; 2], class: &str) {
        let place = format!("x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"");
        let _ = writeln!(self.body, "  <line {place} class=\"{class}\"/>");
    }

    /// A line with a stop at either end.
    fn whisker(&mut self, from: [i32; 2], to: [i32; 2], class: &str) {
        self.line(from, to, class);
        let [x, y] = if from[0] == to[0] { [4, 0] } else { [0, 4] };
        for [left, top] in [from, to] {
            self.line([left - x, top - y], [left + x, top + y], class);
        }
    }

    fn dot(&mut self, [x, y]: [i32; 2], class: &str) {
        let _ = writeln!(self.body, "  <circle cx=\"{x}\" cy=\"{y}\" r=\"4\" class=\"{class}\"/>");
    }

    fn bar(&mut self, [x, y]: [i32; 2], width: i32, class: &str) {
        let place = format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"16\"");
        let _ = writeln!(self.body, "  <rect {place} class=\"{class}\"/>");
    }

    /// Bars from zero, one behind the other. Or times by powers of ten, where the length of a bar
    /// means nothing: a dot, and a line to the second of them. No values are a heading.
    fn rows(&mut self, rows: &[Row], is_log: bool) {
        let ends = |(_, cells): &Row| -> Vec<f64> {
            let spread = cells.iter().filter_map(|cell| cell.spread).flatten();
            let medians = cells.iter().map(|cell| cell.median);
            if is_log { medians.collect() } else { spread.chain([medians.sum()]).collect() }
        };
        let scale = Scale::over(rows.iter().flat_map(ends), is_log, [LEFT, 392]);
        let short = |value: f64| match value {
            _ if !is_log => number(value),
            1e6.. => format!("{} s", number(value / 1e6)),
            1e3.. => format!("{} ms", number(value / 1e3)),
            _ => format!("{} µs", number(value)),
        };
        let bottom = TOP + PITCH * rows.len() as i32 + 8;
        for tick in scale.ticks() {
            self.line([scale.at(tick), TOP], [scale.at(tick), bottom], "rule");
            if !is_log || [1.0, 1e3, 1e6].contains(&tick) {
                self.label([scale.at(tick), bottom + 18], "small quiet mid", &short(tick));
            }
        }
        self.height = bottom + 32;
        for (row, y) in rows.iter().zip((TOP + PITCH - 8..).step_by(PITCH as usize)) {
            let (name, cells) = row;
            let Some(first) = cells.first() else {
                self.label([20, y + 5], "small bold", name);
                continue;
            };
            self.label([LEFT - 8, y + 5], "small end", name);
            let own = if *name == "lesson-03" { "reap" } else { "" };
            let mut sum = 0.0;
            for (cell, class) in cells.iter().zip(CLASSES).filter(|_| !is_log) {
                let (from, to) = (scale.at(sum), scale.at(sum + cell.median));
                self.bar([from, y - 8], to - from, if cells.len() > 1 { class } else { own });
                sum += cell.median;
            }
            if let Some([from, to]) = if is_log { ends(row).try_into().ok() } else { first.spread }
            {
                self.whisker([scale.at(from), y], [scale.at(to), y], own);
            }
            if is_log {
                self.dot([scale.at(first.median), y], own);
            }
            self.label([464, y + 5], "small end", &short(if is_log { first.median } else { sum }));
        }
    }

    /// A line for some of the rows over the places in the table's heads, with a name at its end.
    fn lines(&mut self, table: &Table, drawn: &[(&str, &str, &str)], axis: &str, is_log: bool) {
        const BOTTOM: i32 = 320;
        let place = |head: &String| head.replace(',', "").split(' ').find_map(|it| it.parse().ok());
        let places = table.heads[1..].iter().map(|head| place(head).unwrap_or(0.0));
        let places: Vec<(usize, f64)> = places.enumerate().filter(|(_, it)| *it > 0.0).collect();
        let mut rows = Vec::new();
        for drawn in drawn {
            let cells = table.rows.iter().find(|(row, _)| row == drawn.0).map(|(_, cells)| cells);
            let at = |(at, place): &(usize, f64)| Some((*place, cells?.get(*at).copied()??));
            rows.push((drawn, places.iter().filter_map(at).collect::<Vec<(f64, Summary)>>()));
        }
        let cells = rows.iter().flat_map(|(_, points)| points.iter().map(|(_, cell)| cell));
        let values = cells.flat_map(|it| it.spread.into_iter().flatten().chain([it.median]));
        let height = Scale::over(values, is_log, [BOTTOM, TOP]);
        let values = [places.first(), places.last()].map(|place| place.map_or(1.0, |it| it.1));
        let width = Scale { is_log: true, values, pixels: [94, 342] };
        for tick in height.ticks() {
            self.line([80, height.at(tick)], [356, height.at(tick)], "rule");
            self.label([74, height.at(tick) + 5], "small quiet end", &number(tick));
        }
        for (_, place) in &places {
            self.line([width.at(*place), BOTTOM], [width.at(*place), BOTTOM + 6], "");
            self.label([width.at(*place), BOTTOM + 22], "small quiet mid", &number(*place));
        }
        let mut names = Vec::new();
        let aside = 3 * (1 - rows.len() as i32) / 2; // so that none hides another
        for (((_, name, class), points), aside) in rows.iter().zip((aside..).step_by(3)) {
            let mut before = None;
            for (place, cell) in points {
                let [x, y] = [width.at(*place) + aside, height.at(cell.median)];
                if let Some(before) = before.replace([x, y]) {
                    self.line(before, [x, y], &format!("heavy {class}"));
                }
                if let Some([least, most]) = cell.spread.map(|it| it.map(|end| height.at(end))) {
                    self.whisker([x, least], [x, most], class);
                }
                self.dot([x, y], class);
            }
            names.extend(before.map(|[_, y]| (y, *name, *class)));
        }
        names.sort_unstable();
        let mut free = TOP;
        for (y, name, class) in names {
            free = y.max(free) + 18;
            self.label([364, free - 13], &format!("small {class}"), name);
        }
        self.label([218, BOTTOM + 44], "small quiet mid", axis);
        self.height = BOTTOM + 60;
    }

    /// The whole picture, on a card of its own.
    fn card(mut self, table: &Table, title: &str, what: &str) -> String {
        self.label([20, 34], "title", title);
        self.label([20, 56], "small quiet", what);
        let Pen { body, height } = self;
        let mut desc = format!("{what}.");
        for (row, cells) in &table.rows {
            let cells = cells.iter().zip(&table.heads[1..]);
            let values =
                cells.filter_map(|(it, head)| Some(format!("{head} {}", number((*it)?.median))));
            let _ = write!(desc, " {row}: {}.", values.collect::<Vec<_>>().join(", "));
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\"\n     \
             aria-labelledby=\"title desc\" width=\"480\" height=\"{height}\" \
             viewBox=\"0 0 480 {height}\">\n  \
             <title id=\"title\">{title}</title>\n  <desc id=\"desc\">{desc}</desc>\n  \
             <style>\n{STYLE}  </style>\n  \
             <rect class=\"card\" x=\"0.5\" y=\"0.5\" width=\"479\" height=\"{}\" rx=\"10\"/>\n\
             {body}</svg>\n",
            height - 1,
        )
    }
}
