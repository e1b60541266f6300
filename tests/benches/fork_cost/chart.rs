//! A chart of a measure, as SVG for light pages and dark ones: its background is its own, its text
//! is text, and its colours are told apart by colour-blind people too.

use harness::{Error, Result};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::report::{Measure, Part, Summary, number};

const WIDTH: i32 = 860;
const ROW: i32 = 20;
const FONT: i32 = 17; // which plotters writes as 13.7 pixels

/// Okabe and Ito's colours, without the yellow, which is hard to see on white.
const COLOURS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];
const GRID: RGBColor = RGBColor(221, 221, 221);
const INK: RGBColor = RGBColor(51, 51, 51);

/// On a dark page: plotters writes colours as attributes, which give way to a style sheet.
const DARK: &str = r##"<style>
@media (prefers-color-scheme: dark) {
  [fill="#FFFFFF"] { fill: #151a21; }
  [fill="#333333"], [fill="#000000"] { fill: #e6e9ee; }
  [stroke="#333333"], [stroke="#000000"] { stroke: #e6e9ee; }
  [stroke="#DDDDDD"] { stroke: #3a434e; }
  [fill="#0072B2"] { fill: #2e94d6; }
  [stroke="#0072B2"] { stroke: #2e94d6; }
}
</style>"##;

/// Draws `measure`: lines over the places where there are many, else rows of bars.
pub(crate) fn svg(part: &Part, measure: &Measure) -> Result<String> {
    let title = format!("{}: {}, {}", part.title, measure.name, measure.unit);
    let mut svg = String::new();
    let drawn = if measure.places().len() > 3 {
        lines(part, measure, &title, &mut svg)
    } else {
        rows(part, measure, &title, &mut svg)
    };
    drawn.map_err(|error| Error::new(format!("cannot draw {title}: {error}")))?;
    // plotters gives no title, by which a reader who can't see it is told what it is.
    let escaped = title.replace('&', "&amp;").replace('<', "&lt;");
    let head = format!(" role=\"img\">\n<title>{escaped}</title>\n{DARK}");
    Ok(svg.replacen('>', &head, 1) + "\n")
}

/// The file's name, without a folder.
pub(crate) fn file_name(part: &Part, measure: &Measure) -> String {
    let slug = measure.name.replace(|it: char| !it.is_ascii_alphanumeric(), "-").to_lowercase();
    format!("bench-{}-{slug}.svg", part.name)
}

type Drawn = std::result::Result<(), Box<dyn std::error::Error>>;
type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Where values are on the paper.
struct Scale {
    logarithmic: bool,
    values: (f64, f64),
    pixels: (i32, i32),
}

impl Scale {
    /// From zero; or from the least value by powers of ten, where bars from zero would hide it.
    fn of(least: f64, most: f64, pixels: (i32, i32)) -> Scale {
        let logarithmic = least > 0.0 && most / least > 100.0;
        let values = if logarithmic {
            (10_f64.powf(least.log10().floor()), most * 1.2)
        } else {
            (0.0, if most > 0.0 { most * 1.05 } else { 1.0 })
        };
        Scale { logarithmic, values, pixels }
    }

    fn at(&self, value: f64) -> i32 {
        let (from, to) = self.values;
        let part = if self.logarithmic {
            (value.max(from) / from).ln() / (to / from).ln()
        } else {
            (value - from) / (to - from)
        };
        let (start, end) = self.pixels;
        start + (part * f64::from(end - start)).round() as i32
    }

    fn ticks(&self) -> Vec<f64> {
        let (from, to) = self.values;
        if self.logarithmic {
            return (0..20).map(|power| from * 10_f64.powi(power)).filter(|it| *it <= to).collect();
        }
        let rough = to / 5.0;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|it| it * power).into_iter().find(|it| *it >= rough);
        let step = step.unwrap_or(rough);
        (0..10).map(|count| f64::from(count) * step).filter(|it| *it <= to).collect()
    }
}

/// The least and the most of all values; the least of all medians, where one odd round would make
/// the scale logarithmic.
fn extent(measure: &Measure) -> (f64, f64) {
    let summaries = || measure.figures.iter().filter_map(|it| Summary::of(&it.rounds));
    let least = summaries().map(|it| it.median).fold(f64::MAX, f64::min);
    (least, summaries().map(|it| it.most).fold(0.0, f64::max))
}

fn text(
    area: &Area,
    what: &str,
    at: (i32, i32),
    bold: bool,
    colour: RGBColor,
    anchor: HPos,
) -> Drawn {
    let style = if bold { FontStyle::Bold } else { FontStyle::Normal };
    let style = ("sans-serif", FONT, style).into_font().color(&colour);
    area.draw_text(what, &style.pos(Pos::new(anchor, VPos::Center)), at)?;
    Ok(())
}

fn line(area: &Area, points: Vec<(i32, i32)>, colour: RGBColor, width: u32) -> Drawn {
    area.draw(&PathElement::new(points, colour.stroke_width(width)))?;
    Ok(())
}

/// A bar for each subject, in a block for each place, with its spread. On a logarithmic scale,
/// where the length of a bar means nothing, there is a dot.
fn rows(part: &Part, measure: &Measure, title: &str, svg: &mut String) -> Drawn {
    let (places, subjects) = (measure.places(), measure.subjects());
    let left = 20 + 8 * subjects.iter().map(|it| it.chars().count()).max().unwrap_or(0) as i32;
    let count = (places.len() * (subjects.len() + 2)) as i32;
    let (top, bottom) = (40, 40 + count * ROW);
    let area = SVGBackend::with_string(svg, (WIDTH as u32, bottom as u32 + 40)).into_drawing_area();
    area.fill(&WHITE)?;
    text(&area, title, (20, 20), true, INK, HPos::Left)?;
    let (least, most) = extent(measure);
    let scale = Scale::of(least, most, (left, WIDTH - 90));
    for tick in scale.ticks() {
        let x = scale.at(tick);
        line(&area, vec![(x, top), (x, bottom)], GRID, 1)?;
        text(&area, &number(tick), (x, bottom + 15), false, INK, HPos::Center)?;
    }
    let mut y = top;
    for place in places {
        y += ROW;
        let heading = format!("{}: {}", measure.at.unwrap_or(part.at), number(place as f64));
        text(&area, &heading, (left, y), true, INK, HPos::Left)?;
        for subject in &subjects {
            y += ROW;
            text(&area, subject, (left - 8, y), false, INK, HPos::Right)?;
            let figure = measure.figure(subject, place);
            let Some(value) = figure.and_then(|it| Summary::of(&it.rounds)) else { continue };
            let colour = match *subject {
                "lesson-03" => COLOURS[0],
                it if it == measure.baseline => INK,
                _ => COLOURS[4],
            };
            let x = scale.at(value.median);
            if scale.logarithmic {
                area.draw(&Circle::new((x, y), 5, colour.filled()))?;
            } else {
                area.draw(&Rectangle::new([(left, y - 7), (x, y + 7)], colour.filled()))?;
            }
            let (from, to) = (scale.at(value.least), scale.at(value.most));
            let spread = if colour == INK { RGBColor(136, 136, 136) } else { INK };
            line(&area, vec![(from, y), (to, y)], spread, 1)?;
            line(&area, vec![(from, y - 4), (from, y + 4)], spread, 1)?;
            line(&area, vec![(to, y - 4), (to, y + 4)], spread, 1)?;
            text(&area, &number(value.median), (to.max(x) + 8, y), false, INK, HPos::Left)?;
        }
        y += ROW;
    }
    area.present()?;
    Ok(())
}

/// A line for each subject, with its name at the end.
fn lines(part: &Part, measure: &Measure, title: &str, svg: &mut String) -> Drawn {
    const BOTTOM: i32 = 400;
    let (places, subjects) = (measure.places(), measure.subjects());
    let right =
        WIDTH - 42 - 8 * subjects.iter().map(|it| it.chars().count()).max().unwrap_or(0) as i32;
    let area = SVGBackend::with_string(svg, (WIDTH as u32, BOTTOM as u32 + 60)).into_drawing_area();
    area.fill(&WHITE)?;
    text(&area, title, (20, 20), true, INK, HPos::Left)?;
    let (least, most) = extent(measure);
    let height = Scale::of(least, most, (BOTTOM, 44));
    for tick in height.ticks() {
        let y = height.at(tick);
        line(&area, vec![(80, y), (right, y)], GRID, 1)?;
        text(&area, &number(tick), (72, y), false, INK, HPos::Right)?;
    }
    let (first, last) = (places[0] as f64, places[places.len() - 1] as f64);
    let width = Scale { logarithmic: first > 0.0, values: (first, last), pixels: (90, right - 10) };
    let mut written = -WIDTH;
    for place in &places {
        let x = width.at(*place as f64);
        line(&area, vec![(x, BOTTOM), (x, BOTTOM + 5)], INK, 1)?;
        if x - written > 40 {
            text(&area, &number(*place as f64), (x, BOTTOM + 15), false, INK, HPos::Center)?;
            written = x;
        }
    }
    text(&area, measure.at.unwrap_or(part.at), (right, BOTTOM + 38), false, INK, HPos::Right)?;

    // Where each line ends, and so its name: from above, and apart from one another.
    let mut names: Vec<(i32, &str, RGBColor)> = Vec::new();
    for (subject, colour) in subjects.iter().zip(COLOURS.iter().cycle()) {
        let figures = places.iter().filter_map(|place| measure.figure(subject, *place));
        let medians = figures.filter_map(|it| Some((it.at, Summary::of(&it.rounds)?)));
        let mut points = Vec::new();
        for (place, value) in medians {
            let x = width.at(place as f64);
            let (from, to) = (height.at(value.least), height.at(value.most));
            area.draw(&PathElement::new(
                vec![(x, from), (x, to)],
                colour.mix(0.4).stroke_width(1),
            ))?;
            points.push((x, height.at(value.median)));
        }
        let Some(end) = points.last() else { continue };
        names.push((end.1, subject, *colour));
        for point in &points {
            area.draw(&Circle::new(*point, 3, colour.filled()))?;
        }
        line(&area, points, *colour, 2)?;
    }
    names.sort_by_key(|(y, ..)| *y);
    // Down from the top, then up again from the bottom, so that none leaves the paper.
    for at in 1..names.len() {
        names[at].0 = names[at].0.max(names[at - 1].0 + FONT + 3);
    }
    let mut floor = BOTTOM;
    for (y, name, colour) in names.iter().rev() {
        let y = (*y).min(floor);
        floor = y - FONT - 3;
        // Not in its colour: some are too light to be read on white.
        line(&area, vec![(right + 4, y), (right + 16, y)], *colour, 4)?;
        text(&area, name, (right + 22, y), false, INK, HPos::Left)?;
    }
    area.present()?;
    Ok(())
}
