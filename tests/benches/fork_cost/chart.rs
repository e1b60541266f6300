//! The charts: each is drawn from a table as it is on the page, in the one style of all pictures.

use std::iter;

use super::report::number;

const STYLE: &str = include_str!("../../tests/docs/style.css");

/// Below the title and what it says; from one row to the next; where bars begin.
const TOP: i32 = 72;
const PITCH: i32 = 24;
const LEFT: i32 = 150;
/// Where lines end, below.
const BOTTOM: i32 = 320;

/// Of bars one behind the other.
const CLASSES: [&str; 3] = ["reap", "live", "stop"];

/// The chart of a table in Markdown, if it has one: the file's name and what is in it.
pub(crate) fn of(name: &str, markdown: &str) -> Option<(String, String)> {
    let table = cells(markdown);
    let mut pen = Pen::default();
    let (title, what) = match name {
        "rate" => {
            pen.rows(&rows(&table, &[table[0].len() - 1]), false);
            ("A fork for each connection", "8 clients: multiple of fork alone, least to most")
        }
        "copies" => {
            let whole = ["fork, _exit and wait, µs", "fork, exit, wait", ""];
            let huge = ["huge pages: fork, µs", "huge pages", "live"];
            let drawn = [whole, ["fork, µs", "fork", "reap"], huge];
            pen.lines(&table, &drawn, "MiB that the parent has written to", true);
            ("What fork copies", "µs")
        }
        "growth" => {
            let names = ["ignore", "pidfd", "double_fork", "lesson-03", "pidfd-copied"];
            let classes = ["live", "stop", "", "reap", "dead"];
            let drawn = names.into_iter().zip(classes).map(|(name, class)| [name, name, class]);
            pen.lines(&table, &drawn.collect::<Vec<_>>(), "living children", false);
            ("Beside children that live", "share of the rate without any, least to most")
        }
        "models, memory" => {
            pen.rows(&rows(&table, &[1, 2, 3]), false);
            for ((class, head), x) in CLASSES.iter().zip(&table[0][1..]).zip((110..).step_by(115)) {
                pen.bar([x, pen.height], 16, class);
                pen.label([x + 22, pen.height + 13], "small", head);
            }
            pen.height += 32;
            ("What an idle client costs", "KiB for each of 1,000")
        }
        "latency" => {
            let mut both = Vec::new();
            for (heading, columns) in [("32 children", [1, 2]), ("1,000 children", [3, 4])] {
                both.push((heading, Vec::new()));
                let spread = |values: Vec<Value>| vec![[values[0][0], values[0][1], values[1][2]]];
                let rows = rows(&table, &columns).into_iter();
                both.extend(rows.map(|(name, values)| (name, spread(values))));
            }
            pen.rows(&both, true);
            ("How long a zombie stays", "median, and a line to the 99th percentile")
        }
        _ => return None,
    };
    let file = format!("bench-{}.svg", name.split(',').next()?);
    Some((file, pen.card(&table, title, what)))
}

/// The cells of a table, its heads first.
type Table<'a> = Vec<Vec<&'a str>>;

fn cells(markdown: &str) -> Table<'_> {
    let lines = markdown.lines().take_while(|line| line.starts_with('|'));
    let lines = lines.filter(|line| !line.starts_with("|--"));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// The least, the middle and the most of some values; all the same where no spread is told.
type Value = [f64; 3];

fn value(cell: &str) -> Option<Value> {
    let numbers = cell.split(['(', '–', ')']).map(|it| it.trim().replace(',', ""));
    match numbers.filter_map(|it| it.parse().ok()).collect::<Vec<f64>>()[..] {
        [only] => Some([only; 3]),
        [median, least, most] => Some([least, median, most]),
        _ => None,
    }
}

/// A subject and what is drawn of it.
type Row<'a> = (&'a str, Vec<Value>);

/// The rows of a table in which none of these columns is empty.
fn rows<'a>(table: &Table<'a>, columns: &[usize]) -> Vec<Row<'a>> {
    let read = |cells: &Vec<&'a str>| {
        let values = columns.iter().map(|at| value(cells.get(*at)?));
        Some((cells[0], values.collect::<Option<_>>()?))
    };
    table[1..].iter().filter_map(read).collect()
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
        let least = values.clone().fold(f64::MAX, f64::min);
        let most = values.fold(0.1, f64::max);
        let power = |exponent: f64| 10_f64.powf(exponent);
        let powers = [power(least.log10().floor()), power(most.log10().ceil())];
        Scale { is_log, values: if is_log { powers } else { [0.0, most] }, pixels }
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
        self.body += &format!("  <text x=\"{x}\" y=\"{y}\" class=\"{class}\">{text}</text>\n");
    }

    fn line(&mut self, [x1, y1]: [i32; 2], [x2, y2]: [i32; 2], class: &str) {
        let place = format!("x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"");
        self.body += &format!("  <line {place} class=\"{class}\"/>\n");
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
        self.body += &format!("  <circle cx=\"{x}\" cy=\"{y}\" r=\"4\" class=\"{class}\"/>\n");
    }

    fn bar(&mut self, [x, y]: [i32; 2], width: i32, class: &str) {
        let place = format!("x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"16\"");
        self.body += &format!("  <rect {place} class=\"{class}\"/>\n");
    }

    /// Bars from zero, one behind the other. Or times by powers of ten, where the length of a bar
    /// means nothing: a dot. With a line over the spread; no values are a heading.
    fn rows(&mut self, rows: &[Row], is_log: bool) {
        let sum = |values: &[Value]| values.iter().map(|it| it[1]).sum::<f64>();
        let filled = rows.iter().filter(|(_, values)| !values.is_empty());
        let ends = filled.flat_map(|(_, values)| values.concat().into_iter().chain([sum(values)]));
        let scale = Scale::over(ends, is_log, [LEFT, 392]);
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
        for ((name, values), y) in rows.iter().zip((TOP + PITCH - 8..).step_by(PITCH as usize)) {
            let Some([least, _, most]) = values.first() else {
                self.label([20, y + 5], "small bold", name);
                continue;
            };
            self.label([LEFT - 8, y + 5], "small end", name);
            let own = if *name == "lesson-03" { "reap" } else { "" };
            for (at, class) in (0..values.len()).zip(CLASSES).filter(|_| !is_log) {
                let [from, to] = [at, at + 1].map(|end| scale.at(sum(&values[..end])));
                self.bar([from, y - 8], to - from, if values.len() > 1 { class } else { own });
            }
            if least < most {
                self.whisker([scale.at(*least), y], [scale.at(*most), y], own);
            }
            if is_log {
                self.dot([scale.at(sum(values)), y], own);
            }
            self.label([464, y + 5], "small end", &short(sum(values)));
        }
    }

    /// A line for some of the rows over the places in the table's heads, with a name at its end:
    /// each a row, what it is called here, and its class.
    fn lines(&mut self, table: &Table, drawn: &[[&str; 3]], axis: &str, is_log: bool) {
        let place = |head: &str| head.replace(',', "").split(' ').find_map(|it| it.parse().ok());
        let places = table[0].iter().enumerate().filter_map(|(at, head)| Some((at, place(head)?)));
        let places: Vec<(usize, f64)> = places.filter(|(_, place)| *place > 0.0).collect();
        let points = |[row, ..]: &[&str; 3]| -> Vec<(f64, Value)> {
            let cells = table.iter().find(|cells| cells[0] == *row);
            let point = |&(at, place): &(usize, f64)| Some((place, value(cells?[at])?));
            places.iter().filter_map(point).collect()
        };
        let lines: Vec<_> = drawn.iter().map(points).collect();
        let ends = lines.iter().flatten().flat_map(|(_, value)| *value);
        let height = Scale::over(ends, is_log, [BOTTOM, TOP]);
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
        let aside = 3 * (1 - lines.len() as i32) / 2; // so that none hides another
        for (([_, name, class], points), aside) in drawn.iter().zip(lines).zip((aside..).step_by(3))
        {
            let mut before = None;
            for (place, value) in points {
                let x = width.at(place) + aside;
                let [least, y, most] = value.map(|it| height.at(it));
                if let Some(before) = before.replace([x, y]) {
                    self.line(before, [x, y], &format!("heavy {class}"));
                }
                if value[0] < value[2] {
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
        for row in &table[1..] {
            let cells = row.iter().zip(&table[0]).skip(1);
            let figures = cells
                .filter_map(|(cell, head)| Some(format!("{head} {}", number(value(cell)?[1]))));
            desc += &format!(" {}: {}.", row[0], figures.collect::<Vec<_>>().join(", "));
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
