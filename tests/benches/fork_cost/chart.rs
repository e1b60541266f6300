//! The charts: each is drawn from a table as it is on the page, in the one style of all pictures.

use std::ops::Range;

use super::report::number;

/// Below the title and what it says; from one row to the next; where bars begin.
const TOP: i32 = 72;
const PITCH: i32 = 24;
const LEFT: i32 = 150;
/// Where lines end, below.
const BOTTOM: i32 = 320;

/// Of bars one behind the other, and of lines.
const BARS: [&str; 3] = ["reap", "live", "stop"];
const LINES: [&str; 5] = ["reap", "", "live", "stop", "dead"];

/// The chart of a table in Markdown, if it has one: the file's name and what is in it.
pub(crate) fn of(name: &str, markdown: &str) -> Option<(String, String)> {
    let table = table(markdown);
    let mut pen = Pen::default();
    let (title, what) = match name {
        "rate" => {
            pen.rows(&columns(&table, 2..3), false);
            ("A fork for each connection", "8 clients: multiple of fork alone, least to most")
        }
        "copies" => {
            let whole = ["fork, _exit and wait, µs", "fork, exit, wait"];
            let drawn = [["fork, µs", "fork"], whole, ["huge pages: fork, µs", "huge pages"]];
            pen.lines(&table, &drawn, "MiB that the parent has written to", true);
            ("What fork copies", "µs")
        }
        "growth" => {
            let drawn = ["lesson-03", "double_fork", "ignore", "pidfd", "pidfd-copied"];
            pen.lines(&table, &drawn.map(|name| [name, name]), "living children", false);
            ("Beside children that live", "share of the rate without any, least to most")
        }
        "models, memory" => {
            pen.rows(&table, false);
            for ((class, (head, _)), x) in BARS.iter().zip(&table[0].1).zip((110..).step_by(115)) {
                pen.draw(&format!("rect x='{x}' y='{}' width='16' height='16'", pen.height), class);
                pen.label([x + 22, pen.height + 13], "small", head);
            }
            pen.height += 32;
            ("What an idle client costs", "KiB for each of 1,000")
        }
        "latency" => {
            let mut rows = Vec::new();
            for (heading, place) in [("32 children", 0..2), ("1,000 children", 2..4)] {
                rows.push((heading, Vec::new()));
                rows.extend(columns(&table, place).into_iter().map(|(subject, figures)| {
                    let [median, p99] = [0, 1].map(|at| figures[at].1[1]);
                    (subject, vec![(heading, [median, median, p99])])
                }));
            }
            pen.rows(&rows, true);
            ("How long a zombie stays", "median, and a line to the 99th percentile")
        }
        _ => return None,
    };
    let file = format!("bench-{}.svg", name.split(',').next()?);
    Some((file, pen.card(&table, title, what)))
}

/// The least, the middle and the most of some values; all the same where no spread is told.
type Value = [f64; 3];

/// A subject, and its figures, each with the head of its column.
type Row<'a> = (&'a str, Vec<(&'a str, Value)>);

fn table(markdown: &str) -> Vec<Row<'_>> {
    let lines = markdown.lines().take_while(|line| line.starts_with('|'));
    let mut lines = lines.map(|line| line.trim_matches('|').split('|').map(str::trim));
    let heads: Vec<&str> = lines.next().into_iter().flatten().collect();
    let rows = lines.skip(1).map(|mut cells| {
        let subject = cells.next().unwrap_or_default();
        let figures = heads[1..].iter().zip(cells);
        (subject, figures.filter_map(|(head, it)| Some((*head, value(it)?))).collect())
    });
    rows.collect()
}

fn value(cell: &str) -> Option<Value> {
    let numbers = cell.split(['(', '–', ')']).map(|it| it.trim().replace(',', ""));
    match numbers.filter_map(|it| it.parse().ok()).collect::<Vec<f64>>()[..] {
        [only] => Some([only; 3]),
        [median, least, most] => Some([least, median, most]),
        _ => None,
    }
}

/// Of each row that has them these figures.
fn columns<'a>(table: &[Row<'a>], place: Range<usize>) -> Vec<Row<'a>> {
    let part =
        |(subject, figures): &Row<'a>| Some((*subject, figures.get(place.clone())?.to_vec()));
    table.iter().filter_map(part).collect()
}

/// Where values are on the paper.
struct Scale {
    is_log: bool,
    /// The first and the last value, or their powers of ten.
    ends: [f64; 2],
    pixels: [i32; 2],
}

impl Scale {
    /// From zero to the most of the values, or from one power of ten to another.
    fn over(values: impl Iterator<Item = f64>, is_log: bool, pixels: [i32; 2]) -> Scale {
        let (least, most) =
            values.fold((f64::MAX, 0.1), |(least, most), it| (it.min(least), it.max(most)));
        let powers = [least.log10().floor(), most.log10().ceil()];
        Scale { is_log, ends: if is_log { powers } else { [0.0, most] }, pixels }
    }

    fn at(&self, value: f64) -> i32 {
        let ([from, to], [start, end]) = (self.ends, self.pixels);
        let value = if self.is_log { value.log10() } else { value };
        start + ((value - from) / (to - from) * f64::from(end - start)).round() as i32
    }

    fn ticks(&self) -> impl Iterator<Item = f64> {
        let ([from, to], is_log) = (self.ends, self.is_log);
        let step = [0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0].into_iter().find(|it| to / it < 6.0);
        let step = if is_log { 1.0 } else { step.unwrap_or(to) };
        let ticks = (0..).map(move |at| from + f64::from(at) * step);
        let ticks = ticks.take_while(move |it| *it < to + step / 100.0);
        ticks.map(move |it| if is_log { 10_f64.powf(it) } else { it })
    }
}

#[derive(Default)]
struct Pen {
    body: String,
    height: i32,
}

impl Pen {
    fn label(&mut self, [x, y]: [i32; 2], class: &str, text: &str) {
        self.body += &format!("  <text x='{x}' y='{y}' class='{class}'>{text}</text>\n");
    }

    fn draw(&mut self, shape: &str, class: &str) {
        self.body += &format!("  <{shape} class='{class}'/>\n");
    }

    /// Bars from zero, one behind the other. Or times by powers of ten, where the length of a bar
    /// means nothing: a dot. With a line over the spread; no figures are a heading.
    fn rows(&mut self, rows: &[Row], is_log: bool) {
        let sum = |figures: &[(&str, Value)]| figures.iter().map(|(_, it)| it[1]).sum::<f64>();
        let sums = rows.iter().map(|(_, figures)| sum(figures)).filter(|sum| *sum > 0.0);
        let ends = rows.iter().flat_map(|(_, figures)| figures).flat_map(|(_, it)| *it).chain(sums);
        let scale = Scale::over(ends, is_log, [LEFT, 392]);
        let short = |value: f64| match value {
            _ if !is_log => number(value),
            1e6.. => number(value / 1e6) + " s",
            1e3.. => number(value / 1e3) + " ms",
            _ => number(value) + " µs",
        };
        let bottom = TOP + PITCH * rows.len() as i32 + 8;
        for tick in scale.ticks() {
            let x = scale.at(tick);
            self.draw(&format!("path d='M{x} {TOP}V{bottom}'"), "rule");
            if !is_log || [1.0, 1e3, 1e6].contains(&tick) {
                self.label([x, bottom + 18], "small quiet mid", &short(tick));
            }
        }
        self.height = bottom + 32;
        for ((name, figures), y) in rows.iter().zip((TOP + PITCH - 8..).step_by(PITCH as usize)) {
            let Some((_, spread)) = figures.first() else {
                self.label([20, y + 5], "small bold", name);
                continue;
            };
            self.label([LEFT - 8, y + 5], "small end", name);
            let own = if *name == "lesson-03" { "reap" } else { "" };
            for (at, class) in (0..figures.len()).zip(BARS).filter(|_| !is_log) {
                let [from, to] = [at, at + 1].map(|end| scale.at(sum(&figures[..end])));
                let place = format!("x='{from}' y='{}' width='{}'", y - 8, to - from);
                let class = if figures.len() > 1 { class } else { own };
                self.draw(&format!("rect {place} height='16'"), class);
            }
            let [least, median, most] = spread.map(|it| scale.at(it));
            if least < most {
                self.draw(&format!("path d='M{least} {}v8m0-4H{most}m0-4v8'", y - 4), own);
            }
            if is_log {
                self.draw(&format!("circle cx='{median}' cy='{y}' r='4'"), own);
            }
            self.label([464, y + 5], "small end", &short(sum(figures)));
        }
    }

    /// A line for some of the rows over the places in the table's heads, with a name at its end:
    /// each a row and what it is called here. The first has all places.
    fn lines(&mut self, table: &[Row], drawn: &[[&str; 2]], axis: &str, is_log: bool) {
        let place = |head: &str| head.replace(',', "").split(' ').find_map(|it| it.parse().ok());
        let points = |[row, _]: &[&str; 2]| -> Vec<(f64, Value)> {
            let figures = table.iter().filter(|(subject, _)| subject == row).flat_map(|it| &it.1);
            let points = figures.filter_map(|(head, value)| Some((place(head)?, *value)));
            points.filter(|(place, _)| *place > 0.0).collect()
        };
        let lines: Vec<_> = drawn.iter().map(points).collect();
        let values = lines.iter().flatten().flat_map(|(_, value)| *value);
        let height = Scale::over(values, is_log, [BOTTOM, TOP]);
        let width = Scale::over(lines[0].iter().map(|(place, _)| *place), true, [94, 342]);
        for tick in height.ticks() {
            let y = height.at(tick);
            self.draw(&format!("path d='M80 {y}H356'"), "rule");
            self.label([74, y + 5], "small quiet end", &number(tick));
        }
        for (place, _) in &lines[0] {
            let x = width.at(*place);
            self.draw(&format!("path d='M{x} {BOTTOM}v6'"), "");
            self.label([x, BOTTOM + 22], "small quiet mid", &number(*place));
        }
        let mut names = Vec::new();
        for (at, line) in lines.into_iter().enumerate().filter(|(_, line)| !line.is_empty()) {
            let (class, [_, name]) = (LINES[at], drawn[at]);
            let aside = 3 * at as i32 - 6; // so that none hides another
            let (mut path, mut marks, mut end) = (String::new(), Pen::default(), TOP);
            for (place, value) in line {
                let x = width.at(place) + aside;
                let [least, y, most] = value.map(|it| height.at(it));
                if least > most {
                    let path = format!("M{} {least}h8m-4 0V{most}m-4 0h8", x - 4);
                    marks.draw(&format!("path d='{path}'"), class);
                }
                marks.draw(&format!("circle cx='{x}' cy='{y}' r='4'"), class);
                path += &format!("{x} {y} ");
                end = y;
            }
            self.draw(&format!("path d='M{path}'"), &format!("heavy {class}"));
            self.body += &marks.body;
            names.push((end, name, class));
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
    fn card(self, table: &[Row], title: &str, what: &str) -> String {
        let told = |(subject, figures): &Row| {
            let figures = figures.iter().map(|(head, it)| format!("{head} {}", number(it[1])));
            format!(" {subject}: {}.", figures.collect::<Vec<_>>().join(", "))
        };
        format!(
            include_str!("card.svg"),
            title = title,
            what = what,
            figures = table.iter().map(told).collect::<String>(),
            style = include_str!("../../tests/docs/style.css"),
            height = self.height,
            edge = self.height - 1,
            body = self.body,
        )
    }
}
